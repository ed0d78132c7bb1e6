"""What docs/clusters.md says of Kubernetes, as far as it goes without a cluster: the plan of the study with its executor."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "e2e"))
from test_study import TINY, copy_repository, environment, jobs_of

NEEDED = ("snakemake_executor_plugin_kubernetes", "snakemake_storage_plugin_fs")
pytestmark = [pytest.mark.operations, pytest.mark.timeout(0)]


def test_the_study_is_planned_for_kubernetes(tmp_path):
    """Storage is a folder here; an executor that is only asked for a plan needs an address, not an answer."""
    for name in NEEDED:
        pytest.importorskip(name, reason=f"pip install {name.replace('_', '-')}")
    folder, bucket = copy_repository(tmp_path / "study"), tmp_path / "bucket"
    for tracked in ("config", "docs", "results/published"):
        shutil.copytree(folder / tracked, bucket / tracked)
    address = {"cluster": {"server": "https://127.0.0.1:1"}, "name": "c"}
    user, context = {"name": "u", "user": {"token": "none"}}, {"name": "c", "context": {"cluster": "c", "user": "u"}}
    kube = {"apiVersion": "v1", "kind": "Config", "clusters": [address], "users": [user], "contexts": [context]}
    (tmp_path / "kube.json").write_text(json.dumps(kube | {"current-context": "c"}))
    options = ["--executor", "kubernetes", "--jobs", "50", "--container-image", "example.org/qff:latest"]
    options += ["--default-storage-provider", "fs", "--default-storage-prefix", str(bucket), "--retries", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *options, *TINY, "-n"],
        cwd=folder,
        env=environment() | {"KUBECONFIG": str(tmp_path / "kube.json"), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert {"train_model", "evaluate_model", "build_report"} <= jobs_of(done.stdout)

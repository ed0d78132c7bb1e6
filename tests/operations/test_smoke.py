"""Every stage, shortened: the smoke study from a copy of the repository to its report."""

import csv
import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "e2e"))
from test_study import copy_repository, run

pytestmark = [pytest.mark.operations, pytest.mark.timeout(0)]


def test_smoke_study_reaches_its_report(tmp_path):
    folder = copy_repository(tmp_path)
    done = run(folder, "--configfile", "config/smoke.yaml")
    results = folder / "results/smoke"
    report = (results / "report.html").read_text(encoding="utf-8")
    with open(results / "claims.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert rows
    for row in rows:
        assert row["claim_id"] in report
        if row["measure_verdict"] == "not_tested":  # some ask for models or sets that smoke leaves out
            assert not row["claim_id"].startswith("kiss.lih.")
            continue
        assert float(row["ci_low"]) <= float(row["ours"]) <= float(row["ci_high"])
    assert "is complete" in done.stderr
    assert "report.html" in done.stderr
    for folder_name in ("reference", "data", "train", "evaluate", "capacity", "scaling", "dynamics", "quantum"):
        for record in (results / folder_name).rglob("run.json"):
            content = json.loads(record.read_text(encoding="utf-8"))
            assert content["runs"]
            assert all(run["name"] and run["key"] for run in content["runs"])
    assert (folder / "results/mlflow.db").is_file()
    assert not list(results.rglob("checkpoint.safetensors"))

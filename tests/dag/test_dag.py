"""The workflow without running it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted((ROOT / "workflow/rules").glob("*.smk"))
HEAVY = ("torch", "pyscf", "pennylane", "mlflow", "qiskit", "matplotlib")


def snakemake(*arguments, cwd=ROOT, **environment):
    place = {k: v for k, v in os.environ.items() if not k.startswith(("QFF_", "PYTHONPATH"))} | environment
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=cwd,
        env=place,
        capture_output=True,
        text=True,
        timeout=600,
    )


def fresh(tmp_path, *arguments, **environment):
    """A dry run in an empty folder that has the repository's files but no results."""
    for name in ("Snakefile", "workflow", "config", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "results").mkdir()
    (tmp_path / "results/published").symlink_to(ROOT / "results/published")
    return snakemake("-n", "--cores", "1", *arguments, cwd=tmp_path, **environment)


def rules():
    """(file, name, body) of every rule."""
    found = []
    for path in RULES:
        parts = re.split(r"^\s*rule (\w+):", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        found += [(path.name, name, body) for name, body in zip(parts[1::2], parts[2::2], strict=True)]
    return found


@pytest.mark.parametrize("overlay", [None, "smoke", "full", "freeze"])
def test_dry_run(tmp_path, overlay):
    arguments = ["--configfile", f"config/{overlay}.yaml"] if overlay else []
    done = fresh(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    total = int(re.search(r"^total\s+(\d+)", done.stdout, re.MULTILINE).group(1))
    assert 40 < total < 2000
    assert ("label_chunk" in done.stdout) == (overlay in ("full", "freeze"))
    assert not list((tmp_path / "results").glob("[!p]*")), "a dry run writes nothing"


def test_dry_run_imports_nothing_heavy(tmp_path):
    """Importing one of them anywhere, in Snakemake or a subprocess of it, would fail the dry run."""
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in HEAVY:
        (trap / f"{name}.py").write_text(f"raise SystemExit('a dry run imports {name}')\n")
    place = tmp_path / "study"
    place.mkdir()
    done = fresh(place, PYTHONPATH=str(trap))
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.parametrize(("file", "name", "body"), rules(), ids=lambda x: x if "\n" not in str(x) else "")
def test_rules_keep_the_house_order(file, name, body):
    assert re.search(r"^\s+log:", body, re.MULTILINE), f"{name} has no log"
    assert re.search(r"^\s+benchmark:", body, re.MULTILINE), f"{name} has no benchmark"
    assert re.search(r'^\s+"""', body, re.MULTILINE), f"{name} has no description"
    script = re.search(r'script:\s+"../scripts/(\w+)\.py"', body)
    assert script, f"{name} runs no script"
    assert script.group(1) == name
    lines = (ROOT / f"workflow/scripts/{name}.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 25
    assert file != "common.smk"


def test_no_script_is_left_over():
    assert {p.stem for p in (ROOT / "workflow/scripts").glob("*.py")} == {name for _, name, _ in rules()}


def test_no_job_but_tracking_imports_mlflow():
    users = [
        p.name
        for p in (ROOT / "workflow").rglob("*.py")
        if re.search(r"^\s*(import|from) mlflow", p.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert users == ["tracking.py"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "sedes=3"], "unknown key 'sedes': did you mean 'seeds'?"),
        (["--config", "seeds=none"], "seeds"),
        (["--config", "systems=[lhi]"], "did you mean 'lih'?"),
        (["--config", "models=[qnn,amber]"], "unknown 'amber'"),
        (["--configfile", "config/nothing.yaml"], "config/nothing.yaml"),
    ],
)
def test_bad_configuration_stops_the_dry_run(tmp_path, arguments, message):
    done = fresh(tmp_path, *arguments)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr

"""How the rules are written, and what they may import."""

import re

import pytest
import yaml
from dry_runs import ROOT, edited, fresh, place, rules, snakemake
from qff.digest import closure

HEAVY = ("torch", "pyscf", "pennylane", "mlflow", "qiskit", "matplotlib")


def test_linting_finds_nothing(tmp_path):
    done = snakemake("--lint", cwd=place(tmp_path))
    hints = set(re.findall(r"^    \* (.*):$", done.stdout + done.stderr, re.MULTILINE))
    assert done.returncode == 0, done.stdout + done.stderr
    assert hints == set()


def test_every_job_has_a_conda_environment(tmp_path, stand_in_conda):
    """As far as this goes without a channel to install from: Snakemake reads and plans all three."""
    done = fresh(tmp_path, "--sdm", "conda", PATH=stand_in_conda)
    assert done.returncode == 0, done.stdout + done.stderr
    planned = re.findall(r"Conda environment \S*?(\w+)\.yaml will be created", done.stdout + done.stderr)
    assert set(planned) == {"reference", "learning", "report"}


def test_the_trap_for_heavy_imports_catches_them(tmp_path):
    """The test below can fail: also for an import inside the included rules."""
    folder = edited(tmp_path)
    (folder / "trap").mkdir()
    (folder / "trap/torch.py").write_text("raise SystemExit('a dry run imports torch')\n")
    with open(folder / "workflow/rules/common.smk", "a", encoding="utf-8") as handle:
        handle.write("\nfrom qff.systems import System\n")
    done = snakemake("-n", "--cores", "1", cwd=folder, PYTHONPATH=str(folder / "trap"))
    assert done.returncode != 0
    assert "a dry run imports torch" in done.stdout + done.stderr


def test_dry_run_imports_nothing_heavy(tmp_path):
    """Importing one of them anywhere, in Snakemake or a subprocess of it, would fail the dry run."""
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in HEAVY:
        (trap / f"{name}.py").write_text(f"raise SystemExit('a dry run imports {name}')\n")
    done = fresh(tmp_path / "study", PYTHONPATH=str(trap))
    assert done.returncode == 0, done.stderr + done.stdout


def test_figures_share_jobs_of_a_cluster_and_its_profile_names_rules():
    """A job of Slurm costs more than a figure does; a name that no rule has would go unnoticed."""
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text(encoding="utf-8"))
    names = {name for _, name, _ in rules()}
    assert {name for name in names if name.startswith("plot_")} <= profile["groups"].keys()
    assert profile["groups"].keys() | profile["set-resources"].keys() <= names


SHARED = {  # rules whose work is that of another, on other files
    "evaluate_hybrid": "evaluate_model",
    "collect_timings": "collect_metrics",
}


@pytest.mark.parametrize(("file", "name", "body"), rules(), ids=lambda x: x if "\n" not in str(x) else "")
def test_rules_keep_the_house_order(file, name, body):
    assert re.search(r"^\s+log:", body, re.MULTILINE), f"{name} has no log"
    assert re.search(r"^\s+benchmark:", body, re.MULTILINE), f"{name} has no benchmark"
    assert re.search(r'^\s+"""', body, re.MULTILINE), f"{name} has no description"
    script = re.search(r'script:\s+"../scripts/(\w+)\.py"', body)
    assert script, f"{name} runs no script"
    assert script.group(1) == SHARED.get(name, name)
    lines = (ROOT / f"workflow/scripts/{script.group(1)}.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 25
    assert file != "common.smk"
    for path in re.findall(r"\{RESULTS\}/(?:logs|benchmarks)/(\w+)", body):
        assert path == name, f"log or benchmark of {name} is named after {path}"


def test_no_script_is_left_over():
    assert {p.stem for p in (ROOT / "workflow/scripts").glob("*.py")} == {
        SHARED.get(name, name) for _, name, _ in rules()
    }


def test_no_job_but_tracking_imports_mlflow():
    users = {
        p.name
        for p in (ROOT / "workflow").rglob("*.py")
        if re.search(r"^\s*(import|from) mlflow", p.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert users == {"tracking.py", "served.py"}
    scripts = {p.name for p in (ROOT / "workflow/scripts").glob("*.py") if "qff.tracking" in p.read_text("utf-8")}
    assert scripts == {"track_stage.py"}
    assert not any("qff.served" in closure(module) for module in ("qff.stages.train", "qff.stages.evaluate"))

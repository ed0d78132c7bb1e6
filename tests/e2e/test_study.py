"""The study as a user runs it: from a copy of the repository to the report, killed and resumed, changed and re-run."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = ["--configfile", "tests/e2e/tiny.yaml"]


def copy_repository(target: Path) -> Path:
    """What git would give a new user, uncommitted edits included."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target


def command(*arguments: str, cores: int = 2) -> list[str]:
    return [
        sys.executable, "workflow/guard.py", sys.executable, "-m", "snakemake", "--cores", str(cores), *arguments,
    ]  # fmt: skip


def environment() -> dict[str, str]:
    """The user's environment without what an outer run of the study may have left in it."""
    hidden = ("QFF_", "PYTEST_", "MLFLOW_TRACKING_URI", "PYTHONPATH")
    return {k: v for k, v in os.environ.items() if not k.startswith(hidden)} | {"OMP_NUM_THREADS": "1"}


def run(folder: Path, *arguments: str, cores: int = 2, check: bool = True) -> subprocess.CompletedProcess:
    done = subprocess.run(
        command(*arguments, cores=cores), cwd=folder, env=environment(), capture_output=True, text=True, timeout=1700
    )
    if check and done.returncode:
        raise AssertionError(f"exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}")
    return done


def jobs_of(dry_run: str) -> set[str]:
    """Rules that a dry run would execute."""
    table = dry_run.split("Job stats:")[-1].split("total")[0].splitlines()
    return {line.split()[0] for line in table if line.strip() and line.split()[-1].isdigit()}


def numbers(folder: Path, profile: str) -> dict[str, bytes]:
    """Everything that must not depend on cores, interruptions or the clock."""
    results = folder / "results" / profile
    names = [
        "claims.csv",
        "claims.json",
        "metrics.csv",
        *(str(p.relative_to(results)) for p in results.rglob("*.safetensors")),
    ]
    names += [str(p.relative_to(results)) for p in results.rglob("curves.csv")]
    names += [str(p.relative_to(results)) for p in results.rglob("trajectory.csv")]
    return {name: (results / name).read_bytes() for name in sorted(names)}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A complete tiny study, run on one core."""
    folder = copy_repository(tmp_path_factory.mktemp("one core"))
    run(folder, *TINY, cores=1)
    return folder


def test_a_second_run_has_nothing_to_do(finished):
    started = time.monotonic()
    done = run(finished, *TINY)
    assert "Nothing to be done" in done.stdout + done.stderr
    assert time.monotonic() - started < 60  # a hang, not a benchmark


def test_killed_at_random_moments_it_ends_at_the_same_numbers(finished, tmp_path):
    """kill -9 of the driver alone, then of its whole process group; two cores instead of one."""
    folder = copy_repository(tmp_path / "two cores")
    rng = random.Random()
    waits = []
    for whole_group in (False, True):
        process = subprocess.Popen(
            command(*TINY), cwd=folder, env=environment(), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        waits.append(rng.uniform(8, 35))
        time.sleep(waits[-1])
        if whole_group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
    run(folder, *TINY)
    ours, theirs = numbers(folder, "tiny"), numbers(finished, "tiny")
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == [], f"killed after {waits} s"


@pytest.mark.parametrize(
    ("edited", "included", "excluded"),
    [
        ("workflow/qff/models/nn.py", {"train_model", "train_size", "run_dynamics"}, {"import_reference", "split_data", "compare_fci"}),
        ("workflow/qff/capacity.py", {"estimate_capacity", "judge_claims"}, {"train_model", "train_size", "run_dynamics"}),
        ("workflow/qff/reference/labels.py", {"import_reference", "compare_fci"}, set()),
    ],
)  # fmt: skip
def test_an_edit_reruns_what_uses_it(finished, edited, included, excluded):
    path = finished / edited
    before = path.read_bytes()
    try:
        path.write_bytes(before + b"\n_EDITED = True\n")
        planned = jobs_of(run(finished, *TINY, "-n").stdout)
    finally:
        path.write_bytes(before)
    assert included <= planned
    assert not excluded & planned


def test_a_fresh_clones_times_change_nothing(finished):
    """git sets all modification times to now: no reason to compute anything again."""
    later = time.time() + 100
    for path in [
        *(finished / "config").iterdir(),
        *(finished / "results/published").rglob("*"),
        finished / "Snakefile",
    ]:
        if path.is_file():
            os.utime(path, (later, later))
    assert "Nothing to be done" in (done := run(finished, *TINY, "-n")).stdout + done.stderr


def test_a_corrupted_frozen_label_stops_the_study(finished, tmp_path):
    folder = copy_repository(tmp_path)
    path = folder / "results/published/reference/lih.extxyz"
    lines = path.read_text().splitlines(keepends=True)
    lines[4 * 7 + 3] = lines[4 * 7 + 3].replace("0.0000", "0.0100", 1)  # one coordinate of frame 7
    path.write_text("".join(lines))
    done = run(folder, *TINY, "--until", "import_reference", check=False)
    assert done.returncode != 0
    assert "frame 7" in done.stdout + done.stderr
    assert not (folder / "results/tiny/reference/lih/labels.extxyz").exists()


def test_two_runs_at_once_are_refused(finished):
    import fcntl

    with open(finished / ".study.lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        done = run(finished, *TINY, check=False)
    assert done.returncode == 75
    assert "Another run of the study is active" in done.stderr


def test_an_unreachable_store_does_not_stop_the_study(finished):
    """The store is gone; the records are not: the study ends well, says so, and a sync catches up."""
    for marker in (finished / "results/tiny/tracking").glob("*.json"):
        marker.unlink()
    store = finished / "results/mlflow.db"
    store.unlink()
    store.write_bytes(b"this is no database")
    done = run(finished, *TINY)
    assert "make sync" in done.stdout + done.stderr
    assert (finished / "results/tiny/tracking/pending").exists()
    store.unlink()
    sync = [sys.executable, "-m", "qff.tracking", "sync", "results/tiny"]
    place = environment() | {"PYTHONPATH": str(finished / "workflow")}
    subprocess.run(sync, cwd=finished, env=place, check=True, capture_output=True, timeout=900)
    assert not (finished / "results/tiny/tracking/pending").exists()
    assert store.is_file()


def test_an_unwritable_results_folder_is_named(tmp_path):
    folder = copy_repository(tmp_path)
    (folder / "results/tiny").write_text("a file in the way")
    done = run(folder, *TINY, check=False)
    assert done.returncode != 0
    assert "results/tiny" in done.stdout + done.stderr

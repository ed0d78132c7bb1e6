"""The study through a real Slurm on this machine: it completes, a cancelled job is retried, a killed driver resumes.

Needs Debian's slurm-wlm and munge; the daemons are started here, without systemd, and stopped at the end.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/e2e"))
from test_study import copy_repository  # noqa: E402

SLURM = Path(__file__).parent / "slurm"
NEEDED = ("slurmctld", "slurmd", "munged", "sbatch")
PATHS = f"{os.environ['PATH']}:/usr/sbin:/sbin"
pytestmark = [
    pytest.mark.operations,
    pytest.mark.timeout(0),
    pytest.mark.skipif(
        not all(shutil.which(name, path=PATHS) for name in NEEDED), reason="no Slurm: apt-get install slurm-wlm munge"
    ),
]
# Of this one machine: a partition, short intervals, and memory that it has.
HERE = ["--default-resources", "slurm_partition=main", "mem_mb=attempt*1000", "runtime=attempt*30"]
HERE += ["--group-components", "evaluation=2", "points=2", "figures=2"]  # a larger group never fits on two cores
HERE += ["--latency-wait", "10", "--slurm-init-seconds-before-status-checks", "3", "--jobs", "2"]


@pytest.fixture(scope="module")
def slurm():
    """Environment in which sbatch finds a Slurm of its own."""
    root = Path(tempfile.mkdtemp(prefix="study-slurm-", dir="/var/tmp"))
    root.chmod(0o755)  # munge serves only where all may enter, and pytest's own folders are private
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("QFF_", "PYTEST_", "PYTHONPATH"))}
    environment |= {"PATH": PATHS, "SLURM_MEM_MB": "8000"}
    try:
        subprocess.run(["bash", SLURM / "start-slurm.sh", root], check=True, env=environment, timeout=120)
        yield environment | {"SLURM_CONF": f"{root}/slurm.conf", "PATH": f"{root}/bin:{PATHS}"}
    finally:
        subprocess.run(["bash", SLURM / "stop-slurm.sh", root], env=environment, timeout=120)
        shutil.rmtree(root, ignore_errors=True)


def driver(folder: Path, environment: dict, overlay: str = "tests/e2e/tiny.yaml") -> subprocess.Popen:
    snakemake = [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm"]
    words = [sys.executable, "workflow/guard.py", *snakemake, *HERE, "--configfile", overlay]
    log = open(folder / "driver.log", "a")  # noqa: SIM115
    return subprocess.Popen(words, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)


def jobs(environment: dict) -> list[str]:
    """Numbers of the jobs that run."""
    done = subprocess.run(
        ["squeue", "-h", "-t", "running", "-o", "%i"], env=environment, capture_output=True, text=True, timeout=60
    )
    return done.stdout.split()


def wait_for_a_job(process: subprocess.Popen, environment: dict) -> str:
    while not (found := jobs(environment)):
        assert process.poll() is None, "the driver ended before a job ran"
        time.sleep(1)
    return found[0]


def test_the_study_completes_in_spite_of_a_cancelled_job_and_a_killed_driver(tmp_path, slurm):
    folder = copy_repository(tmp_path / "study")
    first = driver(folder, slurm)
    cancelled = wait_for_a_job(first, slurm)
    subprocess.run(["scancel", cancelled], env=slurm, check=True)
    deadline = time.monotonic() + 300
    while "Trying to restart job" not in (folder / "driver.log").read_text():
        assert time.monotonic() < deadline, "a cancelled job was not noticed"
        assert first.poll() is None, (folder / "driver.log").read_text()[-3000:]
        time.sleep(1)
    wait_for_a_job(first, slurm)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert not (folder / "results/tiny/claims.csv").exists()
    while jobs(slurm):  # they outlive the driver, and finish
        time.sleep(1)
    kept = {p: p.stat().st_mtime_ns for p in (folder / "results/tiny").rglob("run.json")}
    assert driver(folder, slurm).wait(timeout=3000) == 0, (folder / "driver.log").read_text()[-3000:]
    assert (folder / "results/tiny/report.html").is_file()
    assert all(p.stat().st_mtime_ns == then for p, then in kept.items()), "finished jobs ran again"
    again = driver(folder, slurm)
    assert again.wait(timeout=600) == 0
    assert "Nothing to be done" in (folder / "driver.log").read_text()[-3000:]


def test_smoke_completes(tmp_path, slurm):
    folder = copy_repository(tmp_path / "study")
    code = driver(folder, slurm, "config/smoke.yaml").wait(timeout=7200)
    assert code == 0, (folder / "driver.log").read_text()[-3000:]
    assert (folder / "results/smoke/report.html").is_file()

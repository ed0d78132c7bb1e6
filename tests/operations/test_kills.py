"""The tiny study, stopped at random moments in every way there is, ends at the numbers of one that was left alone."""

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
sys.path.append(str(ROOT / "tests/e2e"))
from test_study import TINY, command, copy_repository, environment, numbers, run  # noqa: E402

pytestmark = [pytest.mark.operations, pytest.mark.timeout(0)]
KILLS = 24
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


def test_stopped_at_random_moments(tmp_path):
    """In a folder with a space and letters beyond ASCII; each signal to the driver alone and to its whole group."""
    whole = copy_repository(tmp_path / "left alone")
    started = time.monotonic()
    run(whole, *TINY)
    length = time.monotonic() - started
    folder, rng, log = copy_repository(tmp_path / "gestört ± 中断"), random.Random(os.environ.get("QFF_SEED")), []
    for kill in range(KILLS):
        process = subprocess.Popen(
            command(*TINY), cwd=folder, env=environment(), start_new_session=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        how, group, wait = SIGNALS[kill % 3], kill % 2 == 0, rng.uniform(0.02, 0.35) * length
        time.sleep(wait)
        if process.poll() is None:
            os.killpg(process.pid, how) if group else process.send_signal(how)
        process.wait()
        log.append((how.name, "group" if group else "driver", round(wait, 1), process.returncode))
        if process.returncode == 0:  # it was faster: begin again
            shutil.rmtree(folder / "results/tiny")
    run(folder, *TINY)
    ours, theirs = numbers(folder, "tiny"), numbers(whole, "tiny")
    assert ours.keys() == theirs.keys(), log
    assert [name for name in ours if ours[name] != theirs[name]] == [], log
    assert not list((folder / "results/tiny").rglob("live.json")), log

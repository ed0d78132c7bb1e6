"""What every job of the workflow needs: a log, clear errors, one thread, and an end when its driver dies."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path

from qff.errors import QffError

log = logging.getLogger("qff")
SCHEDULED = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID")  # set by a scheduler in the environment of its jobs


def progress(items: Iterable, description: str, total: int | None = None) -> Iterable:
    """Progress bar on a terminal, nothing elsewhere."""
    from tqdm import tqdm

    return tqdm(items, desc=description, total=total, disable=None, leave=False, mininterval=0.5, file=sys.__stderr__)


def job_environment(root: str | Path) -> dict[str, str]:
    """What jobs need to find in their environment.

    One thread each: Snakemake runs jobs side by side, and sums keep their order whatever ``--cores`` is. The
    package is found without being installed. Figures need no display.
    """
    paths = [f"{root}/workflow", *filter(None, [os.environ.get("PYTHONPATH")])]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {**threads, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "MPLBACKEND": "agg"}


def driver_id() -> str:
    """Identity of the process that drives the study, passed to its jobs as ``QFF_DRIVER``."""
    return f"{socket.gethostname()}:{os.getpid()}"


def watch_driver(interval: float = 1.0) -> None:
    """End this process when the driving Snakemake is gone.

    A driver killed with SIGKILL cannot stop its jobs; left alone they would go on writing beside those of the
    next invocation. Jobs on another host, or of a cluster's scheduler, are left to that: they may outlive the driver.
    """
    host, _, pid = os.environ.get("QFF_DRIVER", "").rpartition(":")
    if host != socket.gethostname() or not pid.isdigit() or any(name in os.environ for name in SCHEDULED):
        return

    def watch() -> None:
        while True:
            try:
                os.kill(int(pid), 0)
            except ProcessLookupError:
                os._exit(70)
            except PermissionError:
                return
            time.sleep(interval)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def job(logfile: str | Path) -> Iterator[None]:
    """Run a job: messages go to ``logfile``; a :class:`QffError` ends it with its message and no traceback."""
    watch_driver()
    Path(logfile).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(logfile, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    with contextlib.suppress(ImportError):
        if "torch" in sys.modules:
            import torch

            torch.set_num_threads(1)
    try:
        yield
        log.info("done")
    except QffError as error:
        log.error("%s", error)
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except BaseException:
        log.error("%s", traceback.format_exc())
        raise
    finally:
        log.removeHandler(handler)
        handler.close()

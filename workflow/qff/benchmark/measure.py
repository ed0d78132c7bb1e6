"""Times of engines that take turns in one run, so that a change of the machine's speed meets all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np

from qff.benchmark.workloads import Workload
from qff.jobs import log

ROUNDS = 5
SECONDS_PER_TURN = 1.0
MAX_CALLS = 50


class Worker:
    """A process that waits between its turns."""

    def __init__(self, engine: str, workload: Workload, **changes: int):
        threads = str(workload.threads)
        environment = os.environ | {
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen={'true' if workload.threads > 1 else 'false'}",
        }
        self.engine, self.times = engine, []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "qff.benchmark.worker", engine, workload.name, json.dumps(changes)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
            preexec_fn=(lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})) if workload.threads == 1 else None,
        )  # fmt: skip
        self.ready = json.loads(self._process.stdout.readline() or '{"missing": "a result: the process ended"}')
        self.memory_mib = float("nan")

    def turn(self) -> None:
        expected = min(self.times, default=self.ready["first"])
        calls = int(np.clip(SECONDS_PER_TURN / max(expected, 1e-9), 1, MAX_CALLS))
        self._process.stdin.write(f"{calls}\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        self.times += answer["times"]
        self.memory_mib = answer["memory_mib"]

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def compare(workload: Workload) -> list[dict]:
    """One row per engine: times in ms, ratio to ours, memory that the calls added, first call."""
    workers = []
    for engine in ("ours", *workload.peers):
        worker = Worker(engine, workload)
        if "missing" in worker.ready:
            log.warning("%s, %s: no %s; make bench installs it", workload.name, engine, worker.ready["missing"])
            continue
        workers.append(worker)
    for _ in range(ROUNDS):
        for worker in workers:
            worker.turn()
    ours = np.median(workers[0].times) * 1e3
    rows = []
    for worker in workers:
        worker.close()
        times = np.array(worker.times) * 1e3 / worker.ready["share"]
        rows.append(
            {
                "workload": workload.name,
                "engine": worker.engine,
                "median_ms": np.median(times),
                "min_ms": times.min(),
                "max_ms": times.max(),
                "ratio_to_ours": np.median(times) / ours,
                "peak_memory_mib": worker.memory_mib,
                "first_call_ms": worker.ready["first"] * 1e3 / worker.ready["share"],
                "calls": len(times),
                "check": worker.ready["sum"],
            }
        )
        log.info(
            "%s %s: %.3f ms (%.1f × ours)",
            workload.name,
            worker.engine,
            rows[-1]["median_ms"],
            rows[-1]["ratio_to_ours"],
        )
    return rows


def grow(workload: Workload, what: str, sizes: list[int]) -> list[dict]:
    """Median time and memory of ours for growing numbers of frames or members."""
    rows = []
    for n in sizes:
        worker = Worker("ours", workload, **{what: n})
        for _ in range(ROUNDS):
            worker.turn()
        worker.close()
        row = {"workload": workload.name, "variable": what, "n": n, "median_ms": np.median(worker.times) * 1e3}
        rows.append(row | {"peak_memory_mib": worker.memory_mib})
        log.info("%s, %d %s: %.3f ms", workload.name, n, what, row["median_ms"])
    return rows

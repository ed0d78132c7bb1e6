"""``python -m qff.benchmark.labels [system …]``: what reference labels cost, one process against as many as there are cores.

Frames are independent and every process has one thread, as in the workflow. The two ways take turns in one run; the table goes
to ``results/benchmarks/labels.csv``.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd

from qff.config import SystemConfig, load_study, read_yaml
from qff.jobs import log
from qff.provenance import write_csv
from qff.reference.frozen import read_frozen
from qff.reference.labels import label

FRAMES = 8  # of every turn
ROUNDS = 3
TABLE = Path("results/benchmarks/labels.csv")


def _label(task: tuple[SystemConfig, np.ndarray]) -> float:
    return label(*task, "benchmark").energy


def compare(system: SystemConfig, positions: np.ndarray, processes: int) -> dict[str, float]:
    """Seconds per frame of one process and of several, and how much of a linear gain several reach (median of rounds).

    Args:
        positions: (B, A, 3) in Å, B at least ``processes``; every turn labels all of them.
    """
    context = multiprocessing.get_context("spawn")
    tasks, times = [(system, x) for x in positions], {1: [], processes: []}
    pools = {n: context.Pool(n) for n in times}
    try:
        for n, pool in pools.items():  # imports and first calls are not timed
            pool.map(_label, tasks[:n], chunksize=1)
        for _ in range(ROUNDS):
            for n, pool in pools.items():
                start = time.perf_counter()
                pool.map(_label, tasks, chunksize=1)
                times[n].append(time.perf_counter() - start)
    finally:
        for pool in pools.values():
            pool.terminate()
    one, several = (np.array(times[n]) / len(tasks) for n in (1, processes))
    return {
        "frames": len(tasks),
        "processes": processes,
        "seconds_per_frame_one": float(np.median(one)),
        "seconds_per_frame_several": float(np.median(several)),
        "efficiency": float(np.median(one / several)) / processes,
    }


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(prog="qff.benchmark.labels", description=__doc__)
    parser.add_argument(
        "systems", nargs="*", default=["h2o", "h3o"], help="of config/systems.yaml, with frozen labels"
    )
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes, which are started anew
    study, rows = load_study(read_yaml("config/config.yaml")), []
    known = [name for name, system in study.systems.items() if system.reference.frozen]
    if unknown := [name for name in options.systems if name not in known]:
        parser.error(f"unknown system {', '.join(unknown)}; with frozen labels: {', '.join(known)}")
    for name in options.systems:
        system = study.systems[name]
        positions = read_frozen(Path(system.reference.frozen), system).positions[:FRAMES]
        rows.append({"system": name, **compare(system, positions, max(2, len(os.sched_getaffinity(0))))})
        log.info("%s", rows[-1])
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    write_csv(TABLE, pd.DataFrame(rows))


if __name__ == "__main__":
    main()

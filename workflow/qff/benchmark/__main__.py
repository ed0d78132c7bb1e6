"""``python -m qff.benchmark [workload …]``: measure, write tables and the figure to ``results/benchmarks``.

``--engines qiskit-aer`` measures those beside ours alone and keeps all other rows. ``--publish`` copies the tables to ``results/published/benchmarks`` and rewrites ``docs/engine.md``.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from qff.benchmark.document import PUBLISHED, write_document
from qff.benchmark.workloads import EXACT, FIRST, WORKLOADS
from qff.jobs import log
from qff.provenance import versions, write_csv, write_json, write_text

RESULTS = Path("results/benchmarks")
FRAMES = {"W1": [75, 150, 300, 600, 1200], "W3": [90, 180, 450, 900]}
SEEDS = [1, 2, 5, 10, 20]


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(prog="qff.benchmark", description=__doc__)
    parser.add_argument("workloads", nargs="*", help=f"of {', '.join(WORKLOADS)}; all by default")
    parser.add_argument("--engines", nargs="+", default=[], help="only those of the other engines, and no growth")
    parser.add_argument("--publish", action="store_true", help="make the last results the published ones")
    options = parser.parse_args()
    if unknown := [w for w in options.workloads if w not in WORKLOADS]:
        parser.error(f"unknown workload {', '.join(unknown)}; known: {', '.join(WORKLOADS)}")
    if options.publish:
        publish()
        return
    names = options.workloads or list(WORKLOADS)
    measure(names, options.engines)


def measure(names: list[str], engines: list[str]) -> None:
    """Run workloads and add them to the tables; what is not asked for keeps its rows.

    With ``engines`` the ratio to ours is that of this run, while the row of ours, if there is one, stays.
    """
    from qff.benchmark.machine import achieved, cache_kib, limits
    from qff.benchmark.measure import compare, grow
    from qff.benchmark.plot import plot

    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in names:
        workload = WORKLOADS[name]
        peers = tuple(p for p in workload.peers if p in engines)
        if not engines:
            _merge("engine.csv", pd.DataFrame(compare(workload)), ["workload"])
        elif peers:
            _merge("engine.csv", pd.DataFrame(compare(replace(workload, peers=peers))), ["workload", "engine"])
    grown = [] if engines else names
    for name in grown:
        if name in FRAMES:
            _merge("growth.csv", pd.DataFrame(grow(WORKLOADS[name], "frames", FRAMES[name])), ["workload"])
        if name == "W4":
            _merge("growth.csv", pd.DataFrame(grow(WORKLOADS[name], "members", SEEDS)), ["workload"])
    rates = [achieved(WORKLOADS[n]) for n in grown if n in ("W1", "W2", "W3", "W4")]
    if rates:
        limit = limits()
        table = pd.DataFrame(rates)
        for key, value in limit.items():
            table[key] = value
        _merge("machine.csv", table, ["workload"])
    write_json(RESULTS / "versions.json", versions() | cache_kib())
    plot(RESULTS)
    log.info("written to %s", RESULTS)


def _merge(file: str, table: pd.DataFrame, keys: list[str]) -> None:
    """Add rows to a table, in place of those with the same keys; ours stays where only others are measured again."""
    path = RESULTS / file
    if path.is_file():
        old = pd.read_csv(path)
        if "engine" in keys:
            ours = old[old.engine == "ours"].workload
            table = table[~((table.engine == "ours") & table.workload.isin(ours))]
        same = pd.MultiIndex.from_frame(old[keys]).isin(pd.MultiIndex.from_frame(table[keys]))
        table = pd.concat([old[~same], table])
    order = {name: k for k, name in enumerate(WORKLOADS)}
    engines = {name: k for k, name in enumerate(("ours", *EXACT, *FIRST, "qiskit-machine-learning"))}
    ranks = {"workload": order, "engine": engines}
    table = table.sort_values(
        [*ranks] if "engine" in table else ["workload"], key=lambda c: c.map(ranks[c.name]), kind="stable"
    )
    write_csv(path, table.round({c: 4 for c in table.columns if table[c].dtype == np.float64}))


def publish() -> None:
    for file in ("engine.csv", "growth.csv", "machine.csv", "versions.json"):
        write_text(PUBLISHED / file, (RESULTS / file).read_text(encoding="utf-8"))
    (PUBLISHED / "engine.png").write_bytes((RESULTS / "engine.png").read_bytes())
    write_document()


if __name__ == "__main__":
    main()

"""What the study cost, from Snakemake's benchmark files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from qff.report.numbers import Table, number


def read_benchmarks(folder: Path) -> pd.DataFrame:
    """One row per job: rule, seconds, cpu_seconds, memory_mib (missing where a job was too short to be sampled)."""
    rows = []
    for path in sorted(folder.rglob("*.tsv")):
        table = pd.read_csv(path, sep="\t", na_values=["NA", "-"])
        if table.empty:
            continue
        job = table.iloc[-1]
        rule = path.stem if path.parent == folder else path.relative_to(folder).parts[0]
        rows.append((rule, *(float(job.get(k, float("nan"))) for k in ("s", "cpu_time", "max_rss"))))
    return pd.DataFrame(rows, columns=["rule", "seconds", "cpu_seconds", "memory_mib"])


def cost_table(jobs: pd.DataFrame, source: str) -> Table:
    """Wall time, processor time and memory per rule, the most expensive first, and their sum."""
    groups = jobs.groupby("rule").agg(
        jobs=("seconds", "size"),
        wall=("seconds", "sum"),
        longest=("seconds", "max"),
        cpu=("cpu_seconds", "sum"),
        memory=("memory_mib", "max"),
    )
    groups = groups.sort_values("wall", ascending=False)
    rows = [
        [str(rule), str(g.jobs), *(number(v) for v in (g.wall, g.longest, g.cpu, g.memory))]
        for rule, g in zip(groups.index, groups.itertuples(), strict=True)
    ]
    if len(jobs):
        total = (jobs.seconds.sum(), jobs.seconds.max(), jobs.cpu_seconds.sum(), jobs.memory_mib.max())
        rows.append(["all rules", str(len(jobs)), *(number(v) for v in total)])
    header = ["rule", "jobs", "wall time (s)", "longest job (s)", "processor time (s)", "largest memory (MiB)"]
    note = "One line per rule; jobs run side by side, so the wall time of the study is shorter than the sum."
    return Table("Cost by rule", header, rows, source, note)

"""Stage 8: one table of numbers, and the claims judged from it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from qff.claims import Claim, judge, load_claims
from qff.metrics import metric_table
from qff.provenance import write_csv, write_json
from qff.stages.common import Context, flat, read_table


def collect_metrics(*, metrics_paths: list[str], table_path: str) -> None:
    """Join tidy tables; of none, the head of a table."""
    tables = [read_table(p).astype(object) for p in metrics_paths]
    write_csv(table_path, pd.concat(tables, ignore_index=True) if tables else metric_table([]))


def on_systems(known: dict[str, Claim], systems: list[str], stand_ins: dict[str, str]) -> dict[str, Claim]:
    """Claims on these systems, and on those that one of them stands in for, unless the same claim is stated for it too."""

    def of(claim_id: str, system: str) -> tuple[str, ...]:
        parts = claim_id.split(".")
        return (*parts[:1], *parts[2:], system)

    stated = {of(key, claim.system) for key, claim in known.items()}
    found = {}
    for key, claim in known.items():
        other = stand_ins.get(claim.system)
        if claim.system in systems or (other in systems and of(key, other) not in stated):
            found[key] = claim
    return found


def judge_claims(
    *, context: dict, systems: list[str], stand_ins: dict, claims_path: str, metrics_path: str, table_path: str, json_path: str, run_path: str,
    timings_path: str | None = None,
) -> None:  # fmt: skip
    """Verdict of every claim on the systems of the study, or, if there is none, of all: none of them is tested.

    ``stand_ins`` as of :func:`qff.claims.judge`; ``timings_path``: numbers that depend on the clock, beside the others.
    """
    place = Context(**context)
    sources = [metrics_path, *([timings_path] if timings_path else [])]
    tables = [read_table(p) for p in sources]
    metrics = pd.concat([t for t in tables if len(t)] or tables[:1], ignore_index=True)
    metrics[["variant", "split"]] = metrics[["variant", "split"]].fillna("")
    known = load_claims(claims_path)
    table = judge(on_systems(known, systems, stand_ins) or known, metrics, place.profile, stand_ins)
    write_csv(table_path, table)
    write_json(json_path, table.to_dict("records"))
    record = place.record("claims", [claims_path, *sources])
    for claim, rows in table.groupby("claim_id", sort=False):
        measured = {
            f"measure_{i}_{row.quantity}": (str(row.unit), row.ours)  # a table of nothing but "1" is read as numbers
            for i, row in enumerate(rows.itertuples())
            if pd.notna(row.ours)
        }
        record.add(
            claim,
            params={
                **rows.iloc[0][["verdict", "statement", "published", "source"]],
                **{f"measure_{i}": f"{row.measure}: {row.rule}" for i, row in enumerate(rows.itertuples())},
            },
            metrics=flat(measured),
            artifacts=[Path(table_path).name],
            verdict=rows.verdict.iloc[0],
            system=rows.system.iloc[0],
            evidence=rows.evidence.iloc[0],
        )
    record.write(run_path, [table_path, json_path])

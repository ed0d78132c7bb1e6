"""Two runs side by side: python -m qff.compare A B. Yours and the published one, two commits, two machines.

A and B are folders that hold ``metrics.csv`` and ``claims.csv``: ``results/<profile>`` of a finished study, or
``results/published``. Every number (median over seeds) gets a verdict: *identical*, *within seeds* (B lies in the
range of A's seeds), *outside seeds*, *only in A*, *only in B*.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from qff.command import reported
from qff.config import read_yaml
from qff.errors import DataError
from qff.provenance import write_csv
from qff.report.numbers import number
from qff.report.published import KEY, claim_changes, config_changes, number_changes, read_numbers

VERDICTS = ("identical", "within seeds", "outside seeds", "only in A", "only in B")


def read_run(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    """Numbers, claims and settings (if they are there) of a run.

    Raises:
        DataError: a table is missing or unreadable.
    """
    try:
        numbers, claims = read_numbers(folder / "metrics.csv"), pd.read_csv(folder / "claims.csv")
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{folder}: no run to compare ({error}); expected results/<profile> of a finished study, or a record"
        ) from error
    settings = folder / "config.yaml"
    return numbers, claims, read_yaml(settings) if settings.is_file() else {}


def drifts(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """One row per number of either run: KEY, a, low, high (range of A's seeds), b, drift = b − a, verdict."""
    both = number_changes(a, b).rename(columns={"then": "a", "now": "b"})
    both["verdict"] = "identical"
    both.loc[both.changed, "verdict"] = "within seeds"
    both.loc[both.changed & both.outside, "verdict"] = "outside seeds"
    parts = [both]
    for name, own, other in (("a", a, b), ("b", b, a)):
        medians = own.groupby(KEY, sort=False).value.median()
        alone = medians[~medians.index.isin(other.groupby(KEY).size().index)]
        parts.append(alone.rename(name).reset_index().assign(verdict=f"only in {name.upper()}"))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(drift=table.b - table.a)[[*KEY, "a", "low", "high", "b", "drift", "verdict"]]


def summary(folders: tuple[Path, Path], table: pd.DataFrame, verdicts: pd.DataFrame, settings: list) -> str:
    """What differs, in words and a table per quantity (Markdown)."""
    counts = (
        table.groupby(["quantity", "verdict"]).size().unstack(fill_value=0).reindex(columns=VERDICTS, fill_value=0)
    )
    moved = verdicts[verdicts.changed]
    outside = table[table.verdict == "outside seeds"]
    lines = [f"A: {folders[0]}    B: {folders[1]}", ""]
    lines += [f"Settings that differ: {len(settings)}", *(f"  {key}: {a} → {b}" for key, a, b in settings)]
    lines += [f"Verdicts that differ: {len(moved)} of {len(verdicts)}"]
    lines += [f"  {r.claim_id}: {r.then or 'absent'} → {r.now or 'absent'}" for r in moved.itertuples()]
    lines += ["", f"| quantity | {' | '.join(VERDICTS)} |", "|---" * (len(VERDICTS) + 1) + "|"]
    lines += [
        f"| {q} | {' | '.join(map(str, row))} |" for q, row in zip(counts.index, counts.to_numpy(), strict=True)
    ]
    lines += [f"| all | {' | '.join(str(n) for n in counts.sum())} |", ""]
    if len(outside):
        lines += ["| outside A's seeds | A | range of its seeds | B | drift |", "|---|---|---|---|---|"]
    for r in outside.itertuples():
        name = " ".join(str(x) for x in (r.system, r.model, r.quantity, r.variant, r.split) if x != "")
        name += "" if r.n_train == "" else f" n={r.n_train:.0f}"
        lines.append(
            f"| {name} ({r.unit}) | {number(r.a)} | {number(r.low)} … {number(r.high)} | {number(r.b)} | {number(r.drift)} |"
        )
    return "\n".join(lines)


@reported
def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a", type=Path)
    parser.add_argument("b", type=Path)
    parser.add_argument("--table", type=Path, help="write every number with its verdict to this csv")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a verdict or a number outside seeds differs")
    options = parser.parse_args(words)
    (a, claims_a, config_a), (b, claims_b, config_b) = read_run(options.a), read_run(options.b)
    table, verdicts = drifts(a, b), claim_changes(claims_a, claims_b)
    if options.table:
        write_csv(options.table, table)
    print(summary((options.a, options.b), table, verdicts, config_changes(config_a, config_b)))
    return int(options.strict and bool(verdicts.changed.any() or (table.verdict == "outside seeds").any()))


if __name__ == "__main__":
    sys.exit(main())

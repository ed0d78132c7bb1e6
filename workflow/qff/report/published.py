"""The published records (``results/published``): differences between this run and that of the study, and what overlays judge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from qff.config import read_yaml
from qff.report.numbers import MISSING, Table, number, unit_label
from qff.report.words import NAMES

KEY = ["system", "model", "variant", "n_train", "split", "quantity", "unit"]
ROUNDING = 1e-9  # relative: sums in another order on another machine


@dataclass(frozen=True)
class Differences:
    """Sentences, the claims then and now, and the numbers that moved."""

    sentences: list[str]
    tables: list[Table] = field(default_factory=list)
    folded: list[Table] = field(default_factory=list)  # long ones, closed at first
    changed_verdicts: int = 0
    outside: int = 0


def read_numbers(path: Path) -> pd.DataFrame:
    """The tidy table of numbers with empty strings for missing labels."""
    table = pd.read_csv(path)
    table[KEY] = table[KEY].astype(object).where(table[KEY].notna(), "")
    return table


def judged_numbers(folder: Path) -> pd.DataFrame:
    """What claims are judged from: the numbers of a run and, where something was timed, ``timings.csv``."""
    tables = [read_numbers(folder / "metrics.csv")]
    if (timings := folder / "timings.csv").is_file():
        tables.append(read_numbers(timings))
    return pd.concat([t for t in tables if len(t)] or tables[:1], ignore_index=True)


def judged(claims: pd.DataFrame, folder: Path, published: Path) -> list[tuple[Path, pd.DataFrame]]:
    """Of every claim the folder of the run that judges it, and its measures.

    That is ``folder``, whose claims these are, or the record of an overlay below ``published`` if only that tests the
    claim. Claims that overlays alone have, on systems of their own, come last; a run that has fewer claims than the
    published study does without them.
    """
    overlays, found = _judged_by_overlays(published), []
    for claim, rows in claims.groupby("claim_id", sort=False):
        overlay = overlays.pop(claim, None)
        found.append(overlay if overlay and rows.verdict.iloc[0] == "not_tested" else (folder, rows))
    study = published / "claims.csv"
    whole = not study.is_file() or set(pd.read_csv(study).claim_id) <= set(claims.claim_id)
    return found + list(overlays.values()) if whole else found


def _judged_by_overlays(published: Path) -> dict[str, tuple[Path, pd.DataFrame]]:
    """Claims that the record of an overlay tests: its folder and the claim's measures, of the first record that does."""
    found: dict[str, tuple[Path, pd.DataFrame]] = {}
    for path in sorted(published.glob("*/claims.csv")):
        table = pd.read_csv(path)
        for claim, rows in table[table.verdict != "not_tested"].groupby("claim_id", sort=False):
            found.setdefault(claim, (path.parent, rows))
    return found


def labels_of_materials(records: Iterable[Path]) -> dict[str, str]:
    """Labels of the sets of materials of these records: overlays may have sets that the study knows nothing of."""
    found = {}
    for path in (record / "config.yaml" for record in records):
        sets = read_yaml(path).get("materials", {}).get("sets", {}) if path.is_file() else {}
        found |= {name: entry["label"] for name, entry in sets.items()}
    return found


def claim_changes(then: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Verdict of every claim then and now: columns claim_id, then, now, changed."""
    parts = [t.groupby("claim_id", sort=False).verdict.first() for t in (then, now)]
    table = pd.concat(parts, axis=1, keys=["then", "now"]).fillna("").rename_axis("claim_id").reset_index()
    return table.assign(changed=table.then != table.now)


def number_changes(then: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Medians over seeds then and now: KEY, then, low, high (range of the published seeds), now, ratio, changed, outside.

    A number without seeds that comes with a ``<variant>_low`` and ``<variant>_high`` takes that interval as range.
    """
    record = then.groupby(KEY, sort=False).value.agg(["median", "min", "max"])
    table = record.join(now.groupby(KEY, sort=False).value.median().rename("now"), how="inner").reset_index()
    table.columns = [*KEY, "then", "low", "high", "now"]
    bounds = table.set_index(KEY).then
    for row in table.itertuples():
        keys = [
            tuple(getattr(row, k) if k != "variant" else row.variant + end for k in KEY) for end in ("_low", "_high")
        ]
        if row.low == row.high and all(k in bounds.index for k in keys):
            table.loc[row.Index, ["low", "high"]] = [bounds[k] for k in keys]
    slack = ROUNDING * table.then.abs()
    missing = table.then.isna() & table.now.isna()
    return table.assign(
        ratio=table.now / table.then.where(table.then != 0),
        changed=~(np.isclose(table.now, table.then, rtol=ROUNDING, atol=0) | missing),
        outside=~((table.now >= table.low - slack) & (table.now <= table.high + slack)) & ~missing,
    )


def config_changes(then: dict, now: dict, prefix: str = "") -> list[tuple[str, object, object]]:
    """Keys whose values differ, as (dotted key, then, now)."""
    found = []
    for key in [*then, *(k for k in now if k not in then)]:
        old, new = then.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += config_changes(old, new, f"{prefix}{key}.")
        elif old != new:
            found.append((f"{prefix}{key}", old, new))
    return found


def _number_table(table: pd.DataFrame, title: str) -> Table:
    rows = [
        [
            r.system,
            r.model,
            ", ".join(
                str(x)
                for x in (r.quantity, r.variant, r.split, f"n = {r.n_train:.0f}" if r.n_train != "" else "")
                if x
            ),
            unit_label(r.unit),
            number(r.then),
            f"{number(r.low)} … {number(r.high)}",
            number(r.now),
            number(r.ratio),
            "no: outside" if r.outside else "yes",
        ]
        for r in table.itertuples()
    ]
    header = [
        "system",
        "model",
        "quantity",
        "unit",
        "published",
        "range of its seeds",
        "this run",
        "ratio",
        "in range",
    ]
    return Table(title, header, rows)


def differences(published: Path, claims: pd.DataFrame, metrics: pd.DataFrame, config: dict) -> Differences:
    """Compare with the record, as far as there is one."""
    if not (published / "claims.csv").is_file():
        return Differences(
            [
                "There is no published record to compare with yet: results/published/ holds no claims.csv (make publish)."
            ]
        )
    verdicts = claim_changes(pd.read_csv(published / "claims.csv"), claims)
    rows = [
        [r.claim_id, NAMES.get(r.then, MISSING), NAMES.get(r.now, MISSING), "changed" if r.changed else "same"]
        for r in verdicts.itertuples()
    ]
    marked = {i for i, r in enumerate(verdicts.itertuples()) if r.changed}
    tables = [Table("Verdicts", ["claim", "published", "this run", ""], rows, marked=marked)]
    sentences, folded, outside = [], [], 0
    if (published / "config.yaml").is_file():
        changes = config_changes(read_yaml(published / "config.yaml"), config)
        words = "; ".join(f"{key}: {old} → {new}" for key, old, new in changes)
        sentences.append(f"Settings that differ from the published run: {words}." if changes else "Same settings.")
    sentences.append(f"{len(marked)} of {len(verdicts)} verdicts changed." if marked else "No verdict changed.")
    if (published / "metrics.csv").is_file():
        record = read_numbers(published / "metrics.csv")
        numbers = number_changes(record, metrics)
        changed, flagged = numbers[numbers.changed], numbers[numbers.changed & numbers.outside]
        absent = record.groupby(KEY).ngroups - len(numbers)
        outside = len(flagged)
        if changed.empty:
            sentences.append(f"All {len(numbers)} medians are identical to the published ones.")
        else:
            sentences.append(
                f"{len(changed)} of {len(numbers)} medians differ from the published ones; "
                f"{outside} lie outside the range of the published seeds."
            )
        if absent:
            sentences.append(f"{absent} published numbers have no counterpart in this run.")
        if outside:
            folded.append(_number_table(flagged, f"Numbers outside the range of the published seeds ({outside})"))
        if len(changed) > outside:
            inside = changed[~changed.outside]
            folded.append(_number_table(inside, f"Numbers that differ, within that range ({len(inside)})"))
    return Differences(sentences, tables, folded, len(marked), outside)

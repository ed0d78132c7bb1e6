"""The tidy table of numbers that every stage adds to: one row is one number with its unit."""

from __future__ import annotations

import pandas as pd

METRIC_COLUMNS = ["system", "model", "variant", "n_train", "seed", "split", "quantity", "unit", "value"]


def metric_rows(values: dict[str, tuple[str, float]], **labels) -> list[dict]:
    """Rows of the tidy table of numbers from quantity → (unit, value)."""
    labels = {"variant": "", "n_train": "", "seed": "", "split": "", **labels}
    return [{**labels, "quantity": q, "unit": unit, "value": value} for q, (unit, value) in values.items()]


def metric_table(rows: list[dict]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=METRIC_COLUMNS)

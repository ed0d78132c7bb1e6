"""The architecture draft: its Table 1."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from qff.config import read_yaml, validate
from qff.hybrid.table_one import Cells, in_kcal, of_records, table_one
from qff.provenance import write_csv
from qff.stages.common import Context, read_table


def compare_methods(
    *, context: dict, cells_path: str, metrics_paths: list[str], table_path: str, metrics_path: str, run_path: str
) -> None:
    """Join the errors of all methods: Table 1, and the same numbers as rows that claims can name."""
    record = Context(**context).record("hybrid", [cells_path, *metrics_paths])
    metrics = pd.concat([read_table(p) for p in metrics_paths], ignore_index=True)
    cells = validate(Cells, read_yaml(cells_path), cells_path)
    table = table_one(cells, metrics)
    write_csv(table_path, table)
    write_csv(metrics_path, pd.concat([in_kcal(metrics), of_records(cells, metrics)], ignore_index=True))
    record.add(
        "table_one",
        params={"cells": len(table)},
        metrics={"cells_with_numbers": int(table.value.notna().sum())},
        artifacts=[Path(table_path).name],
    )
    record.write(run_path, [table_path, metrics_path])

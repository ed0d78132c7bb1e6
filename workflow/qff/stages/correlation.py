"""Stage 5b: rank correlation of effective dimension and test error over the models of a system."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from qff.correlation import correlations
from qff.metrics import metric_rows, metric_table
from qff.provenance import write_csv
from qff.randomness import generator
from qff.stages.common import Context, read_table

MODEL = "all_models"  # in the tidy table: the number belongs to no model alone


def correlate_capacity(
    *, context: dict, system: str, metrics_paths: list[str], table_path: str, correlations_path: str, run_path: str
) -> None:
    """Variants are ``<normalised|absolute>_<energy|force>_<likelihood>_<box>``, bounds have ``_low`` and ``_high``."""
    place = Context(**context)
    record = place.record("capacity", metrics_paths, system=system)
    metrics = pd.concat([read_table(p) for p in metrics_paths], ignore_index=True)
    table = correlations(metrics, generator(place.seed, "correlation", system))
    quantity, rows, found = "effective_dimension_error_correlation", [], {}
    for row in table.itertuples():
        variant = f"{row.capacity}_{row.error}_{row.variant}"
        for end, value in (("", row.rank_correlation), ("_low", row.low), ("_high", row.high)):
            labels = {"system": system, "model": MODEL, "n_train": row.n_train, "variant": f"{variant}{end}"}
            rows += metric_rows({quantity: ("1", value)}, **labels)
        found[f"{quantity}_{variant}"] = row.rank_correlation
    write_csv(table_path, metric_table(rows))
    write_csv(correlations_path, table)
    record.add(
        f"correlation-{system}",
        params={"models": sorted(metrics.model.unique())},
        metrics=found,
        artifacts=[Path(correlations_path).name],
        model=MODEL,
    )
    record.write(run_path, [table_path, correlations_path])

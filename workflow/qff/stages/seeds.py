"""The run of one seed, as the stages that train at several sizes record it."""

from __future__ import annotations

from typing import Any

from qff.metrics import metric_rows
from qff.provenance import RunRecord
from qff.stages.common import flat
from qff.training.loop import TrainingResult


def record_seed(
    record: RunRecord, name: str, params: dict[str, Any], result: TrainingResult, *, seed: int, n_train: int,
    errors: dict[str, tuple[dict[str, str], dict[str, tuple[str, float]]]],
) -> list[dict]:  # fmt: skip
    """Add the run of one seed of a trained ensemble to the record of its model.

    Args:
        params: of the run, beside seed and n_train.
        errors: prefix in the names of the run's metrics → columns system, variant and split of the table, and
            quantity → (unit, value).

    Returns:
        rows of the table of numbers.
    """
    rows, metrics = [], {}
    for prefix, (columns, found) in errors.items():
        rows += metric_rows(found, model=record.tags["model"], n_train=n_train, seed=seed, **columns)
        metrics |= {f"{prefix}_{k}": v for k, v in flat(found).items()}
    record.add(
        name,
        params={**params, "seed": seed, "n_train": n_train},
        metrics={**metrics, "best_step": int(result.best_step[seed]), "training_seconds": result.seconds},
        seed=str(seed),
        n_train=str(n_train),
    )
    return rows

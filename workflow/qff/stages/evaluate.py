"""Stage 4: errors on the test set."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from qff.data import INTERPOLATED, read_frames
from qff.evaluation import bootstrap_interval, errors, interpolated, predictions
from qff.metrics import metric_rows, metric_table
from qff.models import load
from qff.provenance import write_csv
from qff.randomness import generator
from qff.stages.common import Context, flat, read_splits, system_from


def evaluate_model(
    *, context: dict, system: str, config: dict, labels_path: str, splits_path: str, model_paths: list[str],
    metrics_path: str, intervals_path: str, predictions_path: str, run_path: str,
) -> None:  # fmt: skip
    """Errors of every seed on every part of its split, parts of the set that are test sets of their own included.

    Test frames between the training frames are one more such part.

    Bootstrap intervals over frames, and predictions, are those of the test set proper.
    """
    place, molecule = Context(**context), system_from(system, config)
    frames = read_frames(labels_path, molecule.symbols)
    splits = read_splits(splits_path, len(frames))
    record = place.record("evaluate", [labels_path, splits_path, *model_paths], system=system)
    rows, tables, intervals = [], [], []
    for seed, path in enumerate(model_paths):
        potential = load(path)
        name = potential.model.name
        labels = {"system": system, "model": name, "n_train": len(splits[seed]["train"]), "seed": seed}
        parts = splits[seed] | {INTERPOLATED: interpolated(molecule, frames, splits[seed])}
        shown = {part: predictions(potential, frames, index) for part, index in parts.items() if index}
        found = {part: errors(table, frames.symbols) for part, table in shown.items()}
        for part, values in found.items():
            rows += metric_rows(values, **labels, split=part)
        table = shown["test"]
        bounds = bootstrap_interval(table, frames.symbols, generator(place.seed, "bootstrap", system, name, seed))
        intervals += [{**labels, "quantity": q, "low": low, "high": high} for q, (low, high) in bounds.items()]
        tables.append(table.assign(seed=seed))
        record.add(
            f"{name}-{system}-s{seed}",
            params={"seed": seed, **potential.describe()},
            metrics={f"{part}_{k}": v for part, values in found.items() for k, v in flat(values).items()},
            artifacts=[Path(metrics_path).name],
            model=name,
            role=potential.model.role,
            seed=str(seed),
        )
    rows += metric_rows({"n_parameters": ("1", potential.n_parameters)}, system=system, model=name)
    write_csv(metrics_path, metric_table(rows))
    write_csv(intervals_path, pd.DataFrame(intervals))
    write_csv(predictions_path, pd.concat(tables, ignore_index=True))
    record.write(run_path, [metrics_path, intervals_path, predictions_path])

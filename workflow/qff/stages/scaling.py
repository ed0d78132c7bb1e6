"""Stage 6: learning curves."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from qff import scaling
from qff.config import ModelConfig, TrainingConfig, validate
from qff.data import read_frames
from qff.evaluation import errors, predictions
from qff.metrics import METRIC_COLUMNS, metric_rows, metric_table
from qff.models import build_architecture
from qff.provenance import write_csv
from qff.randomness import generator
from qff.stages.common import Context, flat, read_splits, read_table, system_from
from qff.training.ensemble import build_ensemble, initial_ensemble
from qff.training.loop import finish


def train_size(
    *, context: dict, system: str, config: dict, model: dict, training: dict, n_train: int, n_seeds: int, labels_path: str,
    splits_path: str, metrics_path: str, run_path: str,
) -> None:  # fmt: skip
    """One point of a learning curve: train on the first n frames of every split, with the steps held fixed."""
    place, molecule = Context(**context), system_from(system, config)
    entry = validate(ModelConfig, model, "model")
    architecture = build_architecture(molecule, entry)
    settings = validate(TrainingConfig, training, "training")
    frames = read_frames(labels_path, molecule.symbols)
    splits = read_splits(splits_path, len(frames))[:n_seeds]
    ensemble = build_ensemble(architecture, frames, splits, n_train)
    checkpoint = Path(run_path).parent / "checkpoint.safetensors"
    initial = initial_ensemble(architecture, place.seed, entry.name, len(splits), settings.starts)
    result = ensemble.train(initial, settings, checkpoint=checkpoint)
    rows = []
    record = place.record("scaling", [labels_path, splits_path], system=system, model=entry.name, role=entry.role)
    for seed, potential in enumerate(ensemble.potentials(entry, result.parameters)):
        metrics = {}
        for part, count in (("train", n_train), ("test", None)):
            found = errors(predictions(potential, frames, splits[seed][part][:count]), frames.symbols)
            rows += metric_rows(
                found,
                system=system,
                model=entry.name,
                variant="learning_curve",
                n_train=n_train,
                seed=seed,
                split=part,
            )
            metrics |= {f"{part}_{k}": v for k, v in flat(found).items()}
        record.add(
            f"{entry.name}-{system}-n{n_train}-s{seed}",
            params={**ensemble.describe(settings), **architecture.describe(), "seed": seed, "n_train": n_train},
            metrics=metrics,
            seed=str(seed),
            n_train=str(n_train),
        )
    write_csv(metrics_path, metric_table(rows))
    record.write(run_path, [metrics_path])
    finish(checkpoint)


def fit_scaling(
    *, context: dict, system: str, metrics_paths: list[str], table_path: str, fits_path: str, run_path: str
) -> None:
    """Power laws through the learning curves of all models of a system."""
    place = Context(**context)
    table = pd.concat([read_table(p) for p in metrics_paths], ignore_index=True)
    record = place.record("scaling", metrics_paths, system=system)
    fits = []
    for model, group in table.groupby("model", sort=False):
        metrics = {}
        for quantity in ("energy_rmse", "force_rmse"):
            curve = group[(group.split == "test") & (group.quantity == quantity)]
            found = scaling.fit(curve, generator(place.seed, "scaling", system, model, quantity))
            fits.append({"system": system, "model": model, "quantity": quantity, **found})
            metrics |= {f"{quantity}_{k}": v for k, v in found.items()}
        record.add(
            f"{model}-{system}-fit",
            params={"sizes": sorted(group.n_train.unique().tolist())},
            metrics=metrics,
            artifacts=[Path(fits_path).name],
            model=model,
        )
    names = {"energy_rmse": "scaling_exponent_energy", "force_rmse": "scaling_exponent_force"}
    rows = [
        {
            "system": f["system"],
            "model": f["model"],
            "variant": v,
            "split": "test",
            "quantity": names[f["quantity"]],
            "unit": "1",
            "value": f[k],
        }
        for f in fits
        for v, k in (
            ("learning_curve", "exponent"),
            ("learning_curve_low", "exponent_low"),
            ("learning_curve_high", "exponent_high"),
        )
    ]
    exponents = pd.DataFrame(rows, columns=METRIC_COLUMNS)
    write_csv(table_path, pd.concat([table.astype(object), exponents.astype(object)], ignore_index=True))
    write_csv(fits_path, pd.DataFrame(fits))
    record.write(run_path, [table_path, fits_path])

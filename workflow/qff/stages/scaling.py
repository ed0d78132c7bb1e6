"""Stage 6: points of the learning curves. Their laws: :mod:`qff.stages.fits`."""

from __future__ import annotations

from pathlib import Path

from qff.config import ModelConfig, TrainingConfig, validate
from qff.config.points import PERMUTED
from qff.controls import permuted_labels
from qff.data import read_frames
from qff.evaluation import centred_energy_errors, errors, predictions
from qff.metrics import metric_table
from qff.models import build_architecture
from qff.provenance import write_csv
from qff.randomness import generator
from qff.stages.common import Context, read_splits, system_from
from qff.stages.seeds import record_seed
from qff.training.ensemble import build_ensemble, initial_ensemble
from qff.training.loop import finish
from qff.units import EV_IN_MEV


def train_size(
    *, context: dict, system: str, config: dict, model: dict, training: dict, variant: str, n_train: int, n_seeds: int,
    labels_path: str, splits_path: str, metrics_path: str, run_path: str,
) -> None:  # fmt: skip
    """One point of a learning curve: train on the first n frames of some splits, with the steps held fixed.

    Train errors are those of the labels that were trained on, permuted ones too; test errors those of the true ones.
    """
    place, molecule = Context(**context), system_from(system, config)
    entry = validate(ModelConfig, model, "model")
    architecture = build_architecture(molecule, entry)
    settings = validate(TrainingConfig, training, "training")
    frames = read_frames(labels_path, molecule.symbols)
    splits = read_splits(splits_path, len(frames))[:n_seeds]
    seen, splits_seen = frames, splits
    if variant == PERMUTED:
        seen, splits_seen = permuted_labels(frames, splits, n_train, generator(place.seed, variant, system, n_train))
    ensemble = build_ensemble(architecture, seen, splits_seen, n_train)
    checkpoint = Path(run_path).parent / "checkpoint.safetensors"
    initial = initial_ensemble(architecture, place.seed, entry.name, len(splits), settings.starts)
    result = ensemble.train(initial, settings, checkpoint=checkpoint)
    rows = []
    record = place.record(
        "scaling", [labels_path, splits_path], system=system, model=entry.name, role=entry.role, variant=variant
    )
    for seed, potential in enumerate(ensemble.potentials(entry, result.parameters)):
        parts = (("train", seen, splits_seen[seed]["train"][:n_train]), ("test", frames, splits[seed]["test"]))
        rows += record_seed(
            record,
            f"{entry.name}-{system}-{variant}-n{n_train}-s{seed}",
            {**ensemble.describe(settings), **architecture.describe(), "variant": variant},
            result,
            seed=seed,
            n_train=n_train,
            errors={
                part: (
                    {"system": system, "variant": variant, "split": part},
                    _errors(predictions(potential, labelled, index), frames.symbols),
                )
                for part, labelled, index in parts
            },
        )
    write_csv(metrics_path, metric_table(rows))
    record.write(run_path, [metrics_path])
    finish(checkpoint)


def _errors(table, symbols: list[str]) -> dict[str, tuple[str, float]]:
    """All errors of a set of frames, and the length MAE(E)/MAE(F) that tells whether energies lag behind forces."""
    found = errors(table, symbols) | centred_energy_errors(table)
    if force := found["force_mae"][1]:
        found["energy_to_force_mae"] = ("Ang", found["energy_mae"][1] / EV_IN_MEV / force)
    return found

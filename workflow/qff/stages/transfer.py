"""One potential for several molecules, tested on each of them and on molecules that it has never seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qff.config import ModelConfig, TrainingConfig, validate
from qff.config.points import TRANSFER_SEEN, TRANSFER_UNSEEN
from qff.data import LabelledFrames, read_frames
from qff.evaluation import centred_energy_errors, errors, predictions
from qff.metrics import metric_table
from qff.models import Potential, build_architecture
from qff.models.mixture import Mixture
from qff.provenance import write_csv
from qff.stages.common import Context, read_splits, system_from
from qff.stages.seeds import record_seed
from qff.training.ensemble import build_ensemble, initial_ensemble
from qff.training.joint import joint_ensemble
from qff.training.loop import finish


def train_jointly(
    *, context: dict, systems: dict[str, dict], seen: list[str], model: dict, training: dict, n_train: int, n_seeds: int,
    labels_paths: list[str], splits_paths: list[str], metrics_path: str, run_path: str,
) -> None:  # fmt: skip
    """Train on n frames of each of the ``seen`` systems; test errors on all ``systems``, in the order of the paths.

    ``force_skill`` and ``energy_skill`` are 1 − error / error of doing nothing (no force, the mean test energy), from
    MAE and from energies without their mean residual: the constant of a molecule never seen is not predicted.

    Raises:
        ConfigError: the model has other parameters for one of the systems.
    """
    place = Context(**context)
    entry, settings = validate(ModelConfig, model, "model"), validate(TrainingConfig, training, "training")
    molecules = {name: system_from(name, config) for name, config in systems.items()}
    frames = {n: read_frames(path, molecules[n].symbols) for n, path in zip(systems, labels_paths, strict=True)}
    splits = {n: read_splits(p, len(frames[n]))[:n_seeds] for n, p in zip(systems, splits_paths, strict=True)}
    architectures = {name: build_architecture(molecule, entry) for name, molecule in molecules.items()}
    Mixture(list(architectures.values()))  # those never seen take the same parameters, or nothing is trained
    ensemble = joint_ensemble([build_ensemble(architectures[n], frames[n], splits[n], n_train) for n in seen])
    checkpoint = Path(run_path).parent / "checkpoint.safetensors"
    initial = initial_ensemble(ensemble.architecture, place.seed, entry.name, len(ensemble.scale), settings.starts)
    result = ensemble.train(initial, settings, checkpoint=checkpoint)
    record = place.record("transfer", [*labels_paths, *splits_paths], model=entry.name, role=entry.role)
    rows = []
    for seed, theta in enumerate(result.parameters):
        found = {}
        for name, architecture in architectures.items():
            none, one = np.zeros(1), np.ones(1)
            potential = Potential(architecture, entry, theta, none, one, 0.0, float(ensemble.scale[seed]))
            variant = TRANSFER_SEEN if name in seen else TRANSFER_UNSEEN
            found[name] = (
                {"system": name, "variant": variant, "split": "test"},
                _errors(potential, frames[name], splits[name][seed]["test"]),
            )
        rows += record_seed(
            record,
            f"{entry.name}-{'+'.join(seen)}-n{n_train}-s{seed}",
            {**ensemble.describe(settings), **ensemble.architecture.describe(), "seen": "+".join(seen)},
            result,
            seed=seed,
            n_train=n_train,
            errors=found,
        )
    write_csv(metrics_path, metric_table(rows))
    record.write(run_path, [metrics_path])
    finish(checkpoint)


def _errors(potential: Potential, frames: LabelledFrames, index: list[int]) -> dict[str, tuple[str, float]]:
    """Errors that do not hang on the constant of the energy, and skills."""
    table = predictions(potential, frames, index)
    forces = {k: v for k, v in errors(table, frames.symbols).items() if k.startswith("force")}
    found = forces | centred_energy_errors(table)
    nothing = table.assign(predicted=0.0)
    idle = errors(nothing, frames.symbols) | centred_energy_errors(nothing)
    for skill, quantity in (("force_skill", "force_mae"), ("energy_skill", "energy_mae_centred")):
        found[skill] = ("1", 1 - found[quantity][1] / idle[quantity][1])
    return found

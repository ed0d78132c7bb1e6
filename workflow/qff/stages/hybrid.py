"""The architecture draft: training of the hybrid in the draft's steps.

Step 1 (reference data) is the reference stage. Here are 2, pre-training of the network; 3, initial parameters of the
circuit; 4, training of the whole. Errors are evaluated as those of any other model.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from qff.config import HybridConfig, ModelConfig, TrainingConfig, validate
from qff.data import read_frames
from qff.hybrid.initialise import choose_circuit
from qff.models import build_architecture, load
from qff.models.hybrid import transplant
from qff.provenance import write_csv
from qff.randomness import generator
from qff.stages.common import Context, read_splits, read_table, system_from
from qff.training.ensemble import build_ensemble, initial_ensemble
from qff.training.loop import finish
from qff.vqe.bonds import bond_tables

PRETRAINED = "pretrained"


def _entry(model: dict, settings: HybridConfig, bonds: pd.DataFrame, **changes) -> ModelConfig:
    """The model with what VQE found, and other ``changes`` of its settings, for every system it is made for."""
    entry = validate(ModelConfig, model, "model")
    added = {}
    if entry.name not in settings.without_bonds:
        added = {"bonds": bond_tables(bonds), "bond_cutoff_ang": settings.bonds.cutoff_ang}
    systems = {name: {**own, **added, **changes} for name, own in entry.systems.items()}
    return entry.model_copy(update={"systems": systems})


def _task(system: str, config: dict, entry: ModelConfig, labels_path: str, splits_path: str, n_seeds: int):
    """Ensemble of an architecture on the splits of the study."""
    molecule = system_from(system, config)
    frames = read_frames(labels_path, molecule.symbols)
    splits = read_splits(splits_path, len(frames))[:n_seeds]
    return build_ensemble(build_architecture(molecule, entry), frames, splits)


def _train(record, ensemble, entry, training, initial, step: str, model_paths, curves_path, run_path) -> None:
    """Train an ensemble and leave models, curves and the record."""
    checkpoint = Path(run_path).parent / "checkpoint.safetensors"
    result = ensemble.train(initial, training, checkpoint=checkpoint)
    for potential, path in zip(ensemble.potentials(entry, result.parameters), model_paths, strict=True):
        potential.save(path)
    write_csv(curves_path, result.curves)
    best = result.curves.set_index(["seed", "step"])
    for seed, path in enumerate(model_paths):
        reached = best.loc[(seed, result.best_step[seed])]
        series = Path(run_path).parent / f"curves_s{seed}.csv"
        write_csv(series, result.curves[result.curves.seed == seed].drop(columns="seed"))
        record.add(
            f"{step}-{record.tags['model']}-{record.tags['system']}-s{seed}",
            params={**ensemble.describe(training), **ensemble.architecture.describe(), "seed": seed, "step": step},
            metrics={
                "best_step": int(result.best_step[seed]),
                "training_seconds": result.seconds,
                **{f"best_{k}": float(v) for k, v in reached.items() if k.startswith("validation_")},
            },
            series=series.name,
            artifacts=[Path(path).name],
            seed=str(seed),
        )
    record.write(run_path, [*model_paths, curves_path])
    finish(checkpoint)


def pretrain_network(
    *, context: dict, system: str, config: dict, model: dict, training: dict, settings: dict, labels_path: str,
    splits_path: str, bonds_path: str, model_paths: list[str], curves_path: str, run_path: str,
) -> None:  # fmt: skip
    """Step 2: the classical part alone, network and integration layer, once for all models that share it."""
    place = Context(**context)
    entry = _entry(model, validate(HybridConfig, settings, "hybrid"), read_table(bonds_path), branch="none")
    record = place.record("hybrid", [labels_path, splits_path], system=system, model=PRETRAINED)
    ensemble = _task(system, config, entry, labels_path, splits_path, len(model_paths))
    options = validate(TrainingConfig, training, "training")
    initial = initial_ensemble(ensemble.architecture, place.seed, PRETRAINED, len(model_paths))
    _train(record, ensemble, entry, options, initial, "pretraining", model_paths, curves_path, run_path)


def initialise_circuit(
    *, context: dict, system: str, config: dict, model: dict, settings: dict, labels_path: str, splits_path: str,
    bonds_path: str, pretrained_paths: list[str], model_paths: list[str], run_path: str,
) -> None:  # fmt: skip
    """Step 3: of some drawn circuits, the one whose readouts say most about what the network gets wrong."""
    place, options = Context(**context), validate(HybridConfig, settings, "hybrid")
    entry = _entry(model, options, read_table(bonds_path))
    inputs = [labels_path, splits_path, bonds_path, *pretrained_paths]
    record = place.record("hybrid", inputs, system=system, model=entry.name)
    ensemble = _task(system, config, entry, labels_path, splits_path, len(model_paths))
    parameters = []
    for seed, path in enumerate(pretrained_paths):
        start = load(path)
        rng = generator(place.seed, "circuit", system, entry.name, seed)
        draws = [ensemble.architecture.initial_parameters(rng) for _ in range(options.candidates)]
        joined = [transplant(start.architecture, start.parameters, ensemble.architecture, d) for d in draws]
        chosen, explained = choose_circuit(ensemble, seed, joined)
        parameters.append(joined[chosen])
        record.add(
            f"initial-{entry.name}-{system}-s{seed}",
            params={"seed": seed, "candidates": options.candidates, "step": "initialisation"},
            metrics={"chosen": chosen, "explained_variance": explained},
            artifacts=[Path(model_paths[seed]).name],
            seed=str(seed),
        )
    for potential, path in zip(ensemble.potentials(entry, parameters), model_paths, strict=True):
        potential.save(path)
    record.write(run_path, list(model_paths))


def train_hybrid(
    *, context: dict, system: str, config: dict, training: dict, labels_path: str, splits_path: str,
    initial_paths: list[str], model_paths: list[str], curves_path: str, run_path: str,
) -> None:  # fmt: skip
    """Step 4: everything at once, from the pre-trained network and the chosen circuit."""
    starts = [load(path) for path in initial_paths]
    entry = starts[0].model
    inputs = [labels_path, splits_path, *initial_paths]
    record = Context(**context).record("hybrid", inputs, system=system, model=entry.name, role=entry.role)
    ensemble = _task(system, config, entry, labels_path, splits_path, len(model_paths))
    initial = np.array([potential.parameters for potential in starts])[:, None]
    options = validate(TrainingConfig, training, "training")
    _train(record, ensemble, entry, options, initial, "end_to_end", model_paths, curves_path, run_path)

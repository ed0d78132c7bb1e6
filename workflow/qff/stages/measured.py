"""Stage 8b: dynamics and training with a finite number of shots, and gradients at random parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms
from ase.neighborlist import natural_cutoffs, neighbor_list

from qff.config import QuantumConfig, validate
from qff.config.quantum import MeasuredDynamicsConfig, SpsaConfig, TrainabilityConfig
from qff.data import LabelledFrames, read_frames
from qff.evaluation import errors, predictions
from qff.hardware import spsa
from qff.hardware.composed import MeasuredPotential
from qff.hardware.dynamics import NoisyPath, Thermostat, observables, simulate
from qff.hardware.shots import ShotPotential, ShotSampler
from qff.hardware.trainability import decay_per_qubit, gradient_variances, power_law_misfit
from qff.jobs import progress
from qff.metrics import metric_rows, metric_table
from qff.models import Potential, load
from qff.models.qnn import QNN
from qff.provenance import RunRecord, write_csv
from qff.randomness import generator
from qff.stages.common import Context, flat, read_splits, system_from
from qff.systems import System
from qff.training.ensemble import initial_ensemble
from qff.units import BOLTZMANN_EV_PER_K, EV_IN_AMU_ANG2_PER_FS2

EXACT = "exact"  # in place of a number of shots
EQUIVARIANT = "equivariant"  # circuit beside the model's own, whose gradients are said not to vanish (Le et al. 2025)
SHOWN_POINTS = 60  # of the temperature over time
COVALENT_REACH = 1.2  # times the sum of covalent radii


def simulate_measured(
    *, context: dict, system: str, config: dict, settings: dict, labels_path: str, splits_path: str, model_paths: list[str],
    temperature_path: str, gradients_path: str, metrics_path: str, run_path: str,
) -> None:  # fmt: skip
    """Trajectories with measured forces (of the first seed), SPSA (of several), gradients of the model's kind of circuit."""
    options, place, frames, splits, record, potentials = _opened(
        context, system, config, settings, labels_path, splits_path, model_paths
    )
    name, artifacts = potentials[0].model.name, [Path(metrics_path).name]
    device = partial(ShotPotential, ShotSampler(potentials[0]))
    rows, tables = simulated(device, potentials[0], frames, options.dynamics, place.seed, record, artifacts)
    rows += trained(potentials, frames, splits, options.spsa, place.seed, record, artifacts)
    gradients = gradients_of(potentials[0].architecture, options.trainability, place.seed, system)
    for (family, layers, repetition), own in gradients.groupby(["circuit", "layers", "repetition"]):
        curve = own.qubits.tolist(), own.variance.tolist()
        found = {"gradient_variance_slope": ("1", decay_per_qubit(*curve))}
        if np.isfinite(misfit := power_law_misfit(*curve)):
            found["gradient_variance_power_law_misfit"] = ("1", misfit)
        model = EQUIVARIANT if family == EQUIVARIANT else name
        labels = {"system": system, "model": model, "variant": f"depth_{layers}", "seed": repetition}
        rows += metric_rows(found, **labels)
    write_csv(temperature_path, pd.concat(tables, ignore_index=True))
    write_csv(gradients_path, gradients)
    write_csv(metrics_path, metric_table(rows))
    record.add(
        f"{name}-{system}-trainability",
        params=options.trainability.model_dump(),
        metrics={
            f"gradient_variance_{c}_q{n}_d{d}": float(own.variance.mean())
            for (c, n, d), own in gradients.groupby(["circuit", "qubits", "layers"])
        },
        artifacts=[Path(gradients_path).name],
        model=name,
    )
    record.write(run_path, [temperature_path, gradients_path, metrics_path])


def simulate_composed(
    *, context: dict, system: str, config: dict, settings: dict, labels_path: str, splits_path: str, model_paths: list[str],
    metrics_path: str, run_path: str,
) -> None:  # fmt: skip
    """Trajectories with measured forces (of the first seed) and SPSA (of several) of a model made of many circuits."""
    options, place, frames, splits, record, potentials = _opened(
        context, system, config, settings, labels_path, splits_path, model_paths
    )
    rows, artifacts = [], [Path(metrics_path).name]
    if shots := options.composed.dynamics_shots:
        dynamics = options.dynamics.model_copy(update={"shots": shots})
        device = partial(MeasuredPotential, potentials[0])
        rows += simulated(device, potentials[0], frames, dynamics, place.seed, record, artifacts)[0]
    if shots := options.composed.training_shots:
        training = options.spsa.model_copy(update={"shots": shots})
        rows += trained(potentials, frames, splits, training, place.seed, record, artifacts)
    write_csv(metrics_path, metric_table(rows))
    record.write(run_path, [metrics_path])


def _opened(context, system, config, settings, labels_path, splits_path, model_paths):
    """What both jobs start from: options, place, frames, splits, record, potentials."""
    options, place = validate(QuantumConfig, settings, "quantum"), Context(**context)
    frames = read_frames(labels_path, system_from(system, config).symbols)
    splits = read_splits(splits_path, len(frames))
    record = place.record("quantum", [labels_path, splits_path, *model_paths], system=system)
    return options, place, frames, splits, record, [load(path) for path in model_paths]


def simulated(
    device: Callable, potential: Potential, frames: LabelledFrames, options: MeasuredDynamicsConfig, study_seed: int,
    record: RunRecord, artifacts: list[str],
) -> tuple[list[dict], list[pd.DataFrame]]:  # fmt: skip
    """Rows of numbers of all cases of :func:`dynamics_cases`, which are added to the record, and their temperatures."""
    rows, tables = [], []
    system, name = potential.system.name, potential.model.name
    for variant, path, found in dynamics_cases(device, potential.system, frames, options, study_seed):
        rows += metric_rows(found, system=system, model=name, variant=variant)
        tables.append(temperatures(path, len(potential.system.symbols)).assign(variant=variant))
        record.add(
            f"{name}-{system}-{variant}",
            params={"variant": variant, **options.model_dump()},
            metrics=flat(found),
            artifacts=artifacts,
            model=name,
        )
    return rows, tables


def trained(
    potentials: list[Potential], frames: LabelledFrames, splits: list, options: SpsaConfig, study_seed: int,
    record: RunRecord, artifacts: list[str],
) -> list[dict]:  # fmt: skip
    """Rows of numbers of all trainings of :func:`trained_with_shots`, which are added to the record."""
    rows, system, name = [], potentials[0].system.name, potentials[0].model.name
    for variant, seed, found in trained_with_shots(potentials, frames, splits, options, study_seed):
        rows += metric_rows(found, system=system, model=name, variant=variant, seed=seed, split="test")
        record.add(
            f"{name}-{system}-{variant}-s{seed}",
            params={"variant": variant, "seed": seed, **options.model_dump()},
            metrics=flat(found),
            artifacts=artifacts,
            model=name,
            seed=str(seed),
        )
    return rows


def dynamics_cases(
    device: Callable, system: System, frames: LabelledFrames, options: MeasuredDynamicsConfig, study_seed: int
):
    """(variant, path, observables): nve_<shots>, langevin_<shots> and, with shots, absorbing_<shots>, whose thermostat
    takes the noise of the forces as its own. All start alike, from the frame of lowest energy.

    Args:
        device: what :func:`qff.hardware.dynamics.simulate` takes, from a number of shots, or None, and a generator.
    """
    start = frames.positions[int(frames.energies.argmin())]
    count, masses, bonds = options.trajectories, system.masses, bonds_of(system, start)
    positions = np.repeat(start[None], count, axis=0)
    # From a minimum half of the kinetic energy becomes potential: twice the temperature, then.
    moving = thermal_velocities(
        start, masses, 2 * options.temperature_k, count, generator(study_seed, "measured_starts", system.name)
    )
    cases: list[tuple[str, int | None, bool | None]] = []
    for shots in (None, *options.shots):
        cases += [("nve", shots, None), ("langevin", shots, False)]
        cases += [("absorbing", shots, True)] if shots else []
    for kind, shots, absorbs in progress(cases, "measured dynamics"):
        variant = f"{kind}_{shots or EXACT}"
        rng = generator(study_seed, "measured_dynamics", system.name, variant)
        thermostat = None
        if absorbs is not None:
            thermostat = Thermostat(options.temperature_k, options.friction_per_fs, absorbs)
        path = simulate(
            device(shots, rng), positions, moving, masses, bonds, options.time_step_fs,
            round(options.length_fs / options.time_step_fs), thermostat, rng,
        )  # fmt: skip
        degrees = vibrations(len(masses)) if thermostat is None else 3 * len(masses)
        yield variant, path, observables(path, degrees)


def bonds_of(system: System, positions: np.ndarray) -> list[list[int]]:
    """Pairs of atoms whose distance is an internal coordinate; without coordinates, those within covalent reach at
    positions (A, 3) in Å."""
    if system.config.coordinates:
        return [c.atoms for c in system.coordinates if c.kind == "bond"]
    atoms = Atoms(system.symbols, positions)
    first, second = neighbor_list("ij", atoms, natural_cutoffs(atoms, mult=COVALENT_REACH))
    return [[i, j] for i, j in zip(first.tolist(), second.tolist(), strict=True) if i < j]


def vibrations(n_atoms: int) -> int:
    """Degrees of freedom without translation and rotation of a molecule that bends, or of two atoms."""
    return 1 if n_atoms == 2 else 3 * n_atoms - 6


def thermal_velocities(
    positions: np.ndarray, masses: np.ndarray, temperature_k: float, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Maxwell–Boltzmann velocities (count, A, 3) in Å/fs without momentum and rotation, of a linear molecule too."""
    weight = np.sqrt(masses)[:, None]
    centred = positions - np.average(positions, axis=0, weights=masses)
    rigid = np.concatenate(
        [np.broadcast_to(np.eye(3)[:, None], (3, *positions.shape)), np.cross(np.eye(3)[:, None], centred)]
    )
    rigid = (rigid * weight).reshape(6, -1)
    drawn = rng.normal(size=(count, positions.size))
    drawn = drawn - drawn @ np.linalg.pinv(rigid) @ rigid
    scale = np.sqrt(BOLTZMANN_EV_PER_K * temperature_k * EV_IN_AMU_ANG2_PER_FS2)
    return scale * drawn.reshape(count, *positions.shape) / weight


def temperatures(path: NoisyPath, n_atoms: int) -> pd.DataFrame:
    """Kinetic temperature of all 3A degrees of freedom in windows, mean over the trajectories alive, and their number."""
    width = max(1, len(path.time_fs) // SHOWN_POINTS)
    n = len(path.time_fs) // width
    alive = np.isfinite(path.kinetic).sum(1)
    mean = np.nansum(path.kinetic, 1) / np.maximum(alive, 1)
    kelvin = np.where(alive, 2 * mean / (3 * n_atoms * BOLTZMANN_EV_PER_K), np.nan)
    cut = [x[: n * width].reshape(n, width) for x in (path.time_fs, kelvin, alive)]
    return pd.DataFrame({"time_fs": cut[0].mean(1), "temperature_k": cut[1].mean(1), "alive": cut[2].min(1)})


def trained_with_shots(
    potentials: list[Potential], frames: LabelledFrames, splits: list, settings: SpsaConfig, study_seed: int
):
    """(variant, seed, test errors and executions) of SPSA from the starts that the model's own training has."""
    first = potentials[0]
    initial = initial_ensemble(first.architecture, study_seed, first.model.name, len(potentials))
    for seed, potential in enumerate(potentials[: settings.seeds]):
        train = splits[seed]["train"]
        known = frames.positions[train], frames.energies[train]
        for shots in (None, *settings.shots):
            variant = f"spsa_{shots or EXACT}"
            rng = generator(study_seed, "spsa", first.system.name, variant, seed)
            result = spsa.train(potential, initial[seed, 0], *known, settings.steps, settings.batch, shots, rng)
            learnt = replace(potential, parameters=result.parameters)
            found = errors(predictions(learnt, frames, splits[seed]["test"]), frames.symbols)
            yield variant, seed, found | {"executions_training": ("1", result.executions)}


def gradients_of(architecture: QNN, options: TrainabilityConfig, study_seed: int, system: str) -> pd.DataFrame:
    """Columns circuit, qubits, layers, repetition, variance: of the model's circuit, and of the equivariant one."""
    own = {k: v for k, v in architecture.circuit_settings.items() if k not in ("n_qubits", "layers")}
    families = {architecture.circuit_name: own, EQUIVARIANT: {"tied": False}}  # readout of one pair, as its authors'
    rows = []
    for family, settings in families.items():
        for qubits in options.qubits:
            for layers in options.layers:
                stream = (study_seed, "trainability", system, family, qubits, layers)
                rngs = [generator(*stream, k) for k in range(options.repetitions)]
                both = {**settings, "n_qubits": qubits, "layers": layers}
                found = gradient_variances(family, both, options.samples, rngs)
                rows += [[family, qubits, layers, k, variance] for k, variance in enumerate(found)]
    return pd.DataFrame(rows, columns=["circuit", "qubits", "layers", "repetition", "variance"])

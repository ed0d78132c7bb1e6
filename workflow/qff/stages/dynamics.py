"""Stage 7: NVE dynamics of trained potentials against the reference curve and the reference method itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from qff.config import DynamicsConfig, validate
from qff.data import read_frames
from qff.dynamics import diatomic
from qff.dynamics.ensemble import PotentialEnsemble
from qff.dynamics.on_the_fly import OnTheFlyPotential
from qff.metrics import metric_rows, metric_table
from qff.models import load
from qff.provenance import write_csv
from qff.stages.common import Context, flat, read_table, system_from

REFERENCE = "reference"


def _reference(system: str, config: dict, labels_path: str):
    """Reference curve, its minimum (Å), the start of dynamics (Å) and the reduced mass (amu)."""
    molecule = system_from(system, config)
    curve = diatomic.CurvePotential(molecule, read_frames(labels_path, molecule.symbols))
    scan = molecule.config.reference.scan
    minimum = diatomic.equilibrium(curve, scan.minimum, scan.maximum)
    first, second = molecule.masses
    return molecule, curve, minimum, molecule.config.stretch * minimum, first * second / (first + second)


def run_reference_dynamics(
    *,
    context: dict,
    system: str,
    config: dict,
    settings: dict,
    labels_path: str,
    trajectory_path: str,
    metrics_path: str,
    run_path: str,
) -> None:
    """Trajectory of the reference curve: from rest at a stretched bond."""
    options = validate(DynamicsConfig, settings, "dynamics")
    molecule, curve, minimum, start, mass = _reference(system, config, labels_path)
    steps = round(options.length_fs / options.time_step_fs)
    (path,) = diatomic.trajectories(curve, start, options.time_step_fs, steps)
    found = diatomic.observables(path, path, len(molecule.symbols))
    found = {k: v for k, v in found.items() if not k.startswith(("distance_rmse", "vibrational_frequency_dev"))}
    found["equilibrium_distance"] = ("Ang", minimum)
    found["harmonic_frequency"] = ("cm-1", diatomic.harmonic(curve, minimum, mass))
    write_csv(trajectory_path, path)
    write_csv(metrics_path, metric_table(metric_rows(found, system=system, model=REFERENCE)))
    record = Context(**context).record("dynamics", [labels_path], system=system, model=REFERENCE)
    record.add(
        f"{REFERENCE}-{system}",
        params={"start_ang": start, "time_step_fs": options.time_step_fs, "steps": steps, "reduced_mass_amu": mass},
        metrics=flat(found),
        artifacts=[Path(trajectory_path).name],
    )
    record.write(run_path, [trajectory_path, metrics_path])


def run_on_the_fly(
    *,
    context: dict,
    system: str,
    config: dict,
    settings: dict,
    labels_path: str,
    trajectory_path: str,
    metrics_path: str,
    run_path: str,
) -> None:
    """A short trajectory with the reference method at every step: is the curve a fair stand-in?"""
    options = validate(DynamicsConfig, settings, "dynamics")
    molecule, curve, _, start, _ = _reference(system, config, labels_path)
    steps, time_step = options.on_the_fly_steps, options.on_the_fly_step_fs
    (direct,) = diatomic.trajectories(OnTheFlyPotential(molecule), start, time_step, steps)
    (spline,) = diatomic.trajectories(curve, start, time_step, steps)
    difference = np.abs(direct.distance_ang - spline.distance_ang)
    table = direct.assign(curve_distance_ang=spline.distance_ang)
    found = {
        "distance_difference_max": ("Ang", float(difference.max())),
        "energy_fluctuation": ("meV", float(1000 * (direct.total_energy_ev - direct.total_energy_ev.mean()).std())),
        "simulated_time": ("fs", float(direct.time_fs.iloc[-1])),
    }
    write_csv(trajectory_path, table)
    write_csv(metrics_path, metric_table(metric_rows(found, system=system, model=REFERENCE, variant="on_the_fly")))
    record = Context(**context).record("dynamics", [labels_path], system=system, model=REFERENCE)
    record.add(
        f"on_the_fly-{system}",
        params={"start_ang": start, "time_step_fs": time_step, "steps": steps},
        metrics=flat(found),
        artifacts=[Path(trajectory_path).name],
    )
    record.write(run_path, [trajectory_path, metrics_path])


def run_dynamics(
    *, context: dict, system: str, config: dict, settings: dict, labels_path: str, reference_path: str, model_paths: list[str],
    trajectory_path: str, metrics_path: str, run_path: str,
) -> None:  # fmt: skip
    """Trajectories of every seed of a model, compared with the reference trajectory from the same start."""
    options = validate(DynamicsConfig, settings, "dynamics")
    molecule, curve, minimum, start, mass = _reference(system, config, labels_path)
    reference = read_table(reference_path)
    record = Context(**context).record("dynamics", [labels_path, reference_path, *model_paths], system=system)
    harmonic = diatomic.harmonic(curve, minimum, mass)
    ensemble = PotentialEnsemble([load(path) for path in model_paths])
    paths = diatomic.trajectories(ensemble, start, options.time_step_fs, len(reference) - 1, len(model_paths))
    rows = []
    for seed, (potential, path) in enumerate(zip(ensemble.potentials, paths, strict=True)):
        name = potential.model.name
        found = diatomic.observables(path, reference, len(molecule.symbols))
        scan = molecule.config.reference.scan
        distance = diatomic.equilibrium(potential, scan.minimum, scan.maximum)
        found["equilibrium_distance"] = ("Ang", distance)
        found["harmonic_frequency"] = ("cm-1", diatomic.harmonic(potential, distance, mass))
        found["harmonic_frequency_deviation"] = ("%", 100 * abs(found["harmonic_frequency"][1] / harmonic - 1))
        rows += metric_rows(found, system=system, model=name, seed=seed)
        record.add(
            f"{name}-{system}-s{seed}",
            params={
                "seed": seed,
                "start_ang": start,
                "time_step_fs": options.time_step_fs,
                "steps": len(reference) - 1,
            },
            metrics=flat(found),
            artifacts=[Path(metrics_path).name],
            model=name,
            role=potential.model.role,
            seed=str(seed),
        )
    write_csv(trajectory_path, pd.concat([path.assign(seed=k) for k, path in enumerate(paths)], ignore_index=True))
    write_csv(metrics_path, metric_table(rows))
    record.write(run_path, [trajectory_path, metrics_path])

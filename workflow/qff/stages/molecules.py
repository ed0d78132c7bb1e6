"""Stage 7, molecules of more than two atoms: NVE dynamics of trained potentials beside the fitted reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from qff.config import DynamicsConfig, StartsConfig, validate
from qff.data import read_frames
from qff.dynamics import observables
from qff.dynamics.ensemble import PotentialEnsemble
from qff.dynamics.integrator import Trajectories, cut_unphysical, kinetic_energy, velocity_verlet
from qff.dynamics.on_the_fly import OnTheFlyPotential
from qff.dynamics.starts import velocities
from qff.dynamics.stationary import Landscape, barrier, harmonic, landscape, path_energies, path_errors
from qff.metrics import metric_rows, metric_table
from qff.models import load
from qff.provenance import write_csv
from qff.randomness import generator
from qff.stages.common import Context, flat, read_table, system_from
from qff.units import EV_IN_MEV

REFERENCE = "reference"
HARMONIC = "ccsd_t"  # variant of the numbers of the reference method itself
POOLED = "all_starts"  # variant of numbers over the trajectories of all seeds


def _place(system: str, config: dict, labels_path: str) -> Landscape:
    molecule = system_from(system, config)
    return landscape(molecule, read_frames(labels_path, molecule.symbols))


def _per_seed(options: DynamicsConfig, seeds: int) -> int:
    return -(-options.molecules.trajectories // seeds)


def _velocities(place: Landscape, options: DynamicsConfig, seeds: int, study_seed: int) -> np.ndarray:
    """Velocities of all starts, the share of each seed together."""
    molecule, count = place.system, seeds * _per_seed(options, seeds)
    config = options.molecules.starts.get(molecule.name, StartsConfig())
    return velocities(config, place.minimum, molecule.masses, place.modes[0], count, study_seed, molecule.name)


def _simulate(potential, place: Landscape, options: DynamicsConfig, seeds: int, study_seed: int) -> Trajectories:
    """Trajectories of all starts until they leave the bounds or become unphysical."""
    molecule, settings = place.system, options.molecules
    start = _velocities(place, options, seeds, study_seed)
    steps = round(settings.length_fs / settings.time_step_fs)
    positions = np.repeat(place.minimum[None], len(start), axis=0)
    path = velocity_verlet(potential, positions, start, molecule.masses, settings.time_step_fs, steps)
    return cut_unphysical(path, [c.atoms for c in molecule.config.coordinates if c.kind == "bond"])


def _observed(path: Trajectories, place: Landscape) -> dict[str, tuple[str, float]]:
    """Quantities of one seed's trajectories, of the reference and of models alike."""
    found = observables.stability(path) | observables.conservation(path)
    found |= observables.coordinate_statistics(place.system, path)
    if place.inverts:
        return found | observables.inversion_rate(path, place.minimum)
    return found | observables.peaks(place.system, path, place.minimum, place.modes)


def _tables(path: Trajectories, place: Landscape) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Beginning of the trajectories, density of states, total energy over time."""
    shown = observables.shown(place.system, path, place.inverts)
    if place.inverts:
        events = pd.DataFrame(
            {
                "start": np.arange(path.energies.shape[1]),
                "lifetime_fs": path.lifetimes_fs,
                "inversions": observables.inversion_counts(path, place.minimum),
            }
        )
        shown = shown.merge(events, on="start")
    spectrum = observables.mean_spectrum(path, place.system.masses)
    return shown, spectrum, observables.energy_windows(path)


def compute_harmonic(
    *, context: dict, system: str, config: dict, labels_path: str, metrics_path: str, run_path: str
) -> None:
    """Vibrations, and the barrier of an inversion, of the reference method itself, from its analytic gradients."""
    place = _place(system, config, labels_path)
    direct = OnTheFlyPotential(place.system)
    found = harmonic(direct, place, guide=place.reference)
    if place.inverts:
        found |= barrier(direct, place, guide=place.reference)
    write_csv(metrics_path, metric_table(metric_rows(found, system=system, model=REFERENCE, variant=HARMONIC)))
    record = Context(**context).record("dynamics", [labels_path], system=system, model=REFERENCE)
    reference = place.system.config.reference
    record.add(
        f"harmonic-{system}",
        params={"method": reference.method, "basis": reference.basis},
        metrics=flat(found),
        artifacts=[Path(metrics_path).name],
    )
    record.write(run_path, [metrics_path])


def simulate_reference(
    *, context: dict, system: str, config: dict, settings: dict, seeds: int, labels_path: str, trajectory_path: str,
    spectrum_path: str, energy_path: str, inversion_path: str, metrics_path: str, run_path: str,
) -> None:  # fmt: skip
    """Trajectories of the fitted reference from all starts; a seed's numbers are those of its share of them."""
    options = validate(DynamicsConfig, settings, "dynamics")
    where, place = Context(**context), _place(system, config, labels_path)
    path = _simulate(place.reference, place, options, seeds, where.seed)
    share = _per_seed(options, seeds)
    fit = place.reference.residuals(generator(where.seed, "fitted_reference", system)) | harmonic(
        place.reference, place
    )
    curve = path_energies(place.reference, place.frames)
    if place.inverts:
        fit |= barrier(place.reference, place) | path_errors(curve)
    rows = metric_rows(fit, system=system, model=REFERENCE)
    record = where.record("dynamics", [labels_path], system=system, model=REFERENCE)
    record.add(f"fitted_reference-{system}", params={"n_frames": len(place.frames)}, metrics=flat(fit))
    for seed in range(seeds):
        found = _observed(path.select(slice(seed * share, (seed + 1) * share)), place)
        rows += metric_rows(found, system=system, model=REFERENCE, seed=seed)
        record.add(
            f"{REFERENCE}-{system}-s{seed}",
            params={"seed": seed, **options.molecules.model_dump()},
            metrics=flat(found),
            artifacts=[Path(metrics_path).name],
            seed=str(seed),
        )
    outputs = [trajectory_path, spectrum_path, energy_path, inversion_path]
    for table, output in zip((*_tables(path, place), curve), outputs, strict=True):
        write_csv(output, table)
    write_csv(metrics_path, metric_table(rows))
    record.write(run_path, [*outputs, metrics_path])


def simulate_on_the_fly(
    *, context: dict, system: str, config: dict, settings: dict, seeds: int, labels_path: str, trajectory_path: str,
    metrics_path: str, run_path: str,
) -> None:  # fmt: skip
    """A short trajectory with the reference method at every step, from the start with most energy: is the fit fair?"""
    options = validate(DynamicsConfig, settings, "dynamics")
    where, place = Context(**context), _place(system, config, labels_path)
    molecule, every = place.system, _velocities(place, options, seeds, where.seed)
    start = int(kinetic_energy(every, molecule.masses).argmax())
    step, steps = options.on_the_fly_step_fs, options.on_the_fly_steps
    direct, fitted = (
        velocity_verlet(potential, place.minimum[None], every[[start]], molecule.masses, step, steps)
        for potential in (OnTheFlyPotential(molecule), place.reference)
    )
    ours, theirs = (observables.shown(molecule, path, place.inverts) for path in (direct, fitted))
    bonds = [name for name in ours if name.startswith("bond_")]
    energy = direct.energies[:, 0] * EV_IN_MEV
    found = {
        "distance_difference_max": ("Ang", float((ours[bonds] - theirs[bonds]).abs().to_numpy().max())),
        "energy_fluctuation": ("meV", float(energy.std())),
        "simulated_time": ("fs", float(direct.lifetimes_fs[0])),
    }
    write_csv(trajectory_path, ours.merge(theirs, on=["start", "time_fs"], suffixes=("", "_fit")))
    write_csv(metrics_path, metric_table(metric_rows(found, system=system, model=REFERENCE, variant="on_the_fly")))
    record = where.record("dynamics", [labels_path], system=system, model=REFERENCE)
    record.add(
        f"on_the_fly-{system}",
        params={"start": start, "time_step_fs": step, "steps": steps},
        metrics=flat(found),
        artifacts=[Path(trajectory_path).name],
    )
    record.write(run_path, [trajectory_path, metrics_path])


def simulate_model(
    *, context: dict, system: str, config: dict, settings: dict, labels_path: str, reference_path: str,
    reference_metrics_path: str, harmonic_path: str, model_paths: list[str], trajectory_path: str, spectrum_path: str,
    energy_path: str, inversion_path: str, metrics_path: str, run_path: str,
) -> None:  # fmt: skip
    """Trajectories of all seeds of a model at once, from the starts of the reference."""
    options = validate(DynamicsConfig, settings, "dynamics")
    where, place = Context(**context), _place(system, config, labels_path)
    reference, truth = read_table(reference_path), read_table(reference_metrics_path)
    exact = read_table(harmonic_path)
    exact = exact[exact.seed.isna()].set_index("quantity").value
    inputs = [labels_path, reference_path, reference_metrics_path, harmonic_path, *model_paths]
    record = where.record("dynamics", inputs, system=system)
    ensemble = PotentialEnsemble([load(p) for p in model_paths])
    seeds, share = len(model_paths), _per_seed(options, len(model_paths))
    path = _simulate(ensemble, place, options, seeds, where.seed)
    shown, spectrum, energy = _tables(path, place)
    name, rows, curves = ensemble.potentials[0].model.name, [], []
    for seed, potential in enumerate(ensemble.potentials):
        chosen = range(seed * share, (seed + 1) * share)
        found = _observed(path.select(slice(chosen.start, chosen.stop)), place) | harmonic(potential, place)
        curve = path_energies(potential, place.frames)
        curves.append(curve.assign(seed=seed))
        if place.inverts:
            found |= barrier(potential, place) | path_errors(curve)
        of_seed = truth[truth.seed == seed].set_index("quantity").value
        found |= _against(found, of_seed, exact)
        found |= observables.deviations(*(t[t.start.isin(chosen)] for t in (shown, reference)))
        rows += metric_rows(found, system=system, model=name, seed=seed)
        record.add(
            f"{name}-{system}-s{seed}",
            params={"seed": seed, "trajectories_per_seed": share, **options.molecules.model_dump()},
            metrics=flat(found),
            artifacts=[Path(metrics_path).name],
            model=name,
            role=potential.model.role,
            seed=str(seed),
        )
    pooled = observables.stability(path)
    if place.inverts:
        events = [t.drop_duplicates("start") for t in (shown, reference)]
        numbers = [t[c].to_numpy() for t in events for c in ("inversions", "lifetime_fs")]
        pooled |= observables.rate_ratio(*numbers, generator(where.seed, "inversion_rate", system, name))
    rows += metric_rows(pooled, system=system, model=name, variant=POOLED)
    tables = shown.assign(seed=shown.start // share), spectrum, energy, pd.concat(curves, ignore_index=True)
    outputs = [trajectory_path, spectrum_path, energy_path, inversion_path]
    for table, output in zip(tables, outputs, strict=True):
        write_csv(output, table)
    write_csv(metrics_path, metric_table(rows))
    record.write(run_path, [*outputs, metrics_path])


def _against(found: dict, reference: pd.Series, exact: pd.Series) -> dict[str, tuple[str, float]]:
    """Deviations of peaks from the reference dynamics, of harmonic numbers and the barrier from the method itself."""
    compared = {}
    for quantity, (unit, value) in found.items():
        stem, _, number = quantity.rpartition("_")
        if stem == "vdos_peak":
            compared[f"vdos_peak_deviation_{number}"] = (unit, abs(value - reference[quantity]))
        elif stem == "harmonic_frequency":
            compared[f"harmonic_frequency_deviation_{number}"] = (unit, abs(value - exact[quantity]))
        elif quantity == "inversion_barrier":
            compared["inversion_barrier_error"] = (unit, abs(value - exact[quantity]))
    return compared

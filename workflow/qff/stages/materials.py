"""Stage of periodic materials: import, comparison of models, dynamics, cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from ase.data import chemical_symbols

from qff.config import validate
from qff.config.materials import MaterialsConfig, MaterialSetConfig
from qff.errors import DataError
from qff.materials.baselines import check_elements, split_frames
from qff.materials.cost import exponent, measure
from qff.materials.dynamics import Criterion, Run, simulate, supercell
from qff.materials.equations import Weights
from qff.materials.frames import Frame, read_frames
from qff.materials.observables import ENDING, ending, mean_squared_displacement, mobile_element, radial_distribution
from qff.materials.potential import load
from qff.materials.study import errors, fit_all, mean_errors, potential_of, prepare, qubits_for
from qff.metrics import metric_rows, metric_table
from qff.provenance import file_digest, write_csv
from qff.randomness import generator
from qff.stages.common import Context, flat

MAIN = "amplitude_hybrid"
MEAN = "mean_predictor"
RDF_CUTOFF, RDF_BINS, RDF_FRAMES = 6.0, 60, 100
REFERENCE = "reference"  # in place of a temperature: the labelled frames
MSD_POINTS = 200


def _read(name: str, config: dict, path: str) -> tuple[MaterialSetConfig, list[Frame]]:
    entry = validate(MaterialSetConfig, config, f"config, materials.sets.{name}")
    if entry.sha256 is not None and Path(path).is_file() and (found := file_digest(path)) != entry.sha256:
        raise DataError(
            f"{path}: sha256 is {found}, materials.sets.{name} expects {entry.sha256}: another version of the set, or a "
            f"damaged file; fetch it again ({entry.source})"
        )
    return entry, read_frames(path)


def fit_material(
    *, context: dict, name: str, config: dict, settings: dict, frames_path: str, model_path: str, metrics_path: str,
    run_path: str,
) -> None:  # fmt: skip
    """Fit all models to every split and seed, and test them; the hybrid of the first split and seed is kept."""
    place, options = Context(**context), validate(MaterialsConfig, settings, "config, materials")
    entry, frames = _read(name, config, frames_path)
    weights = Weights(options.energy_weight, options.stress_weight)
    n_qubits = qubits_for(frames, options)
    record = place.record("materials", [frames_path], system=name)
    rows = []
    for split in entry.splits:
        for seed in range(options.seeds):
            parts = split_frames(
                len(frames),
                split,
                seed,
                entry.n_train,
                entry.n_validation,
                generator(place.seed, "materials", name, seed),
            )
            check_elements(frames, parts, f"{frames_path}, split by {split}, seed {seed}")
            chosen = {part: [frames[k] for k in index] for part, index in parts.items()}
            prepared = prepare(chosen["train"], options, weights, 2**n_qubits - 1)
            fitted = fit_all(
                prepared, chosen["train"], chosen["validation"], options, weights, n_qubits, options.models,
                generator(place.seed, "materials_fit", name, split, seed),
            )  # fmt: skip
            found = {MEAN: mean_errors(chosen["train"], chosen["test"], prepared.references)}
            found[MEAN]["n_parameters"] = ("1", 0)
            for model, fit in fitted.items():
                potential = potential_of(prepared, fit, options.wall_ev_per_ang3)
                found[model] = errors(potential, chosen["test"])
                found[model]["n_parameters"] = ("1", fit.n_parameters)
                found[model]["n_fixed_by_data"] = ("1", prepared.n_fixed(fit))
                if (model, split, seed) == (MAIN, entry.splits[0], 0):
                    potential.save(model_path)
            for model, values in found.items():
                labels = {"system": name, "model": model, "n_train": entry.n_train, "seed": seed, "split": split}
                rows += metric_rows(values, **labels)
                record.add(
                    f"{model}-{name}-{split}-s{seed}",
                    params={
                        "model": model,
                        "split": split,
                        "seed": seed,
                        "n_train": entry.n_train,
                        "level": entry.level,
                    },
                    metrics=flat(values),
                    model=model,
                    seed=str(seed),
                )
    write_csv(metrics_path, metric_table(rows))
    record.write(run_path, [metrics_path, model_path])


def simulate_material(
    *, context: dict, name: str, config: dict, settings: dict, frames_path: str, model_path: str, runs_path: str,
    rdf_path: str, msd_path: str, metrics_path: str, run_path: str,
) -> None:  # fmt: skip
    """Langevin dynamics of a supercell at every temperature from several starts, then at constant energy.

    Beside the fate of every run: g(r) of the mobile element with every element, of the second half of every run and of
    the labelled frames, and the mean-squared displacement of the mobile element.
    """
    place, options = Context(**context), validate(MaterialsConfig, settings, "config, materials").dynamics
    _, frames = _read(name, config, frames_path)
    potential = load(model_path)
    record = place.record("materials", [frames_path, model_path], system=name, model=MAIN)
    rows, table, moved = [], [], []
    curves = [(REFERENCE, "", *row) for row in _distributions(frames)]
    for temperature in options.temperatures_k:
        criterion = Criterion(
            options.closest_factor * potential.closest,
            options.temperature_factor * temperature,
            options.energy_window_ev,
        )
        for start in range(options.starts):
            rng = generator(place.seed, "materials_dynamics", name, f"{temperature:g}", start)
            first = int(rng.integers(len(frames)))
            atoms = supercell(frames[first], options.repeat)
            run = simulate(
                potential, atoms, temperature, options.length_fs, options.time_step_fs, options.friction_per_fs,
                criterion, rng,
            )  # fmt: skip
            mobile = atoms.numbers == mobile_element(atoms.numbers)
            msd = mean_squared_displacement(run, mobile) if len(run.times) else []
            values = {
                "stable": ("1", float(not run.failure)),
                "simulated_time": ("fs", run.length_fs),
                "mean_temperature": (
                    "K",
                    float(run.temperatures[len(run.times) // 2 :].mean()) if len(run.times) else np.nan,
                ),
                "hottest_element_temperature": ("K", run.hottest_element_k),
                "mobile_msd": ("Ang2", float(msd[-1]) if len(msd) else np.nan),
            }
            how = ending(potential, run, atoms.numbers, atoms.cell.array)
            if not run.failure:
                atoms.positions = run.positions[-1]
                _set_velocities(atoms, run, temperature, rng)
                free = simulate(
                    potential, atoms, temperature, options.nve_fs, options.time_step_fs, None, criterion, rng
                )
                values["energy_drift_per_atom"] = ("meV/ps", free.drift_mev_per_atom_per_ps)
                values["stable_nve"] = ("1", float(not free.failure))
            table.append((temperature, start, first, run.failure, run.length_fs, *how.values()))
            every = max(1, len(msd) // MSD_POINTS)
            moved += [(temperature, start, t, m) for t, m in zip(run.times[::every], msd[::every], strict=True)]
            variant = f"{temperature:.0f}k"
            rows += metric_rows(values, system=name, model=MAIN, variant=variant, seed=start)
            record.add(
                f"dynamics-{name}-{variant}-s{start}",
                params={"temperature_k": temperature, "start": start, "n_atoms": len(atoms)},
                metrics=flat(values),
                seed=str(start),
            )
            curves += [(temperature, start, *row) for row in _distributions(_late_frames(run, atoms))]
    runs = ["temperature_k", "start", "frame", "failure", "length_fs", *ENDING]
    write_csv(runs_path, pd.DataFrame(table, columns=runs))
    write_csv(rdf_path, pd.DataFrame(curves, columns=["temperature_k", "start", "pair", "r_ang", "g"]))
    write_csv(msd_path, pd.DataFrame(moved, columns=["temperature_k", "start", "time_fs", "msd_ang2"]))
    write_csv(metrics_path, metric_table(rows))
    record.write(run_path, [runs_path, rdf_path, msd_path, metrics_path])


def _set_velocities(atoms, run, temperature: float, rng: np.random.Generator) -> None:
    """New thermal velocities for the run at constant energy, without motion of the whole."""
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary

    MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=rng)
    Stationary(atoms)


def _late_frames(run: Run, atoms) -> list[Frame]:
    """Second half of a run, without labels."""
    late = run.positions[len(run.positions) // 2 :]
    return [Frame(atoms.numbers, x, atoms.cell.array, np.nan, np.full_like(x, np.nan)) for x in late]


def _distributions(frames: list[Frame]) -> list[tuple[str, float, float]]:
    """Pair, r (Å) and g(r) of the mobile element with every element, each pair over those of some frames that hold it."""
    found: dict[str, list[np.ndarray]] = {}
    for frame in frames[:: max(1, len(frames) // RDF_FRAMES)]:
        mobile = mobile_element(frame.numbers)
        for other in sorted(set(frame.numbers.tolist())):
            r, g = radial_distribution(
                frame.positions[None], frame.numbers, frame.cell, (mobile, other), RDF_CUTOFF, RDF_BINS
            )
            found.setdefault(f"{chemical_symbols[mobile]}-{chemical_symbols[other]}", []).append(g)
    return [(pair, *row) for pair, each in found.items() for row in zip(r, np.mean(each, axis=0), strict=True)]


def time_material(
    *, context: dict, name: str, config: dict, settings: dict, frames_path: str, model_path: str, metrics_path: str,
    run_path: str,
) -> None:  # fmt: skip
    """Processor time and memory of supercells, and how they grow."""
    place, options = Context(**context), validate(MaterialsConfig, settings, "config, materials").cost
    _, frames = _read(name, config, frames_path)
    costs = measure(load(model_path), frames[0], options.repeats, options.samples)
    sizes = [c.n_atoms for c in costs]
    total = [c.seconds + c.search_seconds for c in costs]
    rows = []
    for cost in costs:
        values = {
            "seconds": ("s", cost.seconds),
            "search_seconds": ("s", cost.search_seconds),
            "memory": ("MiB", cost.memory_mib),
            "atom_steps_per_second": ("1/s", cost.n_atoms / cost.seconds),
        }
        rows += metric_rows(values, system=name, model=MAIN, variant=f"{cost.n_atoms}_atoms")
    exponents = {
        "cost_exponent": exponent(sizes, [c.seconds for c in costs]),
        "cost_exponent_with_search": exponent(sizes, total),
        "memory_exponent": exponent(sizes, [c.memory_mib for c in costs]),
    }
    laws = {
        **{quantity: ("1", value) for quantity, (value, _, _) in exponents.items()},
        "atom_steps_per_second": ("1/s", max(c.n_atoms / c.seconds for c in costs)),
        "atoms_in_8_gib": ("1", float(8 * 1024 / (costs[-1].memory_mib / costs[-1].n_atoms))),
    }
    rows += metric_rows(laws, system=name, model=MAIN)
    for end, place_of in (("low", 1), ("high", 2)):
        ends = {quantity: ("1", found[place_of]) for quantity, found in exponents.items()}
        rows += metric_rows(ends, system=name, model=MAIN, variant=f"_{end}")
    write_csv(metrics_path, metric_table(rows))
    record = place.record("materials", [frames_path, model_path], system=name, model=MAIN)
    record.add(f"cost-{name}", params={"sizes": sizes}, metrics=flat(laws))
    record.write(run_path, [metrics_path])

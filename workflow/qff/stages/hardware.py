"""Stage 8a: a trained QNN on a quantum computer: shots, noise, mitigation, maps of qubits, cost."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from qff.config import QuantumConfig, validate
from qff.config.quantum import NoiseConfig
from qff.data import read_frames
from qff.engines.aer import AerEngine
from qff.engines.coupling import coupling_map, transpiled_size
from qff.engines.qiskit import Template
from qff.hardware.cost import Targets, cost
from qff.hardware.mitigation import extrapolate, unflip
from qff.hardware.shots import Circuits, ShotSampler, sample_means
from qff.jobs import progress
from qff.metrics import metric_rows, metric_table
from qff.models import Potential, load
from qff.provenance import write_csv
from qff.randomness import generator
from qff.stages.common import Context, flat, read_splits, system_from
from qff.units import EV_IN_MEV

COST_FRAMES = 20  # test frames that medians of the cost are taken over
TIMED_CALLS = 30


def measure_hardware(
    *, context: dict, system: str, config: dict, settings: dict, labels_path: str, splits_path: str, model_paths: list[str],
    twin_paths: list[str], shots_path: str, noise_path: str, timing_path: str, metrics_path: str, run_path: str,
) -> None:  # fmt: skip
    """Standard errors against shots, errors against noise, transpiled size and cost of one QNN on one system.

    Cost is of every seed, the rest of the first. Times of one force call on this machine are in a table of their own:
    they are no property of the model. ``twin_paths``: potentials of the classical twin, or none.
    """
    options = validate(QuantumConfig, settings, "quantum")
    place, molecule = Context(**context), system_from(system, config)
    frames = read_frames(labels_path, molecule.symbols)
    splits = read_splits(splits_path, len(frames))
    record = place.record("quantum", [labels_path, splits_path, *model_paths, *twin_paths], system=system)
    potentials = [load(path) for path in model_paths]
    name, first = potentials[0].model.name, potentials[0]
    test = frames.positions[splits[0]["test"]]
    labels = {"system": system, "model": name}

    sampler = ShotSampler(first)
    shots, exponents = standard_errors(
        sampler, test[: options.shots.frames], options, generator(place.seed, "shots", system, name)
    )
    noise = noise_errors(first, test[: options.noise.frames], options.noise)
    sizes = circuit_sizes(sampler, options.maps)
    rows = metric_rows(exponents, **labels)
    for (source, count, quantity), own in shots.groupby(["source", "shots", "quantity"]):
        unit, factor = ("meV", EV_IN_MEV) if quantity == "energy" else ("eV/Ang", 1.0)
        found = {f"standard_error_{quantity}": (unit, factor * _root_mean_square(own.standard_error))}
        if quantity == "force":
            components = own.groupby("component").standard_error.agg(_root_mean_square)
            found["standard_error_force_best"] = (unit, float(components.min()))
            found["standard_error_force_worst"] = (unit, float(components.max()))
        rows += metric_rows(found, **labels, variant=f"{source}_{count}")
    for row in noise.itertuples():
        found = {"noise_error_energy": ("meV", row.energy_error_mev)}
        if np.isfinite(row.force_error_ev_per_ang):
            found["noise_error_force"] = ("eV/Ang", row.force_error_ev_per_ang)
        rows += metric_rows(found, **labels, variant=f"{row.noise}_{row.rate:g}_{row.mitigation}")
    for where, size in sizes.items():
        rows += metric_rows({k: ("1", v) for k, v in size.items()}, **labels, variant=where)

    targets = Targets(options.energy_error_ev, options.force_error_ev_per_ang)
    for seed, potential in enumerate(potentials):
        found = cost(
            ShotSampler(potential).circuits(frames.positions[splits[seed]["test"]][:COST_FRAMES]),
            targets, depth_of(sizes), options.noise.device.executions_per_second, options.dynamics.time_step_fs,
        )  # fmt: skip
        rows += metric_rows(found, **labels, seed=seed)
        record.add(
            f"{name}-{system}-cost-s{seed}",
            params={"seed": seed, **options.model_dump(include={"energy_error_ev", "force_error_ev_per_ang"})},
            metrics=flat(found),
            artifacts=[Path(metrics_path).name],
            model=name,
            seed=str(seed),
        )
    times = {name: force_time(first, test), **{p.model.name: force_time(p, test) for p in map(load, twin_paths[:1])}}
    write_csv(timing_path, time_table(times, system))
    write_csv(shots_path, shots)
    write_csv(noise_path, noise)
    write_csv(metrics_path, metric_table(rows))
    record.add(
        f"{name}-{system}-hardware",
        params={"device": options.noise.device.source, "shots": options.shots.counts, "maps": options.maps},
        metrics=flat(exponents) | {f"{k}_{where}": v for where, size in sizes.items() for k, v in size.items()},
        artifacts=[Path(p).name for p in (shots_path, noise_path, metrics_path)],
        model=name,
    )
    record.write(run_path, [shots_path, noise_path, timing_path, metrics_path])


def _root_mean_square(values: pd.Series) -> float:
    return float(np.sqrt((values**2).mean()))


def standard_errors(
    sampler: ShotSampler, positions: np.ndarray, options: QuantumConfig, rng: np.random.Generator
) -> tuple[pd.DataFrame, dict[str, tuple[str, float]]]:
    """Standard deviation of repeated estimates against shots, and fitted exponents of the root mean square.

    Returns:
        columns source (``binomial``: drawn from the exact distribution; ``aer``: circuits run by Aer), shots, frame,
        quantity (energy, force), component, standard_error and expected (eV, eV/Å); components that never move are left
        out.
    """
    circuits, parts = sampler.circuits(positions), []
    for count in options.shots.counts:
        draws = sample_means(
            np.broadcast_to(circuits.values, (options.shots.repetitions, *circuits.values.shape)), count, rng
        )
        parts.append(_spread("binomial", count, circuits, *circuits.combine(draws)))
    first, repeated = sampler.circuits(positions[:1]), positions[:1].repeat(options.shots.aer_repetitions, 0)
    for count in options.shots.aer_counts:
        seed = int(rng.integers(2**31))
        energies, forces = aer_estimates(sampler.potential, repeated, shots=count, seed=seed)
        parts.append(_spread("aer", count, first, energies[:, None], forces[:, None]))
    table = pd.concat(parts, ignore_index=True)
    exponents = {}
    for quantity, own in table[table.source == "binomial"].groupby("quantity"):
        size = own.groupby("shots").standard_error.agg(_root_mean_square)
        slope = np.polyfit(np.log(size.index.to_numpy(float)), np.log(size.to_numpy()), 1)[0]
        exponents[f"shot_exponent_{quantity}"] = ("1", float(slope))
    return table, exponents


def _spread(source: str, shots: int, circuits: Circuits, energies: np.ndarray, forces: np.ndarray) -> pd.DataFrame:
    """Standard deviations over repetitions of energies (R, B) and forces (R, B, A, 3)."""
    variance = np.einsum("bii->bi", circuits.force_covariance())
    found = np.concatenate([energies[..., None], forces.reshape(*forces.shape[:2], -1)], 2).std(0, ddof=1)
    expected = np.sqrt(np.column_stack([circuits.energy_variance(), variance]) / shots)
    frame, component = np.nonzero(expected > 1e-12)
    return pd.DataFrame(
        {
            "source": source,
            "shots": shots,
            "frame": frame,
            "quantity": np.where(component == 0, "energy", "force"),
            "component": component,
            "standard_error": found[frame, component],
            "expected": expected[frame, component],
        }
    )


def aer_estimates(potential: Potential, positions: np.ndarray, **options) -> tuple[np.ndarray, np.ndarray]:
    """Energies (B,) in eV and forces (B, A, 3) in eV/Å from circuits that Aer runs; options of the engine."""
    inputs = potential.architecture.inputs(torch.as_tensor(positions))
    engine = AerEngine(potential.architecture.circuit, **options)
    theta = torch.as_tensor(potential.parameters)[None]
    f, df = engine.evaluate(theta, inputs.values[None], inputs.tangents[None])
    forces = -potential.energy_scale * torch.einsum("bk,bkax->bax", df[0], inputs.directions)
    return (potential.energy_shift + potential.energy_scale * f[0]).numpy(), forces.numpy()


def noise_errors(potential: Potential, positions: np.ndarray, options: NoiseConfig) -> pd.DataFrame:
    """Root mean square errors that noise makes, without shots, against the noiseless circuit.

    Returns:
        columns noise, rate, mitigation (none, readout, linear, richardson), energy_error_mev, force_error_ev_per_ang;
        extrapolation is done for energies.
    """
    exact_energy, exact_force = potential.energy_and_forces(positions)
    exact_force = exact_force[: options.force_frames]
    rows = []

    def add(noise: str, rate: float, mitigation: str, energies, forces=None) -> None:
        force = float("nan") if forces is None else float(np.sqrt(((forces - exact_force) ** 2).mean()))
        error = EV_IN_MEV * float(np.sqrt(((energies - exact_energy) ** 2).mean()))
        rows.append([noise, rate, mitigation, error, force])

    def unflipped(energies, flip):
        return potential.energy_shift + unflip(energies - potential.energy_shift, flip)

    for noise, rate, model in progress(options.cases(), "noise"):
        device = {"noise": model, "line": noise == "device"}
        energies = aer_energies(potential, positions, **device)
        _, forces = aer_estimates(potential, positions[: options.force_frames], **device)
        add(noise, rate, "none", energies, forces)
        flip = model.get("readout", 0.0)
        if 0 < flip < 0.5:
            energies = unflipped(energies, flip)
            add(noise, rate, "readout", energies, unflip(forces, flip))
        if noise == "readout":
            continue
        amplified = []
        for factor in options.folding:
            found = energies if factor == 1 else aer_energies(potential, positions, folding=factor, **device)
            amplified.append(unflipped(found, flip) if factor > 1 and flip < 0.5 else found)
        for name, order in (("linear", 1), ("richardson", len(options.folding) - 1)):
            add(noise, rate, name, extrapolate(np.array(options.folding), np.array(amplified), order))
    columns = ["noise", "rate", "mitigation", "energy_error_mev", "force_error_ev_per_ang"]
    return pd.DataFrame(rows, columns=columns)


def aer_energies(potential: Potential, positions: np.ndarray, **options) -> np.ndarray:
    """Energies (B,) in eV alone, one circuit each."""
    inputs = potential.architecture.inputs(torch.as_tensor(positions))
    engine = AerEngine(potential.architecture.circuit, **options)
    f, _ = engine.evaluate(torch.as_tensor(potential.parameters)[None], inputs.values[None])
    return potential.energy_shift + potential.energy_scale * f[0].numpy()


def circuit_sizes(sampler: ShotSampler, maps: dict[str, int]) -> dict[str, dict[str, int]]:
    """Depth and gates after transpilation: map → size; ``all_to_all`` beside those asked for."""
    circuit = Template(sampler.shifts).circuit
    found = {"all_to_all": transpiled_size(circuit, None)}
    for name, size in maps.items():
        found[name] = transpiled_size(circuit, coupling_map(name, size, circuit.num_qubits))
    return found


def depth_of(sizes: dict[str, dict[str, int]]) -> int:
    """On the map that asks for most layers."""
    return max(size["depth"] for size in sizes.values())


def time_table(times: dict[str, float], system: str) -> pd.DataFrame:
    """Tidy table of numbers from the time (ms) of a force call of a model and, after it, of its twins."""
    rows, first = [], next(iter(times))
    for model, value in times.items():
        variant = "" if model == first else f"beside_{first}"
        rows += metric_rows({"force_call_time": ("ms", value)}, system=system, model=model, variant=variant)
    return metric_table(rows)


def force_time(potential: Potential, positions: np.ndarray) -> float:
    """Median time (ms) of energy and forces of one geometry on this machine."""
    times = []
    for k in range(TIMED_CALLS):
        one = positions[k % len(positions)][None]
        began = time.perf_counter()
        potential.energy_and_forces(one)
        times.append(1e3 * (time.perf_counter() - began))
    return float(np.median(times))

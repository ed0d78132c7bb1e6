"""Stage 8c: models made of many circuits on a quantum computer: shots, noise, size, cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from qff.circuits import Circuit
from qff.config import QuantumConfig, validate
from qff.config.quantum import NoiseConfig
from qff.data import read_frames
from qff.engines.aer import AerEngine
from qff.engines.coupling import coupling_map, transpiled_size
from qff.engines.program import capture
from qff.engines.qiskit import Template
from qff.engines.shifts import EncodingShifts
from qff.hardware.amplitudes import MeasuredHead
from qff.hardware.composed import MeasuredCircuits, measured
from qff.hardware.cost import Targets, price
from qff.hardware.mitigation import extrapolate
from qff.jobs import progress
from qff.metrics import metric_rows, metric_table
from qff.models import load
from qff.provenance import RunRecord, write_csv
from qff.randomness import generator
from qff.stages.common import Context, flat, read_splits, system_from
from qff.stages.hardware import depth_of, force_time, time_table
from qff.units import EV_IN_MEV

#: Energies and forces of a model from what runs its circuits; of None, the exact ones.
Predict = Callable[["list[NoisyCircuits] | None"], tuple[np.ndarray, np.ndarray]]


def measure_composed(
    *, context: dict, system: str, config: dict, settings: dict, labels_path: str, splits_path: str, model_path: str,
    twin_paths: list[str], timing_path: str, metrics_path: str, run_path: str,
) -> None:  # fmt: skip
    """Standard errors against shots, errors with noise, transpiled size and cost, of the first seed of one model."""
    options = validate(QuantumConfig, settings, "quantum")
    place = Context(**context)
    frames = read_frames(labels_path, system_from(system, config).symbols)
    test = frames.positions[read_splits(splits_path, len(frames))[0]["test"]]
    record = place.record("quantum", [labels_path, splits_path, model_path, *twin_paths], system=system)
    potential = load(model_path)
    name = potential.model.name
    labels = {"system": system, "model": name}
    positions = test[: options.composed.frames]
    circuit = potential.architecture.circuit

    def predict(runs):
        model = potential
        if runs is not None:
            model = replace(potential, architecture=potential.architecture.with_circuits(runs[0]))
        return model.energy_and_forces(positions)

    device, runner = measured(potential, generator(place.seed, "composed", system, name))
    rows, found = hardware_numbers([circuit], device.energy_and_forces, runner, predict, positions, options, labels)
    times = {p.model.name: force_time(p, test) for p in (potential, *map(load, twin_paths))}
    write_csv(timing_path, time_table(times, system))
    write_csv(metrics_path, metric_table(rows))
    add_run(record, f"{name}-{system}-composed", name, found, options, metrics_path)
    record.write(run_path, [timing_path, metrics_path])


def add_run(
    record: RunRecord, key: str, model: str, found: dict[str, tuple[str, float]], options: QuantumConfig, metrics_path: str
) -> None:  # fmt: skip
    """The tracked run of one model's numbers."""
    record.add(
        key,
        params={"device": options.noise.device.source, "shots": options.shots.counts, "maps": options.maps},
        metrics=flat(found),
        artifacts=[Path(metrics_path).name],
        model=model,
    )


def hardware_numbers(
    circuits: list[Circuit], draw: Callable, runner: MeasuredCircuits | MeasuredHead, predict: Predict, positions,
    options: QuantumConfig, labels: dict[str, str],
) -> tuple[list[dict], dict[str, tuple[str, float]]]:  # fmt: skip
    """Rows of all numbers, and those that a run records: shots, cost, noise, sizes of circuits of one size.

    Args:
        draw: energies and forces of the ``positions``, measured; the ``runner`` sets the shots.
    """
    template = Template(EncodingShifts(capture(circuits[0]))).circuit
    places = {"all_to_all": None} | {k: coupling_map(k, n, template.num_qubits) for k, n in options.maps.items()}
    sizes = {where: transpiled_size(template, place) for where, place in places.items()}
    errors, found = shot_errors(draw, runner, positions, depth_of(sizes), options)
    rows = metric_rows(found, **labels)
    for count, values in errors.items():
        rows += metric_rows(values, **labels, variant=f"binomial_{count}")
    few = found["circuits_force"][1] <= options.composed.aer_circuits
    for variant, values in noise_errors(circuits, predict, options.noise, few).items():
        rows += metric_rows(values, **labels, variant=variant)
    for where, size in sizes.items():
        own = {k: ("1", v) for k, v in size.items()}
        rows += metric_rows(own, **labels, variant=where)
        found |= {f"{k}_{where}": v for k, v in own.items()}
    return rows, found


def shot_errors(
    draw: Callable, circuits: MeasuredCircuits | MeasuredHead, positions, depth: int, options: QuantumConfig
) -> tuple[dict[int, dict[str, tuple[str, float]]], dict[str, tuple[str, float]]]:
    """Standard errors and biases for every number of shots; fitted exponents and cost, from the largest number.

    A model that is not linear in its expectation values is biased where the noise is not small.

    Args:
        draw: energies (B,) and forces (B, A, 3) of the positions; ``circuits`` run what it is made of.
    """
    exact_energy, exact_force = draw(positions)
    n_shifted = circuits.n_shifted // len(positions)
    errors, sizes, worst = {}, [], None
    for count in progress(options.shots.counts, "shots"):
        circuits.shots = count
        drawn = [draw(positions) for _ in range(options.composed.repetitions)]
        energies, forces = (np.array(x) for x in zip(*drawn, strict=True))
        energy, force = energies.var(0, ddof=1), forces.var(0, ddof=1).reshape(len(positions), -1)
        bias = energies.mean(0) - exact_energy
        errors[count] = {
            "standard_error_energy": ("meV", EV_IN_MEV * float(np.sqrt(energy.mean()))),
            "standard_error_force": ("eV/Ang", float(np.sqrt(force.mean()))),
            "standard_error_force_best": ("eV/Ang", float(np.sqrt(force.mean(0).min()))),
            "standard_error_force_worst": ("eV/Ang", float(np.sqrt(force.mean(0).max()))),
            "bias_energy": ("meV", EV_IN_MEV * float(np.sqrt((bias**2).mean()))),
            "bias_force": ("eV/Ang", float(np.sqrt(((forces.mean(0) - exact_force) ** 2).mean()))),
        }
        sizes.append((energy.mean(), force.mean()))
        worst = count * energy, count * force.max(1)
    circuits.shots = None
    slopes = 0.5 * np.polyfit(np.log(options.shots.counts), np.log(sizes), 1)[0]
    targets = Targets(options.energy_error_ev, options.force_error_ev_per_ang)
    found = {f"shot_exponent_{q}": ("1", float(s)) for q, s in zip(("energy", "force"), slopes, strict=True)}
    found |= price(
        np.ceil(worst[0] / targets.energy_ev**2), np.ceil(worst[1] / targets.force_ev_per_ang**2), n_shifted, depth,
        options.noise.device.executions_per_second, options.dynamics.time_step_fs,
    )  # fmt: skip
    return errors, found


def noise_errors(
    circuits: list[Circuit], predict: Predict, noise: NoiseConfig, with_forces: bool
) -> dict[str, dict[str, tuple[str, float]]]:
    """Root mean square errors that noise makes, without shots; of forces too, if they are asked for.

    Mitigation is of energies. Readout errors of a known rate are divided out of every word, which leaves the circuit
    without them; what is extrapolated to no noise are the expectation values of folded circuits.

    Args:
        circuits: that the model is made of. predict: energies and forces from what runs each of them, or exactly.
    """
    exact_energy, exact_force = predict(None)
    found = {}

    def engines(folding: int = 1, **options) -> list[AerEngine]:
        return [AerEngine(circuit, folding=folding, **options) for circuit in circuits]

    def errors(runs: list[NoisyCircuits]) -> dict[str, tuple[str, float]]:
        energies, forces = predict(runs)
        values = {"noise_error_energy": ("meV", EV_IN_MEV * float(np.sqrt(((energies - exact_energy) ** 2).mean())))}
        if runs[0].with_slopes:
            values["noise_error_force"] = ("eV/Ang", float(np.sqrt(((forces - exact_force) ** 2).mean())))
        return values

    for kind, rate, model in progress(noise.cases(), "noise"):
        variant, line = f"{kind}_{rate:g}", kind == "device"
        found[f"{variant}_none"] = errors([NoisyCircuits([e], with_forces) for e in engines(noise=model, line=line)])
        unflipped = {name: value for name, value in model.items() if name != "readout"}
        if unflipped != model:
            found[f"{variant}_readout"] = errors(
                [NoisyCircuits([e]) for e in engines(noise=unflipped or None, line=line)]
            )
        if unflipped:
            folded = zip(*(engines(k, noise=unflipped, line=line) for k in noise.folding), strict=True)
            runs = [NoisyCircuits(list(own), factors=np.array(noise.folding)) for own in folded]
            for name, order in (("linear", 1), ("richardson", len(noise.folding) - 1)):
                for run in runs:
                    run.order = order
                found[f"{variant}_{name}"] = errors(runs)
    return found


class NoisyCircuits:
    """Values (S, B) and slopes (S, B, F), zero unless ``with_slopes``, of circuits whose angles (S, B, F) are all data.

    Of several engines, whose noise is ``factors`` times the first one's, the values extrapolated to none (polynomial of
    ``order``); they run once for the same angles.
    """

    def __init__(self, engines: list[AerEngine], with_slopes: bool = False, factors: np.ndarray | None = None):
        self.with_slopes, self.order = with_slopes, 1
        self._engines, self._factors, self._known = engines, factors, {}

    def __call__(self, angles: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if self.with_slopes:
            theta, axes = angles.new_zeros(1, 0), torch.eye(angles.shape[-1], dtype=angles.dtype)
            return self._engines[0].evaluate(theta, angles, axes.expand(*angles.shape[:2], -1, -1))
        return self.values(angles), torch.zeros_like(angles)

    def values(self, angles: torch.Tensor) -> torch.Tensor:
        """Values (S, B) alone."""
        key = angles.detach().numpy().tobytes()
        if key not in self._known:
            theta = angles.new_zeros(1, 0)
            self._known[key] = np.stack([engine.evaluate(theta, angles)[0].numpy() for engine in self._engines])
        values = self._known[key]
        return torch.from_numpy(
            values[0] if self._factors is None else extrapolate(self._factors, values, self.order)
        )

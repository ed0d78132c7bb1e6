"""Models made of many circuits, as a device would run them: every value and every shifted circuit is measured.

Their circuits have no parameters: the model computes all angles, of every atom or pair of neighbours, and puts the
expectation values together. Readouts are sums of Pauli words; words that commute qubit by qubit are measured together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from qff.circuits import Circuit
from qff.engines.compiled import CompiledProgram, expectations
from qff.engines.program import Program, capture
from qff.engines.qiskit import commuting_groups
from qff.engines.shifts import EncodingShifts
from qff.errors import UnsupportedOperation
from qff.hardware.shots import check_shots
from qff.models import Potential

NONE = np.zeros(0)  # parameters of the circuits


class Readout:
    """Expectation values of a program without parameters, and their variances when every basis is measured once.

    Attributes:
        n_bases: groups of words that commute qubit by qubit.
    """

    def __init__(self, program: Program):
        terms = program.terms
        groups = [[terms[k] for k in group] for group in commuting_groups([word for word, _ in terms])]
        self.n_bases = len(groups)
        squares = [term for group in groups for term in squared(group)]
        self._programs = [CompiledProgram(replace(program, terms=own)) for own in (squares, *groups)]

    def __call__(self, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and variances (N,) at angles (N, F)."""
        squares, *parts = expectations(self._programs, torch.from_numpy(np.ascontiguousarray(angles)))
        return sum(parts), np.clip(squares - sum(part**2 for part in parts), 0.0, None)


def squared(terms: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Pauli words and coefficients of the square of a sum of words that commute qubit by qubit."""
    found: dict[str, float] = {}
    for word, a in terms:
        for other, b in terms:
            letters = [x if y == "I" else y if x == "I" else "I" for x, y in zip(word, other, strict=True)]
            found["".join(letters)] = found.get("".join(letters), 0.0) + a * b
    return list(found.items())


@dataclass(frozen=True)
class _Known:
    """Of N angles: values and one-shot variances (N, 1 + 2 G) of the circuit and its shifts, slopes (N, G, F) of angles."""

    values: np.ndarray
    variances: np.ndarray
    slopes: np.ndarray

    def combine(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The circuit's own value (N,) and its slopes (N, F), from values (N, 1 + 2 G)."""
        ahead, behind = np.split(values[:, 1:], 2, axis=1)
        return values[:, 0], 0.5 * np.einsum("bg,bgf->bf", ahead - behind, self.slopes)

    def variance_of(self, by_value: np.ndarray, by_slope: np.ndarray, frames: int) -> np.ndarray:
        """Covariance (B, I, I), from one shot, of I quantities per frame whose derivatives (I, N) by the values and (I, N, F)
        by the slopes are given; the angles are those of B ``frames``, one after the other."""
        shifted = 0.5 * np.einsum("inf,ngf->ing", by_slope, self.slopes)
        weights = np.concatenate([by_value[..., None], shifted, -shifted], 2) * np.sqrt(self.variances)
        weights = weights.reshape(len(weights), frames, -1)
        return np.einsum("ibk,jbk->bij", weights, weights, optimize=True)


class MeasuredCircuits:
    """Values (S, B) and slopes (S, B, F) of a circuit at angles (S, B, F), from so many shots of every circuit and basis.

    Means of the shots are drawn from the normal distribution that has their exact mean and variance. Angles that were
    seen before are not simulated again, only drawn again.

    Attributes:
        shots: of every circuit in every basis; None for exact values.
    """

    def __init__(self, circuit: Circuit, rng: np.random.Generator):
        self.shots: int | None = None
        self._rng, self._shifts, self._seen = rng, EncodingShifts(capture(circuit)), {}
        self._readout = Readout(self._shifts.program)

    @property
    def n_shifted(self) -> int:
        """Shifted circuits of all angles seen so far, in all bases."""
        slots = sum(2 * known.slopes.shape[0] * known.slopes.shape[1] for known in self._seen.values())
        return slots * self._readout.n_bases

    def forget(self) -> None:
        """Drop the angles seen so far: they do not return."""
        self._seen.clear()

    def known(self, angles: torch.Tensor) -> _Known:
        """What is known exactly of angles (S, B, F), S · B of them."""
        flat = angles.detach().flatten(0, 1).numpy()
        key = flat.tobytes()
        if key not in self._seen:
            circuits = self._shifts.shifted(self._shifts.inputs(NONE, flat))
            values, variances = self._readout(circuits.reshape(-1, circuits.shape[2]))
            shape = circuits.shape[:2]
            self._seen[key] = _Known(values.reshape(shape), variances.reshape(shape), self._shifts.slopes(NONE, flat))
        return self._seen[key]

    def __call__(self, angles: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        known = self.known(angles)
        values = known.values
        if self.shots is not None:
            values = drawn(values, known.variances, self.shots, self._rng)
        f, slopes = (torch.from_numpy(x) for x in known.combine(values))
        return f.reshape(angles.shape[:2]), slopes.reshape(angles.shape)


class MeasuredValues:
    """Values (S, B) of a circuit at angles (S, B, F) as :class:`MeasuredCircuits` has them, no slopes: zeros in their place.

    Attributes:
        executions: circuits executed so far, every shot of every basis; as if of one shot where values are exact.
    """

    def __init__(self, circuit: Circuit, shots: int | None, rng: np.random.Generator):
        self._readout, self._rng = Readout(capture(circuit)), rng
        self.shots, self.executions = None if shots is None else check_shots(shots), 0.0

    def __call__(self, angles: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        flat = angles.detach().flatten(0, 1).numpy()
        values, variances = self._readout(flat)
        if self.shots is not None:
            values = drawn(values, variances, self.shots, self._rng)
        self.executions += float(len(flat) * self._readout.n_bases * (self.shots or 1))
        return torch.from_numpy(values).reshape(angles.shape[:2]), torch.zeros_like(angles)


def drawn(values: np.ndarray, variances: np.ndarray, shots: int, rng: np.random.Generator) -> np.ndarray:
    """Means of so many shots, from the normal distribution with their exact mean and variance; any shape."""
    return values + np.sqrt(variances / check_shots(shots)) * rng.normal(size=values.shape)


def check_circuits(potential: Potential) -> Circuit:
    """The circuit of a model of many.

    Raises:
        UnsupportedOperation: the model has no such circuits.
    """
    circuit = getattr(potential.architecture, "circuit", None)
    if circuit is None or circuit.n_parameters:
        raise UnsupportedOperation(
            f"model '{potential.model.name}' is not made of circuits whose angles are all data: run it with shots by "
            "quantum.models, or leave it out of quantum.composed"
        )
    return circuit


def measured(potential: Potential, rng: np.random.Generator) -> tuple[Potential, MeasuredCircuits]:
    """The same potential with measured circuits, and what runs them: exactly, until its ``shots`` are set.

    Raises:
        UnsupportedOperation: the model has no such circuits.
    """
    circuits = MeasuredCircuits(check_circuits(potential), rng)
    return replace(potential, architecture=potential.architecture.with_circuits(circuits)), circuits


class MeasuredPotential:
    """Energies and forces of a model of many circuits, measured with S shots of each of them in every basis.

    What :class:`qff.hardware.shots.ShotPotential` is to a QNN of one circuit. Forces of QNN-1, QNN-2 and QNN-3 are linear in the
    expectation values, and their covariance is exact; that of the hybrid, which is not linear, is of first order in 1/S.

    ``shots``: None for exact values.
    """

    def __init__(self, potential: Potential, shots: int | None, rng: np.random.Generator):
        self._exact, self.shots = potential, None if shots is None else check_shots(shots)
        self._device, self._circuits = measured(potential, rng)
        self._circuits.shots = self.shots

    def inside(self, positions) -> np.ndarray:
        return self._exact.architecture.inside(positions)

    def measure(self, positions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Exact energies (B,) in eV, measured forces (B, A, 3) in eV/Å, and their covariance (B, 3A, 3A)."""
        energies, forces = self._exact.energy_and_forces(positions)
        size = forces[0].size
        if self.shots is None:
            return energies, forces, np.zeros((len(forces), size, size))
        self._circuits.forget()
        _, forces = self._device.energy_and_forces(positions)
        return energies, forces, self._covariance(positions) / self.shots

    def _covariance(self, positions) -> np.ndarray:
        """Covariance (B, 3A, 3A) in eV²/Å² of the forces from one shot of every circuit in every basis."""
        taps: list[tuple[_Known, torch.Tensor, torch.Tensor]] = []

        def run(angles):
            known = self._circuits.known(angles)
            value, slope = (torch.from_numpy(x) for x in known.combine(known.values))
            value, slope = value.reshape(angles.shape[:2]), slope.reshape(angles.shape)
            taps.append((known, value.requires_grad_(), slope.requires_grad_()))
            return taps[-1][1:]

        potential = self._exact
        architecture, inputs = potential.architecture.with_circuits(run), potential.inputs(positions)
        # Parameters that ask for gradients keep models of positions from dropping the graph.
        theta = torch.as_tensor(potential.parameters)[None].requires_grad_()
        with torch.enable_grad():
            _, df = architecture.evaluate(theta, inputs.select((None, ...)))
            forces = -potential.energy_scale * torch.einsum("bk,bkax->bax", df[0], inputs.directions)
            summed = forces.flatten(1).sum(0)  # frames do not mix: one pass for all
            leaves = [leaf for _, *pair in taps for leaf in pair]
            rows = [torch.autograd.grad(y, leaves, retain_graph=True, allow_unused=True) for y in summed]
        found = np.zeros((len(positions), len(summed), len(summed)))
        for k, (known, value, slope) in enumerate(taps):
            by_value, by_slope = (
                np.array([np.zeros(leaf.shape) if r[at] is None else r[at].numpy() for r in rows])[:, 0]
                for at, leaf in ((2 * k, value), (2 * k + 1, slope))
            )
            found += known.variance_of(by_value, by_slope, len(positions))
        return found

"""Models made of many circuits, as a device would run them: every value and every shifted circuit is measured.

Their circuits have no parameters: the model computes all angles, of every atom or pair of neighbours, and puts the
expectation values together. Readouts are sums of Pauli words; words that commute qubit by qubit are measured together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from qff.circuits import Circuit
from qff.engines.compiled import CompiledProgram
from qff.engines.program import capture
from qff.engines.qiskit import commuting_groups
from qff.engines.shifts import EncodingShifts
from qff.errors import UnsupportedOperation
from qff.hardware.shots import check_shots
from qff.models import Potential

NONE = np.zeros(0)  # parameters of the circuits
DRAWS = 8  # of the forces of a geometry, from which their covariance is estimated


@dataclass(frozen=True)
class _Known:
    """Of B angles: values and one-shot variances (B, 1 + 2 G) of the circuit and its shifts, slopes (B, G, F) of angles."""

    values: np.ndarray
    variances: np.ndarray
    slopes: np.ndarray


class MeasuredCircuits:
    """Values (S, B) and slopes (S, B, F) of a circuit at angles (S, B, F), from so many shots of every circuit and basis.

    Means of the shots are drawn from the normal distribution that has their exact mean and variance. Angles that were
    seen before are not simulated again, only drawn again.

    Attributes:
        shots: of every circuit in every basis; None for exact values.
    """

    def __init__(self, circuit: Circuit, rng: np.random.Generator):
        program = capture(circuit)
        self.shots: int | None = None
        self._rng, self._shifts, self._known = rng, EncodingShifts(program), {}
        terms = self._shifts.program.terms
        groups = [[terms[k] for k in group] for group in commuting_groups([word for word, _ in terms])]
        self.n_bases = len(groups)
        self._parts = [self._engine(group) for group in groups]
        self._squares = self._engine([term for group in groups for term in squared(group)])

    @property
    def n_shifted(self) -> int:
        """Shifted circuits of all angles seen so far, in all bases."""
        return sum(2 * known.slopes.shape[0] * known.slopes.shape[1] for known in self._known.values()) * self.n_bases

    def forget(self) -> None:
        """Drop the angles seen so far: they do not return."""
        self._known.clear()

    def __call__(self, angles: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        flat = angles.detach().flatten(0, 1).numpy()
        key = flat.tobytes()
        if key not in self._known:
            self._known[key] = self._simulate(flat)
        known = self._known[key]
        values = known.values
        if self.shots is not None:
            deviation = np.sqrt(known.variances / check_shots(self.shots))
            values = values + deviation * self._rng.normal(size=values.shape)
        ahead, behind = np.split(values[:, 1:], 2, axis=1)
        slopes = 0.5 * np.einsum("bg,bgf->bf", ahead - behind, known.slopes)
        return torch.from_numpy(values[:, 0]).reshape(angles.shape[:2]), torch.from_numpy(slopes).reshape(
            angles.shape
        )

    def _simulate(self, angles: np.ndarray) -> _Known:
        circuits = self._shifts.shifted(self._shifts.inputs(NONE, angles))
        flat = torch.from_numpy(np.ascontiguousarray(circuits.reshape(1, -1, circuits.shape[2])))
        with torch.no_grad():
            empty = flat.new_zeros(1, 0)
            parts = [e.values(empty, flat)[0].numpy().reshape(circuits.shape[:2]) for e in self._parts]
            squares = self._squares.values(empty, flat)[0].numpy().reshape(circuits.shape[:2])
        variances = np.clip(squares - sum(part**2 for part in parts), 0.0, None)
        return _Known(sum(parts), variances, self._shifts.slopes(NONE, angles))

    def _engine(self, terms: list[tuple[str, float]]) -> CompiledProgram:
        return CompiledProgram(replace(self._shifts.program, terms=terms))


def squared(terms: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Pauli words and coefficients of the square of a sum of words that commute qubit by qubit."""
    found: dict[str, float] = {}
    for word, a in terms:
        for other, b in terms:
            letters = [x if y == "I" else y if x == "I" else "I" for x, y in zip(word, other, strict=True)]
            found["".join(letters)] = found.get("".join(letters), 0.0) + a * b
    return list(found.items())


def measured(potential: Potential, rng: np.random.Generator) -> tuple[Potential, MeasuredCircuits]:
    """The same potential with measured circuits, and what runs them: exactly, until its ``shots`` are set.

    Raises:
        UnsupportedOperation: the model has no such circuits.
    """
    circuit = getattr(potential.architecture, "circuit", None)
    if circuit is None or circuit.n_parameters:
        raise UnsupportedOperation(
            f"model '{potential.model.name}' is not made of circuits whose angles are all data: run it with shots by "
            "quantum.models, or leave it out of quantum.composed"
        )
    circuits = MeasuredCircuits(circuit, rng)
    return replace(potential, architecture=potential.architecture.with_circuits(circuits)), circuits


class MeasuredPotential:
    """Energies and forces of a model of many circuits, measured with S shots of each of them in every basis.

    What :class:`qff.hardware.shots.ShotPotential` is to a QNN of one circuit, but for the covariance of the forces, which is
    that of a few draws: good enough for the heating that it predicts, a mean over components and steps, not for a
    thermostat that subtracts it.

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
        drawn = np.array([self._device.energy_and_forces(positions)[1] for _ in range(DRAWS)])
        deviation = (drawn - drawn.mean(0)).reshape(DRAWS, len(forces), size)
        return energies, drawn[0], np.einsum("rbi,rbj->bij", deviation, deviation) / (DRAWS - 1)

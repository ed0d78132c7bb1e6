"""Energies and forces from a finite number of measurements, drawn from the exact distribution of their outcomes.

A readout of one Pauli word has outcomes ±1, so the sum of S of them is binomial with the probability (1 + f)/2 that the
fast engine knows. Drawing from it is what a noiseless device, or Aer, does circuit by circuit; the tests compare the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from qff.engines.compiled import CompiledProgram
from qff.engines.program import capture
from qff.engines.shifts import EncodingShifts
from qff.errors import ConfigError, UnsupportedOperation
from qff.models.potential import Potential
from qff.models.qnn import QNN


def check_shots(shots: int) -> int:
    """Raises ConfigError unless it is a whole number of at least 1."""
    if isinstance(shots, bool) or not isinstance(shots, (int, np.integer)) or shots < 1:
        raise ConfigError(f"shots = {shots}: must be a whole number of at least 1")
    return int(shots)


def sample_means(f: np.ndarray, shots: int, rng: np.random.Generator) -> np.ndarray:
    """Means of ``shots`` outcomes ±1 whose expectation values are f, any shape.

    Raises:
        ConfigError: no shots.
    """
    count = check_shots(shots)
    return 2 * rng.binomial(count, np.clip(0.5 * (1 + f), 0.0, 1.0)) / count - 1


@dataclass(frozen=True)
class Circuits:
    """Exact expectation values of all circuits of B geometries, and what they are worth.

    Attributes:
        values: (B, 1 + 2 G): the circuit itself, then every slot shifted by +π/2, then by -π/2.
        force_weights: (B, G, A, 3) in eV/Å: F = Σ_g weight_g (f_g+ - f_g-).
        energy_shift, energy_scale: eV.
    """

    values: np.ndarray
    force_weights: np.ndarray
    energy_shift: float
    energy_scale: float

    def combine(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energies (..., B) in eV and forces (..., B, A, 3) in eV/Å from exact or measured values (..., B, 1 + 2 G)."""
        ahead, behind = np.split(values[..., 1:], 2, axis=-1)
        energies = self.energy_shift + self.energy_scale * values[..., 0]
        return energies, np.einsum("...bg,bgax->...bax", ahead - behind, self.force_weights)

    def energy_variance(self) -> np.ndarray:
        """Variance (B,) in eV² of the energy from one shot; of S shots, 1/S of it."""
        return self.energy_scale**2 * (1 - self.values[:, 0] ** 2)

    def force_covariance(self) -> np.ndarray:
        """Covariance (B, 3A, 3A) in eV²/Å² of the forces from one shot of every shifted circuit."""
        ahead, behind = np.split(self.values[:, 1:], 2, axis=1)
        spread = 2 - ahead**2 - behind**2
        weights = self.force_weights.reshape(*spread.shape, -1)
        return np.einsum("bg,bgi,bgj->bij", spread, weights, weights)

    def best_force_variance(self) -> np.ndarray:
        """Smallest variance (B, 3A) in eV²/Å² of each component from as many shots in all as there are shifted circuits,
        if they are shared out for that component alone: proportional to weight times spread of the circuit."""
        deviation = np.sqrt(1 - np.clip(self.values[:, 1:], -1, 1) ** 2)
        weights = np.abs(self.force_weights.reshape(*self.force_weights.shape[:2], -1))
        total = np.einsum("bg,bgi->bi", sum(np.split(deviation, 2, axis=1)), weights)
        return total**2 / deviation.shape[1]


class ShotSampler:
    """Circuits of a trained QNN, by the fast engine.

    Raises:
        UnsupportedOperation: the model is no QNN, or its readout is not one Pauli word of weight 1.
    """

    def __init__(self, potential: Potential):
        architecture = potential.architecture
        if not isinstance(architecture, QNN):
            raise UnsupportedOperation(f"model '{potential.model.name}' is no QNN: it has no circuits to be sampled")
        self.potential = potential
        captured = capture(architecture.circuit)
        if len(captured.terms) != 1 or abs(captured.terms[0][1] - 1) > 1e-12:
            raise UnsupportedOperation(
                f"model '{potential.model.name}': only the readout of one Pauli word has binomial outcomes; run it on the "
                "engine 'aer' with shots"
            )
        self.shifts = EncodingShifts(captured)
        self._engine = CompiledProgram(self.shifts.program)

    @property
    def n_shifted(self) -> int:
        """Shifted circuits of one force call."""
        return 2 * len(self.shifts.slots)

    def circuits(self, positions) -> Circuits:
        """Of geometries (B, A, 3) in Å.

        Raises:
            DomainError: a geometry lies outside the bounds of the model.
        """
        potential = self.potential
        inputs = potential.architecture.inputs(torch.as_tensor(np.asarray(positions), dtype=torch.float64))
        phi, theta = inputs.values.numpy(), potential.parameters
        shifted = self.shifts.shifted(self.shifts.inputs(theta, phi))
        flat = torch.from_numpy(np.ascontiguousarray(shifted.reshape(1, -1, shifted.shape[2])))
        with torch.no_grad():
            values = self._engine.values(torch.as_tensor(theta)[None], flat)[0].numpy().reshape(shifted.shape[:2])
        along = np.einsum("bgf,bkf->bgk", self.shifts.slopes(theta, phi), inputs.tangents.numpy())
        weights = -0.5 * potential.energy_scale * np.einsum("bgk,bkax->bgax", along, inputs.directions.numpy())
        return Circuits(np.clip(values, -1.0, 1.0), weights, potential.energy_shift, potential.energy_scale)


class ShotPotential:
    """Energies and forces estimated from S shots of every circuit, with the generator's own randomness.

    ``shots``: None for exact values.
    """

    def __init__(self, sampler: ShotSampler, shots: int | None, rng: np.random.Generator):
        self._sampler, self.shots, self._rng = sampler, None if shots is None else check_shots(shots), rng

    def inside(self, positions) -> np.ndarray:
        return self._sampler.potential.architecture.inside(positions)

    def measure(self, positions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Exact energies (B,) in eV, measured forces (B, A, 3) in eV/Å, and their covariance (B, 3A, 3A)."""
        found = self._sampler.circuits(positions)
        energies, forces = found.combine(found.values)
        covariance = found.force_covariance()
        if self.shots is None:
            return energies, forces, np.zeros_like(covariance)
        _, forces = found.combine(sample_means(found.values, self.shots, self._rng))
        return energies, forces, covariance / self.shots

"""The classical surrogate of a circuit: a Fourier series of the circuit's own frequencies with free coefficients."""

from __future__ import annotations

import numpy as np
import torch

from qff.engines.program import Program, Rotation, capture
from qff.errors import ConfigError
from qff.models.architecture import Inputs
from qff.models.linear import LinearArchitecture
from qff.models.qnn import QNN

CANDIDATES = 12  # frequency vectors that are looked at, for every function that is wanted
SAME = 1e-12  # what is left of a function beside those before it, relative to it, if it is one of their combinations


class FourierSeries(LinearArchitecture):
    """f = Σ_k a_k cos k·φ + b_k sin k·φ, fitted by least squares (Schreiber, Eisert & Meyer, Phys. Rev. Lett. 131, 100803,
    2023; Landman et al., arXiv 2210.13200).

    A circuit is such a series; its frequencies are fixed by the encoding gates (Schuld, Sweke & Meyer, Phys. Rev. A 103,
    032430, 2021), its trained gates can only choose among the coefficients. A product of all frequencies of all features
    is too large (27³/2 pairs for H2O, 23⁶/2 for H3O+). Kept are those that the encoding makes in most ways, the number of
    pairs of eigenvalues of the encoding generators with that distance: the lowest ones. Functions that are combinations of
    earlier ones, as of arcsin and arccos of one coordinate, are passed over.

    Settings:
        functions: number of cosines and sines, the constant included.
        others: as of :class:`qff.models.qnn.QNN`, whose circuit and feature map they describe.
    """

    def __init__(self, system, settings):
        super().__init__(system, settings)
        options = dict(settings)
        count = options.pop("functions")
        if not isinstance(count, int) or count < 1:
            raise ConfigError(f"functions = {count}: must be an integer of at least 1")
        self._quantum = QNN(system, options)
        weights = [redundancies(capture(self._quantum.circuit), k) for k in range(self._quantum.circuit.n_features)]
        self._frequencies, self._sines = self._independent(weights, count)

    @property
    def n_coefficients(self):
        return len(self._sines)

    @property
    def n_parameters(self):
        return self.n_coefficients

    def inputs(self, positions):
        """Every function of the series at the features of the circuit."""
        angles = self._quantum.inputs(positions)
        phase = angles.values @ self._frequencies.T  # (B, C)
        rate = angles.tangents @ self._frequencies.T  # (B, K, C)
        values = torch.where(self._sines, phase.sin(), phase.cos())
        slopes = torch.where(self._sines, phase.cos(), -phase.sin())
        return Inputs(values, slopes[:, None] * rate, angles.directions)

    def basis(self, fixed, inputs):
        return inputs.values, inputs.tangents

    def _independent(self, weights: list[dict[float, int]], count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Frequency vectors (C, F) and which functions are sines (C,), found one after the other.

        Raises:
            ConfigError: the circuit has fewer functions.
        """
        rng = np.random.default_rng(0)  # of points that only tell functions apart
        points = self._quantum.features(
            torch.tensor(rng.uniform(-0.95, 0.95, (4 * count, self.system.n_coordinates)))
        )
        whole, frequencies, sines = np.zeros((len(points), count)), [], []
        for vector in by_redundancy(weights, CANDIDATES * count):
            if len(sines) == count:
                break
            for sine in (False, True):
                if (sine and not any(vector)) or len(sines) == count:
                    continue
                phase = points.numpy() @ vector
                own = np.sin(phase) if sine else np.cos(phase)
                rest = own / np.linalg.norm(own)
                basis = whole[:, : len(sines)]
                for _ in range(2):  # once more for what rounding left
                    rest = rest - basis @ (basis.T @ rest)
                if (size := np.linalg.norm(rest)) > SAME:
                    whole[:, len(sines)] = rest / size
                    frequencies.append(vector)
                    sines.append(sine)
        if len(sines) < count:
            raise ConfigError(f"functions = {count}: this circuit on {self.system.name} has {len(sines)} at most")
        return torch.tensor(np.array(frequencies)), torch.tensor(sines)


def redundancies(program: Program, feature: int) -> dict[float, int]:
    """Frequency of f in a feature → in how many ways the encoding makes it: one rotation gives -1, 0 twice, and 1.

    Raises:
        ConfigError: the feature enters gates that are no Pauli rotations, or with a trained factor.
    """
    found = {0.0: 1}
    for gate in program.gates:
        if not isinstance(gate, Rotation):
            continue
        if np.any(gate.angle.product[:, feature]):
            raise ConfigError("a Fourier series needs encodings whose angles have no trained factor")
        if slope := float(gate.angle.phi[feature]):
            grown: dict[float, int] = {}
            for frequency, ways in found.items():
                for step, times in ((-slope, 1), (0.0, 2), (slope, 1)):
                    place = round(frequency + step, 9)
                    grown[place] = grown.get(place, 0) + ways * times
            found = grown
    return found


def by_redundancy(weights: list[dict[float, int]], count: int) -> list[np.ndarray]:
    """Frequency vectors (F,), one of each pair ±k, in the order of falling redundancy, at least ``count`` if there are
    so many; ties go to the larger vector in the order of its entries."""
    levels = [
        sorted((np.log(max(w.values())) - np.log(ways), frequency) for frequency, ways in w.items()) for w in weights
    ]
    largest = sum(level[-1][0] for level in levels)
    step = min((cost for level in levels for cost, _ in level if cost > 0), default=largest)
    limit = 0.0
    while True:
        limit = min(limit + step, largest)
        partial: list[tuple[float, tuple[float, ...]]] = [(0.0, ())]
        for level in levels:
            partial = [
                (cost + own, (*vector, frequency))
                for cost, vector in partial
                for own, frequency in level
                if cost + own <= limit + 1e-12
            ]
        found = [(cost, vector) for cost, vector in partial if next((k for k in vector if k), 1.0) > 0]
        if len(found) >= count or limit >= largest:
            ordered = sorted(found, key=lambda item: (round(item[0], 9), tuple(-k for k in item[1])))
            return [np.array(vector) for _, vector in ordered]

"""From the compressed descriptor of an atom to its energy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class QuadraticHead:
    """x̃ᵀ A_s x̃ with x̃ = (1, x): circuits on amplitudes, quadratic and linear regression. matrices (S, k+1, k+1) in eV."""

    matrices: np.ndarray

    def energies(self, values: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Atomic energies (A,) in eV and their slopes (A, k) by x (A, k)."""
        extended = np.hstack([np.ones((len(values), 1)), values])
        image = np.empty_like(extended)
        for s, matrix in enumerate(self.matrices):
            mine = kinds == s
            image[mine] = extended[mine] @ matrix
        return (extended * image).sum(1), 2 * image[:, 1:]


@dataclass(frozen=True)
class CircuitHead(QuadraticHead):
    """A quadratic form that is a circuit's, with the circuit's parameters (:class:`qff.materials.circuit.AmplitudeCircuit`)."""

    theta: np.ndarray


@dataclass(frozen=True)
class NetworkHead:
    """c_s + Σ_h v_sh tanh(u_h·x + b_h): hidden layer shared by all elements, read out differently by each.

    u (h, k), b (h,), v (S, h) and c (S,) in eV.
    """

    u: np.ndarray
    b: np.ndarray
    v: np.ndarray
    c: np.ndarray

    def energies(self, values: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`QuadraticHead.energies`."""
        t = np.tanh(values @ self.u.T + self.b)
        weights = self.v[kinds]
        return self.c[kinds] + (weights * t).sum(1), (weights * (1 - t**2)) @ self.u


@dataclass(frozen=True)
class ElementNetworks:
    """c_s + v_s·tanh(w_sᵀ tanh(x + a_s) + b_s): a network of its own for each element, behind its first linear map.

    a (S, h), w (S, h, g), b (S, g), v (S, g) and c (S,) in eV.
    """

    a: np.ndarray
    w: np.ndarray
    b: np.ndarray
    v: np.ndarray
    c: np.ndarray

    def energies(self, values: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`QuadraticHead.energies`."""
        energies, slopes = np.empty(len(values)), np.empty_like(values)
        for s in range(len(self.c)):
            mine = kinds == s
            first = np.tanh(values[mine] + self.a[s])
            second = np.tanh(first @ self.w[s] + self.b[s])
            energies[mine] = self.c[s] + second @ self.v[s]
            slopes[mine] = ((1 - second**2) * self.v[s]) @ self.w[s].T * (1 - first**2)
        return energies, slopes


def linear_head(coefficients: np.ndarray, n_elements: int) -> QuadraticHead:
    """Of coefficients of :func:`qff.materials.equations.linear_matrix`."""
    rows = coefficients.reshape(n_elements, -1)
    matrices = np.zeros((n_elements, rows.shape[1], rows.shape[1]))
    matrices[:, 0] = matrices[:, :, 0] = rows / 2
    matrices[:, 0, 0] = rows[:, 0]
    return QuadraticHead(matrices)


def quadratic_head(coefficients: np.ndarray, n_elements: int) -> QuadraticHead:
    """Of coefficients of :func:`qff.materials.equations.quadratic_matrix`."""
    rows = coefficients.reshape(n_elements, -1)
    size = int(np.sqrt(2 * rows.shape[1]))
    matrices = np.zeros((n_elements, size, size))
    upper = np.triu_indices(size)
    matrices[:, upper[0], upper[1]] = rows
    matrices[:, upper[1], upper[0]] = rows
    return QuadraticHead(matrices)

"""Least squares for energies that are quadratic in the compressed descriptor.

With x̃ = (1, x) the energy of a cell is Σ_i x̃_iᵀ A_s(i) x̃_i: linear in the entries of one symmetric matrix per element,
whatever they are made of. The loss is then a quadratic form of these entries, known once its matrix is: linear
regression, quadratic regression and circuits (:mod:`qff.materials.circuit`) are all fitted to the same few numbers, and
training costs nothing that grows with the number of frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qff.materials.compression import Compression
from qff.materials.descriptor import VOIGT, Descriptor, responses
from qff.materials.frames import Frame


@dataclass(frozen=True)
class Weights:
    """Of the loss: mean w_E (ΔE/A)² + mean |ΔF|²/3A + mean w_S |ΔV|²/6A², energies and virials V in eV, forces in eV/Å."""

    energy: float
    stress: float


@dataclass(frozen=True)
class Rows:
    """One frame as training sees it: x (A, k), its responses (A, k, 3A + 6), kinds (A,), labels (1 + 3A + 6,) and the
    square roots of their weights."""

    values: np.ndarray
    responses: np.ndarray
    kinds: np.ndarray
    target: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class NormalEquations:
    """The loss aᵀGa - 2bᵀa + c of coefficients a (C,), in (eV/Å)²."""

    gram: np.ndarray
    right: np.ndarray
    constant: float

    def loss(self, coefficients: np.ndarray) -> float:
        return float(coefficients @ self.gram @ coefficients - 2 * self.right @ coefficients + self.constant)


def rows_of(frame: Frame, energy: float, descriptor: Descriptor, compression: Compression, weights: Weights) -> Rows:
    """A frame in the compressed descriptor; ``energy``: above its reference energies (eV)."""
    environment = descriptor.environment(frame.numbers, frame.positions, frame.cell)
    moments = descriptor.moments(environment)
    values, slopes = compression.apply(descriptor.features(moments), environment.kinds)
    n = len(frame.numbers)
    stress = np.zeros(6) if frame.stress is None else frame.stress[VOIGT[:, 0], VOIGT[:, 1]] * frame.volume
    target = np.concatenate([[energy], frame.forces.ravel(), stress])
    stress_weight = 0.0 if frame.stress is None else (weights.stress / 6) ** 0.5 / n
    weight = np.concatenate([[weights.energy**0.5 / n], np.full(3 * n, (3 * n) ** -0.5), np.full(6, stress_weight)])
    found = responses(descriptor, environment, moments, compression.projections) * slopes[:, :, None]
    return Rows(values, found, environment.kinds, target, weight)


def linear_matrix(rows: Rows, n_elements: int) -> np.ndarray:
    """Columns (1, x_1 … x_k) of each element: (1 + 3A + 6, S(k+1))."""
    k = rows.values.shape[1]
    found = np.zeros((len(rows.target), n_elements, k + 1))
    for s in range(n_elements):
        mine = rows.kinds == s
        found[0, s] = np.append(mine.sum(), rows.values[mine].sum(0))
        found[1:, s, 1:] = rows.responses[mine].sum(0).T
    return found.reshape(len(rows.target), -1)


def quadratic_matrix(rows: Rows, n_elements: int) -> np.ndarray:
    """Columns x̃_c x̃_d, c ≤ d, of each element (those with c < d twice, as a symmetric matrix has them)."""
    n, k = rows.values.shape
    upper = np.triu_indices(k + 1)
    twice = np.where(upper[0] == upper[1], 1.0, 2.0)
    found = np.zeros((len(rows.target), n_elements, len(twice)))
    extended = np.hstack([np.ones((n, 1)), rows.values])
    for s in range(n_elements):
        mine = rows.kinds == s
        x = extended[mine]
        found[0, s] = (x.T @ x)[upper] * twice
        half = np.zeros((k + 1, k + 1, rows.responses.shape[2]))  # Σ_i x̃_c ∂x̃_d
        half[:, 1:] = np.tensordot(x, rows.responses[mine], axes=(0, 0))
        found[1:, s] = ((half + half.transpose(1, 0, 2))[upper] * twice[:, None]).T
    return found.reshape(len(rows.target), -1)


def normal_equations(all_rows, matrix, n_elements: int) -> NormalEquations:
    """Those of frames (an iterable of :class:`Rows`) with the columns that ``matrix`` makes of each."""
    gram, right, constant, count = 0.0, 0.0, 0.0, 0
    for rows in all_rows:
        columns = matrix(rows, n_elements) * rows.weight[:, None]
        target = rows.target * rows.weight
        gram = gram + columns.T @ columns
        right = right + columns.T @ target
        constant += float(target @ target)
        count += 1
    return NormalEquations(gram / count, right / count, constant / count)


def solve(equations: NormalEquations, ridge: float, penalty: np.ndarray | None = None) -> np.ndarray:
    """Coefficients of least loss + ridge · aᵀ diag(penalty) a; without ``penalty`` diag(G), so that columns of unit size
    are damped alike."""
    size = np.sqrt(np.diag(equations.gram))
    size = np.where(size > 0, size, 1.0)
    scaled = equations.gram / size / size[:, None]
    damping = ridge
    if penalty is not None:
        scaled, damping = scaled + np.diag(ridge * penalty / size**2), 0.0
    values, vectors = np.linalg.eigh(scaled)
    keep = values > np.finfo(float).eps * len(values) * values[-1]
    inverse = np.where(keep, 1 / np.where(keep, values + damping, 1.0), 0.0)
    return vectors @ (inverse * (vectors.T @ (equations.right / size))) / size

"""Compression of the descriptor to a few numbers per atom, fixed by the training frames before a model is trained.

``pca``: the directions of largest variance of the features of each element.
``regression``: the first direction is that of a linear fit of energies and forces to many principal components, the
others are the leading principal components orthogonal to it. Every model that is linear in the first number then starts
from that fit, and elements share what the number means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from qff.materials.descriptor import Descriptor
from qff.materials.equations import Weights, linear_matrix, normal_equations, rows_of, solve
from qff.materials.frames import Frame

Method = Literal["pca", "regression"]


@dataclass(frozen=True)
class Compression:
    """x = Pᵀ(features - mean): mean (S, P), projections (S, P, k); x has unit variance over the training atoms."""

    mean: np.ndarray
    projections: np.ndarray

    @property
    def size(self) -> int:
        return self.projections.shape[2]

    @property
    def n_fixed(self) -> int:
        """Numbers that the training frames fix: means and projections."""
        return self.mean.size + self.projections.size

    def first(self, size: int) -> Compression:
        """The same with the first ``size`` numbers only."""
        return Compression(self.mean, self.projections[:, :, :size])


def features_of(frames: list[Frame], descriptor: Descriptor) -> tuple[np.ndarray, np.ndarray]:
    """Features (Σ A, P) of all atoms of frames and their kinds (Σ A,)."""
    features, kinds = [], []
    for frame in frames:
        environment = descriptor.environment(frame.numbers, frame.positions, frame.cell)
        features.append(descriptor.features(descriptor.moments(environment)))
        kinds.append(environment.kinds)
    return np.concatenate(features), np.concatenate(kinds)


def principal_components(features: np.ndarray, kinds: np.ndarray, n_elements: int, size: int) -> Compression:
    """The ``size`` directions of largest variance of each element.

    Features are first divided by their standard deviations. Directions without variance project to zero.
    """
    n_features = features.shape[1]
    mean, projections = np.zeros((n_elements, n_features)), np.zeros((n_elements, n_features, size))
    for s in range(n_elements):
        mine = features[kinds == s]
        mean[s] = mine.mean(0)
        spread = mine.std(0)
        scale = np.where(spread > 1e-10, 1 / np.where(spread > 1e-10, spread, 1.0), 0.0)
        centred = (mine - mean[s]) * scale
        variances, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
        variances, vectors = variances[::-1][:size], vectors[:, ::-1][:, :size]
        seen = variances > 1e-12 * variances[0]
        projections[s, :, : len(variances)] = scale[:, None] * vectors * np.where(
            seen, 1 / np.sqrt(np.where(seen, variances, 1.0)), 0.0
        )
    return Compression(mean, projections)


def with_regression(
    components: Compression, frames: list[Frame], energies: np.ndarray, descriptor: Descriptor, weights: Weights,
    ridge: float, size: int,
) -> Compression:  # fmt: skip
    """``components`` turned so that the first direction of each element is the one a linear fit goes along.

    Args:
        energies: of the frames above their reference energies (eV).
        ridge: of that fit, relative to the variance of each column.
    """
    n_elements = len(components.mean)
    rows = (
        rows_of(f, e, descriptor, components.mean, components.projections, weights)
        for f, e in zip(frames, energies, strict=True)
    )
    found = solve(normal_equations(rows, linear_matrix, n_elements), ridge).reshape(n_elements, -1)[:, 1:]
    turned = np.empty((*components.mean.shape, size))
    for s, slope in enumerate(found):
        basis = np.column_stack([slope, np.eye(len(slope))[:, : size - 1]])
        turned[s] = components.projections[s] @ np.linalg.qr(basis)[0] * np.where(slope @ slope > 0, 1.0, 0.0)
        turned[s, :, 0] *= np.sign(np.linalg.qr(basis)[1][0, 0])  # downhill means the same for all elements
    return Compression(components.mean, turned)

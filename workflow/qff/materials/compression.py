"""Compression of the descriptor to a few numbers per atom, fixed by the training frames.

``pca``: the directions of largest variance of the features of each element.
``regression``: the first direction is that of a linear fit of energies and forces to many principal components, the
others are the leading principal components orthogonal to it (:func:`qff.materials.study.prepare`). Every model that is
linear in the first number then starts from that fit, and elements share what the number means.

Beyond the largest value in training a number saturates, with two continuous derivatives: a quadratic form that nothing has
fitted there would else run away from a rare environment. Training frames do not see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from qff.materials.descriptor import Descriptor
from qff.materials.frames import Frame

Method = Literal["pca", "regression"]

# Of the largest standard deviation of a feature. A pair of elements that training frames have at the edge of the cutoff alone
# has features of nearly no variance; scaled to one like the others, they grow beyond all bounds once it comes a little closer.
LEAST_SPREAD = 0.01


@dataclass(frozen=True)
class Compression:
    """x = Pᵀ(features - mean), saturating beyond ± limits.

    mean (S, P); projections (S, P, k), such that x has unit variance over the training atoms; limits (S, k).
    """

    mean: np.ndarray
    projections: np.ndarray
    limits: np.ndarray

    @property
    def size(self) -> int:
        return self.projections.shape[2]

    def apply(self, features: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x (A, k) of features (A, P), and its slope (A, k) by the linear map before saturation."""
        linear = np.empty((len(features), self.size))
        for s in range(len(self.mean)):
            mine = kinds == s
            linear[mine] = (features[mine] - self.mean[s]) @ self.projections[s]
        limits = self.limits[kinds]
        beyond = np.tanh(np.maximum(np.abs(linear) - limits, 0.0))
        return np.clip(linear, -limits, limits) + np.sign(linear) * beyond, 1.0 - beyond**2

    def gradient(self, by_linear: np.ndarray, kinds: np.ndarray) -> np.ndarray:
        """Slopes (A, P) by the features, from slopes (A, k) by the linear map."""
        found = np.empty((len(kinds), self.mean.shape[1]))
        for s, projection in enumerate(self.projections):
            mine = kinds == s
            found[mine] = by_linear[mine] @ projection.T
        return found

    def limited(self, features: np.ndarray, kinds: np.ndarray) -> Compression:
        """The same with limits at the largest values of training atoms."""
        free = Compression(self.mean, self.projections, np.full_like(self.limits, np.inf))
        values = np.abs(free.apply(features, kinds)[0])
        return Compression(
            self.mean, self.projections, np.array([values[kinds == s].max(0) for s in range(len(self.mean))])
        )

    @property
    def n_fixed(self) -> int:
        """Numbers that the training frames fix: means, projections and limits."""
        return self.mean.size + self.projections.size + self.limits.size


def features_of(frames: list[Frame], descriptor: Descriptor) -> tuple[np.ndarray, np.ndarray]:
    """Features (Σ A, P) of all atoms of frames and their kinds (Σ A,)."""
    features, kinds = [], []
    for frame in frames:
        environment = descriptor.environment(frame.numbers, frame.positions, frame.cell)
        features.append(descriptor.features(descriptor.moments(environment)))
        kinds.append(environment.kinds)
    return np.concatenate(features), np.concatenate(kinds)


def principal_components(
    features: np.ndarray, kinds: np.ndarray, n_elements: int, size: int
) -> tuple[Compression, np.ndarray]:
    """The ``size`` directions of largest variance of each element, and their variances (S, size).

    Features are first divided by their standard deviations, those that hardly vary by :data:`LEAST_SPREAD` of the largest one.
    Directions without variance project to zero.
    """
    n_features = features.shape[1]
    mean, projections = np.zeros((n_elements, n_features)), np.zeros((n_elements, n_features, size))
    spreads = np.zeros((n_elements, size))
    for s in range(n_elements):
        mine = features[kinds == s]
        mean[s] = mine.mean(0)
        spread = mine.std(0)
        scale = np.where(spread > 1e-10, 1 / np.maximum(np.maximum(spread, LEAST_SPREAD * spread.max()), 1e-10), 0.0)
        centred = (mine - mean[s]) * scale
        variances, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
        variances, vectors = variances[::-1][:size], vectors[:, ::-1][:, :size]
        seen = variances > 1e-12 * variances[0]
        spreads[s, : len(variances)] = np.where(seen, variances, 0.0)
        projections[s, :, : len(variances)] = (
            scale[:, None] * vectors * np.where(seen, 1 / np.sqrt(np.where(seen, variances, 1.0)), 0.0)
        )
    return Compression(mean, projections, np.full((n_elements, size), np.inf)), spreads


def roughness(variances: np.ndarray) -> np.ndarray:
    """Penalty (S(k+1),) of a linear fit to a constant and k components of unit variance, by their ``variances`` (S, k).

    Σ w²/σ² is the squared slope by the features themselves. Few environments of an element leave components of small
    variance almost free; a fit that leans on them is right in training and steep a little beside it.
    """
    slopes = np.where(variances > 0, 1 / np.where(variances > 0, variances, 1.0), 0.0)
    return np.hstack([np.zeros((len(variances), 1)), slopes]).ravel()


def turned(components: Compression, slopes: np.ndarray, size: int) -> Compression:
    """``components`` turned so that the first direction of each element is that of ``slopes`` (S, components)."""
    found = np.empty((*components.mean.shape, size))
    for s, slope in enumerate(slopes):
        rotation, triangle = np.linalg.qr(np.column_stack([slope, np.eye(len(slope))[:, : size - 1]]))
        found[s] = components.projections[s] @ rotation
        found[s, :, 0] *= np.sign(triangle[0, 0])  # downhill means the same for all elements
    return Compression(components.mean, found, np.full((len(slopes), size), np.inf))

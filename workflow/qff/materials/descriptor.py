"""Local descriptors of the atoms of a periodic cell, with exact derivatives by positions and strain."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from ase.data import chemical_symbols

from qff.errors import DataError
from qff.materials.moments import (
    compiled,
    expand,
    expand_pullback,
    moment_slopes,
    monomials,
    spectrum,
    spectrum_pullback,
)
from qff.materials.neighbours import NeighbourList, neighbour_list

VOIGT = np.array([[0, 0], [1, 1], [2, 2], [1, 2], [0, 2], [0, 1]])  # ASE's order of the components of a stress


@dataclass(frozen=True)
class Environment:
    """Neighbourhoods of all atoms of a cell.

    kinds (A,): positions of their elements in those of the descriptor; index (A, M) and kinds of the neighbours, -1 where
    padded; vectors (A, M, 3) to them in Å.
    """

    kinds: np.ndarray
    index: np.ndarray
    neighbour_kinds: np.ndarray
    vectors: np.ndarray


@dataclass(frozen=True)
class Descriptor:
    """Invariants of :mod:`qff.materials.moments` for the neighbours of each element.

    Args:
        elements: atomic numbers that have a place in the descriptor.
        cutoff_ang: radius (Å) at which neighbours fade out with two continuous derivatives.
        n_radial: radial functions.
        l_max: largest power of the cosine.
    """

    elements: tuple[int, ...]
    cutoff_ang: float
    n_radial: int
    l_max: int
    _tables: tuple = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        object.__setattr__(self, "_tables", monomials(self.l_max))

    @property
    def n_features(self) -> int:
        channels = len(self.elements) * self.n_radial
        return channels + (self.l_max + 1) * channels * (channels + 1) // 2

    def kinds(self, numbers: np.ndarray, where: str = "this cell") -> np.ndarray:
        """Positions of the elements of atoms in ``elements``.

        Raises:
            DataError: an element that is not among them.
        """
        if unknown := sorted(set(np.asarray(numbers).tolist()) - set(self.elements)):
            known = ", ".join(chemical_symbols[z] for z in self.elements)
            raise DataError(
                f"{where}: holds {chemical_symbols[unknown[0]]}, which no training frame has (they have {known}); add "
                "frames with it to the training set"
            )
        return np.searchsorted(self.elements, numbers)

    def environment(self, numbers, positions, cell, pairs: NeighbourList | None = None) -> Environment:
        """Neighbourhoods in a cell; ``pairs``: a list made before, with at least all pairs within the cutoff."""
        kinds = self.kinds(numbers)
        pairs = pairs or neighbour_list(positions, cell, self.cutoff_ang)
        around = np.where(pairs.index >= 0, kinds[pairs.index], -1)
        return Environment(kinds, pairs.index, around, pairs.vectors(positions, cell))

    def moments(self, environment: Environment) -> np.ndarray:
        """Moments (A, c, m) of the neighbourhoods."""
        exponents, weights, _ = self._tables
        return expand(
            environment.vectors,
            environment.neighbour_kinds,
            self.cutoff_ang,
            len(self.elements),
            self.n_radial,
            exponents,
            weights,
        )

    def features(self, moments: np.ndarray) -> np.ndarray:
        """Invariants (A, P) of moments."""
        return spectrum(moments, self._tables[2])

    def pullback(self, environment: Environment, moments: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Derivatives (A, M, 3) of Σ gradient · features by the vectors to the neighbours; gradient (A, P)."""
        exponents, weights, begin = self._tables
        by_moments = spectrum_pullback(moments, begin, gradient)
        return expand_pullback(
            environment.vectors,
            environment.neighbour_kinds,
            self.cutoff_ang,
            self.n_radial,
            exponents,
            weights,
            by_moments,
        )


@compiled
def forces_and_virial(index, vectors, slopes):
    """Forces (A, 3) and virial Σ r ⊗ ∂E/∂r (3, 3) from the slopes ∂E/∂r (A, M, 3) of an energy."""
    forces = np.zeros((len(index), 3))
    virial = np.zeros((3, 3))
    for i in range(index.shape[0]):
        for j in range(index.shape[1]):
            k = index[i, j]
            if k < 0:
                continue
            for a in range(3):
                forces[i, a] += slopes[i, j, a]
                forces[k, a] -= slopes[i, j, a]
                for b in range(3):
                    virial[a, b] += vectors[i, j, a] * slopes[i, j, b]
    return forces, virial


@compiled
def _respond(index, vectors, slopes, voigt):
    """Answers (A, k, 3A + 6) of forces and virial to slopes (A, M, 3, k) by the vectors to the neighbours."""
    n, k = len(index), slopes.shape[3]
    found, own = np.empty((n, k, 3 * n + 6)), np.empty((3 * n + 6, k))
    for i in range(n):
        own[:] = 0.0
        for j in range(index.shape[1]):
            other = index[i, j]
            if other < 0:
                continue
            for a in range(3):
                for c in range(k):
                    own[3 * i + a, c] += slopes[i, j, a, c]
                    own[3 * other + a, c] -= slopes[i, j, a, c]
            for v in range(6):
                a, b = voigt[v]
                for c in range(k):
                    own[3 * n + v, c] += vectors[i, j, a] * slopes[i, j, b, c]
        found[i] = own.T
    return found


def responses(
    descriptor: Descriptor, environment: Environment, moments: np.ndarray, projections: np.ndarray
) -> np.ndarray:
    """Forces and virial, (A, k, 3A + 6), that a unit slope of the energy by each compressed number brings.

    All numbers at once: what a neighbour does to the moments is computed once, the rest is products of matrices.

    Args:
        projections: (S, P, k), the linear map of the features of each element to the compressed numbers.
    """
    exponents, weights, begin = descriptor._tables
    e, n_radial, k = environment, descriptor.n_radial, projections.shape[2]
    gradients = (np.ascontiguousarray(projections[:, :, c][e.kinds]) for c in range(k))
    by_moments = np.array([spectrum_pullback(moments, begin, gradient) for gradient in gradients])
    by_vectors = moment_slopes(e.vectors, e.neighbour_kinds, descriptor.cutoff_ang, n_radial, exponents, weights)
    slopes = np.zeros((*e.vectors.shape, k))
    for s in range(len(descriptor.elements)):
        channels = by_moments[:, :, s * n_radial : (s + 1) * n_radial].reshape(k, len(e.kinds), -1)
        for i, around in enumerate(e.neighbour_kinds):
            of_element = by_vectors[i, around == s]
            found = of_element.reshape(-1, channels.shape[2]) @ channels[:, i].T
            slopes[i, around == s] = found.reshape(-1, 3, k)
    return _respond(e.index, e.vectors, slopes, VOIGT)

"""Permutation-symmetric polynomials in the interatomic distances of a small molecule.

The variables are y_p = 1 - exp(-(r_p - c_p)/λ) of all pairs p (Braams & Bowman, Int. Rev. Phys. Chem. 28, 577): Morse
variables, displaced so that powers stay of order one. Distances do not change under translation, rotation and
reflection, and the sum of a monomial over the permutations of identical atoms does not change under those. For up to
four atoms the distances are no more than the internal degrees of freedom.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, permutations, product

import numpy as np


def pairs(n_atoms: int) -> np.ndarray:
    """All pairs of atoms, (P, 2)."""
    return np.array(list(combinations(range(n_atoms), 2)))


def pair_permutations(symbols: list[str]) -> list[np.ndarray]:
    """How the pairs of atoms permute, (P,) each, under every permutation of identical atoms."""
    groups = [[i for i, s in enumerate(symbols) if s == element] for element in dict.fromkeys(symbols)]
    place = {frozenset(p): k for k, p in enumerate(pairs(len(symbols)).tolist())}
    found = []
    for choice in product(*(permutations(group) for group in groups)):
        image = {a: b for group, moved in zip(groups, choice, strict=True) for a, b in zip(group, moved, strict=True)}
        found.append(np.array([place[frozenset((image[a], image[b]))] for a, b in pairs(len(symbols)).tolist()]))
    return found


@dataclass(frozen=True)
class Monomials:
    """All monomials y^e of V variables with total degree up to ``degree``, lowest first; the first is 1."""

    n_variables: int
    degree: int

    @cached_property
    def exponents(self) -> np.ndarray:
        """(M, V)."""
        levels = [[(0,) * self.n_variables]]
        for _ in range(self.degree):
            raised = {(*e[:v], e[v] + 1, *e[v + 1 :]) for e in levels[-1] for v in range(self.n_variables)}
            levels.append(sorted(raised))
        return np.array([e for level in levels for e in level])

    @cached_property
    def _place(self) -> dict[tuple, int]:
        return {tuple(e): k for k, e in enumerate(self.exponents.tolist())}

    @cached_property
    def lowered(self) -> np.ndarray:
        """Index of y^e / y_v for every monomial and variable, (M, V); 0 where y_v does not occur."""
        place = self._place
        return np.array(
            [
                [place[(*e[:v], e[v] - 1, *e[v + 1 :])] if e[v] else 0 for v in range(self.n_variables)]
                for e in map(tuple, self.exponents.tolist())
            ]
        )

    @cached_property
    def _products(self) -> list[tuple[slice, np.ndarray, np.ndarray]]:
        """Per degree: the monomials, a variable that occurs in each, and what is left of it without that variable."""
        total = self.exponents.sum(1)
        found = []
        for d in range(1, self.degree + 1):
            (index,) = np.nonzero(total == d)
            first = (self.exponents[index] > 0).argmax(1)
            found.append((slice(index[0], index[-1] + 1), first, self.lowered[index, first]))
        return found

    def __call__(self, y: np.ndarray) -> np.ndarray:
        """Values (B, M) at y (B, V)."""
        values = np.ones((len(y), len(self.exponents)))
        for place, variable, rest in self._products:
            values[:, place] = values[:, rest] * y[:, variable]
        return values

    def derivatives(self, coefficients: np.ndarray) -> np.ndarray:
        """D (M, V) such that the gradient of ``values @ coefficients`` in y is ``values @ D``."""
        found = np.zeros(self.exponents.shape)
        for v in range(self.n_variables):
            np.add.at(found[:, v], self.lowered[:, v], coefficients * self.exponents[:, v])
        return found

    def orbits(self, permuted: list[np.ndarray]) -> np.ndarray:
        """Which symmetric polynomial every monomial is a term of, (M,), from permutations of the variables (V,)."""
        smallest = np.min([[self._place[tuple(e)] for e in self.exponents[:, p].tolist()] for p in permuted], axis=0)
        return np.unique(smallest, return_inverse=True)[1]


def variables(
    positions: np.ndarray, atom_pairs: np.ndarray, centre: np.ndarray, length: float
) -> tuple[np.ndarray, np.ndarray]:
    """y (B, P) and dy/dR (B, P, A, 3) in 1/Å of positions (B, A, 3) in Å; centre (P,) and length λ in Å."""
    first, second = atom_pairs.T
    bond = positions[:, second] - positions[:, first]
    r = np.sqrt((bond * bond).sum(-1))
    decay = np.exp((centre - r) / length)
    pull = (decay / (length * r))[..., None] * bond
    slope = np.zeros((len(positions), len(atom_pairs), *positions.shape[1:]))
    place = np.arange(len(atom_pairs))
    slope[:, place, second] = pull
    slope[:, place, first] = -pull
    return 1 - decay, slope

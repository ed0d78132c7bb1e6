"""Symmetry functions of many geometries of one molecule: the path of training, dense and without a neighbour list."""

from __future__ import annotations

from itertools import combinations

import torch

from qff.errors import ConfigError
from qff.symmetry.cutoffs import Cutoff
from qff.symmetry.functions import SymmetryFunction, by_centre
from qff.symmetry.terms import Group, groups, is_radial


class MoleculeDescriptor:
    """All symmetry functions of all atoms of a molecule, and their derivatives along its interatomic distances.

    A symmetry function is a function of distances alone, so that A(A-1)/2 derivatives say all.

    Attributes:
        elements: centre elements; those given, or the ones of the molecule in the order of their first atom.
        atoms: element → its atoms.
        functions: element → its functions in n2p2's order.
        n_features: columns of the descriptor: elements, their atoms, the functions of each.
        pairs: (K, 2) atoms of every distance.
    """

    def __init__(
        self,
        symbols: list[str],
        functions: list[SymmetryFunction],
        cutoff: Cutoff,
        elements: list[str] | None = None,
    ):
        self.elements = elements or list(dict.fromkeys(symbols))
        self.atoms = {e: [i for i, s in enumerate(symbols) if s == e] for e in self.elements}
        sorted_functions = by_centre(functions)
        self.functions = {e: sorted_functions.get(e, []) for e in self.elements}
        pairs = list(combinations(range(len(symbols)), 2))
        self._place = {pair: k for k, pair in enumerate(pairs)} | {(j, i): k for k, (i, j) in enumerate(pairs)}
        self.pairs = torch.tensor(pairs)
        self._groups: dict[str, list[tuple[Group, torch.Tensor, torch.Tensor]]] = {}
        for element in self.elements:
            if not self.functions[element]:
                raise ConfigError(f"no symmetry function has a centre {element}; give every element at least one")
            self._groups[element] = []
            for group in groups(self.functions[element], cutoff):
                found = self._radial(element, group) if is_radial(group) else self._angular(element, group)
                if not found and elements is not None:
                    continue  # columns of neighbours that other molecules have
                if not found:
                    raise ConfigError(
                        f"symmetry functions of {element} with neighbours {'-'.join(group.neighbours)} vanish in "
                        f"{''.join(symbols)}; leave them out"
                    )
                centres, *sides = zip(*found, strict=True)
                self._groups[element].append((group, torch.tensor(centres), torch.tensor(sides)))

    @property
    def n_features(self) -> int:
        return sum(len(self.atoms[e]) * len(self.functions[e]) for e in self.elements)

    def _radial(self, element, group):
        """(place of the centre, distance) of every term."""
        neighbours = self.atoms.get(group.neighbours[0], [])
        return [(n, self._place[i, j]) for n, i in enumerate(self.atoms[element]) for j in neighbours if i != j]

    def _angular(self, element, group):
        """(place of the centre, distances ij, ik, jk) of every term, each unordered pair of neighbours once."""
        first, second = (self.atoms.get(e, []) for e in group.neighbours)
        terms = []
        for n, i in enumerate(self.atoms[element]):
            for j in first:
                for k in second:
                    if i in (j, k) or j == k or (first is second and j > k):
                        continue
                    terms.append((n, self._place[i, j], self._place[i, k], self._place[j, k]))
        return terms

    def __call__(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Descriptors of geometries (B, A, 3) in bohr.

        Returns:
            values (B, F); slopes ∂G/∂r (B, K, F) in 1/bohr; directions ∂r/∂R (B, K, A, 3), dimensionless.
        """
        frames, n_pairs = len(positions), len(self.pairs)
        i, j = self.pairs.T
        vectors = positions[:, j] - positions[:, i]
        r = vectors.norm(dim=-1)  # (B, K)
        unit = vectors / r[..., None]
        directions = positions.new_zeros(frames, n_pairs, *positions.shape[1:])
        number = torch.arange(n_pairs)
        directions[:, number, j] = unit
        directions[:, number, i] = -unit
        values, slopes = [], []
        for element in self.elements:
            atoms, width = len(self.atoms[element]), len(self.functions[element])
            value = positions.new_zeros(frames, atoms, width)
            slope = positions.new_zeros(frames, n_pairs * atoms, width)
            for group, centres, sides in self._groups[element]:
                if is_radial(group):
                    term, *derivatives = group.radial(r[:, sides[0]])
                else:
                    rij, rik, rjk = (r[:, s] for s in sides)
                    cosine = ((rij**2 + rik**2 - rjk**2) / (2 * rij * rik)).clamp(-1.0, 1.0)
                    term, *derivatives = group.angular(rij, rik, rjk, cosine)
                value[..., group.columns] = value[..., group.columns].index_add(1, centres, term)
                block = slope[..., group.columns]
                for side, derivative in zip(sides, derivatives, strict=True):
                    block.index_add_(1, side * atoms + centres, derivative)
                slope[..., group.columns] = block
            values.append(value.flatten(1))
            slopes.append(slope.unflatten(1, (n_pairs, atoms)).flatten(2))
        return torch.cat(values, 1), torch.cat(slopes, 2), directions

"""Symmetry functions of any structure, periodic or not, from a neighbour list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import ase
import numpy as np
import torch
from ase.neighborlist import neighbor_list

from qff.errors import DataError
from qff.symmetry.cutoffs import Cutoff
from qff.symmetry.functions import NARROW, SymmetryFunction
from qff.symmetry.terms import Group, groups, is_radial

_TRIANGLES = 200_000  # terms evaluated at once, which bounds memory


@dataclass(frozen=True)
class Neighbours:
    """Directed pairs of atoms closer than a cutoff, images included, sorted by their first atom.

    Attributes:
        symbols: (A,) elements.
        first, second: (P,) atoms. vectors: (P, 3) from first to second. r: (P,) lengths.
    """

    symbols: np.ndarray
    first: np.ndarray
    second: np.ndarray
    vectors: torch.Tensor
    r: torch.Tensor

    @classmethod
    def of(cls, atoms: ase.Atoms, cutoff: float) -> Neighbours:
        """Neighbours within ``cutoff``, in the unit of the positions.

        Raises:
            DataError: two atoms at one place.
        """
        first, second, vectors = neighbor_list("ijD", atoms, cutoff)
        vectors = torch.from_numpy(vectors).reshape(-1, 3)
        r = vectors.norm(dim=1)
        if len(r) and not float(r.min()) > 1e-6:
            bad = int(r.argmin())
            raise DataError(f"atoms {first[bad]} and {second[bad]} are at the same place")
        return cls(np.array(atoms.get_chemical_symbols()), first, second, vectors, r)

    def chunks(self) -> Iterator[np.ndarray]:
        """Atoms in runs that have a bounded number of neighbour pairs."""
        count = np.bincount(self.first, minlength=len(self.symbols))
        load = np.cumsum(count * (count - 1) / 2) // _TRIANGLES
        for number in np.unique(load):
            yield np.flatnonzero(load == number)


class StructureDescriptor:
    """Symmetry functions of the atoms of one element in any surroundings."""

    def __init__(self, functions: list[SymmetryFunction], cutoff: Cutoff):
        self._width = len(functions)
        self._groups = list(groups(functions, cutoff))

    def __call__(self, neighbours: Neighbours, centres: np.ndarray) -> tuple[torch.Tensor, list]:
        """Descriptors of some atoms of the element.

        Args:
            centres: (C,) their numbers in the structure.

        Returns:
            values (C, n), and the response that :func:`pull_back` turns into forces.
        """
        row = np.full(len(neighbours.symbols), -1)
        row[centres] = np.arange(len(centres))
        pairs = np.flatnonzero(row[neighbours.first] >= 0)
        element = neighbours.symbols[neighbours.second[pairs]]
        triangles = _triangles(neighbours.first[pairs]) if any(not is_radial(g) for g in self._groups) else None
        values = torch.zeros(len(centres), self._width, dtype=torch.float64)
        response = []
        for group in self._groups:
            if is_radial(group):
                chosen = pairs[(element == group.neighbours[0]) & (neighbours.r.numpy()[pairs] < group.reach)]
                term, slope = group.radial(neighbours.r[chosen])
                sides, slopes = (chosen,), (slope,)
                rows = row[neighbours.first[chosen]]
            else:
                sides, term, slopes = _angular(group, neighbours, pairs, element, triangles)
                rows = row[neighbours.first[sides[0]]]
            rows = torch.from_numpy(rows)
            values[:, group.columns] = torch.zeros(len(centres), len(group.columns), dtype=torch.float64).index_add(
                0, rows, term
            )
            response.append((group.columns, rows, sides, slopes))
        return values, response


def _triangles(first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (p, q), p < q, of neighbour pairs that share their first atom; ``first`` is sorted."""
    count = np.bincount(first) if len(first) else np.zeros(0, int)
    end = np.cumsum(count)[first] if len(first) else np.zeros(0, int)
    place = np.arange(len(first))
    later = end - place - 1  # pairs after p with the same first atom
    p = np.repeat(place, later)
    q = np.arange(len(p)) - np.repeat(np.cumsum(later) - later, later) + p + 1
    return p, q


def _angular(group: Group, neighbours: Neighbours, pairs, element, triangles):
    """Sides (ij, ik as numbers of pairs), terms and slopes of one angular group."""
    p, q = triangles
    one, other = group.neighbours
    near = neighbours.r.numpy()[pairs] < group.reach
    e = np.where(near, (element == one) + 2 * (element == other), 0)
    fits = (e[p] > 0) & (e[q] > 0) & ((one == other) | (e[p] != e[q]))
    ij, ik = pairs[p[fits]], pairs[q[fits]]
    across = neighbours.vectors[ik] - neighbours.vectors[ij]
    rjk = across.norm(dim=1)
    if group.kind == NARROW:
        inside = rjk < group.reach
        ij, ik, across, rjk = ij[inside.numpy()], ik[inside.numpy()], across[inside], rjk[inside]
    rij, rik = neighbours.r[ij], neighbours.r[ik]
    cosine = ((neighbours.vectors[ij] * neighbours.vectors[ik]).sum(1) / (rij * rik)).clamp(-1.0, 1.0)
    # The two radial factors are those of few pairs in many triangles.
    value, slope = group.radial(neighbours.r[pairs])
    local = np.zeros(len(neighbours.r), int)
    local[pairs] = np.arange(len(pairs))
    ij_factors, ik_factors = ((value[local[s]], slope[local[s]]) for s in (ij, ik))
    term, *slopes = group.angular(rij, rik, rjk, cosine, ij_factors, ik_factors)
    return (ij, ik), term, slopes


def pull_back(neighbours: Neighbours, response: list, gradient: torch.Tensor, forces: torch.Tensor) -> None:
    """Add the forces -∂E/∂R of some centres to ``forces`` (A, 3), from ∂E/∂G (C, n) and their response."""
    along_pairs = torch.zeros_like(neighbours.vectors)  # ∂E/∂(vector of a pair)
    second = torch.from_numpy(neighbours.second)
    first = torch.from_numpy(neighbours.first)
    for columns, rows, sides, slopes in response:
        pull = gradient[:, columns][rows]  # (T, n)
        for side, slope in zip(sides, slopes[:2], strict=False):
            weight = (pull * slope).sum(1) / neighbours.r[side]
            along_pairs.index_add_(0, torch.from_numpy(side), weight[:, None] * neighbours.vectors[side])
        if len(sides) == 2:  # the third side is the difference of two pair vectors
            ij, ik = sides
            across = neighbours.vectors[ik] - neighbours.vectors[ij]
            weight = (pull * slopes[2]).sum(1) / across.norm(dim=1)
            along_pairs.index_add_(0, torch.from_numpy(ik), weight[:, None] * across)
            along_pairs.index_add_(0, torch.from_numpy(ij), -weight[:, None] * across)
    forces.index_add_(0, first, along_pairs)
    forces.index_add_(0, second, -along_pairs)

"""Neighbours in periodic cells, in time and memory that grow linearly with the number of atoms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree


@dataclass(frozen=True)
class NeighbourList:
    """Pairs closer than a cutoff, padded to one number M of neighbours per atom.

    index (A, M): neighbour atoms, -1 where there is none; shift (A, M, 3): whole lattice vectors to its image.
    """

    index: np.ndarray
    shift: np.ndarray

    def vectors(self, positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
        """From every atom to its neighbours, (A, M, 3) in Å; what pads the list is meaningless."""
        return positions[self.index] + self.shift @ cell - positions[:, None]


def neighbour_list(positions: np.ndarray, cell: np.ndarray, cutoff: float) -> NeighbourList:
    """All neighbours closer than ``cutoff`` (Å) of atoms in a periodic cell, images of the atom itself included.

    A k-d tree finds them among the atoms and those images that lie within the cutoff of the cell; cells may be smaller
    than the cutoff.
    """
    n = len(positions)
    inverse = np.linalg.inv(cell)
    fractional = positions @ inverse
    wrap = np.floor(fractional)
    fractional = fractional - wrap
    margin = cutoff * np.linalg.norm(inverse, axis=0)  # of the fractional coordinates: cutoff over height of the cell
    reach = np.ceil(margin).astype(int)
    ranges = [np.arange(-k, k + 1) for k in reach]
    images, owners, lattice = [], [], []
    for shift in np.stack(np.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, 3):
        moved = fractional + shift
        near = ((moved > -margin) & (moved < 1 + margin)).all(1)
        images.append(moved[near])
        owners.append(np.flatnonzero(near))
        lattice.append(np.broadcast_to(shift, (near.sum(), 3)))
    images, owners, lattice = np.concatenate(images) @ cell, np.concatenate(owners), np.concatenate(lattice)
    pairs = cKDTree(fractional @ cell).query_ball_tree(cKDTree(images), cutoff)
    counts = np.array([len(p) for p in pairs])
    centre = np.repeat(np.arange(n), counts)
    image = np.fromiter((k for p in pairs for k in p), int, counts.sum())
    real = (owners[image] != centre) | lattice[image].any(1)  # an atom is no neighbour of itself
    centre, image = centre[real], image[real]
    counts = np.bincount(centre, minlength=n)
    slot = np.arange(len(centre)) - np.repeat(np.cumsum(counts) - counts, counts)
    width = max(1, counts.max(initial=0))
    index, shift = np.full((n, width), -1), np.zeros((n, width, 3))
    index[centre, slot] = owners[image]
    shift[centre, slot] = lattice[image] + wrap[centre] - wrap[owners[image]]
    return NeighbourList(index, shift)

"""Inversion of a pyramidal molecule AB3: where it is, how often it happens, and what it costs."""

from __future__ import annotations

import numpy as np

from qff.reference.internal import cartesian


def height(positions: np.ndarray) -> np.ndarray:
    """Signed height (...,) in Å of atom 0 above the plane of atoms 1, 2, 3; positions (..., 4, 3) in Å."""
    apex, a, b, c = np.moveaxis(positions, -2, 0)
    normal = np.cross(b - a, c - a)
    return ((apex - a) * normal).sum(-1) / np.linalg.norm(normal, axis=-1)


def count(heights: np.ndarray, threshold: float) -> int:
    """Passages from one side to the other of a series (T,): beyond ±threshold, so that a hesitation is not counted."""
    side = np.sign(heights[np.abs(heights) > threshold])
    return int((side[1:] != side[:-1]).sum())


def planar(bond: float) -> np.ndarray:
    """Planar molecule AB3 with three equal bonds (Å), (4, 3)."""
    return cartesian(np.array([[bond, bond, bond, 120.0, 120.0, 180.0]]))[0]


def mirrored(positions: np.ndarray) -> np.ndarray:
    """The other pyramid: the apex (A, 3) reflected in the plane of the others."""
    apex, a, b, c = positions
    normal = np.cross(b - a, c - a)
    normal /= np.linalg.norm(normal)
    return np.array([apex - 2 * height(positions) * normal, a, b, c])

"""Geometries of a small molecule sampled in its internal coordinates.

The molecule has a central atom (index 0) with atoms 1, 2, 3 bound to it. Coordinates are the bond lengths r_k, the
angles 1-0-k (k ≥ 2) and the dihedral between the planes (0, 1, 2) and (0, 1, 3): 180° is planar.
"""

from __future__ import annotations

import numpy as np

from qff.config import InternalConfig
from qff.randomness import generator
from qff.units import BOLTZMANN_EV_PER_K


def cartesian(q: np.ndarray) -> np.ndarray:
    """Positions (n, A, 3) in Å, central atom at the origin, from coordinates (n, K) in Å and degrees.

    K = 1 (A = 2): r1. K = 3 (A = 3): r1, r2, angle. K = 6 (A = 4): r1, r2, r3, angle 1-0-2, angle 1-0-3, dihedral.
    """
    n_atoms = {1: 2, 3: 3, 6: 4}[q.shape[1]]
    angles = np.radians(q[:, n_atoms - 1 :])
    r = q[:, : n_atoms - 1]
    zero = np.zeros(len(q))
    positions = np.zeros((len(q), n_atoms, 3))
    positions[:, 1, 0] = r[:, 0]
    if n_atoms > 2:
        positions[:, 2] = r[:, 1, None] * np.stack([np.cos(angles[:, 0]), np.sin(angles[:, 0]), zero], 1)
    if n_atoms > 3:
        a, d = angles[:, 1], angles[:, 2]
        positions[:, 3] = r[:, 2, None] * np.stack([np.cos(a), np.sin(a) * np.cos(d), np.sin(a) * np.sin(d)], 1)
    return positions


def umbrella_angle(dihedral: np.ndarray) -> np.ndarray:
    """Angle (degrees) between bonds of a trigonal pyramid with the given dihedral: cos a = cos d / (1 - cos d)."""
    cosine = np.cos(np.radians(dihedral))
    return np.degrees(np.arccos(cosine / (1 - cosine)))


def sample(config: InternalConfig) -> tuple[np.ndarray, list[str]]:
    """Coordinates (n, K) in Å and degrees, rounded to 1e-6, and the part that each belongs to.

    ``thermal``: the classical Boltzmann distribution of harmonic springs, every frame at a temperature drawn uniformly
    from the range: variance k_B T / k. With ``umbrella`` the dihedral is uniform in its range instead, and the angles
    swing around those of the symmetric pyramid. ``grid`` or ``path``: all combinations, or the symmetric pyramid
    from one end of the range to the other.
    """
    rng = generator(0, "reference", config.stream)
    n = config.n_thermal
    temperature = rng.uniform(*config.temperatures_k, (n, 1))
    deviation = np.sqrt(BOLTZMANN_EV_PER_K * temperature / np.array(config.force_constants))
    n_bonds = {3: 2, 6: 3}[len(config.equilibrium)]
    deviation[:, n_bonds:] = np.degrees(deviation[:, n_bonds:])
    centre = np.tile(np.array(config.equilibrium), (n, 1))
    if config.umbrella:
        centre[:, -1] = rng.uniform(*config.umbrella, n)
        centre[:, n_bonds:-1] = umbrella_angle(centre[:, -1])[:, None]
    thermal = centre + deviation * np.clip(rng.normal(size=centre.shape), -3, 3)
    path = np.tile(np.array(config.equilibrium), (config.n_path, 1))
    if config.umbrella:
        path[:, -1] = np.linspace(*config.umbrella, config.n_path)
        path[:, n_bonds:-1] = umbrella_angle(path[:, -1])[:, None]
    grid = np.stack(np.meshgrid(*(config.grid or [[]] * len(config.equilibrium)), indexing="ij"), -1)
    grid = grid.reshape(-1, len(config.equilibrium))
    parts = ["thermal"] * n + ["path"] * len(path) + ["grid"] * len(grid)
    return np.round(np.concatenate([thermal, path, grid]), 6), parts

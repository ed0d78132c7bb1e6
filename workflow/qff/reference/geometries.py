"""Geometries of a system's reference set, as its config describes them."""

from __future__ import annotations

import numpy as np

from qff.config import SystemConfig
from qff.reference.internal import cartesian, sample
from qff.reference.scan import scan_positions


def geometries(system: SystemConfig) -> np.ndarray:
    """Positions (n, A, 3) in Å on a grid of 1e-8 Å."""
    if system.reference.scan is not None:
        return scan_positions(system.reference.scan)
    return np.round(cartesian(sample(system.reference.internal)[0]), 8)


def parts(system: SystemConfig) -> list[str]:
    """Which part of the set each geometry belongs to: scan; thermal, path, grid."""
    if system.reference.scan is not None:
        return ["scan"] * system.reference.scan.n_frames
    return sample(system.reference.internal)[1]

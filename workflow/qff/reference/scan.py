"""Geometries of a bond scan."""

from __future__ import annotations

import numpy as np

from qff.config import ScanConfig


def distances(scan: ScanConfig) -> np.ndarray:
    """Distances in Å, (n_frames,), rounded to 1e-6 Å.

    They are quantiles of the density 1 + d exp(-((r - focus)/width)²): everywhere covered, denser at the minimum.
    """
    fine = np.linspace(scan.minimum, scan.maximum, 4001)
    density = 1 + scan.focus_density * np.exp(-(((fine - scan.focus) / scan.focus_width) ** 2))
    cumulative = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return np.round(np.interp(np.linspace(0, cumulative[-1], scan.n_frames), cumulative, fine), 6)


def scan_positions(scan: ScanConfig) -> np.ndarray:
    """Positions (n_frames, 2, 3) in Å along z, first atom at the origin."""
    r = distances(scan)
    positions = np.zeros((len(r), 2, 3))
    positions[:, 1, 2] = r
    return positions

"""Geometries of a system's reference set, as its config describes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qff.config import SystemConfig
from qff.reference.internal import cartesian, sample
from qff.reference.sampling import read_trajectories
from qff.reference.scan import scan_positions


def geometries(system: SystemConfig, trajectories: list[str] | list[Path] = ()) -> np.ndarray:
    """Positions (n, A, 3) in Å on a grid of 1e-8 Å.

    Args:
        trajectories: files of the sampled trajectories, for a system that has ``reference.sampled``.
    """
    if system.reference.sampled is not None:
        return read_trajectories(trajectories, system)
    if system.reference.scan is not None:
        return scan_positions(system.reference.scan)
    return np.round(cartesian(sample(system.reference.internal)[0]), 8)


def parts(system: SystemConfig) -> list[str]:
    """Which part of the set each geometry belongs to: scan; thermal, path, grid; trajectory_0, trajectory_1 ..."""
    if (sampled := system.reference.sampled) is not None:
        share = sampled.n_frames // sampled.trajectories
        return [f"trajectory_{k // share}" for k in range(sampled.n_frames)]
    if system.reference.scan is not None:
        return ["scan"] * system.reference.scan.n_frames
    return sample(system.reference.internal)[1]

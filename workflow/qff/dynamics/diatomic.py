"""NVE molecular dynamics of a diatomic, and what is read off a trajectory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from qff.data import LabelledFrames
from qff.dynamics.integrator import velocity_verlet
from qff.errors import DataError, DomainError
from qff.reference.frozen import scan_curve
from qff.systems import System
from qff.units import EV_IN_MEV, harmonic_wavenumber, wavenumber


@dataclass
class CurvePotential:
    """The reference: a quintic spline through the energies of a bond scan.

    Raises:
        DomainError: a distance outside the scan.
    """

    system: System
    frames: LabelledFrames

    def __post_init__(self):
        self._curve, distances, _ = scan_curve(self.frames)
        self._range = distances.min(), distances.max()

    def inside(self, positions) -> np.ndarray:
        """Whether the distance of geometries (B, 2, 3) lies within the scan, (B,) of bool."""
        low, high = self._range
        r = np.linalg.norm(positions[:, 1] - positions[:, 0], axis=-1)
        return (low <= r) & (r <= high)

    def energy_and_forces(self, positions):
        bond = positions[:, 1] - positions[:, 0]
        r = np.linalg.norm(bond, axis=-1)
        low, high = self._range
        if not self.inside(positions).all():
            raise DomainError(f"{self.system.name}: a distance leaves the reference scan {low}–{high} Å")
        pull = (-self._curve(r, 1) / r)[:, None] * bond
        return self._curve(r), np.stack([-pull, pull], 1)


def radial_force(potential, r: float) -> float:
    """Force along a bond of length r (Å), in eV/Å; positive pulls the atoms apart."""
    _, forces = potential.energy_and_forces(np.array([[[0.0, 0.0, 0.0], [0.0, 0.0, r]]]))
    return float(forces[0, 1, 2])


def equilibrium(potential, low: float, high: float) -> float:
    """Distance (Å) of the deepest minimum between two distances.

    Raises:
        DataError: the force never turns from repulsive to attractive in between.
    """
    grid = np.linspace(low, high, 200)
    positions = np.zeros((len(grid), 2, 3))
    positions[:, 1, 2] = grid
    energies, forces = potential.energy_and_forces(positions)
    force = forces[:, 1, 2]
    turns = np.flatnonzero((force[:-1] > 0) & (force[1:] <= 0))
    if not len(turns):
        raise DataError(f"no minimum between {low} and {high} Å")
    best = turns[np.minimum(energies[turns], energies[turns + 1]).argmin()]
    return float(brentq(lambda r: radial_force(potential, r), grid[best], grid[best + 1], xtol=1e-10))


def harmonic(potential, r: float, reduced_mass_amu: float, step: float = 1e-3) -> float:
    """Harmonic wavenumber (cm⁻¹) at the minimum r, from central differences of the force; 0 if not convex."""
    curvature = -(radial_force(potential, r + step) - radial_force(potential, r - step)) / (2 * step)
    return harmonic_wavenumber(curvature, reduced_mass_amu) if curvature > 0 else 0.0


def trajectories(
    potential, start_ang: float, time_step_fs: float, n_steps: int, members: int = 1
) -> list[pd.DataFrame]:
    """NVE trajectories from rest at a stretched bond, one for every member of an ensemble of potentials.

    Returns:
        columns time_fs, distance_ang, total_energy_ev; shorter than asked if the geometry leaves the bounds.
    """
    start = np.zeros((members, 2, 3))
    start[:, 1, 2] = start_ang
    path = velocity_verlet(potential, start, np.zeros_like(start), potential.system.masses, time_step_fs, n_steps)
    distances = np.linalg.norm(path.positions[:, :, 1] - path.positions[:, :, 0], axis=-1)
    return [
        pd.DataFrame(
            {
                "time_fs": path.time_fs[:alive],
                "distance_ang": distances[:alive, k],
                "total_energy_ev": path.energies[:alive, k],
            }
        )
        for k, alive in enumerate(path.n_alive)
    ]


def period(path: pd.DataFrame) -> float:
    """Mean period (fs) between upward crossings of the mean distance; NaN with fewer than two crossings."""
    t, r = path.time_fs.to_numpy(), path.distance_ang.to_numpy()
    r = r - 0.5 * (r.min() + r.max())
    up = np.flatnonzero((r[:-1] < 0) & (r[1:] >= 0))
    if len(up) < 2:
        return float("nan")
    crossing = t[up] - r[up] * (t[up + 1] - t[up]) / (r[up + 1] - r[up])
    return float((crossing[-1] - crossing[0]) / (len(crossing) - 1))


def observables(path: pd.DataFrame, reference: pd.DataFrame, n_atoms: int) -> dict[str, tuple[str, float]]:
    """Conservation of energy, wavenumber and deviation from the reference trajectory: quantity → (unit, value)."""
    energy = path.total_energy_ev * EV_IN_MEV
    time_ps = path.time_fs / 1000
    slope = np.polyfit(time_ps, energy, 1)[0] if len(path) > 2 else float("nan")
    both = min(len(path), len(reference))
    deviation = (path.distance_ang[:both] - reference.distance_ang[:both]).to_numpy()
    ours, theirs = (wavenumber(period(p)) for p in (path, reference))
    found = {
        "energy_drift": ("meV/ps", float(slope)),
        "energy_drift_per_atom": ("meV/ps/atom", float(abs(slope) / n_atoms)),
        "energy_fluctuation": ("meV", float((energy - energy.mean()).std())),
        "vibrational_frequency": ("cm-1", ours),
        "vibrational_frequency_deviation": ("%", 100 * abs(ours / theirs - 1)),
        "simulated_time": ("fs", float(path.time_fs.iloc[-1])),
    }
    for length in (100, 500, 1000, 2000):
        if reference.time_fs.iloc[-1] >= length:
            inside = path.time_fs[:both] <= length
            complete = path.time_fs.iloc[-1] >= length
            value = float(np.sqrt((deviation[inside] ** 2).mean())) if complete else float("nan")
            found[f"distance_rmse_{length}fs"] = ("Ang", value)
    return found

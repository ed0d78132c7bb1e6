"""Velocity Verlet for many trajectories at once (Swope et al., J. Chem. Phys. 76, 637)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qff.errors import DomainError
from qff.jobs import progress
from qff.units import EV_IN_AMU_ANG2_PER_FS2

MAX_STRETCH = 2.0  # a bond longer than this multiple of its first length is broken
MAX_ENERGY_CHANGE_EV = 0.1  # per atom: beyond it energy is not conserved


@dataclass(frozen=True)
class Trajectories:
    """B trajectories of T steps; what follows the end of one that stopped is NaN.

    Attributes:
        time_fs: (T + 1,).
        positions, velocities: (T + 1, B, A, 3) in Å and Å/fs.
        energies: (T + 1, B) total energy in eV.
    """

    time_fs: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray
    energies: np.ndarray

    def select(self, index) -> Trajectories:
        """Some of the trajectories."""
        return Trajectories(
            self.time_fs, self.positions[:, index], self.velocities[:, index], self.energies[:, index]
        )

    @property
    def n_alive(self) -> np.ndarray:
        """Number of recorded steps of every trajectory, its start included, (B,)."""
        return np.isfinite(self.energies).sum(0)

    @property
    def lifetimes_fs(self) -> np.ndarray:
        """Time of the last recorded step, (B,)."""
        return self.time_fs[self.n_alive - 1]

    @property
    def complete(self) -> np.ndarray:
        """Which trajectories reached the end, (B,) of bool."""
        return self.n_alive == len(self.time_fs)


def kinetic_energy(velocities: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Kinetic energy (...,) in eV of velocities (..., A, 3) in Å/fs, masses (A,) in amu."""
    return 0.5 * np.einsum("...ax,...ax,a->...", velocities, velocities, masses) / EV_IN_AMU_ANG2_PER_FS2


def velocity_verlet(
    potential, positions: np.ndarray, velocities: np.ndarray, masses: np.ndarray, time_step_fs: float, n_steps: int
) -> Trajectories:
    """NVE trajectories from positions (B, A, 3) in Å and velocities in Å/fs; masses (A,) in amu.

    One that leaves the bounds of the potential, or whose energy is no longer a number, stops alone. The batch keeps
    its shape: members of an ensemble keep their places.

    Args:
        potential: has ``energy_and_forces(positions)`` and ``inside(positions)``.

    Raises:
        DomainError: a start lies outside the bounds.
    """
    x, v = np.array(positions, dtype=float), np.array(velocities, dtype=float)
    per_mass = EV_IN_AMU_ANG2_PER_FS2 / masses[:, None]
    shape = (n_steps + 1, *x.shape)
    path = Trajectories(
        np.arange(n_steps + 1) * time_step_fs,
        np.full(shape, np.nan),
        np.full(shape, np.nan),
        np.full(shape[:2], np.nan),
    )
    alive = np.ones(len(x), dtype=bool)
    energy, forces = potential.energy_and_forces(x)

    def observe(step: int) -> None:
        path.positions[step, alive], path.velocities[step, alive] = x[alive], v[alive]
        path.energies[step, alive] = (energy + kinetic_energy(v, masses))[alive]

    observe(0)
    for step in progress(range(1, n_steps + 1), "dynamics"):
        v = v + 0.5 * time_step_fs * per_mass * forces
        moved = x + time_step_fs * v
        try:
            energy, forces = potential.energy_and_forces(moved)
        except DomainError:
            alive &= potential.inside(moved)
            if not alive.any():
                break
            moved = np.where(alive[:, None, None], moved, x)
            energy, forces = potential.energy_and_forces(moved)
        alive &= np.isfinite(energy)
        x, v = np.where(alive[:, None, None], moved, x), v + 0.5 * time_step_fs * per_mass * forces
        if not alive.all():  # the dead rest where they were last defined
            v[~alive], forces[~alive] = 0.0, 0.0
        observe(step)
    return path


def cut_unphysical(path: Trajectories, bonds: list[list[int]]) -> Trajectories:
    """The same, each trajectory ended before a bond breaks or its energy runs away."""
    first, second = np.array(bonds).T
    length = np.linalg.norm(path.positions[:, :, second] - path.positions[:, :, first], axis=-1)
    limit = MAX_ENERGY_CHANGE_EV * path.positions.shape[2]
    with np.errstate(invalid="ignore"):
        wrong = (length > MAX_STRETCH * length[:1]).any(-1) | (np.abs(path.energies - path.energies[0]) > limit)
    gone = np.maximum.accumulate(wrong, axis=0)
    return Trajectories(
        path.time_fs,
        np.where(gone[..., None, None], np.nan, path.positions),
        np.where(gone[..., None, None], np.nan, path.velocities),
        np.where(gone, np.nan, path.energies),
    )

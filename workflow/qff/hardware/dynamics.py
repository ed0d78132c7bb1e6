"""Molecular dynamics whose forces are measured: what their noise does, and a thermostat that takes it as its own.

The noise of independent measurements is white. In a step Δt it changes a velocity by Δt/m times the error of the force, so
without a thermostat the kinetic energy grows at Σ σ² Δt/(2m). Langevin dynamics needs white noise anyway, with covariance
m k_B T (1 - exp(-2γΔt)) of the momenta: it may come from the measurements, and only the rest is added (as for forces from
quantum Monte Carlo: Attaccalite & Sorella, Phys. Rev. Lett. 100, 114501, 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qff.dynamics.integrator import MAX_STRETCH, kinetic_energy
from qff.errors import DomainError
from qff.units import BOLTZMANN_EV_PER_K, EV_IN_AMU_ANG2_PER_FS2, EV_IN_MEV


@dataclass(frozen=True)
class Thermostat:
    """Langevin thermostat: temperature in K, friction γ in 1/fs; ``absorbs`` the noise of the forces, or adds its own."""

    temperature_k: float
    friction_per_fs: float
    absorbs: bool = True


@dataclass(frozen=True)
class NoisyPath:
    """B trajectories of T steps; what follows the end of one is NaN.

    Attributes:
        time_fs: (T + 1,).
        kinetic, total: (T + 1, B) in eV; total with the exact potential energy.
        heating: (B,) mean power in eV/fs that the covariances of the forces predict.
        absorbed: part of the noise of the forces that the thermostat could take as its own, mean over steps.
    """

    time_fs: np.ndarray
    kinetic: np.ndarray
    total: np.ndarray
    heating: np.ndarray
    absorbed: float

    @property
    def lifetimes_fs(self) -> np.ndarray:
        return self.time_fs[np.isfinite(self.total).sum(0) - 1]


def simulate(
    potential,
    positions: np.ndarray,
    velocities: np.ndarray,
    masses: np.ndarray,
    bonds: list[list[int]],
    time_step_fs: float,
    n_steps: int,
    thermostat: Thermostat | None,
    rng: np.random.Generator,
) -> NoisyPath:
    """Velocity Verlet, a step of friction and noise in the middle (Bussi & Parrinello, Phys. Rev. E 75, 056707, 2007).

    A trajectory ends where its potential is not defined, or where a bond is longer than twice its first length.

    Args:
        potential: :class:`qff.hardware.shots.ShotPotential`.
        positions, velocities: (B, A, 3) in Å and Å/fs. masses: (A,) in amu. bonds: pairs of atoms.
    """
    x, v = np.array(positions, dtype=float), np.array(velocities, dtype=float)
    first, second = np.array(bonds).T
    longest = MAX_STRETCH * np.linalg.norm(x[:, second] - x[:, first], axis=-1)
    per_mass = EV_IN_AMU_ANG2_PER_FS2 / masses[:, None]
    weight = np.repeat(per_mass[:, 0], 3)
    kinetic, total = np.full((2, n_steps + 1, len(x)), np.nan)
    power, absorbed, alive = np.zeros(len(x)), [], np.ones(len(x), dtype=bool)
    energy, forces, covariance = potential.measure(x)

    def observe(step: int) -> None:
        kinetic[step, alive] = kinetic_energy(v, masses)[alive]
        total[step, alive] = kinetic[step, alive] + energy[alive]

    observe(0)
    steps = 0
    for step in range(1, n_steps + 1):
        v = v + 0.5 * time_step_fs * per_mass * forces
        if thermostat is not None:
            kick, part = _kick(thermostat, covariance, weight, time_step_fs, rng)
            decay = np.exp(-thermostat.friction_per_fs * time_step_fs)
            v = decay * v + kick.reshape(v.shape)
            absorbed.append(part)
        moved = x + time_step_fs * v
        broken = (np.linalg.norm(moved[:, second] - moved[:, first], axis=-1) > longest).any(-1)
        alive = alive & np.isfinite(moved).all((1, 2)) & ~broken
        moved = np.where(alive[:, None, None], moved, x)
        alive = alive & potential.inside(moved)
        if not alive.any():
            break
        moved = np.where(alive[:, None, None], moved, x)
        try:
            energy, forces, covariance = potential.measure(moved)
        except DomainError:  # those that ended rest where they were last defined
            break
        x, v = moved, v + 0.5 * time_step_fs * per_mass * forces
        v[~alive] = 0.0
        power += 0.5 * time_step_fs * np.einsum("bii,i->b", covariance, weight)
        steps = step
        observe(step)
    time = np.arange(n_steps + 1) * time_step_fs
    part = float(np.mean(absorbed)) if absorbed else float("nan")
    return NoisyPath(time, kinetic, total, power / max(steps, 1), part)


def _kick(thermostat: Thermostat, covariance, weight, time_step_fs: float, rng) -> tuple[np.ndarray, float]:
    """Random velocities (B, 3A) in Å/fs that bring the noise of a step to the thermostat's, and the part that it absorbs.

    Where the forces bring more than the thermostat may add, the excess heats.
    """
    wanted = BOLTZMANN_EV_PER_K * thermostat.temperature_k * weight
    decay = np.exp(
        -2 * thermostat.friction_per_fs * time_step_fs
    )  # also of the noise of the forces, which comes before
    wanted = wanted * (1 - decay)  # (3A,), Å²/fs²
    normal = rng.normal(size=covariance.shape[:2])
    if not thermostat.absorbs:
        return np.sqrt(wanted) * normal, 0.0
    brought = decay * time_step_fs**2 * covariance * weight[:, None] * weight
    scale = np.sqrt(wanted)
    size, direction = np.linalg.eigh(brought / (scale[:, None] * scale))  # 1: all that the thermostat wants
    left = np.sqrt(np.clip(1 - size, 0, None))
    kick = scale * np.einsum("bij,bj->bi", direction, left * normal)
    noise = size.clip(min=0).sum()
    return kick, float(np.minimum(size.clip(min=0), 1).sum() / noise) if noise > 0 else 1.0


def observables(path: NoisyPath, degrees: int) -> dict[str, tuple[str, float]]:
    """Drift, predicted drift, temperature in the second half, lifetimes: quantity → (unit, value).

    NaN where no trajectory lives long enough.

    Args:
        degrees: of freedom that hold kinetic energy: all 3A with a thermostat, the vibrations without.
    """
    slopes = []
    for energy in path.total.T:
        n = int(np.isfinite(energy).sum())
        if n > 2:
            slopes.append(np.polyfit(path.time_fs[:n] / 1000, energy[:n] * EV_IN_MEV, 1)[0])
    half = path.kinetic[len(path.time_fs) // 2 :]
    kinetic = half[np.isfinite(half)]
    return {
        "energy_drift_signed": ("meV/ps", float(np.mean(slopes)) if slopes else float("nan")),
        "energy_drift_predicted": ("meV/ps", float(path.heating.mean() * 1000 * EV_IN_MEV)),
        "effective_temperature": (
            "K", float(2 * kinetic.mean() / (degrees * BOLTZMANN_EV_PER_K)) if len(kinetic) else float("nan"),
        ),
        "simulated_time": ("fs", float(path.lifetimes_fs.mean())),
        "surviving_fraction": ("1", float(np.isfinite(path.total[-1]).mean())),
        "absorbed_noise": ("1", path.absorbed),
    }  # fmt: skip

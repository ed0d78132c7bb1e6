"""Circuit executions and hours for a chemically accurate force call, and for a picosecond of dynamics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qff.hardware.shots import Circuits

FS_PER_PS = 1000.0


@dataclass(frozen=True)
class Targets:
    """Standard errors that are asked for: eV, and eV/Å for every component of every force."""

    energy_ev: float
    force_ev_per_ang: float


def cost(
    circuits: Circuits, targets: Targets, depth: int, executions_per_second: float, time_step_fs: float
) -> dict[str, tuple[str, float]]:
    """Medians over the geometries: quantity → (unit, value).

    All shifted circuits get equally many shots, as many as the worst component needs. ``executions_force_shared`` gives
    each circuit shots in proportion to what it contributes to that component: the least that independent circuits allow.
    """
    variance = np.einsum("bii->bi", circuits.force_covariance())
    n_shifted = circuits.values.shape[1] - 1
    shared = np.ceil(n_shifted * circuits.best_force_variance().max(1) / targets.force_ev_per_ang**2)
    return {
        **price(
            np.ceil(circuits.energy_variance() / targets.energy_ev**2),
            np.ceil(variance.max(1) / targets.force_ev_per_ang**2),
            n_shifted, depth, executions_per_second, time_step_fs,
        ),
        "executions_force_shared": ("1", float(np.median(shared))),
    }  # fmt: skip


def price(
    shots_energy: np.ndarray,
    shots_force: np.ndarray,
    n_shifted: int,
    depth: int,
    executions_per_second: float,
    time_step_fs: float,
) -> dict[str, tuple[str, float]]:
    """Of force calls with so many shifted circuits of a depth, all with as many shots (B,); medians over the geometries."""
    calls = FS_PER_PS / time_step_fs
    executions = n_shifted * np.asarray(shots_force)
    hours = executions / executions_per_second / 3600
    found = {
        "shots_energy": ("1", shots_energy),
        "shots_force": ("1", shots_force),
        "circuits_force": ("1", n_shifted),
        "executions_force": ("1", executions),
        "layers_force": ("1", depth * executions),
        "executions_picosecond": ("1", calls * executions),
        "hours_force": ("h", hours),
        "hours_picosecond": ("h", calls * hours),
    }
    return {name: (unit, float(np.median(values))) for name, (unit, values) in found.items()}

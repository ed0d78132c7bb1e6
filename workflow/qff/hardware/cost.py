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
    circuits: Circuits, targets: Targets, executions_per_second: float, time_step_fs: float
) -> dict[str, tuple[str, float]]:
    """Medians over the geometries: quantity → (unit, value).

    All shifted circuits get equally many shots, as many as the worst component needs. ``executions_force_shared`` gives
    each circuit shots in proportion to what it contributes to that component: the least that independent circuits allow.
    """
    energy = np.ceil(circuits.energy_variance() / targets.energy_ev**2)
    variance = np.einsum("bii->bi", circuits.force_covariance())
    n_shifted = circuits.values.shape[1] - 1
    shots = np.ceil(variance.max(1) / targets.force_ev_per_ang**2)
    shared = np.ceil(n_shifted * circuits.best_force_variance().max(1) / targets.force_ev_per_ang**2)
    calls = FS_PER_PS / time_step_fs
    seconds = n_shifted * shots / executions_per_second
    found = {
        "shots_energy": ("1", energy),
        "shots_force": ("1", shots),
        "circuits_force": ("1", np.full(1, n_shifted)),
        "executions_force": ("1", n_shifted * shots),
        "executions_force_shared": ("1", shared),
        "executions_picosecond": ("1", calls * n_shifted * shots),
        "hours_force": ("h", seconds / 3600),
        "hours_picosecond": ("h", calls * seconds / 3600),
    }
    return {name: (unit, float(np.median(values))) for name, (unit, values) in found.items()}

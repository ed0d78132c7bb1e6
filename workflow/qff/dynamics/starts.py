"""Starts of trajectories: velocities at a minimum, the same for the reference and for every model."""

from __future__ import annotations

import numpy as np

from qff.config import StartsConfig
from qff.dynamics.normal_modes import vibrations
from qff.randomness import generator
from qff.units import BOLTZMANN_EV_PER_K, EV_IN_AMU_ANG2_PER_FS2, EV_IN_MEV


def velocities(
    config: StartsConfig,
    minimum: np.ndarray,
    masses: np.ndarray,
    mode: np.ndarray,
    count: int,
    study_seed: int,
    system: str,
) -> np.ndarray:
    """Maxwell–Boltzmann velocities (count, A, 3) in Å/fs without momentum and rotation; temperatures take turns.

    Only the velocities are drawn: once it has spread over kinetic and potential energy, the temperature is about half.
    A normal mode moves with one of ``mode_energies_mev`` instead, in a random direction, unless that is 0.

    Args:
        minimum: (A, 3) in Å. masses: (A,) in amu. mode: (A, 3) displacement of the excited mode in amu^-1/2.
    """
    weight = np.sqrt(masses)
    basis = vibrations(minimum, weight)
    excited = basis.T @ (mode * weight[:, None]).ravel()
    found = []
    for start in range(count):
        rng = generator(study_seed, "starts", system, start)
        temperature = config.temperatures_k[start % len(config.temperatures_k)]
        amplitude = np.sqrt(BOLTZMANN_EV_PER_K * temperature) * rng.normal(size=basis.shape[1])
        if energy := config.mode_energies_mev[start % len(config.mode_energies_mev)]:
            amplitude -= excited * (excited @ amplitude)
            amplitude += excited * rng.choice([-1.0, 1.0]) * np.sqrt(2 * energy / EV_IN_MEV)
        found.append((basis @ amplitude).reshape(-1, 3) / weight[:, None])
    return np.array(found) * np.sqrt(EV_IN_AMU_ANG2_PER_FS2)

"""The reference method itself as a potential."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qff.reference.labels import label
from qff.systems import System


@dataclass(frozen=True)
class OnTheFlyPotential:
    """CCSD(T) with PySCF at every geometry: energies and forces of the labels, seconds each.

    Raises:
        LabelError: a calculation does not converge.
    """

    system: System

    def energy_and_forces(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energies (B,) in eV and forces (B, A, 3) in eV/Å of positions (B, A, 3) in Å."""
        found = [label(self.system.config, p, f"{self.system.name}, on the fly") for p in positions]
        return np.array([x.energy for x in found]), np.array([x.forces for x in found])

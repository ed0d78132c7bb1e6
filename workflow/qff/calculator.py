"""ASE calculator for every potential of the study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from qff.errors import DataError
from qff.models.potential import Potential, load


class PotentialCalculator(Calculator):
    """Energies (eV) and forces (eV/Å) of a :class:`qff.models.Potential`, or of the path of a saved one.

    Raises:
        DataError: the atoms are not those of the potential, in its order.
        DomainError: the geometry lies outside the bounds of the potential.
    """

    implemented_properties = ("energy", "forces")

    def __init__(self, potential: Potential | str | Path, **kwargs):
        super().__init__(**kwargs)
        self.potential = potential if hasattr(potential, "energy_and_forces") else load(potential)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        expected = self.potential.system.symbols
        if self.atoms.get_chemical_symbols() != list(expected):
            raise DataError(
                f"this potential describes {''.join(expected)} with atoms in the order {expected}; got "
                f"{self.atoms.get_chemical_symbols()}"
            )
        energies, forces = self.potential.energy_and_forces(self.atoms.get_positions()[None])
        self.results = {"energy": float(energies[0]), "forces": np.array(forces[0])}

"""ASE calculator of a potential of a material, with a neighbour list that lasts while no atom moves far."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from qff.materials.neighbours import NeighbourList, neighbour_list
from qff.materials.potential import MaterialPotential, load

SKIN = 1.0  # Å beyond the cutoff within which neighbours are listed


class MaterialCalculator(Calculator):
    """Energy (eV), forces (eV/Å) and stress (eV/Å³) of a :class:`MaterialPotential`, or of the path of a saved one.

    Raises:
        DataError: an element that no training frame has.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, potential: MaterialPotential | str | Path, **kwargs):
        super().__init__(**kwargs)
        self.potential = potential if isinstance(potential, MaterialPotential) else load(potential)
        self._pairs: NeighbourList | None = None
        self._made_for: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        positions, cell = self.atoms.positions, self.atoms.cell.array
        energy, forces, stress = self.potential.evaluate(
            self.atoms.numbers, positions, cell, self._neighbours(self.atoms.numbers, positions, cell)
        )
        self.results = {"energy": energy, "forces": forces, "stress": full_3x3_to_voigt_6_stress(stress)}

    def _neighbours(self, numbers: np.ndarray, positions: np.ndarray, cell: np.ndarray) -> NeighbourList:
        """The list made last, until an atom has moved half the skin, or the cell changes."""
        if self._made_for is not None:
            old_numbers, old_positions, old_cell = self._made_for
            if np.array_equal(old_numbers, numbers) and np.array_equal(old_cell, cell):
                moved = ((positions - old_positions) ** 2).sum(1).max()
                if moved < (SKIN / 2) ** 2:
                    return self._pairs
        self._pairs = neighbour_list(positions, cell, self.potential.descriptor.cutoff_ang + SKIN)
        self._made_for = numbers.copy(), positions.copy(), cell.copy()
        return self._pairs

"""AMBER's water by OpenMM. The numbers of TIP3P are published; OpenMM itself is optional."""

import numpy as np
import pytest
from qff.errors import DataError
from qff.hybrid.force_field import molecules, water_energy_and_forces
from qff.units import KCAL_PER_MOL_IN_EV

HALF = np.radians(104.52 / 2)
MONOMER = 0.9572 * np.array([[0, 0, 0], [np.cos(HALF), np.sin(HALF), 0], [np.cos(HALF), -np.sin(HALF), 0]])


def test_atoms_in_any_order_make_molecules():
    positions = np.concatenate([MONOMER, MONOMER + np.array([0, 0, 3])])[[0, 3, 1, 4, 2, 5]]
    assert molecules(["O", "O", "H", "H", "H", "H"], positions, "x") == [[0, 2, 4], [1, 3, 5]]
    with pytest.raises(DataError, match=r"frame 3: hydrogen 1 is not within 1\.4 Å"):
        molecules(["O", "H", "H"], MONOMER * 3, "frame 3")
    with pytest.raises(DataError, match="not whole water molecules"):
        molecules(["O", "H"], MONOMER[:2], "frame 3")


def test_one_molecule_of_tip3p_has_its_equilibrium_geometry():
    pytest.importorskip("openmm", reason="OpenMM is not part of the environment")
    energy, forces = water_energy_and_forces(["O", "H", "H"], MONOMER, "x")
    assert energy == pytest.approx(0, abs=1e-6)
    assert np.abs(forces).max() < 1e-3
    stretched = MONOMER.copy()
    stretched[1] *= 1.05
    # Harmonic bond of OpenMM's amber14/tip3p.xml: k = 462750.4 kJ/mol/nm², no coupling with the angle.
    expected = 0.5 * 462750.4 * (0.05 * 0.09572) ** 2 / 4.184 * KCAL_PER_MOL_IN_EV
    assert water_energy_and_forces(["O", "H", "H"], stretched, "x")[0] == pytest.approx(expected, rel=1e-4)


def test_forces_are_the_slope_and_the_dimer_is_bound_as_published():
    """TIP3P's dimer: -6.50 kcal/mol at 2.74 Å (Jorgensen et al., J. Chem. Phys. 79, 926 (1983)), a linear hydrogen bond."""
    pytest.importorskip("openmm", reason="OpenMM is not part of the environment")
    donor = MONOMER @ _turn(2, -HALF).T  # its first hydrogen points along x
    symbols, best = ["O", "H", "H"] * 2, 0.0
    for tilt in np.radians(np.arange(-80, 90, 10)):
        acceptor = MONOMER @ _turn(1, tilt).T @ _turn(0, np.pi / 2).T
        energy, _ = water_energy_and_forces(symbols, np.concatenate([donor, acceptor + np.array([2.74, 0, 0])]), "x")
        best = min(best, energy / KCAL_PER_MOL_IN_EV)
    assert best == pytest.approx(-6.50, abs=0.25)
    positions, h = np.concatenate([donor, MONOMER + np.array([2.9, 0.3, 0.2])]), 1e-4
    forces = water_energy_and_forces(symbols, positions, "x")[1]
    for atom, axis in ((0, 0), (1, 1), (5, 2)):
        moved = [positions.copy(), positions.copy()]
        for sign, frame in zip((1, -1), moved, strict=True):
            frame[atom, axis] += sign * h
        up, down = (water_energy_and_forces(symbols, frame, "x")[0] for frame in moved)
        assert forces[atom, axis] == pytest.approx(-(up - down) / (2 * h), abs=1e-4)


def _turn(axis: int, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    i, j = [k for k in range(3) if k != axis]
    matrix = np.eye(3)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix

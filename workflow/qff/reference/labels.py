"""Labels of single geometries with PySCF, in eV and Å, by the method that the system's configuration names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qff.config import SystemConfig
from qff.errors import LabelError
from qff.reference import coupled_cluster, density_functional, fitted_perturbation, perturbation
from qff.units import HARTREE_IN_EV, HARTREE_PER_BOHR_IN_EV_PER_ANG

# Modules with ``energy``, ``energy_and_gradient`` and ``SETTINGS``; names as in LevelConfig.method.
METHODS = {
    "CCSD(T)": coupled_cluster,
    "MP2": perturbation,
    "DF-MP2": fitted_perturbation,
    "PBE": density_functional,
}


@dataclass(frozen=True)
class Label:
    """Energy in eV, forces (A, 3) in eV/Å, and how they were obtained."""

    energy: float
    forces: np.ndarray
    info: dict


def molecule(system: SystemConfig, positions: np.ndarray, basis: str):
    """PySCF's molecule at positions (A, 3) in Å."""
    from pyscf import gto

    atoms = [(symbol, tuple(xyz)) for symbol, xyz in zip(system.atoms, positions, strict=True)]
    return gto.M(atom=atoms, basis=basis, charge=system.charge, unit="Angstrom", verbose=0)


def settings(system: SystemConfig) -> dict:
    """What is fixed in the code about the method of a system's labels; recorded beside them."""
    return METHODS[system.reference.method].SETTINGS


def label(system: SystemConfig, positions: np.ndarray, where: str) -> Label:
    """Label of one geometry, positions (A, 3) in Å.

    Raises:
        LabelError: no convergence, or a result that is not finite; the message starts with ``where``.
    """
    mol = molecule(system, positions, system.reference.basis)
    hartree, gradient, info = METHODS[system.reference.method].energy_and_gradient(mol, where)
    forces = -np.asarray(gradient) * HARTREE_PER_BOHR_IN_EV_PER_ANG
    if not (np.isfinite(hartree) and np.isfinite(forces).all()):
        raise LabelError(f"{where}: {system.reference.method} gave values that are not finite")
    return Label(float(hartree * HARTREE_IN_EV), forces, info)


def energy(system: SystemConfig, positions: np.ndarray, where: str) -> float:
    """Energy (eV) of one geometry.

    Raises:
        LabelError: no convergence.
    """
    mol = molecule(system, positions, system.reference.basis)
    return float(METHODS[system.reference.method].energy(mol, where) * HARTREE_IN_EV)


def slope(
    system: SystemConfig, positions: np.ndarray, direction: np.ndarray, where: str, step: float = 0.01
) -> float:
    """Derivative of the energy (eV/Å) along a unit vector (A, 3): fourth-order difference with ``step`` in Å.

    Raises:
        LabelError: no convergence.
    """
    moved = [energy(system, positions + k * step * direction, where) for k in (-2, -1, 1, 2)]
    return float((moved[0] - 8 * moved[1] + 8 * moved[2] - moved[3]) / (12 * step))


def fci_difference(system: SystemConfig, positions: np.ndarray, where: str) -> tuple[float, float]:
    """CCSD(T) and FCI energies (eV) of one geometry in the small check basis.

    Raises:
        LabelError: one of them did not converge.
    """
    mol = molecule(system, positions, system.reference.check_basis)
    approximate, exact = coupled_cluster.fci_difference(mol, where)
    return approximate * HARTREE_IN_EV, exact * HARTREE_IN_EV

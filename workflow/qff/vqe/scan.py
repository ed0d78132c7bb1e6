"""VQE along the stretch of a bond, held against the full diagonalisation of the same active space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qff.config import SystemConfig, VQEScanConfig
from qff.errors import ConfigError
from qff.vqe.active_space import active_space
from qff.vqe.solver import solve

if TYPE_CHECKING:
    import pandas as pd


def solve_scan(system: SystemConfig, scan: VQEScanConfig, name: str) -> list[dict]:
    """One row per distance: energies (Ha), error against CASCI (Ha), size of the circuit and cost.

    Raises:
        ConfigError: positions do not fit the atoms, or the active space does not fit the molecule.
        LabelError: no convergence.
    """
    from qff.reference.coupled_cluster import hartree_fock
    from qff.reference.labels import molecule

    if np.shape(scan.start) != (len(system.atoms), 3):
        raise ConfigError(f"hybrid.vqe.{name}.start: one position of three numbers for each of {system.atoms}")
    rows = []
    for distance in scan.distances_ang:
        positions = np.array(scan.start, float)
        axis = positions[1] - positions[0]
        positions[1] = positions[0] + axis * distance / np.linalg.norm(axis)
        where = f"VQE of {name}, {distance:g} Å"
        mol = molecule(system, positions, scan.basis)
        if scan.electrons > mol.nelectron or scan.orbitals > mol.nao or (mol.nelectron - scan.electrons) % 2:
            raise ConfigError(
                f"hybrid.vqe.{name}: {scan.electrons} electrons in {scan.orbitals} orbitals, of {mol.nelectron} in "
                f"{mol.nao}: choose fewer, and leave whole pairs out"
            )
        mf, _ = hartree_fock(mol, where)
        space = active_space(mf, scan.orbitals, scan.electrons, where)
        found = solve(space, where)
        rows.append(
            {
                "distance_ang": distance,
                "hartree_fock_hartree": space.hartree_fock,
                "casci_hartree": space.casci,
                "vqe_hartree": found.energy,
                "casci_error_hartree": found.energy - space.casci,
                "n_qubits": space.n_qubits,
                "n_parameters": len(found.angles),
                "n_cnots": found.cnots,
                "evaluations": found.evaluations,
                "seconds": found.seconds,
            }
        )
    return rows


def scan_summary(table: pd.DataFrame) -> dict[str, tuple[str, float]]:
    """Quantities of a scan: quantity → (unit, value); the largest of all distances, times summed."""
    return {
        "casci_error_max": ("Ha", float(table.casci_error_hartree.abs().max())),
        "correlation_energy_max": ("Ha", float((table.hartree_fock_hartree - table.vqe_hartree).max())),
        "n_qubits": ("1", int(table.n_qubits.max())),
        "n_ansatz_parameters": ("1", int(table.n_parameters.max())),
        "n_cnots": ("1", int(table.n_cnots.max())),
        "vqe_evaluations": ("1", int(table.evaluations.max())),
        "vqe_time": ("s", float(table.seconds.sum())),
    }

"""VQE of single bonds: two electrons in the bonding and the antibonding orbital, along the stretch.

Every kind of bond has a small closed-shell molecule in which it is stretched, the groups at its ends rigid. The two orbitals
are what an atomic orbital of one end (hydrogen 1s, else 2p along the bond) projects on the occupied and on the virtual
space: one orbital of each, that changes smoothly with the distance.
"""

from __future__ import annotations

import numpy as np

from qff.errors import ConfigError
from qff.units import HARTREE_IN_EV
from qff.vqe.active_space import ActiveSpace, active_space
from qff.vqe.solver import VQEResult, solve

# Kind of bond → molecule of ASE's G2 set and the atoms of the bond; those nearer to the second atom move with it.
MOLECULES = {
    "C-H": ("CH4", (0, 1)),
    "C-C": ("C2H6", (0, 1)),
    "C-O": ("CH3OH", (0, 1)),
    "H-O": ("H2O", (0, 1)),
    "H-H": ("H2", (0, 1)),
}


def stretched(kind: str, distance: float) -> tuple[list[str], np.ndarray, tuple[int, int]]:
    """Symbols, positions (A, 3) in Å and atoms of the bond, whose length is ``distance`` (Å).

    Raises:
        ConfigError: no molecule stands for such a bond.
    """
    from ase.build import molecule

    if kind not in MOLECULES:
        raise ConfigError(f"bond '{kind}': known are {', '.join(MOLECULES)}; add it to workflow/qff/vqe/bonds.py")
    name, (first, second) = MOLECULES[kind]
    atoms = molecule(name)
    ends = [np.linalg.norm(atoms.positions - atoms.positions[k], axis=1) for k in (first, second)]
    axis = atoms.positions[second] - atoms.positions[first]
    length = np.linalg.norm(axis)
    atoms.positions[ends[1] < ends[0]] += axis / length * (distance - length)
    return atoms.get_chemical_symbols(), atoms.positions, (first, second)


def bond_space(kind: str, distance: float, basis: str) -> ActiveSpace:
    """Active space (2 electrons, 2 orbitals) of a bond of length ``distance`` (Å).

    Raises:
        LabelError: no convergence.
    """
    from pyscf import gto

    from qff.reference.coupled_cluster import hartree_fock

    symbols, positions, (first, second) = stretched(kind, distance)
    where = f"bond {kind}, {distance:g} Å"
    atoms = [(s, tuple(x)) for s, x in zip(symbols, positions, strict=True)]
    mol = gto.M(atom=atoms, basis=basis, unit="Angstrom", verbose=0)
    mf, _ = hartree_fock(mol, where)
    axis = positions[second] - positions[first]
    return active_space(mf, 2, 2, where, orbitals=_orbitals(mol, mf, symbols[second], second, axis))


def _orbitals(mol, mf, symbol: str, atom: int, axis: np.ndarray) -> np.ndarray:
    """Orbitals (n_ao, n_mo): occupied with the bonding one last, virtual with the antibonding one first."""
    from pyscf import gto

    minimal = gto.M(atom=mol._atom, unit="Bohr", basis="minao", verbose=0)
    overlap = gto.mole.intor_cross("int1e_ovlp", mol, minimal)  # (n_ao, minimal)
    labels = minimal.ao_labels(fmt=None)
    wanted = {"H": {"1s": 1.0}}.get(
        symbol, dict(zip(("2px", "2py", "2pz"), axis / np.linalg.norm(axis), strict=True))
    )
    target = sum(overlap[:, k] * wanted.get(f"{n}{m}", 0.0) for k, (i, _, n, m) in enumerate(labels) if i == atom)
    occupied = mf.mo_occ > 0
    bonding, antibonding = (_first_along(mf.mo_coeff[:, x], target) for x in (occupied, ~occupied))
    return np.hstack([bonding[:, ::-1], antibonding])


def _first_along(orbitals: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The same space with its projection of a function (overlaps ``target`` with the basis) as the first orbital."""
    rotation, _ = np.linalg.qr(np.column_stack([orbitals.T @ target, np.eye(orbitals.shape[1])]))
    return orbitals @ rotation


def correlation(space: ActiveSpace, result: VQEResult) -> dict[str, float]:
    """Features of a solved bond: weight of the doubly excited determinant against the reference, correlation energy (eV).

    The determinants are those with both electrons in the first and in the second orbital of the space.
    """
    reference, double = (int(np.flatnonzero(space.states == bits)[0]) for bits in (0b1100, 0b0011))
    return {
        "amplitude": float(result.state[double] / result.state[reference]),
        "correlation_energy_ev": (result.energy - space.hartree_fock) * HARTREE_IN_EV,
    }


def solve_bond(kind: str, distance: float, basis: str) -> dict[str, float]:
    """Row of the table of a kind of bond: features, error against CASCI (Ha) and cost.

    Raises:
        LabelError: no convergence.
    """
    space = bond_space(kind, distance, basis)
    result = solve(space, f"bond {kind}, {distance:g} Å")
    return {
        "kind": kind,
        "distance_ang": distance,
        **correlation(space, result),
        "casci_error_hartree": result.energy - space.casci,
        "n_parameters": len(result.angles),
        "n_cnots": result.cnots,
        "evaluations": result.evaluations,
        "seconds": result.seconds,
    }


def bond_tables(table) -> dict[str, dict[str, list[float]]]:
    """Settings ``bonds`` of the hybrid from rows of :func:`solve_bond` (a pandas table)."""
    columns = ["distance_ang", "amplitude", "correlation_energy_ev"]
    return {
        kind: {c: rows[c].tolist() for c in columns}
        for kind, rows in table.sort_values("distance_ang").groupby("kind", sort=False)
    }

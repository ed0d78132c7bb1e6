"""Interaction energies of two rigid molecules by quantum chemistry and tight binding.

Energies of the molecules alone may be computed with the basis functions of both (counterpoise; Boys & Bernardi, Mol. Phys.
19, 553 (1970)), so that neither gains from the other's functions in the complex only.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np

from qff.errors import DataError, LabelError
from qff.hybrid.cluster import Cluster
from qff.hybrid.functional import DISPERSION, FUNCTIONAL, GRID_LEVEL, dispersion
from qff.provenance import text_digest, versions, write_json
from qff.units import HARTREE_IN_EV

REFERENCE = "mp2"
SCF_TOLERANCE, SCF_CYCLES = 1e-8, 100


def quantum_energy(
    cluster: Cluster,
    positions: np.ndarray,
    part: str,
    method: str,
    basis: str,
    ghosts: bool,
    where: str,
    start: np.ndarray | None = None,
) -> tuple[dict, np.ndarray]:
    """Energy (eV) of the ``complex``, the ``dyad`` or the ``ligand`` by ``mp2`` or ``b3lyp``, density-fitted.

    MP2 leaves the core electrons out.

    Args:
        ghosts: with the basis functions of the atoms that are not there.
        start: density matrix of another separation or method, which saves iterations.

    Returns:
        energy_ev, dispersion_ev (of B3LYP, where it can be had) and cpu_seconds; the density matrix.

    Raises:
        LabelError: the SCF did not converge; the message starts with ``where``.
    """
    from pyscf import df, dft, gto, mp, scf
    from pyscf.data.elements import chemcore_atm

    began = time.process_time()
    there = {"complex": np.full(len(positions), True), "dyad": ~cluster.ligand, "ligand": cluster.ligand}[part]
    atoms = [
        (s if real else f"ghost-{s}", tuple(x))
        for s, x, real in zip(cluster.symbols, positions, there, strict=True)
        if real or ghosts
    ]
    mol = gto.M(atom=atoms, basis=basis, unit="Angstrom", verbose=0)
    mf = (scf.RHF(mol) if method == REFERENCE else dft.RKS(mol, xc=FUNCTIONAL)).density_fit()
    mf.conv_tol, mf.max_cycle = SCF_TOLERANCE, SCF_CYCLES
    if method != REFERENCE:
        mf.grids.level = GRID_LEVEL
    mf.kernel(start)
    if not mf.converged:
        raise LabelError(f"{where}: {method}/{basis} of the {part} did not converge in {SCF_CYCLES} cycles")
    energy, extra = mf.e_tot, None
    if method == REFERENCE:
        core = sum(chemcore_atm[z] for z in mol.atom_charges())
        solver = mp.MP2(mf, frozen=core)
        solver.with_df = df.DF(mol, auxbasis=df.make_auxbasis(mol, mp2fit=True))
        energy += solver.kernel(with_t2=False)[0]
    elif (found := dispersion(_without_ghosts(mol))) is not None:
        extra = found["energy_ev"]
    seconds = time.process_time() - began
    found = {"energy_ev": energy * HARTREE_IN_EV, "dispersion_ev": extra, "cpu_seconds": seconds}
    return found, mf.make_rdm1()


def _without_ghosts(mol):
    from pyscf import gto

    atoms = [(mol.atom_symbol(k), mol.atom_coord(k)) for k in range(mol.natm) if mol.atom_charge(k)]
    return gto.M(atom=atoms, unit="Bohr", basis="sto-3g", verbose=0)


def tight_binding(cluster: Cluster, positions: np.ndarray) -> float:
    """Interaction energy (eV) by GFN2-xTB.

    Raises:
        DataError: tblite is not installed.
    """
    import ase

    try:
        from tblite.ase import TBLite
    except ImportError as error:
        raise DataError("GFN2-xTB is tblite's, which is not installed: pip install -r requirements.lock") from error
    energies, symbols = [], np.array(cluster.symbols)
    for kept in (np.full(len(symbols), True), ~cluster.ligand, cluster.ligand):
        atoms = ase.Atoms(symbols[kept], positions[kept])
        atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
        energies.append(atoms.get_potential_energy())
    return float(energies[0] - energies[1] - energies[2])


class Ledger:
    """Energies of one cluster, each computed once and kept in a folder."""

    def __init__(self, cluster: Cluster, folder: Path):
        self.cluster, self.folder, self.seconds = cluster, folder, 0.0
        self._densities: dict[tuple, np.ndarray] = {}

    def interaction(self, method: str, basis: str, counterpoise: bool, separation: float) -> list[tuple]:
        """Rows of the table: one, or with dispersion two.

        Raises:
            LabelError: no convergence.
        """
        positions = self.cluster.at(separation)
        found = {}
        for part in ("complex", "dyad", "ligand"):
            # A rigid molecule alone has one energy, wherever it is.
            own = positions if part == "complex" or counterpoise else self.cluster.positions
            ghosts = counterpoise and part != "complex"
            found[part] = self._energy(own, part, method, basis, ghosts, f"separation {separation} Å")
        key = (basis, counterpoise, separation)
        value, extra = (_left(found, k) for k in ("energy_ev", "dispersion_ev"))
        rows = [(method, *key, value)]
        return rows if extra is None else [*rows, (f"{method}_{DISPERSION}", *key, value + extra)]

    def _energy(self, positions, part: str, method: str, basis: str, ghosts: bool, where: str) -> dict:
        settings = [method, basis, part, ghosts, SCF_TOLERANCE, GRID_LEVEL, versions().get("pyscf")]
        key = text_digest([self.cluster.symbols, self.cluster.ligand.tolist(), positions.round(8).tolist(), settings])
        path = self.folder / f"{method}_{basis}_{part}_{key[:12]}.json"
        stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if stored.get("key") != key:
            alike = basis, part, ghosts
            start = self._densities.get(alike)
            found, density = quantum_energy(self.cluster, positions, part, method, basis, ghosts, where, start)
            self._densities[alike] = density
            stored = {"key": key, **found}
            write_json(path, stored)
        self.seconds += stored["cpu_seconds"]
        return stored


def _left(found: dict[str, dict], quantity: str) -> float | None:
    """Of the complex, less both molecules."""
    values = [found[part][quantity] for part in ("complex", "dyad", "ligand")]
    return None if None in values else values[0] - values[1] - values[2]

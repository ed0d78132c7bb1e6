"""Interaction energies of a ligand with the catalytic dyad along their separation: the testable core of the binding case.

    python -m qff.hybrid.binding config/structures/dyad.extxyz --folder results/binding --freeze results/published/reference/dyad.csv

Both molecules are rigid and the ligand is moved along the axis of the cluster (:mod:`qff.hybrid.cluster`). Energies of the
two alone are computed with the basis functions of both (counterpoise; Boys & Bernardi, Mol. Phys. 19, 553 (1970)). Where the
reference has its minimum it is computed in a larger basis too, with and without counterpoise: the limit of a complete basis
usually lies between the two, and their mean is closer to it than either (Burns, Marshall & Sherrill, J. Chem. Theory Comput.
10, 49 (2014)). Finished energies are kept in the folder: a second call goes on where the first one ended.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from qff.command import reported
from qff.errors import DataError, LabelError
from qff.hybrid import amber_pairs
from qff.hybrid.cluster import Cluster, read_cluster
from qff.hybrid.functional import DISPERSION, FUNCTIONAL, GRID_LEVEL, dispersion
from qff.jobs import progress
from qff.provenance import file_digest, git_state, text_digest, versions, write_csv, write_json
from qff.units import HARTREE_IN_EV, KCAL_PER_MOL_IN_EV

COLUMNS = ["method", "basis", "counterpoise", "separation_ang", "interaction_ev"]
REFERENCE, BASIS, LARGER_BASIS = "mp2", "cc-pVDZ", "aug-cc-pVDZ"
SEPARATIONS = (3.1, 3.3, 3.5, 3.7, 4.0, 4.5, 5.5, 7.0)  # Å
SCF_TOLERANCE, SCF_CYCLES = 1e-8, 100
NEIGHBOURS = 1  # separations on either side of the minimum at which the functional is computed
TOLERANCE_EV = 1e-5  # of recomputed energies of the force field


def quantum_energy(
    cluster: Cluster, positions: np.ndarray, part: str, method: str, basis: str, ghosts: bool, where: str
) -> dict:
    """Energy (eV) of the ``complex``, the ``dyad`` or the ``ligand`` by ``mp2`` or ``b3lyp``, density-fitted.

    MP2 leaves the core electrons out. ``ghosts``: with the basis functions of the atoms that are not there.

    Returns:
        energy_ev, dispersion_ev (of B3LYP, where it can be had) and cpu_seconds.

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
    mf.kernel()
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
    return {
        "energy_ev": energy * HARTREE_IN_EV, "dispersion_ev": extra, "cpu_seconds": time.process_time() - began
    }  # fmt: skip


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
            found[part] = self._energy(own, part, method, basis, counterpoise, f"separation {separation} Å")
        key = (basis, counterpoise, separation)
        value, extra = (_left(found, k) for k in ("energy_ev", "dispersion_ev"))
        rows = [(method, *key, value)]
        return rows if extra is None else [*rows, (f"{method}_{DISPERSION}", *key, value + extra)]

    def _energy(self, positions, part: str, method: str, basis: str, ghosts: bool, where: str) -> dict:
        settings = [
            method,
            basis,
            part,
            ghosts and part != "complex",
            SCF_TOLERANCE,
            GRID_LEVEL,
            versions().get("pyscf"),
        ]
        key = text_digest([self.cluster.symbols, self.cluster.ligand.tolist(), positions.round(8).tolist(), settings])
        path = self.folder / f"{method}_{basis}_{part}_{key[:12]}.json"
        stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if stored.get("key") != key:
            stored = {"key": key, **quantum_energy(self.cluster, positions, part, method, basis, ghosts, where)}
            write_json(path, stored)
        self.seconds += stored["cpu_seconds"]
        return stored


def _left(found: dict[str, dict], quantity: str) -> float | None:
    """Of the complex, less both molecules."""
    values = [found[part][quantity] for part in ("complex", "dyad", "ligand")]
    return None if None in values else values[0] - values[1] - values[2]


def cheap_rows(cluster: Cluster, separations: list[float], where: str) -> list[tuple]:
    """GFN2-xTB at all separations, and AMBER if it has parameters for all atoms."""
    rows = [("gfn2", "", False, s, tight_binding(cluster, cluster.at(s))) for s in separations]
    try:
        amber_pairs.parameters(cluster, where)
    except DataError as error:
        print(error, file=sys.stderr)
        return rows
    return rows + [
        ("amber", "", False, s, amber_pairs.interaction(cluster, cluster.at(s), where)) for s in separations
    ]


def minimum(table: pd.DataFrame) -> float:
    """Separation (Å) at which the reference's scan is lowest."""
    scan = table[(table.method == REFERENCE) & (table.basis == BASIS)]
    return float(scan.separation_ang[scan.interaction_ev.idxmin()])


def calculate(cluster: Cluster, separations: list[float], folder: Path, where: str) -> tuple[pd.DataFrame, float]:
    """All rows, and the CPU seconds of the quantum chemistry.

    Raises:
        LabelError: no convergence. DataError: the reference has no minimum between the ends of the scan.
    """
    ledger = Ledger(cluster, folder)
    rows = cheap_rows(cluster, separations, where)
    for s in progress(separations, f"{REFERENCE} in {BASIS}"):
        rows += ledger.interaction(REFERENCE, BASIS, True, s)
    lowest = separations.index(minimum(pd.DataFrame(rows, columns=COLUMNS)))
    if lowest in (0, len(separations) - 1):
        raise DataError(
            f"{where}: no minimum between {separations[0]} and {separations[-1]} Å; give other --separations"
        )
    for counterpoise in progress([True, False], f"{REFERENCE} in {LARGER_BASIS}"):
        rows += ledger.interaction(REFERENCE, LARGER_BASIS, counterpoise, separations[lowest])
    near = separations[max(lowest - NEIGHBOURS, 0) : lowest + NEIGHBOURS + 1]
    for s in progress(near, f"{FUNCTIONAL} in {BASIS}"):
        rows += ledger.interaction(FUNCTIONAL, BASIS, True, s)
    return pd.DataFrame(rows, columns=COLUMNS), ledger.seconds


def freeze(table: pd.DataFrame, path: Path, structure: Path, seconds: float, command: str) -> None:
    """Write the table and, beside it, where it comes from."""
    write_csv(path, table)
    used = ("python", "platform", "pyscf", "tblite", "numpy", "scipy")
    write_json(
        path.with_suffix(".json"),
        {
            "file": path.name,
            "sha256": file_digest(path),
            "structure": {"file": structure.as_posix(), "sha256": file_digest(structure)},
            "settings": {"scf_tolerance_hartree": SCF_TOLERANCE, "grid_level": GRID_LEVEL, "core": "frozen in MP2"},
            "command": command,
            "cpu_seconds": round(seconds, 1),
            "versions": {k: v for k, v in versions().items() if k in used},
            "git": git_state(),
        },
    )


def read_binding(path: Path, structure: Path) -> pd.DataFrame:
    """A frozen table; what it says of the force field is computed again.

    Raises:
        DataError: unreadable, edited, made of another structure, or other numbers come out.
    """
    try:
        provenance = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        sha256, origin = provenance["sha256"], provenance["structure"]["sha256"]
        table = pd.read_csv(path, keep_default_na=False)[COLUMNS]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: table or its provenance is unreadable ({error}); restore them with git") from error
    if file_digest(path) != sha256:
        raise DataError(f"{path}: differs from its recorded sha256: the file was edited; restore it with git")
    if file_digest(structure) != origin:
        raise DataError(f"{path}: made of another structure than {structure}; run python -m qff.hybrid.binding again")
    cluster = read_cluster(structure)
    for row in table[table.method == "amber"].itertuples():
        found = amber_pairs.interaction(cluster, cluster.at(row.separation_ang), str(structure))
        if abs(found - row.interaction_ev) > TOLERANCE_EV:
            raise DataError(
                f"{path}: AMBER at {row.separation_ang} Å is {found:.6f} eV, not {row.interaction_ev:.6f}; the parameters "
                "changed: run python -m qff.hybrid.binding again"
            )
    return table


def deviations(table: pd.DataFrame) -> dict[str, dict[str, tuple[float, float, float]]]:
    """At the minimum of the reference: method → quantity → value and its ends, in kcal/mol.

    The ends are those of the reference, with and without counterpoise in the larger basis; its value is their mean. Methods
    have ``interaction_energy``, what they lack of the reference's (``interaction_error``, signed) and its size
    (``interaction_deviation``).
    """
    at = table[table.separation_ang == minimum(table)]
    ends = sorted(at[(at.method == REFERENCE) & (at.basis == LARGER_BASIS)].interaction_ev / KCAL_PER_MOL_IN_EV)
    low, high = ends[0], ends[-1]
    middle = (low + high) / 2
    found = {"reference": {"interaction_energy": (middle, low, high)}}
    for row in at[at.basis != LARGER_BASIS].itertuples():
        value = row.interaction_ev / KCAL_PER_MOL_IN_EV
        error = (value - middle, value - high, value - low)
        sizes = sorted(abs(e) for e in error[1:])
        size = (abs(error[0]), 0.0 if low <= value <= high else sizes[0], sizes[1])
        found[row.method] = {
            "interaction_energy": (value,) * 3, "interaction_error": error, "interaction_deviation": size
        }  # fmt: skip
    return found


@reported
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("structure", type=Path, help="cluster of a dyad and a ligand, extended XYZ")
    parser.add_argument("--folder", type=Path, required=True, help="where finished energies are kept")
    parser.add_argument("--separations", type=float, nargs="+", default=list(SEPARATIONS), help="Å, ascending")
    parser.add_argument("--freeze", type=Path, help="table (csv) to write, with its provenance beside it")
    options = parser.parse_args(arguments)
    separations = sorted(options.separations)
    table, seconds = calculate(read_cluster(options.structure), separations, options.folder, str(options.structure))
    if options.freeze:
        words = " ".join(f"{s:g}" for s in separations)
        command = f"python -m qff.hybrid.binding {options.structure.as_posix()} --separations {words}"
        freeze(table, options.freeze, options.structure, seconds, command)
    print(table.assign(interaction_kcal=table.interaction_ev / KCAL_PER_MOL_IN_EV).to_string(index=False))
    print(json.dumps(deviations(table), indent=1))
    print(f"{seconds:.0f} s of processor time")
    return 0


if __name__ == "__main__":
    sys.exit(main())

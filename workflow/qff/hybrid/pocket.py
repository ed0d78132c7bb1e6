"""Cuts the catalytic dyad and a ligand out of a protein in PDB format and closes the cut bonds with hydrogens.

    python -m qff.hybrid.pocket protease.pdb --cysteine A:145 --histidine A:41 --ligand A:401 --output pocket.extxyz

The file is the user's and needs its hydrogens (PDBFixer or OpenMM's Modeller add them); both side chains and the ligand
must be neutral and not bound to each other. ``--atoms C3 O3 N4 …`` keeps a fragment of a ligand that is too large. What
comes out is read by ``python -m qff.hybrid.binding``. Format: wwPDB, Atomic Coordinate Entry Format 3.3, section 9.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qff.command import reported
from qff.errors import DataError
from qff.hybrid.cluster import CAP, Cluster, write_cluster

BACKBONE = {"N", "H", "HN", "CA", "HA", "C", "O", "OXT", "H1", "H2", "H3"}
CYSTEINE = {"CB", "HB2", "HB3", "SG", "HG"}
HISTIDINE = {"CB", "HB2", "HB3", "CG", "ND1", "CE1", "HE1", "NE2", "CD2", "HD2"}
HYDROGEN_ANG = {"C": 1.09, "N": 1.01, "O": 0.96, "S": 1.34}  # length of a bond to a closing hydrogen
BONDED, SINGLE = 1.25, 0.93  # of the sum of covalent radii: no bond beyond the first, no single bond below the second
REMEDY = "add hydrogens and missing atoms first (PDBFixer)"


@dataclass(frozen=True)
class Atom:
    name: str
    residue: str
    place: str  # chain:number
    symbol: str
    position: np.ndarray  # Å


def read_atoms(path: Path) -> list[Atom]:
    """Atoms of the first model; of alternative places the first.

    Raises:
        DataError: unreadable, a line that is no atom of PDB format (named), or no atoms.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise DataError(f"{path}: unreadable ({error})") from error
    found: dict[tuple[str, str], Atom] = {}
    for number, line in enumerate(lines, 1):
        if line.startswith("ENDMDL"):
            break
        if not line.startswith(("ATOM  ", "HETATM")):
            continue
        try:
            position = np.array([float(line[k : k + 8]) for k in (30, 38, 46)])
            place = f"{line[21].strip() or '_'}:{int(line[22:26])}{line[26].strip()}"
        except (ValueError, IndexError) as error:
            raise DataError(f"{path}, line {number}: not an atom of a PDB file ({error})") from error
        name = line[12:16].strip()
        symbol = line[76:78].strip().capitalize() or name.lstrip("0123456789")[:1]
        found.setdefault((place, name), Atom(name, line[17:20].strip(), place, symbol, position))
    if not found:
        raise DataError(f"{path}: no ATOM or HETATM line: not a PDB file")
    return list(found.values())


def _residue(atoms: list[Atom], place: str, where: str) -> list[Atom]:
    own = [a for a in atoms if a.place == place]
    if not own:
        chains = ", ".join(sorted({a.place.split(":")[0] for a in atoms}))
        raise DataError(f"{where}: no residue {place} (chain:number); chains are {chains}, '_' if they have no name")
    return own


def side_chain(atoms: list[Atom], place: str, kind: str, where: str) -> tuple[str, list[Atom]]:
    """Name of a residue in AMBER's library, and its atoms from the β carbon on, closed towards the α carbon.

    Raises:
        DataError: no such residue, one of another kind, missing atoms, or a charged one.
    """
    own = _residue(atoms, place, where)
    names, wanted = {"cysteine": (("CYS",), CYSTEINE), "histidine": (("HIS", "HID", "HIE", "HIP"), HISTIDINE)}[kind]
    if own[0].residue not in names:
        raise DataError(f"{where}: residue {place} is {own[0].residue}, not a {kind}")
    there = {a.name: a for a in own}
    if missing := sorted((wanted | {"CA"}) - set(there)):
        raise DataError(
            f"{where}: {kind} {place} lacks {', '.join(missing)}: {REMEDY}; a cysteine without HG is charged"
        )
    residue = "CYS"
    if kind == "histidine":
        protons = {"HD1", "HE2"} & set(there)
        if len(protons) != 1:
            state = "both HD1 and HE2: it is charged" if protons else f"neither HD1 nor HE2: {REMEDY}"
            raise DataError(f"{where}: histidine {place} has {state}; a neutral one is needed")
        residue = "HID" if protons == {"HD1"} else "HIE"
    kept = [a for a in own if a.name not in BACKBONE]
    return residue, [*kept, _closing(there["CB"], there["CA"], CAP)]


def _closing(end: Atom, gone: Atom, name: str) -> Atom:
    """The hydrogen on ``end`` in place of the atom that is cut off."""
    along = gone.position - end.position
    at = end.position + along * HYDROGEN_ANG.get(end.symbol, 1.09) / np.linalg.norm(along)
    return Atom(name, end.residue, end.place, "H", at)


def fragment(atoms: list[Atom], place: str, names: list[str] | None, where: str) -> list[Atom]:
    """A ligand, or the atoms of it that are named and their hydrogens, closed where single bonds are cut.

    Raises:
        DataError: no such residue or atom, no hydrogens, or a bond that is not single would be cut.
    """
    own = _residue(atoms, place, where)
    if all(a.symbol != "H" for a in own):
        raise DataError(f"{where}: ligand {place} has no hydrogens: {REMEDY}")
    if names is None:
        return own
    if unknown := sorted(set(names) - {a.name for a in own}):
        raise DataError(f"{where}: ligand {place} has no atom {unknown[0]}; it has {', '.join(a.name for a in own)}")
    bonds = [(a, b) for a in own for b in own if a is not b and _ratio(a, b) < BONDED]
    kept = {a.name for a in own if a.name in names}
    kept |= {b.name for a, b in bonds if a.name in kept and b.symbol == "H"}
    found = [a for a in own if a.name in kept]
    for a, b in bonds:
        if a.name in kept and b.name not in kept:
            if _ratio(a, b) < SINGLE:
                raise DataError(
                    f"{where}: the bond {a.name}–{b.name} of ligand {place} is not single; keep both or none"
                )
            found.append(_closing(a, b, CAP))
    return found


def _ratio(a: Atom, b: Atom) -> float:
    """Distance over the sum of covalent radii (Cordero et al., Dalton Trans. 2832 (2008))."""
    from ase.data import atomic_numbers, covalent_radii

    radii = sum(covalent_radii[atomic_numbers[x.symbol]] for x in (a, b))
    return float(np.linalg.norm(a.position - b.position) / radii)


def cut(path: Path, cysteine: str, histidine: str, ligand: str, names: list[str] | None = None) -> Cluster:
    """Dyad and ligand of a PDB file; the axis runs from the sulfur to the nearest heavy atom of the ligand.

    Raises:
        DataError: names the file and what is missing, charged, or bound covalently.
    """
    atoms, where = read_atoms(path), str(path)
    parts = [
        side_chain(atoms, cysteine, "cysteine", where),
        side_chain(atoms, histidine, "histidine", where),
        ("LIG", fragment(atoms, ligand, names, where)),
    ]
    chosen = [a for _, own in parts for a in own]
    residues = [residue for residue, own in parts for _ in own]
    bound = np.array([r == "LIG" for r in residues])
    for a in (x for x, is_ligand in zip(chosen, bound, strict=True) if is_ligand):
        for b in (x for x, is_ligand in zip(chosen, bound, strict=True) if not is_ligand):
            if "H" not in (a.symbol, b.symbol) and _ratio(a, b) < BONDED:
                raise DataError(
                    f"{where}: ligand atom {a.name} is bound to {b.name} of {b.place}: no complex but one molecule"
                )
    _check_electrons(parts, where)
    sulfur = next(k for k, a in enumerate(chosen) if a.name == "SG" and not bound[k])
    heavy = [k for k, a in enumerate(chosen) if bound[k] and a.symbol != "H"]
    nearest = min(heavy, key=lambda k: np.linalg.norm(chosen[k].position - chosen[sulfur].position))
    positions = np.array([a.position for a in chosen])
    return Cluster(
        [a.symbol for a in chosen], positions, residues, [a.name for a in chosen], bound, (sulfur, nearest)
    )


def _check_electrons(parts: list[tuple[str, list[Atom]]], where: str) -> None:
    from ase.data import atomic_numbers

    for residue, own in parts:
        if sum(atomic_numbers[a.symbol] for a in own) % 2:
            raise DataError(
                f"{where}: {residue} has an odd number of electrons: it is charged, or lacks hydrogens: {REMEDY}"
            )


@reported
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("structure", type=Path, help="PDB file with hydrogens")
    for kind in ("cysteine", "histidine", "ligand"):
        parser.add_argument(f"--{kind}", required=True, help="chain:number of the residue, such as A:145")
    parser.add_argument("--atoms", nargs="+", help="heavy atoms of the ligand to keep; all of it by default")
    parser.add_argument("--output", type=Path, required=True, help="extended XYZ for python -m qff.hybrid.binding")
    options = parser.parse_args(arguments)
    found = cut(options.structure, options.cysteine, options.histidine, options.ligand, options.atoms)
    write_cluster(options.output, found, f"{options.structure.name}, {options.ligand}")
    print(
        f"{options.output}: {len(found.symbols)} atoms, {found.ligand.sum()} of the ligand, {found.separation:.2f} Ang from S"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``input.data``: structures with energies and forces in Ha and bohr."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import ase
import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import atomic_numbers

from qff.errors import DataError
from qff.n2p2.files import exact
from qff.provenance import write_text


def read_structures(path: str | Path) -> list[ase.Atoms]:
    """Structures with positions and cell in bohr, energy (Ha) and forces (Ha/bohr) as a single-point calculator.

    ``info`` holds the comment and the total charge, ``arrays`` the initial charges and energies of atoms.

    Raises:
        DataError: missing or malformed; it names file and line.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: unreadable ({error})") from None
    structures, block = [], None
    for number, text in enumerate(lines, 1):
        keyword, *words = text.split() or [""]
        where = f"{path}, line {number}"
        if keyword == "comment":
            if block is not None:
                block["comment"] = text.split(None, 1)[1] if words else ""
        elif keyword == "begin":
            if block is not None:
                raise DataError(f"{where}: 'begin' inside a structure; its 'end' is missing")
            block = {"atoms": [], "lattice": [], "energy": 0.0, "charge": 0.0, "comment": ""}
        elif not keyword or keyword.startswith("#"):
            continue
        elif block is None:
            raise DataError(f"{where}: '{keyword}' outside of 'begin' and 'end'")
        elif keyword == "end":
            structures.append(_structure(block, where))
            block = None
        elif keyword == "atom":
            if len(words) != 9 or words[3] not in atomic_numbers:
                raise DataError(f"{where}: 'atom' takes x y z element charge energy fx fy fz (got '{text.strip()}')")
            block["atoms"].append((words[3], _numbers(words[:3] + words[4:], where)))
        elif keyword == "lattice" and len(words) == 3:
            block["lattice"].append(_numbers(words, where))
        elif keyword in ("energy", "charge") and len(words) == 1:
            (block[keyword],) = _numbers(words, where)
        else:
            raise DataError(f"{where}: '{text.strip()}' is not a line of a structure")
    if block is not None:
        raise DataError(f"{path}: the last structure has no 'end'; the file is truncated")
    return structures


def _numbers(words, where):
    try:
        return [float(w) for w in words]
    except ValueError:
        raise DataError(f"{where}: expected numbers (got '{' '.join(words)}')") from None


def _structure(block, where) -> ase.Atoms:
    if not block["atoms"]:
        raise DataError(f"{where}: the structure has no atoms")
    if len(block["lattice"]) not in (0, 3):
        raise DataError(f"{where}: {len(block['lattice'])} lattice vectors; give three, or none")
    numbers = np.array([row for _, row in block["atoms"]])
    atoms = ase.Atoms([s for s, _ in block["atoms"]], numbers[:, :3], cell=block["lattice"] or None)
    atoms.pbc = bool(block["lattice"])
    atoms.info = {"comment": block["comment"], "charge": block["charge"]}
    atoms.set_initial_charges(numbers[:, 3])
    atoms.arrays["atom_energies"] = numbers[:, 4]
    atoms.calc = SinglePointCalculator(atoms, energy=block["energy"], forces=numbers[:, 5:])
    return atoms


def write_structures(path: str | Path, structures: Iterable[ase.Atoms]) -> None:
    """Write ``input.data``; positions, cell and results are taken to be in bohr and Ha. Missing results are zero."""
    rows = []
    for atoms in structures:
        results = atoms.calc.results if atoms.calc is not None else {}
        forces = results.get("forces", np.zeros((len(atoms), 3)))
        energies = atoms.arrays.get("atom_energies", np.zeros(len(atoms)))
        charges = atoms.get_initial_charges()
        rows += ["begin", f"comment {atoms.info.get('comment', '')}".rstrip()]
        if atoms.pbc.any():
            rows += ["lattice " + " ".join(map(exact, vector)) for vector in atoms.cell]
        for k, symbol in enumerate(atoms.get_chemical_symbols()):
            numbers = [charges[k], energies[k], *forces[k]]
            rows.append(
                f"atom {' '.join(map(exact, atoms.positions[k]))} {symbol:>2s} {' '.join(map(exact, numbers))}"
            )
        rows += [
            f"energy {exact(results.get('energy', 0.0))}",
            f"charge {exact(atoms.info.get('charge', 0.0))}",
            "end",
        ]
    write_text(path, "\n".join(rows) + "\n")

"""Labels of periodic cells with GFN1-xTB (Grimme, Bannwarth & Shushkov, JCTC 13, 1989 (2017)) by tblite.

``python -m qff.materials.labelling STRUCTURE --frames 40 --workdir FOLDER`` labels distorted copies of a structure;
``--positions FILE`` labels the cells of a file instead, such as those that :mod:`qff.materials.active` proposes. Finished
frames are kept in FOLDER one by one: stop the command at any time, and the same command goes on. ``--collect FILE``
writes all of them as one extended XYZ file.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path

import numpy as np

from qff.command import reported
from qff.errors import DataError, LabelError
from qff.jobs import progress
from qff.materials.frames import Frame
from qff.provenance import text_digest, versions, write_json, write_text
from qff.randomness import generator

METHOD = "GFN1-xTB"
LARGEST_SPREAD = 0.08  # Å, standard deviation of displacements
LARGEST_STRAIN = 0.02


def read_structure(path: str | Path):
    """A cell as ASE atoms.

    Raises:
        DataError: unreadable, or not periodic.
    """
    import ase.io

    try:
        atoms = ase.io.read(path)
    except Exception as error:  # whatever the reader makes of another file
        raise DataError(f"{path}: not a readable structure ({error})") from error
    if not atoms.pbc.all():
        raise DataError(f"{path}: no cell that is periodic in three directions")
    return atoms


def distorted(atoms, rng: np.random.Generator):
    """A copy with all atoms displaced and the cell strained, by amplitudes that differ from copy to copy."""
    found = atoms.copy()
    strain = rng.normal(scale=LARGEST_STRAIN * rng.random(), size=(3, 3))
    found.set_cell(found.cell.array @ (np.eye(3) + 0.5 * (strain + strain.T)), scale_atoms=True)
    found.positions += rng.normal(scale=LARGEST_SPREAD * (0.1 + 0.9 * rng.random()), size=(len(atoms), 3))
    return found


def label(atoms, where: str) -> Frame:
    """Energy, forces and stress of a cell.

    Raises:
        LabelError: the calculation did not converge.
    """
    from tblite.ase import TBLite

    copy = atoms.copy()
    copy.calc = TBLite(method=METHOD, verbosity=0)
    try:
        energy, forces, stress = copy.get_potential_energy(), copy.get_forces(), copy.get_stress(voigt=False)
    except Exception as error:  # tblite's own
        raise LabelError(f"{where}: {METHOD} failed ({error}); the frames before it are kept") from error
    return Frame(copy.numbers, copy.positions, copy.cell.array, float(energy), forces, stress)


def label_all(structures: list, workdir: Path) -> list[Frame]:
    """Labels of cells; finished ones are found in ``workdir``. A frame without a label is left out, and said so."""
    found = []
    for number, atoms in enumerate(progress(structures, "cells")):
        key = text_digest([METHOD, versions().get("tblite"), atoms.numbers, atoms.positions, atoms.cell.array])
        path = workdir / f"{key[:16]}.json"
        if (kept := _read(path)) is None:
            try:
                kept = label(atoms, f"frame {number}")
            except LabelError as error:
                print(error, file=sys.stderr)
                continue
            write_json(path, {name: getattr(kept, name) for name in Frame.__dataclass_fields__})
        found.append(kept)
    return found


def _read(path: Path) -> Frame | None:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        arrays = {name: np.array(stored[name]) for name in ("numbers", "positions", "cell", "forces", "stress")}
        return Frame(energy=float(stored["energy"]), **arrays)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_frames(path: str | Path, frames: list[Frame], **info: str) -> None:
    """Frames as extended XYZ; ``info`` (method, program, …) goes into every comment line."""
    import ase.io
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator

    images = []
    for number, frame in enumerate(frames):
        atoms = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=True)
        labels = {"energy": frame.energy, "forces": frame.forces}
        if frame.stress is not None:
            labels["stress"] = frame.stress
        atoms.calc = SinglePointCalculator(atoms, **labels)
        atoms.info |= {"frame": number, **info}
        images.append(atoms)
    text = io.StringIO()
    ase.io.write(text, images, format="extxyz")
    write_text(path, text.getvalue())


@reported
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m qff.materials.labelling", description=__doc__.splitlines()[0])
    parser.add_argument("structure", type=Path, help="cell to distort (any format that ASE reads)")
    parser.add_argument("--frames", type=int, default=40, help="distorted copies to label")
    parser.add_argument("--positions", type=Path, help="file of cells to label after them")
    parser.add_argument("--workdir", type=Path, required=True, help="where finished labels are kept")
    parser.add_argument("--seed", type=int, default=2022)
    parser.add_argument("--collect", type=Path, help="extended XYZ file to write")
    options = parser.parse_args(arguments)
    atoms = read_structure(options.structure)
    cells = [
        distorted(atoms, generator(options.seed, "labelling", options.structure.stem, k))
        for k in range(options.frames)
    ]
    if options.positions:
        import ase.io

        cells += ase.io.read(options.positions, index=":")
    frames = label_all(cells, options.workdir)
    if options.collect:
        write_frames(options.collect, frames, method=METHOD, program=f"tblite {versions().get('tblite')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Labelled sets that others made: read from where the user keeps them, converted to eV and Å, never stored here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qff.config import ImportedConfig, SystemConfig
from qff.data import LabelledFrames
from qff.errors import DataError
from qff.provenance import file_digest
from qff.units import BOHR_IN_ANG, HARTREE_IN_EV, KCAL_PER_MOL_IN_EV


@dataclass(frozen=True)
class Layout:
    """Keys of an npz archive, the length of its units in Å and eV; forces are in energy per length."""

    numbers: str
    positions: str
    energies: str
    forces: str
    length: float
    energy: float


# A further archive of the same kind is one more line here and in the choices of `imported.format`; rMD17 has its own
# rules, and is read by qff.reference.rmd17 alone.
LAYOUTS = {
    "npz_atomic_units": Layout(
        "atomic_numbers", "positions_bohr", "energies_hartree", "forces_hartree_per_bohr", BOHR_IN_ANG, HARTREE_IN_EV
    ),
    "npz_rmd17": Layout("nuclear_charges", "coords", "energies", "forces", 1.0, KCAL_PER_MOL_IN_EV),
}


@dataclass(frozen=True)
class RawSet:
    """A set as its file holds it, in Å and eV: positions (B, A, 3), energies (B,), forces (B, A, 3) or None."""

    symbols: list[str]
    positions: np.ndarray
    energies: np.ndarray
    forces: np.ndarray | None

    def in_order_of(self, symbols: list[str], where: str) -> RawSet:
        """The same with atoms in the order of ``symbols``; atoms of one element keep their order.

        Raises:
            DataError: other atoms.
        """
        if sorted(symbols) != sorted(self.symbols):
            raise DataError(f"{where}: atoms {self.symbols}, expected {list(symbols)} in any order")
        order = np.empty(len(symbols), int)
        order[np.argsort(symbols, kind="stable")] = np.argsort(self.symbols, kind="stable")
        forces = None if self.forces is None else self.forces[:, order]
        return RawSet(list(symbols), self.positions[:, order], self.energies, forces)

    def select(self, frames: np.ndarray) -> RawSet:
        """The same with some of its frames."""
        forces = None if self.forces is None else self.forces[frames]
        return RawSet(self.symbols, self.positions[frames], self.energies[frames], forces)


def read_raw(path: Path, layout: str) -> RawSet:
    """Read a set: an npz archive with one of the ``LAYOUTS``, or ``extxyz`` with ``energy`` (eV) and ``forces``.

    Raises:
        DataError: unreadable, a key is missing, shapes disagree, or values are not finite.
    """
    try:
        found = _read_extxyz(path) if layout == "extxyz" else _read_npz(path, LAYOUTS[layout])
    except DataError:
        raise
    except Exception as error:  # whatever the two readers make of a damaged file
        raise DataError(f"{path}: not a readable {layout} file ({error}); fetch it again") from error
    n, atoms = len(found.energies), len(found.symbols)
    if (
        n == 0
        or found.energies.shape != (n,)
        or found.positions.shape != (n, atoms, 3)
        or (found.forces is not None and found.forces.shape != (n, atoms, 3))
    ):
        forces = "none" if found.forces is None else found.forces.shape
        raise DataError(
            f"{path}: energies {found.energies.shape}, positions {found.positions.shape} and forces {forces} do not "
            f"describe frames of {atoms} atoms; fetch it again, or choose another imported.format"
        )
    numbers = [found.positions, found.energies[:, None, None], *([] if found.forces is None else [found.forces])]
    finite = np.all([np.isfinite(x).all((1, 2)) for x in numbers], axis=0)
    if not finite.all():
        raise DataError(f"{path}, frame {int(np.argmin(finite))}: values that are not finite; fetch the file again")
    return found


def _read_npz(path: Path, layout: Layout) -> RawSet:
    from ase.data import chemical_symbols

    with np.load(path, allow_pickle=False) as archive:
        wanted = (layout.numbers, layout.positions, layout.energies)
        if missing := [k for k in wanted if k not in archive]:
            raise DataError(
                f"{path}: no '{missing[0]}'; it holds {', '.join(archive.files)}: another imported.format?"
            )
        forces = archive[layout.forces] * (layout.energy / layout.length) if layout.forces in archive else None
        return RawSet(
            [chemical_symbols[z] for z in archive[layout.numbers]],
            archive[layout.positions] * layout.length,
            np.asarray(archive[layout.energies] * layout.energy, float).reshape(-1),
            forces,
        )


def _read_extxyz(path: Path) -> RawSet:
    import ase.io

    images = ase.io.read(path, index=":", format="extxyz")
    symbols = images[0].get_chemical_symbols()
    for number, atoms in enumerate(images):
        if atoms.get_chemical_symbols() != symbols:
            raise DataError(f"{path}, frame {number}: other atoms than in frame 0")
        if atoms.calc is None or "energy" not in atoms.calc.results:
            raise DataError(f"{path}, frame {number}: no 'energy' (eV)")
    with_forces = all("forces" in a.calc.results for a in images)
    return RawSet(
        symbols,
        np.array([a.positions for a in images]),
        np.array([a.calc.results["energy"] for a in images]),
        np.array([a.calc.results["forces"] for a in images]) if with_forces else None,
    )


def check_file(path: Path, imported: ImportedConfig) -> None:
    """Make sure that a file is the one the configuration means.

    Raises:
        DataError: missing, or another sha256.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; it is published at {imported.source}")
    if (found := file_digest(path)) != imported.sha256:
        raise DataError(
            f"{path}: sha256 is {found}, config/systems.yaml expects {imported.sha256}: another version of the set, "
            f"or a damaged file; fetch it again ({imported.source})"
        )


def read_imported(path: Path, system: SystemConfig) -> LabelledFrames:
    """Energies and forces of an imported set, with the atoms in the order of the system.

    Raises:
        DataError: missing, another sha256, unreadable, other atoms, no forces, or another number of frames.
    """
    imported = system.reference.imported
    check_file(path, imported)
    found = read_raw(path, imported.format).in_order_of(system.atoms, str(path))
    if found.forces is None:
        raise DataError(f"{path}: holds no forces; models are trained on energies and forces")
    if len(found.energies) != imported.n_frames:
        raise DataError(f"{path}: {len(found.energies)} frames, config/systems.yaml expects {imported.n_frames}")
    origin = {"method": system.reference.method, "basis": system.reference.basis, "program": "unknown"}
    info = [{"frame": k, "part": "imported", **origin, "source": path.name} for k in range(imported.n_frames)]
    # Files of frames have 8 decimals, as those of our own labels.
    return LabelledFrames(found.symbols, np.round(found.positions, 8), found.energies, found.forces, info)

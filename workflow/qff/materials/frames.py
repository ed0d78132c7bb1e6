"""Labelled frames of periodic cells: compositions and cells may vary from frame to frame."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols
from ase.stress import voigt_6_to_full_3x3_stress

from qff.errors import DataError
from qff.materials.neighbours import neighbour_list
from qff.units import BOHR_IN_ANG, HARTREE_IN_EV, KCAL_PER_MOL_IN_EV

# What labels are called, in capitals or not; the first that is there counts. By ASE, in our own files and those of MACE, by
# QUIP, by GPUMD.
ENERGIES = ("energy", "ref_energy", "dft_energy", "free_energy")
FORCES = ("forces", "ref_forces", "dft_forces", "force")
STRESSES = ("stress", "ref_stress", "dft_stress")
VIRIALS = ("virial", "virials", "ref_virial", "ref_virials", "dft_virial")  # eV, minus stress times volume

SMALLEST_VOLUME = 0.5  # Å³ per atom; a cell in other units than Å, or none at all
SMALLEST_DISTANCE = 0.4  # Å, half a bond of hydrogen; fractional coordinates, or an atom given twice
CLOSE = 0.12  # Å, root-mean-square displacement of frames between which forces do the work that energies tell
CLOSE_PAIRS = 5
OUTLIER = 10.0  # median deviations from the median beyond which an energy may be one in another unit
# What an energy may be too large or too small by: Hartree, Rydberg, kcal/mol and kJ/mol in place of eV.
ENERGY_UNITS = {
    "Hartree": HARTREE_IN_EV,
    "Rydberg": HARTREE_IN_EV / 2,
    "kcal/mol": KCAL_PER_MOL_IN_EV,
    "kJ/mol": KCAL_PER_MOL_IN_EV / 4.184,
}


@dataclass(frozen=True)
class Frame:
    """A periodic cell and its labels.

    numbers (A,), positions (A, 3) in Å, cell (3, 3) in Å with the lattice vectors as rows, energy in eV, forces (A, 3)
    in eV/Å, stress (3, 3) in eV/Å³ with the sign of ASE (positive under tension) or None.
    """

    numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    energy: float
    forces: np.ndarray
    stress: np.ndarray | None = None

    @property
    def volume(self) -> float:
        return float(abs(np.linalg.det(self.cell)))

    @property
    def composition(self) -> str:
        """Formula in the order of atomic numbers, such as Li20P4S24Ge2."""
        counts = Counter(self.numbers.tolist())
        return "".join(f"{chemical_symbols[z]}{counts[z] if counts[z] > 1 else ''}" for z in sorted(counts))


def read_frames(path: str | Path) -> list[Frame]:
    """Frames of an extended XYZ file with energies (eV), forces (eV/Å) and, where there are any, stresses (eV/Å³) or virials
    (eV), by the names in :data:`ENERGIES`, :data:`FORCES`, :data:`STRESSES` and :data:`VIRIALS`.

    Raises:
        DataError: unreadable, no frame, a frame without elements, cell, energy or forces, values that are not finite, atoms
            in one place, frames given twice, or labels in different units.
    """
    import ase.io

    try:
        images = ase.io.read(path, index=":", format="extxyz")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except Exception as error:  # whatever the reader makes of a damaged file
        raise DataError(
            f"{path}: not a readable extended XYZ file ({error}); fetch it again, or write it anew with ASE"
        ) from error
    if not images:
        raise DataError(f"{path}: holds no frame; fetch it again")
    frames = [_frame(atoms, f"{path}, frame {k}") for k, atoms in enumerate(images)]
    check_distinct(frames, str(path))
    check_units(frames, str(path))
    return frames


def _frame(atoms, where: str) -> Frame:
    results = atoms.calc.results if atoms.calc is not None else {}
    labels = {name.lower(): value for part in (atoms.info, atoms.arrays, results) for name, value in part.items()}
    energy, forces, stress, virial = (
        next((labels[name] for name in names if name in labels), None)
        for names in (ENERGIES, FORCES, STRESSES, VIRIALS)
    )
    if energy is None:
        raise DataError(f"{where}: no energy; expected energy=<eV> in its comment line")
    if forces is None:
        raise DataError(f"{where}: an energy without forces; expected a column forces:R:3 (eV/Å)")
    if not atoms.numbers.all():
        raise DataError(f"{where}: atoms of no element; expected a column species:S:1 with their symbols")
    cell = np.asarray(atoms.cell.array, float)
    if not atoms.pbc.all() or abs(np.linalg.det(cell)) < SMALLEST_VOLUME * len(atoms):
        raise DataError(
            f'{where}: no cell that is periodic in three directions (Å); expected Lattice="…" and pbc="T T T" in its '
            "comment line; molecules are imported as systems of config/systems.yaml"
        )
    if stress is not None:
        stress = _tensor(stress, where)
    elif virial is not None:
        stress = -_tensor(virial, where) / abs(np.linalg.det(cell))
    frame = Frame(
        np.asarray(atoms.numbers),
        np.asarray(atoms.positions, float),
        cell,
        float(energy),
        np.asarray(forces, float),
        stress,
    )
    numbers = [frame.positions, frame.cell, frame.forces, *([] if frame.stress is None else [frame.stress])]
    if not all(np.isfinite(x).all() for x in numbers) or not np.isfinite(frame.energy):
        raise DataError(f"{where}: values that are not finite; remove the frame or compute it again")
    pairs = neighbour_list(frame.positions, cell, SMALLEST_DISTANCE).index
    if (pairs >= 0).any():
        one = int(np.argmax((pairs >= 0).any(1)))
        raise DataError(
            f"{where}: atoms {one} and {pairs[one].max()} are closer than {SMALLEST_DISTANCE:g} Å; expected positions in Å "
            "that are not fractional, and every atom once"
        )
    return frame


def _tensor(values, where: str) -> np.ndarray:
    """Symmetric (3, 3) of nine numbers, or of six in ASE's order."""
    flat = np.asarray(values, float).ravel()
    if flat.size == 6:
        return voigt_6_to_full_3x3_stress(flat)
    if flat.size != 9:
        raise DataError(
            f"{where}: a stress or virial of {flat.size} numbers; expected nine, or six in the order xx yy zz yz xz xy"
        )
    return 0.5 * (flat.reshape(3, 3) + flat.reshape(3, 3).T)


def check_distinct(frames: list[Frame], where: str) -> None:
    """Make sure that no frame is there twice: one of them would test what the other one taught.

    Raises:
        DataError: names both frames.
    """
    seen: dict[bytes, int] = {}
    for k, frame in enumerate(frames):
        key = b"".join((np.round(x, 6) + 0.0).tobytes() for x in (frame.numbers, frame.positions, frame.cell))
        if (first := seen.setdefault(key, k)) != k:
            raise DataError(f"{where}: frame {k} is frame {first} again; remove one of them")


def check_units(frames: list[Frame], where: str) -> None:
    """Make sure that frames of one composition have energies and lengths in one unit, and forces that fit to both.

    Raises:
        DataError: a frame differs from the median of its composition by the ratio of two units; or, between frames
            that follow each other closely, the work of the forces is not the difference of the energies.
    """
    groups: dict[str, list[int]] = {}
    for k, frame in enumerate(frames):
        groups.setdefault(frame.composition, []).append(k)
    for members in groups.values():
        energies, volumes = (np.array([getattr(frames[k], what) for k in members]) for what in ("energy", "volume"))
        middle_energy, middle_volume = np.median(energies), np.median(volumes)
        usual = OUTLIER * np.median(np.abs(energies - middle_energy))
        for k, energy, volume in zip(members, energies, volumes, strict=True):
            unusual = abs(energy - middle_energy) > usual
            for unit, factor in ENERGY_UNITS.items():
                away = (abs(energy * f - middle_energy) for f in (factor, 1 / factor))
                if unusual and min(away) < 0.02 * abs(middle_energy):
                    raise DataError(
                        f"{where}, frame {k}: energy {energy:g}, others of its composition {middle_energy:g}: the ratio of "
                        f"{unit} and eV; mixed units, convert all to eV"
                    )
            if any(abs(volume / middle_volume * f - 1) < 0.05 for f in (BOHR_IN_ANG**3, BOHR_IN_ANG**-3)):
                raise DataError(
                    f"{where}, frame {k}: its cell is larger or smaller than others of its composition by the ratio of "
                    "bohr and Å; mixed units, convert all to Å"
                )
    if (ratio := work_ratio(frames)) is not None and not 0.5 < ratio < 2:
        raise DataError(
            f"{where}: between neighbouring frames the forces do {ratio:.3g} times the work that the energies differ by; "
            "energies must be in eV and forces in eV/Å"
        )


def work_ratio(frames: list[Frame]) -> float | None:
    """Slope of the work of the forces on differences of energies, between consecutive frames that lie close together.

    None if there are too few of them, in one cell, to tell.
    """
    work, gain = [], []
    for one, two in pairwise(frames):
        if not np.array_equal(one.numbers, two.numbers) or not np.allclose(one.cell, two.cell, atol=1e-6):
            continue
        step = np.linalg.solve(one.cell.T, (two.positions - one.positions).T).T
        step = (step - np.round(step)) @ one.cell
        if np.sqrt((step**2).sum(1).mean()) < CLOSE:
            work.append(-0.5 * float(((one.forces + two.forces) * step).sum()))
            gain.append(two.energy - one.energy)
    work, gain = np.array(work), np.array(gain)
    if len(work) < CLOSE_PAIRS or not gain.any():
        return None
    return float(np.sqrt((work**2).mean() / (gain**2).mean()))

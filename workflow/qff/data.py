"""Labelled frames: reading, checking and splitting them.

Files are extended XYZ with positions in Å, ``REF_energy`` in eV, ``REF_forces`` in eV/Å and ``REF_units``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import ase
import ase.io
import numpy as np

from qff.config import SplitConfig
from qff.errors import DataError
from qff.provenance import atomic_path
from qff.randomness import generator

UNITS = "eV, eV/Ang"
SPLITS = ("train", "validation", "test")
INTERPOLATED = "interpolated"  # test frames between those of training, in tables of errors


@dataclass(frozen=True)
class LabelledFrames:
    """Geometries with energies and forces.

    Attributes:
        symbols: chemical symbols (A,), the same in every frame.
        positions: (B, A, 3) in Å. energies: (B,) in eV. forces: (B, A, 3) in eV/Å.
        info: one dict per frame (method, basis, program, frame id, convergence ...).
    """

    symbols: list[str]
    positions: np.ndarray
    energies: np.ndarray
    forces: np.ndarray
    info: list[dict]

    def __len__(self) -> int:
        return len(self.energies)


def write_frames(path: str | Path, frames: LabelledFrames) -> None:
    """Write extended XYZ (8 decimals: keep geometries on a grid of 1e-8 Å)."""
    images = []
    for index in range(len(frames)):
        atoms = ase.Atoms(frames.symbols, frames.positions[index])
        atoms.info = {**frames.info[index], "REF_energy": float(frames.energies[index]), "REF_units": UNITS}
        atoms.arrays["REF_forces"] = frames.forces[index]
        images.append(atoms)
    with atomic_path(path) as temporary:
        ase.io.write(temporary, images, format="extxyz")


def read_frames(path: str | Path, symbols: list[str] | None = None) -> LabelledFrames:
    """Read and check labelled frames.

    Raises:
        DataError: missing or truncated file, missing keys, other units, other atoms, or values that are not
            finite; the message names the file and the frame (counted from 0).
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file; restore it with git, or set reference.mode: recompute")
    try:
        images = ase.io.read(path, index=":", format="extxyz")
    except Exception as error:
        raise DataError(
            f"{path}: not a complete extended XYZ file ({error}); restore it with git or compute it again"
        ) from error
    if not images:
        raise DataError(f"{path}: holds no frame; restore it with git or compute it again")
    symbols = symbols or images[0].get_chemical_symbols()
    for number, atoms in enumerate(images):
        where = f"{path}, frame {number}"
        units = atoms.info.get("REF_units")
        if units != UNITS:
            raise DataError(f"{where}: REF_units is {units!r}, expected '{UNITS}'; convert the labels")
        for key, present in (("REF_energy", atoms.info), ("REF_forces", atoms.arrays)):
            if key not in present:
                raise DataError(f"{where}: '{key}' is missing; labels need REF_energy (eV) and REF_forces (eV/Å)")
        if atoms.get_chemical_symbols() != list(symbols):
            raise DataError(f"{where}: atoms {atoms.get_chemical_symbols()}, expected {list(symbols)} in this order")
        if atoms.arrays["REF_forces"].shape != atoms.positions.shape:
            raise DataError(
                f"{where}: forces of shape {atoms.arrays['REF_forces'].shape}, expected one vector per atom"
            )
        energy = np.asarray(atoms.info["REF_energy"])
        numbers = (energy, atoms.arrays["REF_forces"], atoms.positions)
        if energy.ndim or not all(x.dtype.kind in "if" and np.isfinite(x).all() for x in numbers):
            raise DataError(f"{where}: energy, forces or positions are not finite numbers; label the frame again")
    return LabelledFrames(
        list(symbols),
        np.array([a.positions for a in images]),
        np.array([float(a.info["REF_energy"]) for a in images]),
        np.array([a.arrays["REF_forces"] for a in images]),
        [{k: v for k, v in a.info.items() if k not in ("REF_energy", "REF_units")} for a in images],
    )


def split_frames(
    frames: LabelledFrames, config: SplitConfig, study_seed: int, system: str, seed: int
) -> dict[str, list[int]]:
    """Random train, validation and test frames of one repetition.

    The training list is in random order (pinned frames first), so that its first n entries are the training
    set of size n of a learning curve: sets are nested. With ``config.part`` only frames of that part are drawn, and
    every other part of the set is a test set of its own, under its name and the same in all repetitions.

    Frames that were published in splits (``info`` has ``split``, and ``part`` train or test) are never drawn otherwise:
    the repetitions take these splits in turn. A split's training frames are shared out at random between training and
    validation, another way in every repetition; its test set is the published one.

    Raises:
        DataError: fewer frames than the split needs, or no such part.
    """
    if any("split" in info for info in frames.info):
        return _published_split(frames, config, generator(study_seed, "split", system, seed), system, seed)
    parts = {} if config.part is None else _parts(frames, system)
    if config.part is not None and config.part not in parts:
        raise DataError(
            f"{system}: no frame of part '{config.part}' (split.part in config/systems.yaml); the set has "
            f"{', '.join(parts) or 'no parts'}"
        )
    drawn = np.array(parts.pop(config.part) if parts else range(len(frames)), int)
    if taken := set(parts) & {*SPLITS, INTERPOLATED}:
        raise DataError(f"{system}: a part of the set is called '{taken.pop()}', as one of the splits; rename it")
    needed = config.n_train + config.n_validation + 1
    if len(drawn) < needed:
        raise DataError(f"{system}: {len(drawn)} frames, the split needs at least {needed}; lower n_train")
    order = drawn[generator(study_seed, "split", system, seed).permutation(len(drawn))]
    if config.pin_extremes:
        distance = np.linalg.norm(frames.positions[drawn, 1] - frames.positions[drawn, 0], axis=-1)
        ends = drawn[[distance.argmin(), distance.argmax()]]
        order = np.concatenate([ends, order[~np.isin(order, ends)]])
    bounds = np.cumsum([config.n_train, config.n_validation])
    shares = dict(zip(SPLITS, np.split(order, bounds), strict=True))
    return {name: share.tolist() for name, share in shares.items()} | parts


def _published_split(
    frames: LabelledFrames, config: SplitConfig, rng: np.random.Generator, system: str, seed: int
) -> dict[str, list[int]]:
    """The split of one repetition of a set that was published in splits."""
    known = sorted({info["split"] for info in frames.info})
    chosen = known[seed % len(known)]
    train, test = (
        np.array([k for k, i in enumerate(frames.info) if (i["split"], i["part"]) == (chosen, part)], int)
        for part in ("train", "test")
    )
    if len(train) < config.n_train + config.n_validation or not len(test):
        raise DataError(
            f"{system}: published split {chosen} has {len(train)} training and {len(test)} test frames; n_train "
            f"{config.n_train} + n_validation {config.n_validation} and a test set are needed; lower n_train"
        )
    order = rng.permutation(train)
    validation = order[config.n_train : config.n_train + config.n_validation]
    shares = (order[: config.n_train], validation, test)
    return {name: share.tolist() for name, share in zip(SPLITS, shares, strict=True)}


def _parts(frames: LabelledFrames, system: str) -> dict[str, list[int]]:
    """Frames of every part of a set, in the order of the set.

    Raises:
        DataError: a frame names no part, while others do.
    """
    found: dict[str, list[int]] = {}
    for index, info in enumerate(frames.info):
        if "part" in info:
            found.setdefault(str(info["part"]), []).append(index)
    if found and (rest := len(frames) - sum(map(len, found.values()))):
        raise DataError(f"{system}: {rest} frames name no 'part' of the set, while others do; name it for all")
    return found

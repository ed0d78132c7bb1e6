"""The revised MD17 set with its published splits (Christensen & von Lilienfeld, MLST 1, 045018 (2020)).

Two forms of it are known: one file for each share of each split, ``rmd17_<molecule>_<train|test>_0<k>.npz``; or one
file of all frames, ``rmd17_<molecule>.npz``, beside index files ``index_<train|test>_0<k>.csv``, in the folders
``npz_data`` and ``splits`` of the published archive or in one folder. The rules of its authors are kept here: a split is
taken as it was published, and its test frames are none of its training frames. The labels of the original MD17 that
the files also hold (``old_energies``, ``old_forces``) are noisy and never read.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qff.config import Rmd17Config, SystemConfig
from qff.data import LabelledFrames
from qff.errors import DataError
from qff.provenance import file_digest
from qff.reference.imported import RawSet, read_raw
from qff.reference.location import SHARES, index_name, split_name, whole_name

LAYOUT = "npz_rmd17"


def check_digests(paths: list[Path], config: Rmd17Config) -> None:
    """Make sure that files whose digest is configured are the ones meant.

    Raises:
        DataError: another sha256.
    """
    for path in paths:
        expected = config.sha256.get(path.name)
        if expected is not None and (found := file_digest(path)) != expected:
            raise DataError(
                f"{path}: sha256 is {found}, config/systems.yaml expects {expected}: another version of the set, or a "
                f"damaged file; fetch it again ({config.source})"
            )


def read_rmd17(paths: list[Path], system: SystemConfig) -> LabelledFrames:
    """Energies and forces of all splits, atoms in the order of the system; ``info`` says ``split`` and ``part``.

    Args:
        paths: as :func:`qff.reference.location.find_files` gives them.

    Raises:
        DataError: another sha256, unreadable, other atoms, no forces, or a split whose shares have a frame in common.
    """
    config = system.reference.rmd17
    check_digests(paths, config)
    files = {path.name: path for path in paths}
    whole = None
    if whole_name(config.molecule) in files:
        whole = _read(files[whole_name(config.molecule)], system)
    shares, info = [], []
    for k in config.splits:
        found = []
        for share in SHARES:
            if whole is None:
                path = files[split_name(config.molecule, share, k)]
                found.append(_read(path, system))
            else:
                path = files[index_name(share, k)]
                found.append(whole.select(_read_indices(path, len(whole.energies))))
            origin = {"method": system.reference.method, "basis": system.reference.basis, "program": "unknown"}
            n = len(found[-1].energies)
            info += [{"frame": i, "split": k, "part": share, **origin, "source": path.name} for i in range(n)]
        check_disjoint(*found, f"{config.molecule}, split {k} of rMD17")
        shares += found
    return LabelledFrames(
        list(system.atoms),
        np.round(np.concatenate([s.positions for s in shares]), 8),  # files of frames have 8 decimals
        np.concatenate([s.energies for s in shares]),
        np.concatenate([s.forces for s in shares]),
        info,
    )


def check_disjoint(train: RawSet, test: RawSet, where: str) -> None:
    """Make sure that no frame is in both shares of a split.

    Raises:
        DataError: there is one; files of different splits have about fifty.
    """
    seen = {xyz.tobytes() for xyz in train.positions}
    if shared := [k for k, xyz in enumerate(test.positions) if xyz.tobytes() in seen]:
        raise DataError(
            f"{where}: {len(shared)} test frames (the first is {shared[0]}) are training frames: the files are of "
            "different splits, which must not be mixed; fetch both again"
        )


def _read(path: Path, system: SystemConfig) -> RawSet:
    found = read_raw(path, LAYOUT).in_order_of(system.atoms, str(path))
    if found.forces is None:
        raise DataError(f"{path}: holds no forces; models are trained on energies and forces")
    return found


def _read_indices(path: Path, n_frames: int) -> np.ndarray:
    """Indices of frames, (n,), from a file with one on each line.

    Raises:
        DataError: not such a file, or an index beyond the frames.
    """
    try:
        values = np.loadtxt(path, ndmin=1)
        indices = values.astype(int)
        if values.ndim != 1 or (indices != values).any():
            raise ValueError("not one whole number on each line")
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable file of indices ({error}); fetch it again") from error
    if not len(indices) or indices.min() < 0 or indices.max() >= n_frames:
        raise DataError(f"{path}: indices must lie within the {n_frames} frames of the set; fetch both again")
    return indices

"""Where the user keeps the sets that others published: the folder in the environment variable QFF_DATA."""

from __future__ import annotations

import os
from pathlib import Path

from qff.config import ImportedConfig, Rmd17Config, SystemConfig
from qff.config.materials import MaterialSetConfig
from qff.errors import DataError

VARIABLE = "QFF_DATA"
SHARES = ("train", "test")  # of a split of rMD17


def published_files(config: SystemConfig, system: str) -> list[Path]:
    """Files of a set that others published, below the folder that QFF_DATA names.

    Raises:
        DataError: the variable is not set, or a file is not there; says where to get it.
    """
    level = config.reference
    if level.imported is not None:
        return [imported_file(level.imported, system)]
    if not (folder := os.environ.get(VARIABLE)):
        raise DataError(
            f"{VARIABLE} is not set. The set of system '{system}' is not ours to pass on. Set {VARIABLE}=<folder>, and "
            f"fetch it from {level.rmd17.source} with 'python -m qff.reference.fetch {system}'"
        )
    return find_files(level.rmd17, Path(folder) / level.rmd17.folder)


def imported_file(imported: ImportedConfig, system: str) -> Path:
    """Path of an imported set below the folder that QFF_DATA names.

    Raises:
        DataError: the variable is not set, or the file is not there; says where to get it.
    """
    remedy = (
        f"The set of system '{system}' is not ours to pass on. Get it from {imported.source}, store it as "
        f"<folder>/{imported.file} and set {VARIABLE}=<folder>"
    )
    folder = os.environ.get(VARIABLE)
    if not folder:
        raise DataError(f"{VARIABLE} is not set. {remedy}")
    path = Path(folder) / imported.file
    if not path.is_file():
        raise DataError(f"{path}: no such file ({VARIABLE}={folder}). {remedy}")
    return path


def material_file(entry: MaterialSetConfig, name: str) -> Path:
    """Path of a periodic set: below the folder that QFF_DATA names, or a tracked file.

    Raises:
        DataError: the variable is not set, or the file is not there; says where to get it.
    """
    folder = os.environ.get(VARIABLE) if entry.published else "."
    if not folder:
        raise DataError(
            f"{VARIABLE} is not set. The set '{name}' is not ours to pass on. Get it from {entry.source}, store it as "
            f"<folder>/{entry.file} and set {VARIABLE}=<folder>"
        )
    path = Path(folder) / entry.file
    if not path.is_file():
        raise DataError(f"{path}: no such file; set '{name}' is published at {entry.source}")
    return path


def split_name(molecule: str, share: str, split: int) -> str:
    """Name of the file of a share (train, test) of a split."""
    return f"rmd17_{molecule}_{share}_{split:02d}.npz"


def whole_name(molecule: str) -> str:
    """Name of the file of all frames."""
    return f"rmd17_{molecule}.npz"


def index_name(share: str, split: int) -> str:
    """Name of the file of indices of a share of a split."""
    return f"index_{share}_{split:02d}.csv"


def find_files(config: Rmd17Config, folder: Path) -> list[Path]:
    """Files of the splits that a configuration uses: those of each share, else all frames and their indices.

    Raises:
        DataError: neither form is complete; names the first file that is missing.
    """
    shares = [(share, k) for k in config.splits for share in SHARES]
    by_split = [folder / split_name(config.molecule, share, k) for share, k in shares]
    whole = _first(folder / "npz_data" / whole_name(config.molecule), folder / whole_name(config.molecule))
    if whole.is_file() and not all(path.is_file() for path in by_split):
        names = [index_name(share, k) for share, k in shares]
        wanted = [whole, *(_first(folder / "splits" / name, folder / name) for name in names)]
    else:
        wanted = by_split
    if missing := [path for path in wanted if not path.is_file()]:
        raise DataError(
            f"{missing[0]}: no such file, and neither {whole_name(config.molecule)} with its index files; the set is "
            f"published at {config.source}. 'python -m qff.reference.fetch <system>' downloads what it knows by sha256, "
            "or takes it from the published archive (--archive); a system may use fewer splits (rmd17.splits)"
        )
    return wanted


def _first(*paths: Path) -> Path:
    """The first path that is a file, or the last."""
    return next((path for path in paths if path.is_file()), paths[-1])

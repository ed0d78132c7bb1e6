"""Where the user keeps the sets that others published: the folder in the environment variable QFF_DATA."""

from __future__ import annotations

import os
from pathlib import Path

from qff.config import ImportedConfig, SystemConfig
from qff.errors import DataError
from qff.reference.rmd17 import find_files

VARIABLE = "QFF_DATA"


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

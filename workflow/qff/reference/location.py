"""Where the user keeps the sets that others published: the folder in the environment variable QFF_DATA."""

from __future__ import annotations

import os
from pathlib import Path

from qff.config import ImportedConfig
from qff.errors import DataError

VARIABLE = "QFF_DATA"


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

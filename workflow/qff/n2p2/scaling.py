"""``scaling.data``: statistics of the symmetry functions, and the scaling they stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from qff.errors import DataError
from qff.n2p2.files import exact, read_lines
from qff.n2p2.settings import Settings
from qff.provenance import write_text


def read_scaling(path: Path, settings: Settings) -> dict[str, np.ndarray]:
    """Element → (n, 4): minimum, maximum, mean and sigma of its functions.

    Raises:
        DataError: malformed, or of other symmetry functions.
    """
    counts = [len(settings.functions[e]) for e in settings.elements]
    found = [np.full((n, 4), np.nan) for n in counts]
    for line in read_lines(path):
        if len(line.words) == 4 and line.numbers(line.words):
            continue  # the range of energies, which n2p2 may append
        if len(line.words) != 6:
            raise line.error("expected element, index, min, max, mean, sigma")
        element, index = line.numbers(line.words[:2], int)
        if not (1 <= element <= len(found) and 1 <= index <= counts[element - 1]):
            raise line.error(f"input.nn has no function {index} of element {element}")
        found[element - 1][index - 1] = line.numbers(line.words[2:])
    for element, table in zip(settings.elements, found, strict=True):
        if np.isnan(table).any():
            missing = int(np.isnan(table).any(1).argmax()) + 1
            raise DataError(f"{path}: function {missing} of {element} is missing; these files do not belong together")
    return dict(zip(settings.elements, found, strict=True))


def write_scaling(path: Path, tables: dict[str, np.ndarray]) -> None:
    """Write ``scaling.data``; elements by nuclear charge."""
    rows = ["# element, function, min, max, mean, sigma of the symmetry functions"]
    for element, table in enumerate(tables.values(), 1):
        for index, numbers in enumerate(table, 1):
            rows.append(f"{element:10d} {index:10d} " + " ".join(exact(x) for x in numbers))
    write_text(path, "\n".join(rows) + "\n")


def affine(settings: Settings, table: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """(center, width) of the scaling: inputs of the network are (G - center)/width.

    Raises:
        DataError: a function that never changes cannot be scaled.
    """
    low, high, mean, sigma = table.T
    mode = settings.scaling
    span = settings.scale_max - settings.scale_min
    offset = settings.scale_min
    if not mode:
        center, spread, span, offset = np.zeros_like(mean), np.ones_like(mean), 1.0, 0.0
    elif mode == {"center_symmetry_functions"}:
        center, spread, span, offset = mean, np.ones_like(mean), 1.0, 0.0
    elif "scale_symmetry_functions_sigma" in mode:
        center, spread = mean, sigma
    else:
        center, spread = (mean if "center_symmetry_functions" in mode else low), high - low
    if (spread == 0).any() or span == 0:
        constant = int((spread == 0).argmax()) + 1
        raise DataError(f"scaling.data: function {constant} never changes and cannot be scaled; leave it out")
    width = spread / span
    return torch.from_numpy(center - offset * width), torch.from_numpy(np.array(width))

"""Picture of the errors during training, by optimiser."""

from __future__ import annotations

import json
from pathlib import Path

from qff.errors import DataError
from qff.figures import style
from qff.figures.training import optimisers_figure
from qff.stages.common import read_table


def plot_optimisers(
    *, labels: dict, models: list, curves_paths: list, run_paths: list, svg_path: str, png_path: str
) -> None:
    """``models`` name curves and run records, in order; ``labels`` are those of all models of the study."""
    curves = {m: read_table(p) for m, p in zip(models, curves_paths, strict=True)}
    seconds = {m: _seconds(Path(p)) for m, p in zip(models, run_paths, strict=True)}
    style.save(optimisers_figure(curves, seconds, style.looks(labels)), svg_path, png_path)


def _seconds(path: Path) -> float:
    """Wall time of training, from its record."""
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["runs"][0]["metrics"]["training_seconds"])
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise DataError(f"{path}: no time of training ({error}); delete it and run the study again") from error

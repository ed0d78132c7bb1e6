"""Picture of the residuals."""

from __future__ import annotations

from qff.figures import style
from qff.figures.parity import parity_figure
from qff.stages.common import read_table


def plot_parity(*, labels: dict, models: list, predictions_paths: list, svg_path: str, png_path: str) -> None:
    """``models`` name the tables of predictions, in order."""
    predictions = {m: read_table(p) for m, p in zip(models, predictions_paths, strict=True)}
    style.save(parity_figure(predictions, style.looks(labels)), svg_path, png_path)

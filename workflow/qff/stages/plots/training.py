"""Picture of the loss curves."""

from __future__ import annotations

from qff.figures import style
from qff.figures.training import training_figure
from qff.stages.common import read_table


def plot_training(*, labels: dict, models: list, curves_paths: list, svg_path: str, png_path: str) -> None:
    """``models`` name the curves, in order; ``labels`` are those of all models of the study."""
    curves = {m: read_table(p) for m, p in zip(models, curves_paths, strict=True)}
    style.save(training_figure(curves, style.looks(labels)), svg_path, png_path)

"""Picture of the learning curves."""

from __future__ import annotations

from qff.figures import style
from qff.figures.scaling import learning_curves_figure
from qff.stages.common import read_table


def plot_scaling(
    *, labels: dict, anchors: dict, metrics_path: str, fits_path: str, svg_path: str, png_path: str
) -> None:
    look = style.looks(labels)
    figure = learning_curves_figure(read_table(metrics_path), read_table(fits_path), look, anchors)
    style.save(figure, svg_path, png_path)

"""Picture of test error against effective dimension."""

from __future__ import annotations

import pandas as pd

from qff.config import CapacityConfig, validate
from qff.figures import style
from qff.figures.correlation import correlation_figure
from qff.stages.common import read_table


def plot_correlation(
    *, labels: dict, settings: dict, metrics_paths: list, correlations_path: str, svg_path: str, png_path: str
) -> None:
    options = validate(CapacityConfig, settings, "capacity")
    metrics = pd.concat([read_table(p) for p in metrics_paths], ignore_index=True)
    figure = correlation_figure(
        metrics, read_table(correlations_path), options.boxes, options.likelihoods[0], style.looks(labels)
    )
    style.save(figure, svg_path, png_path)

"""Picture of the errors on the test set."""

from __future__ import annotations

import pandas as pd

from qff.figures import style
from qff.figures.errors import errors_figure
from qff.stages.common import read_table


def plot_errors(*, labels: dict, metrics_paths: list, intervals_paths: list, svg_path: str, png_path: str) -> None:
    metrics, intervals = (
        pd.concat([read_table(p) for p in paths], ignore_index=True) for paths in (metrics_paths, intervals_paths)
    )
    style.save(errors_figure(metrics, intervals, style.looks(labels)), svg_path, png_path)

"""Test error against effective dimension."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from qff.correlation import pairs
from qff.figures import style
from qff.figures.capacity import LOCAL, box_label
from qff.figures.errors import PANELS

CAPACITY = "normalised"


def correlation_figure(
    metrics: pd.DataFrame,
    correlations: pd.DataFrame,
    boxes: dict[str, tuple[float, float]],
    likelihood: str,
    look: dict[str, style.Look],
) -> Figure:
    """Test errors over d_n/d, one point per model (median and range of the seeds), one column per parameter box.

    Args:
        metrics: tidy table of numbers of one system. correlations: as :func:`qff.correlation.correlations` gives them.
    """
    names = [*boxes, LOCAL]
    errors = {quantity.partition("_")[0]: (quantity, label) for quantity, label in PANELS}
    mosaic = [[f"{error}/{box}" for box in names] for error in errors]
    models = [m for m in look if m in set(metrics.model)]
    figure, axes = style.canvas(mosaic, 4.4 + 0.2 * -(-len(models) // 3))
    rhos = correlations[correlations.capacity == CAPACITY].set_index(["error", "variant"])
    for row, (error, (_, label)) in zip(mosaic, errors.items(), strict=True):
        drawn = []
        for panel, box in zip(row, names, strict=True):
            axis, variant = axes[panel], f"{likelihood}_{box}"
            for model, seeds in pairs(metrics, CAPACITY, error, variant).groupby("model"):
                x, y = seeds.x.median(), seeds.y.median()
                spread = [[[abs(v.min() - v.median())], [abs(v.max() - v.median())]] for v in (seeds.x, seeds.y)]
                axis.errorbar(
                    x, y, xerr=spread[0], yerr=spread[1], linestyle="", marker=look[model].marker, markersize=6,
                    color=look[model].colour, elinewidth=0.9,
                )  # fmt: skip
                drawn += [seeds.y.min(), seeds.y.max()]
            axis.set_title(_words(rhos, (error, variant)), fontsize=8.5)
            axis.set_xlim(left=0)
            axis.sharey(axes[row[0]])
            axis.set_ylabel(f"test {label}")
            axis.set_xlabel(f"d$_n$ / d, {box_label(box, boxes)}")
            axis.label_outer()
        style.pad_log(axes[row[0]], np.array(drawn))
    figure.legend(handles=style.legend_of(models, look, linestyle=""), loc="outside upper center", ncols=3)
    return figure


def _words(table: pd.DataFrame, key: tuple[str, str]) -> str:
    if key not in table.index:
        return ""
    found = table.loc[key]
    text = f"ρ = {found.rank_correlation:.2f} [{found.low:.2f}, {found.high:.2f}]"
    return text.replace("-", "−")

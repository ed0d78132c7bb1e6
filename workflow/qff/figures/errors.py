"""Errors on the test set."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qff.figures import style

PANELS = (("energy_rmse", "energy RMSE (meV)"), ("force_rmse", "force RMSE (eV/Å)"))


def errors_figure(metrics: pd.DataFrame, intervals: pd.DataFrame, look: dict[str, style.Look]) -> Figure:
    """Test errors of every model: seeds as points with bootstrap intervals, their median as a bar.

    Args:
        metrics: tidy table of numbers (test errors and n_parameters). intervals: columns model, seed, quantity,
            low, high (95 % over test frames).
    """
    models = [m for m in look if m in set(metrics.model)]
    sizes = metrics[metrics.quantity == "n_parameters"].set_index("model").value
    figure, axes = style.canvas([[q for q, _ in PANELS]], 1.2 + 0.55 * len(models), sharey=True)
    for quantity, label in PANELS:
        axis = axes[quantity]
        found = metrics[(metrics.quantity == quantity) & (metrics.split == "test")]
        merged = found.merge(intervals, on=["model", "seed", "quantity"], how="left", suffixes=("", "_interval"))
        for place, model in enumerate(models):
            seeds = merged[merged.model == model].sort_values("seed")
            offset = np.linspace(-0.22, 0.22, len(seeds)) if len(seeds) > 1 else np.zeros(1)
            spread = np.abs([seeds.value - seeds.low, seeds.high - seeds.value])
            axis.errorbar(
                seeds.value, place + offset, xerr=spread, linestyle="", marker=look[model].marker, markersize=4.5,
                color=look[model].colour, elinewidth=0.9,
            )  # fmt: skip
            axis.plot([seeds.value.median()] * 2, [place - 0.36, place + 0.36], color="black", linewidth=2)
        style.pad_log(axis, np.concatenate([merged.value, merged.low, merged.high]), "x")
        axis.set_xlabel(f"test {label}")
    first = axes[PANELS[0][0]]
    first.set_yticks(range(len(models)), [f"{look[m].label}\n{sizes[m]:.0f} parameters" for m in models])
    first.set_ylim(len(models) - 0.5, -0.5)
    handles = [
        Line2D(
            [], [], color="#555555", marker="o", markersize=4.5, linewidth=0.9, label="seed, 95 % bootstrap interval"
        ),
        Line2D(
            [], [], color="black", linewidth=0, marker="|", markersize=11, markeredgewidth=2, label="median of seeds"
        ),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure

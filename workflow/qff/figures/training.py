"""Loss curves, and errors during training by optimiser."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qff.figures import style

COLUMNS = 3
DASHED = (0, (2, 1.5))
ERRORS = {"energy_rmse_mev": "energy RMSE (meV)", "force_rmse_ev_per_ang": "force RMSE (eV/Å)"}


def training_figure(curves: dict[str, pd.DataFrame], look: dict[str, style.Look]) -> Figure:
    """Training and validation loss (eV²) of every seed against the optimiser's step, one panel per model.

    Args:
        curves: model → columns step, seed, train_loss_ev2, validation_loss_ev2. The dot marks the step whose
            parameters are kept: the one that validates best.
    """
    names = [*curves, "legend"]
    names += ["."] * (-len(names) % COLUMNS)
    rows = [names[i : i + COLUMNS] for i in range(0, len(names), COLUMNS)]
    figure, axes = style.canvas(rows, 2.4 * len(rows))
    shown = pd.concat(curves.values())
    losses = pd.concat([shown.train_loss_ev2, shown.validation_loss_ev2])
    for model, table in curves.items():
        axis = axes[model]
        for _, seed in table.groupby("seed"):
            axis.plot(seed.step, seed.train_loss_ev2, color=look[model].colour, linewidth=0.8)
            axis.plot(seed.step, seed.validation_loss_ev2, color="#555555", linewidth=0.7, linestyle=DASHED)
            best = seed.loc[seed.validation_loss_ev2.idxmin()]
            axis.plot(best.step, best.validation_loss_ev2, "o", color=look[model].colour, markersize=3.5)
        style.pad_log(axis, losses)
        axis.set(title=look[model].label, xlabel="optimiser step", ylabel="loss (eV²)")
        axis.set_xlim(left=0)
        axis.label_outer()
        axis.tick_params(labelbottom=True)  # optimisers differ in their numbers of steps
    axes["legend"].axis("off")
    handles = [
        Line2D([], [], color="#0072B2", linewidth=1.2, label="training (colour)"),
        Line2D([], [], color="#555555", linewidth=1.2, linestyle=DASHED, label="validation"),
        Line2D([], [], color="#0072B2", marker="o", linestyle="", markersize=4, label="parameters kept"),
    ]
    axes["legend"].legend(handles=handles, loc="center", title="one line per seed")
    return figure


def optimisers_figure(
    curves: dict[str, pd.DataFrame], seconds: dict[str, float], look: dict[str, style.Look]
) -> Figure:
    """Errors in validation and training against steps and against time, median of the seeds.

    Errors and not losses, since models that learn from energies alone have another loss. Steps of different optimisers
    cost different time, so each error is drawn over both; time is taken as even over the steps.

    Args:
        curves: model → columns step, seed and, for ``train`` and ``validation``, the :data:`ERRORS`.
        seconds: model → wall time of training all seeds together.
    """
    mosaic = [[f"{error}/{x}" for x in ("steps", "time")] for error in ERRORS]
    figure, axes = style.canvas(mosaic, 5.8 + 0.2 * -(-len(curves) // 3))
    for (left, right), (above, below) in zip(mosaic, zip(*mosaic, strict=True), strict=True):
        axes[right].sharey(axes[left])
        axes[below].sharex(axes[above])
    for error, label in ERRORS.items():
        steps, time = (axes[f"{error}/{x}"] for x in ("steps", "time"))
        drawn = []
        for model, table in curves.items():
            for part, line in (
                ("train", {"linestyle": DASHED, "linewidth": 0.8}),
                ("validation", {"marker": look[model].marker, "markersize": 4.5, "linewidth": 1.3}),
            ):
                median = table.groupby("step")[f"{part}_{error}"].median()
                if part == "validation":  # evenly on a logarithmic axis
                    line["markevery"] = np.unique(np.geomspace(1, len(median), 6).astype(int) - 1).tolist()
                for axis, unit in ((steps, 1.0), (time, seconds[model] / median.index[-1])):
                    axis.plot(median.index * unit, median, color=look[model].colour, **line)
                drawn.append(median)
        style.pad_log(steps, pd.concat(drawn))
        for axis, x in ((steps, "optimiser steps"), (time, "time for all seeds (s)")):
            axis.set(xscale="log", xlabel=x, ylabel=label)
            axis.label_outer()
    handles = [
        *style.legend_of(list(curves), look),
        Line2D([], [], color="#555555", linewidth=1.3, label="validation"),
        Line2D([], [], color="#555555", linewidth=0.8, linestyle=DASHED, label="training"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure

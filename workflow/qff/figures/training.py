"""Loss curves."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qff.figures import style

COLUMNS = 3


def training_figure(curves: dict[str, pd.DataFrame], look: dict[str, style.Look]) -> Figure:
    """Training and validation loss (eV²) of every seed against the optimiser's step, one panel per model.

    Args:
        curves: model → columns step, seed, train_loss_ev2, validation_loss_ev2. The dot marks the step whose
            parameters are kept: the one that validates best.
    """
    names = [*curves, "legend"]
    names += ["."] * (-len(names) % COLUMNS)
    rows = [names[i : i + COLUMNS] for i in range(0, len(names), COLUMNS)]
    figure, axes = style.canvas(rows, 2.3 * len(rows))
    shown = pd.concat(curves.values())
    losses = pd.concat([shown.train_loss_ev2, shown.validation_loss_ev2])
    for model, table in curves.items():
        axis = axes[model]
        for _, seed in table.groupby("seed"):
            axis.plot(seed.step, seed.train_loss_ev2, color=look[model].colour, linewidth=0.8)
            axis.plot(seed.step, seed.validation_loss_ev2, color="#555555", linewidth=0.7, linestyle=(0, (2, 1.5)))
            best = seed.loc[seed.validation_loss_ev2.idxmin()]
            axis.plot(best.step, best.validation_loss_ev2, "o", color=look[model].colour, markersize=3.5)
        style.pad_log(axis, losses)
        axis.set(title=look[model].label, xlabel="optimiser step", ylabel="loss (eV²)")
        axis.set_xlim(left=0)
        axis.label_outer()
    axes["legend"].axis("off")
    handles = [
        Line2D([], [], color="#0072B2", linewidth=1.2, label="training (colour)"),
        Line2D([], [], color="#555555", linewidth=1.2, linestyle=(0, (2, 1.5)), label="validation"),
        Line2D([], [], color="#0072B2", marker="o", linestyle="", markersize=4, label="parameters kept"),
    ]
    axes["legend"].legend(handles=handles, loc="center", title="one line per seed")
    return figure

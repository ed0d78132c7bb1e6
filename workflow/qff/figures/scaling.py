"""Learning curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qff.figures import style

PANELS = (("energy_rmse", "energy RMSE (meV)"), ("force_rmse", "force RMSE (eV/Å)"))


def learning_curves_figure(metrics: pd.DataFrame, fits: pd.DataFrame, look: dict[str, style.Look]) -> Figure:
    """Test and training error against the number of training frames, with fitted power laws a·n^−b.

    Args:
        metrics: tidy table of numbers, variant learning_curve. fits: columns model, quantity, exponent,
            exponent_low, exponent_high, prefactor.
    """
    curves = metrics[metrics.variant == "learning_curve"]
    models = [m for m in look if m in set(curves.model)]
    room = max(1.2, 0.4 + 0.2 * len(models))  # of the legend, inches
    figure, axes = style.canvas([[q for q, _ in PANELS], ["legend"] * 2], 4.3 + room, height_ratios=[4.3, room])
    for quantity, label in PANELS:
        axis = axes[quantity]
        shown = [curves[(curves.quantity == quantity) & (curves.split == "test")].value]
        for place, model in enumerate(models):
            shift = 1 + 0.03 * (place - (len(models) - 1) / 2)  # ranges side by side
            found = curves[(curves.model == model) & (curves.quantity == quantity)]
            for split, line in (("test", "-"), ("train", (0, (2, 1.5)))):
                by = found[found.split == split].groupby("n_train").value.agg(["min", "median", "max"])
                size, line_of = by.index.to_numpy(dtype=float), {"color": look[model].colour, "linestyle": line}
                if split == "test":
                    axis.vlines(
                        size * shift, by["min"], by["max"], color=look[model].colour, linewidth=2.2, alpha=0.45
                    )
                    axis.plot(size * shift, by["median"], marker=look[model].marker, markersize=5, **line_of)
                else:
                    axis.plot(size, by["median"], linewidth=0.9, **line_of)
                    shown.append(by["median"])
            law = fits[(fits.model == model) & (fits.quantity == quantity)]
            for f in law.itertuples():
                ends = np.array([size.min(), size.max()])
                axis.plot(ends, f.prefactor * ends**-f.exponent, color=look[model].colour, linewidth=0.8, alpha=0.6)
        style.pad_log(axis, pd.concat(shown))
        axis.set_xscale("log")
        ticks = sorted(curves.n_train.unique())
        axis.set_xticks(ticks, [f"{n:.0f}" for n in ticks])
        axis.minorticks_off()
        axis.set(xlabel="training frames n", ylabel=label)
    _legend(axes["legend"], models, fits, look)
    return figure


def _legend(axis, models: list[str], fits: pd.DataFrame, look: dict[str, style.Look]) -> None:
    """Line types, and per model the fitted exponents with their intervals."""
    axis.axis("off")
    exponent = {
        (f.model, f.quantity): f"{f.exponent:.2f} [{f.exponent_low:.2f}, {f.exponent_high:.2f}]".replace("-", "−")
        for f in fits.itertuples()
    }
    handles = style.legend_of(models, look)
    for handle, model in zip(handles, models, strict=True):
        words = ", ".join(f"{q[0].upper()}: b = {exponent.get((model, q), '–')}" for q, _ in PANELS)
        handle.set_label(f"{look[model].label}   {words}")
    first = axis.legend(
        handles=handles, loc="upper left", title="exponents of a·n$^{-b}$ for energy (E) and force (F)"
    )
    first._legend_box.align = "left"
    axis.add_artist(first)
    lines = [
        Line2D([], [], color="#555555", marker="o", markersize=5, label="test, median"),
        Line2D(
            [],
            [],
            color="#555555",
            linestyle="",
            marker="|",
            markersize=11,
            markeredgewidth=2,
            alpha=0.5,
            label="test, range",
        ),
        Line2D([], [], color="#555555", linewidth=1, linestyle=(0, (2, 1.5)), label="training, median"),
        Line2D([], [], color="#555555", linewidth=0.8, alpha=0.6, label="power law"),
    ]
    axis.legend(handles=lines, loc="upper right")

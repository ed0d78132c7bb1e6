"""Learning curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qff.anchors import PREFIX, PUBLISHED
from qff.config.points import LEARNING_CURVE
from qff.figures import style
from qff.scaling import DO_NOTHING, predicted

PANELS = (("energy_mae", "energy MAE (meV)"), ("force_mae", "force MAE (eV/Å)"))
LINES = {"test": "-", "train": (0, (2, 1.5))}
GREY, LIGHT = "#555555", "#9A9A9A"
OPEN = {"color": LIGHT, "markerfacecolor": "none", "markersize": 5, "linewidth": 0.7}
PER_ROW = 4  # published models in a row of the legend
DEEPEST = 20  # train errors are shown down to this part of the smallest test error


def learning_curves_figure(
    metrics: pd.DataFrame, fits: pd.DataFrame, look: dict[str, style.Look], anchors: dict[str, str]
) -> Figure:
    """Test and training error against the number of training frames, with the fitted laws.

    Args:
        metrics: tidy table of numbers. fits: as :func:`qff.stages.fits.fit_scaling` writes them.
        anchors: published model → label; points of theirs in ``metrics`` are drawn in grey.
    """
    curves = metrics[metrics.variant == LEARNING_CURVE]
    models = [m for m in look if m in set(curves.model) and m != DO_NOTHING]
    published = metrics[(metrics.variant == PUBLISHED) & metrics.n_train.notna()]
    authors = [a for a in anchors if PREFIX + a in set(published.model)]
    rooms = {"curves": 4.3, "models": 0.35 + 0.19 * len(models), "lines": 0.25}  # inches
    rooms |= {"published": 0.3 + 0.19 * -(-len(authors) // PER_ROW)} if authors else {}
    rows = [[q for q, _ in PANELS], *([name] * len(PANELS) for name in rooms if name != "curves")]
    figure, axes = style.canvas(rows, sum(rooms.values()), height_ratios=list(rooms.values()))
    for quantity, label in PANELS:
        axis, own = axes[quantity], curves[curves.quantity == quantity]
        shown = [own[own.split == "test"].value.to_numpy(dtype=float)]
        for place, model in enumerate(models):
            shift = 1 + 0.03 * (place - (len(models) - 1) / 2)  # ranges side by side
            found = own[own.model == model]
            law = fits[(fits.model == model) & (fits.quantity == quantity) & (fits.range == "all")]
            shown.append(_curve(axis, found, law, look[model], shift))
        _do_nothing(axis, own[(own.model == DO_NOTHING) & (own.split == "test")])
        shown.append(_anchors(axis, published[published.quantity == quantity], authors))
        lowest = np.nanmin(shown[0]) / DEEPEST if len(shown[0]) else 0.0
        values = np.concatenate(shown)
        style.pad_log(axis, values[values > lowest])
        axis.set_xscale("log")
        ticks = sorted(curves.n_train.unique())
        axis.set_xticks(ticks, [f"{n:.0f}" for n in ticks], rotation=45 if len(ticks) > 5 else 0)
        axis.minorticks_off()
        axis.set(xlabel="training frames n", ylabel=label)
    _name_models(axes["models"], models, fits, look)
    _name_lines(axes["lines"])
    if authors:
        points = [
            Line2D([], [], marker=m, label=anchors[a], **OPEN) for m, a in zip(style.MARKERS, authors, strict=False)
        ]
        _legend(axes["published"], points, ncols=PER_ROW, title="published by others, not computed here")
    return figure


def _curve(axis: Axes, found: pd.DataFrame, law: pd.DataFrame, look: style.Look, shift: float) -> np.ndarray:
    """One model: median and range of test errors, median of train errors, and its law; the train errors."""
    for split, line in LINES.items():
        by = found[found.split == split].groupby("n_train").value.agg(["min", "median", "max"])
        size, line_of = by.index.to_numpy(dtype=float), {"color": look.colour, "linestyle": line}
        if split == "train":
            axis.plot(size, by["median"], linewidth=0.9, **line_of)
            return by["median"].to_numpy(dtype=float)
        axis.vlines(size * shift, by["min"], by["max"], color=look.colour, linewidth=2.2, alpha=0.45)
        axis.plot(size * shift, by["median"], marker=look.marker, markersize=5, **line_of)
        for f in law.itertuples():
            grid = np.geomspace(f.n_smallest, f.n_largest, 50)
            floor = (f.floor_prefactor, f.floor_exponent, f.floor)
            chosen = floor if f.law == "floor" else (f.prefactor, f.exponent)
            axis.plot(grid, predicted(grid, *chosen), color=look.colour, linewidth=0.8, alpha=0.6)
    return np.empty(0)


def _do_nothing(axis: Axes, found: pd.DataFrame) -> None:
    by = found.groupby("n_train").value.median()
    axis.plot(by.index, by, color=GREY, linestyle=":", linewidth=1.4)


def _anchors(axis: Axes, published: pd.DataFrame, authors: list[str]) -> np.ndarray:
    for marker, author in zip(style.MARKERS, authors, strict=False):
        own = published[published.model == PREFIX + author].sort_values("n_train")
        axis.plot(own.n_train, own.value, marker=marker, zorder=1, **OPEN)
    return published.value.to_numpy(dtype=float)


def exponent_words(fits: pd.DataFrame, model: str, quantity: str) -> str:
    """Exponent of the power law with its interval, and the floor if the law with one describes the curve better."""
    law = fits[(fits.model == model) & (fits.quantity == quantity) & (fits.range == "all")]
    if law.empty:
        return "–"
    f = law.iloc[0]
    words = f"{f.exponent:.2f} [{f.exponent_low:.2f}, {f.exponent_high:.2f}]".replace("-", "−").replace("inf", "∞")
    return f"{words}, floor {f.floor:.3g}" if f.law == "floor" else words


def _legend(axis: Axes, handles: list[Line2D], **settings) -> None:
    axis.axis("off")
    legend = axis.legend(handles=handles, loc="upper left", fontsize=8, borderaxespad=0, **settings)
    legend._legend_box.align = "left"


def _name_models(axis: Axes, models: list[str], fits: pd.DataFrame, look: dict[str, style.Look]) -> None:
    """Per model the exponents with their intervals."""
    handles = style.legend_of(models, look)
    for handle, model in zip(handles, models, strict=True):
        words = "; ".join(f"{q[0].upper()} {exponent_words(fits, model, q)}" for q, _ in PANELS)
        handle.set_label(f"{look[model].label}:   {words}")
    _legend(axis, handles, title="exponents α of B·n$^{-α}$ with 95 % intervals, for energy (E) and force (F)")


def _name_lines(axis: Axes) -> None:
    bar = {"linestyle": "", "marker": "|", "markersize": 11, "markeredgewidth": 2, "alpha": 0.5}
    lines = [
        Line2D([], [], color=GREY, marker="o", markersize=5, label="test, median"),
        Line2D([], [], color=GREY, label="test, range", **bar),
        Line2D([], [], color=GREY, linewidth=1, linestyle=LINES["train"], label="training, median"),
        Line2D([], [], color=GREY, linewidth=0.8, alpha=0.6, label="fitted law"),
        Line2D([], [], color=GREY, linewidth=1.4, linestyle=":", label="mean energy, no force"),
    ]
    _legend(axis, lines, ncols=5, columnspacing=1.2)

"""Effective dimension and Fisher spectra."""

from __future__ import annotations

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import stats

from qff.figures import style

QUANTITIES = (("normalised_effective_dimension", "d$_n$ / d"), ("effective_dimension", "d$_n$"))
LOCAL = "local"  # the trained parameters themselves
UNIFORM = "_uniform"  # ends the name of a box if inputs are uniform in their bounds
SMALLEST = 1e-12  # eigenvalues below are rounding errors
N_MARKS = ("|", "x", "+")  # of the values at other n
DARK = style.REFERENCE_COLOUR


def _bound(value: float) -> str:
    ratio = value / np.pi
    if value and abs(ratio - round(ratio)) < 1e-9:
        return {1: "π", -1: "−π"}.get(round(ratio), f"{round(ratio)}π")
    return f"{value:g}".replace("-", "−")


def box_label(box: str, boxes: dict[str, tuple[float, float]]) -> str:
    """What a variant without its likelihood stands for, in two lines."""
    if box.endswith(UNIFORM):
        return "uniform inputs,\n" + box_label(box.removesuffix(UNIFORM), boxes).replace("\n", " ")
    if box == LOCAL:
        return "trained\nparameters"
    return "θ in\n[{}, {}]".format(*map(_bound, boxes[box]))


def panels_of(metrics: pd.DataFrame, boxes: dict[str, tuple[float, float]], likelihood: str) -> list[str]:
    """Boxes, trained parameters and, if the table of numbers has them, uniform inputs in the first box."""
    uniform = f"{next(iter(boxes))}{UNIFORM}"
    return [*boxes, LOCAL, *([uniform] if f"{likelihood}_{uniform}" in set(metrics.variant) else [])]


def effective_dimension_figure(
    metrics: pd.DataFrame, boxes: dict[str, tuple[float, float]], likelihoods: list[str], look: dict[str, style.Look]
) -> Figure:
    """Effective dimension, normalised and absolute: one line per model, one column per parameter box; the last one
    is the first box with uniform inputs, where there are any.

    Filled markers for the first likelihood, hollow ones for the others, with the mean and 95 % interval over seeds at
    n = number of training frames; small marks for the means at the other n.

    Args:
        metrics: tidy table of numbers of one system; variants are ``<likelihood>_<box>``, n_train is n.
    """
    names = panels_of(metrics, boxes, likelihoods[0])
    models = [m for m in look if m in set(metrics[metrics.quantity == QUANTITIES[0][0]].model)]
    first = int(metrics[metrics.quantity == "fisher_rank"].n_train.max())
    others = sorted({int(n) for n in metrics[metrics.quantity == QUANTITIES[0][0]].n_train} - {first})
    marks = dict(zip(others, cycle(N_MARKS), strict=False))
    shifts = np.linspace(-0.18, 0.18, len(likelihoods)) if len(likelihoods) > 1 else [0.0]
    mosaic = [[f"{quantity}/{box}" for box in names] for quantity, _ in QUANTITIES]
    figure, axes = style.canvas(mosaic, 1.6 + 0.62 * len(models), sharey=True)
    for row, (quantity, label) in zip(mosaic, QUANTITIES, strict=True):
        of_quantity = metrics[metrics.quantity == quantity]
        for panel, box in zip(row, names, strict=True):
            axis = axes[panel]
            for likelihood, shift in zip(likelihoods, shifts, strict=True):
                found = of_quantity[of_quantity.variant == f"{likelihood}_{box}"]
                if found.empty:  # uniform inputs are for the first likelihood only
                    continue
                for place, model in enumerate(models):
                    by_n = dict(list(found[found.model == model].groupby("n_train").value))
                    for n, mark in marks.items():
                        axis.plot(by_n[n].mean(), place + shift, mark, markersize=10, color=DARK, zorder=3)
                    mean, half = _mean_and_half(by_n[first])
                    axis.errorbar(
                        mean, place + shift, xerr=half, linestyle="", marker=look[model].marker, markersize=5,
                        color=look[model].colour, elinewidth=1.0,
                        markerfacecolor=look[model].colour if likelihood == likelihoods[0] else "white",
                    )  # fmt: skip
            axis.set_xlabel(label)
            axis.sharex(axes[row[0]])
            axis.grid(axis="y", visible=False)
            if row is mosaic[0]:
                axis.set_title(box_label(box, boxes), fontsize=9)
        axes[row[0]].set_xlim(left=0)
        axes[row[0]].set_yticks(range(len(models)), [look[m].label for m in models])
    axes[mosaic[0][0]].set_ylim(len(models) - 0.5, -0.5)
    figure.legend(handles=_keys(likelihoods, first, marks), loc="outside upper center", ncols=4)
    return figure


def _mean_and_half(values: pd.Series) -> tuple[float, float]:
    """Mean over seeds and half of its 95 % interval."""
    n = len(values)
    half = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / n**0.5 if n > 1 else 0.0
    return values.mean(), half


def _keys(likelihoods: list[str], first: int, marks: dict[int, str]) -> list[Line2D]:
    """What fill and marks mean."""
    fills = ["#555555", *["white"] * (len(likelihoods) - 1)]
    drawn = [
        Line2D(
            [],
            [],
            linestyle="",
            marker="o",
            color="#555555",
            markerfacecolor=fill,
            label=f"{k.capitalize()}, n = {first}",
        )
        for k, fill in zip(likelihoods, fills, strict=True)
    ]
    return drawn + [
        Line2D([], [], linestyle="", marker=mark, markersize=10, color=DARK, label=f"n = {n}")
        for n, mark in marks.items()
    ]


def fisher_spectrum_figure(
    spectra: dict[str, pd.DataFrame],
    boxes: dict[str, tuple[float, float]],
    likelihood: str,
    look: dict[str, style.Look],
) -> Figure:
    """Mean eigenvalues of the normalised Fisher matrix, largest first; median and range over seeds.

    Args:
        spectra: model → columns seed, variant, index (from 0), eigenvalue.
    """
    names = [*boxes, LOCAL]
    mosaic = [names[i : i + 2] for i in range(0, len(names), 2)]
    mosaic[-1] += ["."] * (2 - len(mosaic[-1]))
    models = [m for m in look if m in spectra]
    lines = -(-len(models) // 3)  # of the legend
    figure, axes = style.canvas(mosaic, 0.4 + 0.2 * lines + 2.5 * len(mosaic), sharex=True, sharey=True)
    for box in names:
        axis = axes[box]
        for model in models:
            table = spectra[model]
            found = table[table.variant == f"{likelihood}_{box}"]
            by = found.groupby("index").eigenvalue.agg(["min", "median", "max"])
            by = by[by["median"] > SMALLEST]
            marked = np.unique(np.geomspace(1, len(by), 8).astype(int)) - 1
            axis.fill_between(by.index + 1, by["min"], by["max"], color=look[model].colour, alpha=0.2, linewidth=0)
            axis.plot(
                by.index + 1, by["median"], color=look[model].colour, marker=look[model].marker, markersize=4,
                markevery=marked.tolist(), linewidth=1.2,
            )  # fmt: skip
        axis.set(yscale="log", xscale="log", title=box_label(box, boxes).replace("\n", " "))
        axis.set(xlabel="index of the eigenvalue", ylabel="eigenvalue of F̂")
        axis.set_ylim(bottom=SMALLEST)
        axis.label_outer()
    figure.legend(handles=style.legend_of(models, look), loc="outside upper center", ncols=3)
    return figure

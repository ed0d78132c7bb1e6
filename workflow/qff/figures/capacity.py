"""Effective dimension and Fisher spectra."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from qff.figures import style

QUANTITIES = (("normalised_effective_dimension", "d$_n$ / d"), ("effective_dimension", "d$_n$"))
LOCAL = "local"  # the trained parameters themselves
SMALLEST = 1e-12  # eigenvalues below are rounding errors


def _bound(value: float) -> str:
    ratio = value / np.pi
    if value and abs(ratio - round(ratio)) < 1e-9:
        return {1: "π", -1: "−π"}.get(round(ratio), f"{round(ratio)}π")
    return f"{value:g}".replace("-", "−")


def box_label(box: str, boxes: dict[str, tuple[float, float]]) -> str:
    if box == LOCAL:
        return "trained\nparameters"
    return "θ in\n[{}, {}]".format(*map(_bound, boxes[box]))


def effective_dimension_figure(
    metrics: pd.DataFrame, boxes: dict[str, tuple[float, float]], likelihoods: list[str], look: dict[str, style.Look]
) -> Figure:
    """Effective dimension, normalised and absolute, by likelihood and parameter box; mean and 95 % over seeds.

    Args:
        metrics: tidy table of numbers; variants are ``<likelihood>_<box>``.
    """
    names = [*boxes, LOCAL]
    mosaic = [[f"{q}/{likelihood}" for likelihood in likelihoods] for q, _ in QUANTITIES]
    figure, axes = style.canvas(mosaic, 6.0, sharex=True)
    models = [m for m in look if m in set(metrics[metrics.quantity == QUANTITIES[0][0]].model)]
    shift = dict(zip(models, np.linspace(-0.24, 0.24, len(models)) if len(models) > 1 else [0.0], strict=True))
    for row, (quantity, label) in zip(mosaic, QUANTITIES, strict=True):
        for panel, likelihood in zip(row, likelihoods, strict=True):
            axis = axes[panel]
            for model in models:
                found = metrics[(metrics.quantity == quantity) & (metrics.model == model)]
                seeds = [found[found.variant == f"{likelihood}_{box}"].value.to_numpy() for box in names]
                means = [v.mean() if len(v) else np.nan for v in seeds]
                halves = [
                    stats.t.ppf(0.975, len(v) - 1) * v.std(ddof=1) / len(v) ** 0.5 if len(v) > 1 else 0.0
                    for v in seeds
                ]
                axis.errorbar(
                    np.arange(len(names)) + shift[model], means, yerr=halves, linestyle="", capsize=2.5,
                    marker=look[model].marker, markersize=6, color=look[model].colour, elinewidth=1.2,
                )  # fmt: skip
            axis.set_ylabel(label)
            axis.set_xticks(range(len(names)), [box_label(b, boxes) for b in names])
            axis.grid(axis="x", visible=False)
            axis.set(xlim=(-0.5, len(names) - 0.5), ylim=(0, None))
            axis.sharey(axes[row[0]])
            axis.label_outer()
    for panel, likelihood in zip(mosaic[0], likelihoods, strict=True):
        axes[panel].set_title(f"{likelihood.capitalize()} likelihood")
    figure.legend(
        handles=style.legend_of(models, look, linestyle=""), loc="outside upper center", ncols=len(models) or 1
    )
    return figure


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
    figure, axes = style.canvas(mosaic, 0.6 + 2.5 * len(mosaic), sharex=True, sharey=True)
    for box in names:
        axis = axes[box]
        for model, table in spectra.items():
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
    figure.legend(handles=style.legend_of(list(spectra), look), loc="outside upper center", ncols=len(spectra) or 1)
    return figure

"""Residuals on the test set: predicted minus reference, against the reference."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qff.figures import style
from qff.units import EV_IN_MEV


def _panel(axis: Axes, reference: pd.Series, residual: pd.Series, look: style.Look) -> None:
    axis.axhline(0, color="#777777", linewidth=0.8)
    axis.plot(
        reference, residual, linestyle="", marker=look.marker, color=look.colour, markersize=3.2, alpha=0.6,
        markeredgewidth=0, rasterized=True,
    )  # fmt: skip


def parity_figure(predictions: dict[str, pd.DataFrame], look: dict[str, style.Look]) -> Figure:
    """Residuals of the energy (meV) and of the force components (eV/Å), all seeds, one row per model.

    Args:
        predictions: model → columns frame, component (−1: energy), reference, predicted, seed. Components that
            symmetry makes zero are left out.
    """
    rows = [[f"{m}/energy", f"{m}/force"] for m in predictions]
    figure, axes = style.canvas(rows, 0.7 + 1.35 * len(rows))
    lowest = min(t[t.component < 0].reference.min() for t in predictions.values())
    for model, table in predictions.items():
        table = table.assign(residual=table.predicted - table.reference)
        energy, force = table[table.component < 0], table[table.component >= 0]
        force = force[(force.reference.abs() > 1e-9) | (force.predicted.abs() > 1e-9)]
        left, right = axes[f"{model}/energy"], axes[f"{model}/force"]
        _panel(left, energy.reference - lowest, energy.residual * EV_IN_MEV, look[model])
        _panel(right, force.reference, force.residual, look[model])
        left.set_ylabel(f"{look[model].label}\nΔE (meV)")
        right.set_ylabel("ΔF (eV/Å)")
    for name, label in zip(
        rows[-1], ("reference E − E$_{min}$ (eV)", "reference force component (eV/Å)"), strict=True
    ):
        axes[name].set_xlabel(label)
    for left, right in rows[:-1]:
        axes[left].tick_params(labelbottom=False)
        axes[right].tick_params(labelbottom=False)
    for column in zip(*rows, strict=True):
        for name in column[1:]:
            axes[name].sharex(axes[column[0]])
    return figure

"""Molecular dynamics: trajectories, their distance from the reference, and conservation of energy."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.integrate import cumulative_trapezoid

from qff.figures import style
from qff.units import EV_IN_MEV

LEGEND_COLUMNS = 4
SHOWN_FS = 100.0  # length of the two windows in which r(t) itself is shown


def median_seed(paths: pd.DataFrame, reference: pd.DataFrame) -> int:
    """Seed whose r(t) deviates from the reference by the (lower) median amount; one that stopped early counts as worst."""
    order = []
    for seed, path in paths.groupby("seed"):
        deviation = path.distance_ang.to_numpy() - reference.distance_ang.to_numpy()[: len(path)]
        complete = len(path) == len(reference)
        order.append((np.sqrt((deviation**2).mean()) if complete else np.inf, seed))
    return sorted(order)[(len(order) - 1) // 2][1]


def windows(time_fs: np.ndarray, values: np.ndarray, length_fs: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean of values over consecutive windows of a given length: (centres in fs, means).

    The integral is interpolated at the ends of the windows, which need not lie on time steps.
    """
    ends = np.arange(0, time_fs[-1] + 1e-9, length_fs)
    integral = np.interp(ends, time_fs, cumulative_trapezoid(values, time_fs, initial=0))
    return ends[1:] - length_fs / 2, np.diff(integral) / length_fs


def dynamics_figure(
    reference: pd.DataFrame,
    trajectories: dict[str, pd.DataFrame],
    on_the_fly: pd.DataFrame,
    period_fs: float,
    look: dict[str, style.Look],
) -> Figure:
    """r(t) at the beginning and at the end, deviation from the reference, conservation of energy, spline check.

    Args:
        reference: columns time_fs, distance_ang, total_energy_ev. trajectories: model → the same and seed.
        on_the_fly: time_fs, distance_ang (reference method at every step), curve_distance_ang (spline).
        period_fs: deviation and energy are averaged over windows of one vibrational period.
    """
    lines = -(-(len(trajectories) + 1) // LEGEND_COLUMNS)
    figure, axes = style.canvas(
        [["begin", "end"], ["deviation", "deviation"], ["energy", "check"]], 7.8 + 0.2 * lines
    )
    end = reference.time_fs.iloc[-1]
    length = min(SHOWN_FS, end)
    picked = {m: t[t.seed == median_seed(t, reference)] for m, t in trajectories.items()}
    for name, low in (("begin", 0.0), ("end", end - length)):
        axis = axes[name]
        for path, colour, line in [
            (reference, style.REFERENCE_COLOUR, {"linewidth": 3.2, "alpha": 0.45}),
            *((p, look[m].colour, {"linewidth": 1.1}) for m, p in picked.items()),
        ]:
            part = path[path.time_fs.between(low, low + length)]
            axis.plot(part.time_fs, part.distance_ang, color=colour, **line)
        axis.set(xlabel="t (fs)", ylabel="r (Å)", xlim=(low, low + length))
        axis.set_title(f"{'first' if name == 'begin' else 'last'} {length:g} fs")
    _deviation(axes["deviation"], reference, trajectories, picked, period_fs, look)
    _energy(axes["energy"], reference, picked, period_fs, look)
    check = axes["check"]
    difference = (on_the_fly.distance_ang - on_the_fly.curve_distance_ang).abs()
    later = on_the_fly.time_fs > 0  # both start at the same distance
    check.plot(
        on_the_fly.time_fs[later],
        difference[later],
        color=style.REFERENCE_COLOUR,
        marker="o",
        markersize=3,
        linewidth=1,
    )
    style.pad_log(check, difference[later])
    check.set(
        xlabel="t (fs)",
        ylabel="|r$_{spline}$ − r$_{on\\ the\\ fly}$| (Å)",
        title="spline against reference\nmethod at every step",
    )
    handles = [Line2D([], [], color=style.REFERENCE_COLOUR, linewidth=3.2, alpha=0.45, label="reference")]
    handles += style.legend_of(list(trajectories), look)
    figure.legend(handles=handles, loc="outside upper center", ncols=LEGEND_COLUMNS)
    return figure


def _deviation(axis, reference, trajectories, picked, period_fs, look) -> None:
    """Root mean square of r − r_ref over one period; thin lines: the other seeds."""
    shown = []
    for model, table in trajectories.items():
        for seed, path in table.groupby("seed"):
            square = (path.distance_ang.to_numpy() - reference.distance_ang.to_numpy()[: len(path)]) ** 2
            time, mean = windows(path.time_fs.to_numpy(), square, period_fs)
            main = seed == picked[model].seed.iloc[0]
            line = (
                {"marker": look[model].marker, "markersize": 4, "markevery": max(1, len(time) // 8)} if main else {}
            )
            width, alpha = (1.6, 1.0) if main else (0.7, 0.45)
            axis.plot(time, np.sqrt(mean), color=look[model].colour, linewidth=width, alpha=alpha, **line)
            shown.append(np.sqrt(mean))
    style.pad_log(axis, np.concatenate(shown) if shown else [1.0])
    axis.set_xlim(0, reference.time_fs.iloc[-1])
    axis.set(
        xlabel="t (fs)", ylabel="|r − r$_{ref}$| (Å)", title="deviation from the reference (rms over one period)"
    )


def _energy(axis, reference, picked, period_fs, look) -> None:
    """Total energy averaged over one period, relative to the first; band: range of the reference within a period."""
    energy = (reference.total_energy_ev - reference.total_energy_ev.mean()) * EV_IN_MEV
    axis.axhspan(energy.min(), energy.max(), color=style.REFERENCE_COLOUR, alpha=0.12, linewidth=0)
    for model, path in picked.items():
        time, mean = windows(path.time_fs.to_numpy(), path.total_energy_ev.to_numpy() * EV_IN_MEV, period_fs)
        if len(time):
            axis.plot(time, mean - mean[0], color=look[model].colour, linewidth=1.3)
    axis.set(xlabel="t (fs)", ylabel="total energy (meV)", title="energy: mean of a period\n(band: range within it)")

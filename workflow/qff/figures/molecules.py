"""Dynamics of molecules: density of states, conservation of energy, inversion."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from scipy.ndimage import gaussian_filter1d

from qff.figures import style
from qff.units import EV_IN_MEV

GAP = 1000.0  # cm⁻¹ between harmonic wavenumbers that are drawn in different panels
ROOM = 200.0  # cm⁻¹ around them
BROADENING = 8.0  # cm⁻¹, standard deviation: single lines of short trajectories become bands that can be compared
REFERENCE_LINE = {"color": style.REFERENCE_COLOUR, "linewidth": 2.6, "alpha": 0.45}
HARMONIC_LINE = {"linestyle": ":", "linewidth": 0.9}


def bands(wavenumbers: np.ndarray) -> list[tuple[float, float]]:
    """Ranges (cm⁻¹) that hold the harmonic wavenumbers, split at wide gaps."""
    ordered = np.sort(wavenumbers)
    groups = np.split(ordered, np.flatnonzero(np.diff(ordered) > GAP) + 1)
    return [(max(0.0, g[0] - ROOM), g[-1] + ROOM) for g in groups]


def _broadened(spectrum: pd.DataFrame) -> np.ndarray:
    spacing = spectrum.wavenumber_inverse_cm.iloc[1]
    return gaussian_filter1d(spectrum.density_cm.to_numpy(), BROADENING / spacing, mode="constant")


def _legend(figure: Figure, models: list[str], look: dict[str, style.Look], **dotted) -> None:
    handles = [Line2D([], [], label="fitted reference", **REFERENCE_LINE), *style.legend_of(models, look)]
    handles += [Line2D([], [], color=style.REFERENCE_COLOUR, **dotted)] if dotted else []
    figure.legend(handles=handles, loc="outside upper center", ncols=min(4, len(handles)))


def vibrations_figure(
    reference: pd.DataFrame,
    spectra: dict[str, pd.DataFrame],
    harmonic: np.ndarray,
    source: str,
    energies: dict[str, pd.DataFrame],
    look: dict[str, style.Look],
) -> Figure:
    """Densities of states, one above the other, and how energy and trajectories last.

    Args:
        reference: columns wavenumber_inverse_cm, density_cm. spectra: model → the same.
        harmonic: wavenumbers (cm⁻¹) of ``source``, the reference method or the fit to its labels.
        energies: ``reference`` or model → columns time_fs, change_mev, alive.
    """
    ranges = bands(harmonic)
    names = [f"band{k}" for k in range(len(ranges))]
    width = 6 // len(ranges)
    top = [name for name in names for _ in range(width)]
    figure, axes = style.canvas([top, ["energy"] * 3 + ["alive"] * 3], 7.2, height_ratios=[1.5, 1])
    curves = [(style.REFERENCE_COLOUR, reference), *((look[m].colour, t) for m, t in spectra.items())]
    for name, (low, high) in zip(names, ranges, strict=True):
        axis = axes[name]
        for k, (colour, table) in enumerate(curves):
            density = _broadened(table)
            shown = table.wavenumber_inverse_cm.between(low, high).to_numpy()
            top_of_band = density[shown].max()
            scaled = density / top_of_band if top_of_band > 0 else density
            line = REFERENCE_LINE if k == 0 else {"color": colour, "linewidth": 1.3}
            axis.plot(table.wavenumber_inverse_cm[shown], k + 0.9 * scaled[shown], **line)
        for wavenumber in harmonic[(harmonic > low) & (harmonic < high)]:
            axis.axvline(wavenumber, color=style.REFERENCE_COLOUR, **HARMONIC_LINE)
        axis.set(xlim=(low, high), yticks=[], xlabel="wavenumber (cm⁻¹)")
    axes[names[0]].set_ylabel("density of states (scaled)")
    _lasting(axes, energies, look)
    _legend(figure, list(spectra), look, label=f"harmonic {source}", **HARMONIC_LINE)
    return figure


def _lasting(axes, energies, look) -> None:
    """Change of the windowed total energy, and the number of trajectories left."""
    for model, table in energies.items():
        line = REFERENCE_LINE if model not in look else {"color": look[model].colour, "linewidth": 1.3}
        later = table.iloc[1:]  # the first window is what the others are compared with
        axes["energy"].plot(later.time_fs / 1000, later.change_mev, **line)
        axes["alive"].plot(table.time_fs / 1000, table.alive, drawstyle="steps-mid", **line)
    style.pad_log(axes["energy"], np.concatenate([t.change_mev.iloc[1:] for t in energies.values()]))
    axes["energy"].set(xlabel="t (ps)", ylabel="rms change (meV)", title="total energy, mean of 100 fs")
    axes["alive"].set(xlabel="t (ps)", ylabel="trajectories", title="trajectories still physical")
    axes["alive"].yaxis.set_major_locator(MaxNLocator(integer=True))
    axes["alive"].set_ylim(bottom=0)


def inversion_figure(
    curves: dict[str, pd.DataFrame],
    trajectories: dict[str, pd.DataFrame],
    rates: pd.DataFrame,
    look: dict[str, style.Look],
) -> Figure:
    """Potential along the symmetric inversion path, its error, one inversion in time, and inversion rates.

    Args:
        curves: ``reference`` or model → columns height_ang, label_ev, energy_ev and, for models, seed.
        trajectories: ``reference`` or model → columns start, time_fs, height_ang.
        rates: columns model, value (1/ps), one row per seed.
    """
    figure, axes = style.canvas(
        [["path", "error"], ["time", "time"], ["rate", "rate"]], 8.4, height_ratios=[3, 2.2, 2]
    )
    labels = curves["reference"]
    zero = labels.label_ev.min()
    axes["path"].plot(
        labels.height_ang, (labels.label_ev - zero) * EV_IN_MEV, "o", color=style.REFERENCE_COLOUR, markersize=2.5
    )
    errors = []
    for model, table in curves.items():
        for _, curve in table.groupby("seed") if "seed" in table else [(0, table)]:
            line = {"color": look[model].colour, "linewidth": 0.9, "alpha": 0.8} if model in look else REFERENCE_LINE
            if model in look:
                axes["path"].plot(curve.height_ang, (curve.energy_ev - zero) * EV_IN_MEV, **line)
            error = (curve.energy_ev - curve.label_ev) * EV_IN_MEV
            axes["error"].plot(curve.height_ang, error, **line)
            errors.append(error.abs())
    top = (labels.label_ev.max() - zero) * EV_IN_MEV
    axes["path"].set(xlabel="height of O (Å)", ylabel="energy (meV)", title="symmetric path (dots: labels)")
    axes["path"].set_ylim(-0.15 * top, 1.3 * top)
    axes["error"].set_yscale("symlog", linthresh=1.0)
    largest = 2 * max(1.0, max(e.max() for e in errors))
    axes["error"].set(
        xlabel="height of O (Å)", ylabel="error (meV)", title="error along the path", ylim=(-largest, largest)
    )
    for model, table in trajectories.items():
        first = table[table.start == table.start.min()]
        line = {"color": look[model].colour, "linewidth": 1.2} if model in look else REFERENCE_LINE
        axes["time"].plot(first.time_fs, first.height_ang, **line)
    axes["time"].set(xlabel="t (fs)", ylabel="height of O (Å)", title="inversion of the same start", xlim=(0, None))
    names = [m for m in trajectories if len(rates[rates.model == m])]
    for place, model in enumerate(names):
        values = rates.value[rates.model == model]
        colour, marker = (look[model].colour, look[model].marker) if model in look else (style.REFERENCE_COLOUR, "|")
        axes["rate"].plot(values, np.full(len(values), place), marker, color=colour, markersize=5, alpha=0.7)
        axes["rate"].plot([values.median()] * 2, [place - 0.3, place + 0.3], color=colour, linewidth=2)
    axes["rate"].set_yticks(range(len(names)), [look[m].label if m in look else "fitted reference" for m in names])
    axes["rate"].set(xlabel="inversions per ps (points: seeds, bar: median)", ylim=(len(names) - 0.5, -0.5))
    axes["rate"].set_xlim(left=0)
    _legend(
        figure, [m for m in curves if m in look], look, label="labels", linestyle="none", marker="o", markersize=2.5
    )
    return figure

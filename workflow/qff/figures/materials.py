"""Dynamics of a periodic cell: radial distribution functions beside those of the labelled frames, and displacements."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qff.figures import style

REFERENCE = "reference"  # in place of a temperature


def materials_figure(distributions: pd.DataFrame, displacements: pd.DataFrame) -> Figure:
    """One panel for each pair of elements, and one of mean-squared displacements.

    Args:
        distributions, displacements: tables of :func:`qff.stages.materials.simulate_material`.
    """
    pairs = list(dict.fromkeys(distributions.pair))
    names = [*pairs, "displacement"]
    rows = [names[k : k + 2] for k in range(0, len(names), 2)]
    rows[-1] = [rows[-1][0], rows[-1][-1]]  # a single one takes the whole row
    figure, axes = style.canvas(rows, 2.3 * len(rows))
    colours = _colours(distributions, displacements)
    for pair in pairs:
        _distribution(axes[pair], distributions[distributions.pair == pair], pair, colours)
    axes[pairs[0]].legend()
    _displacement(axes["displacement"], displacements, colours)
    return figure


def _colours(*tables: pd.DataFrame) -> dict[float, str]:
    """Colour of every temperature, coldest first."""
    known = {float(t) for table in tables for t in table.temperature_k if str(t) != REFERENCE}
    return dict(zip(sorted(known), style.PALETTE, strict=False))


def _distribution(axis: Axes, table: pd.DataFrame, pair: str, colours: dict[float, str]) -> None:
    labelled = table[table.temperature_k.astype(str) == REFERENCE]
    kelvin = pd.to_numeric(table.temperature_k, errors="coerce")
    axis.plot(labelled.r_ang, labelled.g, color=style.REFERENCE_COLOUR, linewidth=1, label="labelled frames")
    for temperature, colour in colours.items():
        mean = table[kelvin == temperature].groupby("r_ang").g.mean()
        if len(mean):
            axis.plot(mean.index, mean, color=colour, label=f"{temperature:g} K")
    axis.set(xlabel="r (Å)", ylabel="g(r)", title=pair.replace("-", "–"))


def _displacement(axis: Axes, table: pd.DataFrame, colours: dict[float, str]) -> None:
    """Every run by itself: they end at different times."""
    for (temperature, _), run in table.groupby(["temperature_k", "start"], sort=False):
        axis.plot(run.time_fs / 1000, run.msd_ang2, color=colours[float(temperature)], linewidth=0.9)
    axis.set(
        xlabel="time (ps)", ylabel="displacement² (Å²)", title="mean-squared displacement\nof the mobile element"
    )

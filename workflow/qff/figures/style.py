"""One style for all figures: fonts, colours, markers, and how a figure is saved."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle

import matplotlib as mpl
import matplotlib.colors
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qff.provenance import atomic_path

# Okabe and Ito's palette, told apart by readers with any colour vision; black is kept for the reference.
PALETTE = ("#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#009E73", "#CC79A7", "#8C6D31", "#7F7F7F")
SHADES = (0.0, -0.45, 0.5)  # of the palette, in turn: as it is, darker, lighter; no colour twice among 24 models
MARKERS = ("o", "D", "s", "^", "v", "P", "X", "*", "<")  # 72 models look different
REFERENCE_COLOUR = "#1A1A1A"
WIDTH = 7.2  # inches: text keeps a readable size when the figure is scaled to a page or a phone
SETTINGS = {
    "axes.grid": True,
    "axes.labelsize": 10,
    "axes.titlesize": 10.5,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",  # shipped with matplotlib: the same glyphs on every machine
    "font.size": 10,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.6,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.dpi": 150,
    "svg.fonttype": "path",
    "svg.hashsalt": "qff",
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}


@dataclass(frozen=True)
class Look:
    """How a model is drawn in every figure."""

    label: str
    colour: str
    marker: str


def looks(labels: dict[str, str]) -> dict[str, Look]:
    """Fixed colour and marker of every model, by its place among the models of the study.

    Args:
        labels: model name → label, in the order of the configuration; all models, also those not drawn.
    """
    colours = [shade(colour, by) for by in SHADES for colour in PALETTE]
    styles = zip(labels.items(), cycle(colours), cycle(MARKERS))
    return {name: Look(label, colour, marker) for (name, label), colour, marker in styles}


def shade(colour: str, by: float) -> str:
    """A colour mixed with black (by < 0) or white (by > 0); by = ±1 is black or white itself."""
    other = 1.0 if by > 0 else 0.0
    return mpl.colors.to_hex([c + abs(by) * (other - c) for c in mpl.colors.to_rgb(colour)]).upper()


def canvas(mosaic: list[list[str]], height: float, **kwargs) -> tuple[Figure, dict[str, Axes]]:
    """A figure in the style of the study; ``height`` in inches, the width is fixed."""
    sns.set_theme(context="paper", style="ticks", rc=SETTINGS)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplot_mosaic(mosaic, **kwargs)


def legend_of(models: list[str], look: dict[str, Look], **kwargs) -> list[Line2D]:
    """Handles for a legend of models: colour and marker."""
    return [
        Line2D([], [], color=look[m].colour, marker=look[m].marker, markersize=5, label=look[m].label, **kwargs)
        for m in models
    ]


def pad_log(axis: Axes, values, which: str = "y", factor: float = 1.6) -> None:
    """Logarithmic axis that holds all positive values, with some room."""
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values) & (values > 0)]
    getattr(axis, f"set_{which}scale")("log")
    if len(values):
        getattr(axis, f"set_{which}lim")(values.min() / factor, values.max() * factor)


def save(figure: Figure, svg_path: str, png_path: str) -> None:
    """Write both formats atomically; equal figures give equal files."""
    for path, metadata in ((svg_path, {"Date": None, "Creator": None}), (png_path, {"Software": None})):
        with mpl.rc_context(SETTINGS), atomic_path(path) as temporary:
            figure.savefig(temporary, metadata=metadata)

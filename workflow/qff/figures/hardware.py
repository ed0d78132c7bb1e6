"""A QNN on a quantum computer: shots, noise, measured dynamics, gradients."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qff.figures import style
from qff.units import EV_IN_MEV

ENERGY, FORCE = style.PALETTE[0], style.PALETTE[2]
THERMOSTATS = {"nve": ("no thermostat", "-"), "langevin": ("Langevin", "--"), "absorbing": ("Langevin, absorbs", ":")}
MITIGATIONS = {"none": "no mitigation", "linear": "linear", "richardson": "Richardson"}


def hardware_figure(
    shots: pd.DataFrame, noise: pd.DataFrame, temperature: pd.DataFrame, gradients: pd.DataFrame, settings: dict
) -> Figure:
    """Four panels.

    Args:
        shots, noise: tables of :mod:`qff.stages.hardware`. temperature, gradients: of :mod:`qff.stages.measured`.
        settings: ``quantum`` of the configuration.
    """
    figure, axes = style.canvas([["shots", "noise"], ["temperature", "gradients"]], 7.6)
    _shots(axes["shots"], shots, settings)
    _noise(axes["noise"], noise)
    _temperature(axes["temperature"], temperature, settings)
    _gradients(axes["gradients"], gradients)
    return figure


def _shots(axis: Axes, table: pd.DataFrame, settings: dict) -> None:
    targets = {"energy": settings["energy_error_ev"], "force": settings["force_error_ev_per_ang"]}
    for quantity, colour, label in (("energy", ENERGY, "energy (meV)"), ("force", FORCE, "forces (meV/Å)")):
        for source, marker in (("binomial", "o"), ("aer", "x")):
            own = table[(table.quantity == quantity) & (table.source == source)]
            size = EV_IN_MEV * np.sqrt((own.standard_error**2).groupby(own.shots).mean())
            axis.plot(
                size.index, size, marker, color=colour, linestyle="-" if source == "binomial" else "",
                markersize=4.5 if source == "binomial" else 9, label=label if source == "binomial" else f"{label}, Aer",
            )  # fmt: skip
        axis.axhline(EV_IN_MEV * targets[quantity], color=colour, linestyle="--", linewidth=1)
    axis.set(xscale="log", yscale="log", xlabel="shots of every circuit", ylabel="standard error")
    axis.legend()


def _noise(axis: Axes, table: pd.DataFrame) -> None:
    gates = table[table.noise == "gates"]
    for (mitigation, label), marker in zip(MITIGATIONS.items(), "o^v", strict=True):
        own = gates[gates.mitigation == mitigation].sort_values("rate")
        axis.plot(own.rate, own.energy_error_mev, marker=marker, color=ENERGY, markersize=4.5, label=f"energy, {label}",
                  linestyle="-" if mitigation == "none" else ":")  # fmt: skip
    own = gates[gates.mitigation == "none"].sort_values("rate")
    axis.plot(
        own.rate,
        EV_IN_MEV * own.force_error_ev_per_ang,
        marker="s",
        color=FORCE,
        markersize=4.5,
        label="forces (meV/Å)",
    )
    axis.set(xscale="log", yscale="log", xlabel="two-qubit error probability", ylabel="error (meV, meV/Å)")
    axis.legend()


def _temperature(axis: Axes, table: pd.DataFrame, settings: dict) -> None:
    kinds = table.variant.str.rsplit("_", n=1, expand=True)
    shots = list(dict.fromkeys(kinds[1]))
    for (kind, count), own in table.groupby([kinds[0], kinds[1]], sort=False):
        axis.plot(
            own.time_fs, own.temperature_k, color=style.PALETTE[shots.index(count) % len(style.PALETTE)],
            linestyle=THERMOSTATS[kind][1],
        )  # fmt: skip
    axis.axhline(settings["dynamics"]["temperature_k"], color=style.REFERENCE_COLOUR, linewidth=0.8)
    axis.set(yscale="log", xlabel="time (fs)", ylabel="kinetic temperature (K)")
    # Colour tells shots, dash the thermostat: fewer entries than curves, below the panel where they hide none.
    handles = [
        Line2D([], [], color=c, label=n if n == "exact" else f"{n} shots")
        for n, c in zip(shots, style.PALETTE, strict=False)
    ]
    handles += [
        Line2D([], [], color=style.REFERENCE_COLOUR, linestyle=line, label=label)
        for kind, (label, line) in THERMOSTATS.items()
        if kind in set(kinds[0])
    ]
    axis.legend(handles=handles, ncols=2, fontsize=8, loc="upper center", bbox_to_anchor=(0.45, -0.2))


def _gradients(axis: Axes, table: pd.DataFrame) -> None:
    for place, ((circuit, layers), own) in enumerate(table.groupby(["circuit", "layers"], sort=False)):
        mean = own.groupby("qubits").variance.mean()
        axis.plot(mean.index, mean, marker=style.MARKERS[place], color=style.PALETTE[place], markersize=4.5,
                  label=f"{circuit}, {layers} layers")  # fmt: skip
    axis.set(yscale="log", xlabel="qubits", ylabel="variance of ∂f/∂θ")
    axis.legend()

"""The architecture draft: a row of its Table 1 beside what it prints, VQE along a bond, and the binding case."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from qff.figures import style
from qff.units import KCAL_PER_MOL_IN_EV

PANELS = {"energy_rmse": "energy RMSE (kcal/mol)", "force_rmse": "force RMSE (kcal/mol/Å)"}
OURS, PRINTED = style.PALETTE[0], style.PALETTE[2]
BINDING = {  # method → its words and look
    "mp2": ("MP2", {"color": style.REFERENCE_COLOUR, "marker": "o"}),
    "b3lyp": ("B3LYP", {"color": style.PALETTE[0], "marker": "D"}),
    "b3lyp_d3bj": ("B3LYP-D3(BJ)", {"color": style.PALETTE[4], "marker": "s"}),
    "gfn2": ("GFN2-xTB", {"color": style.PALETTE[3], "marker": "^"}),
    "amber": ("AMBER (ff14SB)", {"color": style.PALETTE[2], "marker": "v"}),
}


def table_one_figure(
    cells: pd.DataFrame, methods: dict[str, str], printed: dict[str, dict[str, float]], label: str
) -> Figure:
    """Errors of every method on one system, with intervals, and the numbers that the draft prints.

    Args:
        cells: rows of ``table_one.csv`` of one system. methods: method → its name in the draft, in its order.
        printed: method → quantity → number of the draft. label: what the system is called.
    """
    figure, axes = style.canvas([list(PANELS)], 1.4 + 0.4 * len(methods), sharey=True)
    for quantity, words in PANELS.items():
        axis, own = axes[quantity], cells[cells.quantity == quantity].set_index("method")
        for place, method in enumerate(methods):
            axis.plot(printed[method][quantity], place, "D", color=PRINTED, markerfacecolor="white", markersize=5)
            cell = own.loc[method]
            if pd.notna(cell.value):
                spread = [[cell.value - cell.low], [cell.high - cell.value]]
                axis.errorbar(cell.value, place, xerr=spread, marker="o", color=OURS, markersize=5, capsize=2)
        numbers = [*own.value, *own.low, *own.high, *(printed[m][quantity] for m in methods)]
        style.pad_log(axis, np.array(numbers, float), "x")
        axis.set_xlabel(words)
    first = axes[next(iter(PANELS))]
    first.set_yticks(range(len(methods)), list(methods.values()))
    first.set_ylim(len(methods) - 0.5, -0.5)
    handles = [
        style.Line2D([], [], color=OURS, marker="o", markersize=5, label=f"here, {label}"),
        style.Line2D(
            [], [], color=PRINTED, marker="D", markerfacecolor="white", linewidth=0, markersize=5,
            label="printed, average over all systems of the draft",
        ),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center")
    return figure


def vqe_figure(scan: pd.DataFrame) -> Figure:
    """Energies along the stretch of a bond, and how far VQE lies above the full diagonalisation of its active space.

    Args:
        scan: table of :func:`qff.vqe.scan.solve_scan`.
    """
    figure, axes = style.canvas([["energy", "error"]], 3.0)
    lines = {
        "hartree_fock_hartree": ("Hartree–Fock", {"color": style.PALETTE[7], "linestyle": "--"}),
        "casci_hartree": ("CASCI", {"color": style.REFERENCE_COLOUR}),
        "vqe_hartree": ("VQE", {"color": OURS, "marker": "o", "markersize": 4.5, "linestyle": ""}),
    }
    for column, (label, look) in lines.items():
        axes["energy"].plot(scan.distance_ang, scan[column], label=label, **look)
    axes["energy"].set(xlabel="r (Å)", ylabel="energy (Ha)")
    axes["energy"].legend()
    above = np.maximum(scan.casci_error_hartree, np.finfo(float).eps * scan.casci_hartree.abs())  # below it: rounding
    axes["error"].plot(scan.distance_ang, above, marker="o", markersize=4.5, color=OURS)
    axes["error"].set(xlabel="r (Å)", ylabel="VQE − CASCI (Ha)")
    style.pad_log(axes["error"], above)
    return figure


def binding_figure(table: pd.DataFrame) -> Figure:
    """Interaction energies along the separation; a bar where the reference was computed in a larger basis.

    Args:
        table: of :func:`qff.hybrid.binding.calculate`.
    """
    figure, axes = style.canvas([["energy"]], 3.6)
    axis, table = axes["energy"], table.assign(kcal=table.interaction_ev / KCAL_PER_MOL_IN_EV)
    bases = table.basis.fillna("")
    for method, (words, look) in BINDING.items():
        own = table[table.method == method]
        if not len(own):
            continue
        small = bases[own.index[0]]
        scan, larger = own[bases[own.index] == small], own[bases[own.index] != small]
        label = f"{words}, {small}" if small else words
        axis.plot(scan.separation_ang, scan.kcal, markersize=4.5, label=label, **look)
        if len(larger):
            low, high = larger.kcal.min(), larger.kcal.max()
            middle = (low + high) / 2
            axis.errorbar(
                larger.separation_ang.iloc[0], middle, yerr=[[middle - low], [high - middle]], capsize=4, fmt="none",
                color=look["color"], label=f"{words}, {bases[larger.index[0]]}",
            )  # fmt: skip
    axis.axhline(0, color=style.PALETTE[7], linewidth=0.8)
    axis.set(xlabel="S–C distance (Å)", ylabel="interaction energy (kcal/mol)")
    axis.legend()
    return figure

"""Reference curve of a diatomic: energy, force, and how far the method can be trusted."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from qff.data import LabelledFrames
from qff.figures import style

UNSTABLE = "#F6E1D5"


def basis_label(name: str) -> str:
    """Usual spelling of a basis set: cc-pvtz → cc-pVTZ."""
    return re.sub(r"cc-pv(\w)z", lambda m: f"cc-pV{m[1].upper()}Z", name)


def reference_figure(frames: LabelledFrames, fci: pd.DataFrame, method: str, basis: str, check_basis: str) -> Figure:
    """Energy above the minimum (eV), force along the bond (eV/Å) and the error against FCI (meV).

    Args:
        fci: columns distance_ang, error_mev. Shaded: distances where RHF is unstable towards UHF.
    """
    bond = frames.positions[:, 1] - frames.positions[:, 0]
    r = np.linalg.norm(bond, axis=1)
    order = np.argsort(r)
    force = (frames.forces[:, 1] * bond).sum(1) / r
    unstable = np.array([not i["rhf_stable_towards_uhf"] for i in frames.info])
    figure, axes = style.canvas([["energy", "force"], ["error", "error"]], 5.4)
    line = {"color": style.REFERENCE_COLOUR, "marker": "o"}
    for name, values, label in (
        ("energy", frames.energies - frames.energies.min(), "E − E$_{min}$ (eV)"),
        ("force", force, "force along the bond (eV/Å)"),
    ):
        axes[name].plot(r[order], values[order], **line, markersize=2, linewidth=0.8)
        axes[name].set(xlabel="r (Å)", ylabel=label, title=f"{name}, {method}/{basis_label(basis)}")
    error = axes["error"]
    error.plot(fci.distance_ang, fci.error_mev, **line, markersize=4.5)
    error.set(xlabel="r (Å)", ylabel=f"{method} − FCI (meV)", title=f"error of {method}, {basis_label(check_basis)}")
    for axis in (axes["force"], error):
        axis.axhline(0, color="#999999", linewidth=0.8)
    if unstable.any():
        onset = r[unstable].min()
        for axis in axes.values():
            axis.axvspan(onset, r.max(), color=UNSTABLE, linewidth=0, zorder=0)
        error.annotate(
            f"shaded: RHF unstable towards UHF\n(from r = {onset:.2f} Å)", (0.03, 0.06), xycoords="axes fraction"
        )
    return figure

"""Minimum, vibrations and inversion barrier of a potential: quantity → (unit, value)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from qff.data import LabelledFrames
from qff.dynamics import inversion
from qff.dynamics.normal_modes import hessian, normal_modes, stationary_point, vibrations
from qff.dynamics.reference import FittedReference
from qff.errors import DataError, DomainError
from qff.systems import System
from qff.units import EV_IN_MEV


@dataclass(frozen=True)
class Landscape:
    """A molecule, its fitted reference and the stationary points of that.

    Attributes:
        minimum: (A, 3) in Å. planar: the saddle point of the inversion (A, 3), or None if there is none.
        wavenumbers, modes: normal modes at the minimum, see :func:`qff.dynamics.normal_modes.normal_modes`.
    """

    system: System
    frames: LabelledFrames
    reference: FittedReference
    minimum: np.ndarray
    planar: np.ndarray | None
    wavenumbers: np.ndarray
    modes: np.ndarray

    @property
    def inverts(self) -> bool:
        return self.planar is not None


def landscape(system: System, frames: LabelledFrames) -> Landscape:
    """Fit the reference of a molecule and find its stationary points; a molecule with an umbrella range inverts."""
    reference = FittedReference(system, frames)
    minimum = stationary_point(reference, frames.positions[frames.energies.argmin()])
    planar = None
    if (sampling := system.config.reference.internal) and sampling.umbrella:
        bond = np.linalg.norm(minimum[1:] - minimum[0], axis=-1).mean()
        planar = stationary_point(reference, inversion.planar(bond))
    wavenumbers, modes = normal_modes(hessian(reference, minimum), minimum, system.masses)
    return Landscape(system, frames, reference, minimum, planar, wavenumbers, modes)


def _found(potential, start: np.ndarray, guide, negative: int) -> np.ndarray:
    """Stationary point near a start with so many negative curvatures: 0 for a minimum, 1 for a saddle point.

    Raises:
        DataError: none there, or one of another nature. DomainError: it is outside the bounds.
    """
    positions = stationary_point(potential, start, guide)
    basis = vibrations(positions, np.ones(len(positions)))
    curvatures = np.linalg.eigvalsh(basis.T @ hessian(guide or potential, positions) @ basis)
    if (curvatures < 0).sum() != negative:
        raise DataError(f"a stationary point with {(curvatures < 0).sum()} negative curvatures, not {negative}")
    return positions


def harmonic(potential, place: Landscape, guide=None) -> dict[str, tuple[str, float]]:
    """Harmonic wavenumbers at the potential's own minimum: harmonic_frequency_1, ...; NaN if it has none near by."""
    masses = place.system.masses
    try:
        minimum = _found(potential, place.minimum, guide, 0)
        values, _ = normal_modes(hessian(potential, minimum), minimum, masses)
    except (DataError, DomainError):
        values = np.full(3 * len(masses) - 6, np.nan)
    return {f"harmonic_frequency_{k}": ("cm-1", float(v)) for k, v in enumerate(values, start=1)}


def barrier(potential, place: Landscape, guide=None) -> dict[str, tuple[str, float]]:
    """Planar saddle point above the mean of both pyramids, and their difference; NaN if one is not found."""
    starts = [(place.planar, 1), (place.minimum, 0), (inversion.mirrored(place.minimum), 0)]
    try:
        found = np.array([_found(potential, start, guide, negative) for start, negative in starts])
        top, first, second = potential.energy_and_forces(found)[0] * EV_IN_MEV
    except (DataError, DomainError):
        top, first, second = np.full(3, np.nan)
    return {
        "inversion_barrier": ("meV", float(top - (first + second) / 2)),
        "well_difference": ("meV", float(abs(first - second))),
    }


def path_energies(potential, frames: LabelledFrames) -> pd.DataFrame:
    """Energies along the symmetric inversion path of a reference set.

    Returns:
        columns height_ang, label_ev, energy_ev, in the order of the height; no row if the set holds no path.
    """
    index = [k for k, info in enumerate(frames.info) if info.get("part") == "path"]
    if not index:
        return pd.DataFrame(columns=["height_ang", "label_ev", "energy_ev"])
    heights = inversion.height(frames.positions[index])
    energies, _ = potential.energy_and_forces(frames.positions[index])
    table = pd.DataFrame({"height_ang": heights, "label_ev": frames.energies[index], "energy_ev": energies})
    return table.sort_values("height_ang", ignore_index=True)


def path_errors(table: pd.DataFrame) -> dict[str, tuple[str, float]]:
    """Errors along the path: of the energies, and of the height of the barrier on it."""
    difference = (table.energy_ev - table.label_ev) * EV_IN_MEV
    middle = table.height_ang.abs().argmin()
    ours, labels = (table[c].iloc[middle] - table[c].min() for c in ("energy_ev", "label_ev"))
    return {
        "path_rmse": ("meV", float(np.sqrt((difference**2).mean()))),
        "path_barrier": ("meV", float(ours * EV_IN_MEV)),
        "path_barrier_error": ("meV", float(abs(ours - labels) * EV_IN_MEV)),
    }

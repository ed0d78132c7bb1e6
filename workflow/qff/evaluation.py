"""Errors on test frames, with intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qff.data import LabelledFrames
from qff.models.potential import Potential
from qff.systems import System
from qff.units import EV_IN_MEV

BOOTSTRAP_SAMPLES = 2000


def interpolated(system: System, frames: LabelledFrames, split: dict[str, list[int]]) -> list[int]:
    """Test frames none of whose internal coordinates leaves the range of the training frames.

    Outside, a model extrapolates in at least one coordinate: a few such frames can make up most of an RMSE. None
    without internal coordinates.
    """
    if not system.config.coordinates:
        return []
    train, test = (system.internal_coordinates(frames.positions[split[part]]) for part in ("train", "test"))
    inside = ((test >= train.amin(0)) & (test <= train.amax(0))).all(1)
    return np.asarray(split["test"])[inside.numpy()].tolist()


def predictions(potential: Potential, frames: LabelledFrames, index: list[int]) -> pd.DataFrame:
    """Reference and predicted energy and force of every frame and component.

    Returns:
        columns frame, component (-1 for the energy, else 3·atom + axis), reference, predicted (eV, eV/Å).
    """
    energies, forces = potential.energy_and_forces(frames.positions[index])
    parts = [
        pd.DataFrame({"frame": index, "component": -1, "reference": frames.energies[index], "predicted": energies})
    ]
    for component in range(forces[0].size):
        atom, axis = divmod(component, 3)
        parts.append(
            pd.DataFrame(
                {
                    "frame": index,
                    "component": component,
                    "reference": frames.forces[index, atom, axis],
                    "predicted": forces[:, atom, axis],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def hydrogen_components(symbols: list[str]) -> np.ndarray:
    """Force components 3·atom + axis of the hydrogen atoms, if there are other atoms beside them; else none.

    Published sets may carry noise on heavy atoms (that of Kiss et al.: on oxygen), so hydrogens are judged apart.
    """
    atoms = [k for k, symbol in enumerate(symbols) if symbol == "H"]
    if len(atoms) == len(symbols):
        return np.array([], int)
    return np.array([3 * atom + axis for atom in atoms for axis in range(3)], int)


def _force_groups(symbols: list[str]) -> dict[str, np.ndarray]:
    """Suffix of the quantity → force components it is about."""
    groups = {"": np.arange(3 * len(symbols)), "_h": hydrogen_components(symbols)}
    return {suffix: components for suffix, components in groups.items() if len(components)}


def errors(table: pd.DataFrame, symbols: list[str]) -> dict[str, tuple[str, float]]:
    """RMSE and MAE of energy (meV) and force components (eV/Å): quantity → (unit, value).

    ``force_rmse_h`` and ``force_mae_h`` are those of the hydrogen atoms alone.
    """
    difference = table.predicted - table.reference
    energy = difference[table.component < 0] * EV_IN_MEV
    found = {
        "energy_rmse": ("meV", float(np.sqrt((energy**2).mean()))),
        "energy_mae": ("meV", float(energy.abs().mean())),
    }
    for suffix, components in _force_groups(symbols).items():
        force = difference[table.component.isin(components)]
        found[f"force_rmse{suffix}"] = ("eV/Ang", float(np.sqrt((force**2).mean())))
        found[f"force_mae{suffix}"] = ("eV/Ang", float(force.abs().mean()))
    return found


def centred_energy_errors(table: pd.DataFrame) -> dict[str, tuple[str, float]]:
    """RMSE and MAE of the energy (meV) after its mean residual is taken off: errors of energy differences.

    Forces say nothing about the constant, and no dynamics needs it.
    """
    residual = (table.predicted - table.reference)[table.component < 0] * EV_IN_MEV
    residual = residual - residual.mean()
    return {
        "energy_rmse_centred": ("meV", float(np.sqrt((residual**2).mean()))),
        "energy_mae_centred": ("meV", float(residual.abs().mean())),
    }


def bootstrap_interval(
    table: pd.DataFrame, symbols: list[str], rng: np.random.Generator, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Percentile interval of each of :func:`errors` over test frames (frames are resampled, not components)."""
    difference = table.assign(difference=table.predicted - table.reference)
    wide = difference.pivot(index="frame", columns="component", values="difference").to_numpy()
    energy, force = wide[:, 0] * EV_IN_MEV, wide[:, 1:]
    draws = rng.integers(0, len(wide), (BOOTSTRAP_SAMPLES, len(wide)))
    samples = {
        "energy_rmse": np.sqrt((energy**2)[draws].mean(1)),
        "energy_mae": np.abs(energy)[draws].mean(1),
    }
    for suffix, components in _force_groups(symbols).items():
        part = force[:, components]
        samples[f"force_rmse{suffix}"] = np.sqrt((part**2).mean(1)[draws].mean(1))
        samples[f"force_mae{suffix}"] = np.abs(part).mean(1)[draws].mean(1)
    tail = (1 - level) / 2
    return {k: tuple(np.quantile(v, [tail, 1 - tail]).tolist()) for k, v in samples.items()}

"""Errors on test frames, with intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qff.data import LabelledFrames
from qff.models.potential import Potential
from qff.units import EV_IN_MEV

METRIC_COLUMNS = ["system", "model", "variant", "n_train", "seed", "split", "quantity", "unit", "value"]
BOOTSTRAP_SAMPLES = 2000


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


def errors(table: pd.DataFrame) -> dict[str, tuple[str, float]]:
    """RMSE and MAE of energy (meV) and force components (eV/Å): quantity → (unit, value)."""
    difference = table.predicted - table.reference
    energy = difference[table.component < 0] * EV_IN_MEV
    force = difference[table.component >= 0]
    return {
        "energy_rmse": ("meV", float(np.sqrt((energy**2).mean()))),
        "energy_mae": ("meV", float(energy.abs().mean())),
        "force_rmse": ("eV/Ang", float(np.sqrt((force**2).mean()))),
        "force_mae": ("eV/Ang", float(force.abs().mean())),
    }


def bootstrap_interval(
    table: pd.DataFrame, rng: np.random.Generator, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Percentile interval of each error over test frames (frames are resampled, not single components)."""
    difference = table.assign(difference=table.predicted - table.reference)
    wide = difference.pivot(index="frame", columns="component", values="difference").to_numpy()
    energy, force = wide[:, 0] * EV_IN_MEV, wide[:, 1:]
    draws = rng.integers(0, len(wide), (BOOTSTRAP_SAMPLES, len(wide)))
    samples = {
        "energy_rmse": np.sqrt((energy**2)[draws].mean(1)),
        "energy_mae": np.abs(energy)[draws].mean(1),
        "force_rmse": np.sqrt((force**2).mean(1)[draws].mean(1)),
        "force_mae": np.abs(force).mean(1)[draws].mean(1),
    }
    tail = (1 - level) / 2
    return {k: tuple(np.quantile(v, [tail, 1 - tail]).tolist()) for k, v in samples.items()}


def metric_rows(values: dict[str, tuple[str, float]], **labels) -> list[dict]:
    """Rows of the tidy table of numbers from quantity → (unit, value)."""
    labels = {"variant": "", "n_train": "", "seed": "", "split": "", **labels}
    return [{**labels, "quantity": q, "unit": unit, "value": value} for q, (unit, value) in values.items()]


def metric_table(rows: list[dict]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=METRIC_COLUMNS)

"""Picture of the molecular dynamics."""

from __future__ import annotations

from qff.errors import DataError
from qff.figures import style
from qff.figures.dynamics import dynamics_figure
from qff.stages.common import read_table
from qff.units import SPEED_OF_LIGHT_CM_PER_FS


def plot_dynamics(
    *, labels: dict, models: list, reference_path: str, reference_metrics_path: str, on_the_fly_path: str,
    trajectory_paths: list, svg_path: str, png_path: str,
) -> None:  # fmt: skip
    """``models`` name the trajectories, in order.

    Raises:
        DataError: the reference trajectory is too short to hold a vibration.
    """
    metrics = read_table(reference_metrics_path).set_index("quantity").value
    if not metrics["vibrational_frequency"] > 0:
        raise DataError(f"{reference_metrics_path}: no vibration within the trajectory; raise dynamics.length_fs")
    figure = dynamics_figure(
        read_table(reference_path),
        {m: read_table(p) for m, p in zip(models, trajectory_paths, strict=True)},
        read_table(on_the_fly_path),
        1 / (SPEED_OF_LIGHT_CM_PER_FS * metrics["vibrational_frequency"]),
        style.looks(labels),
    )
    style.save(figure, svg_path, png_path)

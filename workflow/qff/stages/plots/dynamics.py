"""Picture of the molecular dynamics."""

from __future__ import annotations

from qff.figures import style
from qff.figures.dynamics import dynamics_figure
from qff.stages.common import read_table
from qff.units import SPEED_OF_LIGHT_CM_PER_FS


def plot_dynamics(
    *, labels: dict, models: list, reference_path: str, reference_metrics_path: str, on_the_fly_path: str,
    trajectory_paths: list, svg_path: str, png_path: str,
) -> None:  # fmt: skip
    """``models`` name the trajectories, in order. A trajectory without a full vibration counts as one period."""
    reference = read_table(reference_path)
    found = read_table(reference_metrics_path).set_index("quantity").value["vibrational_frequency"]
    figure = dynamics_figure(
        reference,
        {m: read_table(p) for m, p in zip(models, trajectory_paths, strict=True)},
        read_table(on_the_fly_path),
        1 / (SPEED_OF_LIGHT_CM_PER_FS * found) if found > 0 else float(reference.time_fs.iloc[-1]),
        style.looks(labels),
    )
    style.save(figure, svg_path, png_path)

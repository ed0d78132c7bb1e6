"""Picture of shots, noise, measured dynamics and gradients."""

from __future__ import annotations

from qff.figures import style
from qff.figures.hardware import hardware_figure
from qff.stages.common import read_table


def plot_hardware(
    *, settings: dict, shots_path: str, noise_path: str, temperature_path: str, gradients_path: str, svg_path: str, png_path: str
) -> None:  # fmt: skip
    tables = [read_table(p) for p in (shots_path, noise_path, temperature_path, gradients_path)]
    style.save(hardware_figure(*tables, settings), svg_path, png_path)

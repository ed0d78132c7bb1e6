"""Picture of the reference curve."""

from __future__ import annotations

from qff.config import SystemConfig, validate
from qff.data import read_frames
from qff.figures import style
from qff.figures.reference import reference_figure
from qff.stages.common import read_table


def plot_reference(
    *, system: str, config: dict, labels_path: str, fci_path: str, svg_path: str, png_path: str
) -> None:
    level = validate(SystemConfig, config, f"system {system}").reference
    figure = reference_figure(
        read_frames(labels_path), read_table(fci_path), level.method, level.basis, level.check_basis
    )
    style.save(figure, svg_path, png_path)

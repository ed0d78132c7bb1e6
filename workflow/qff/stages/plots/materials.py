"""Picture of the dynamics of a periodic cell."""

from __future__ import annotations

from qff.figures import style
from qff.figures.materials import materials_figure
from qff.stages.common import read_table


def plot_materials(*, rdf_path: str, msd_path: str, svg_path: str, png_path: str) -> None:
    """Radial distribution functions and mean-squared displacements."""
    style.save(materials_figure(read_table(rdf_path), read_table(msd_path)), svg_path, png_path)

"""Pictures of the architecture draft."""

from __future__ import annotations

from qff.config import read_yaml, validate
from qff.figures import style
from qff.figures.hybrid import binding_figure, table_one_figure, vqe_figure
from qff.hybrid.table_one import Cells
from qff.stages.common import read_table


def plot_table_one(*, system: str, cells_path: str, table_path: str, svg_path: str, png_path: str) -> None:
    """The row of Table 1 that belongs to a system of the study."""
    cells, table = validate(Cells, read_yaml(cells_path), cells_path), read_table(table_path)
    (name,) = (name for name, row in cells.rows.items() if row.system == system)
    own = table[table.system == name]
    style.save(table_one_figure(own, cells.methods, cells.printed, cells.rows[name].label), svg_path, png_path)


def plot_vqe(*, table_path: str, svg_path: str, png_path: str) -> None:
    style.save(vqe_figure(read_table(table_path)), svg_path, png_path)


def plot_binding(*, table_path: str, svg_path: str, png_path: str) -> None:
    style.save(binding_figure(read_table(table_path)), svg_path, png_path)

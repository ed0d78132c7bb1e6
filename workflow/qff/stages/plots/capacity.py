"""Pictures of the effective dimension and the Fisher spectra."""

from __future__ import annotations

import pandas as pd

from qff.config import CapacityConfig, validate
from qff.figures import style
from qff.figures.capacity import effective_dimension_figure, fisher_spectrum_figure
from qff.stages.common import read_table


def plot_capacity(
    *, labels: dict, settings: dict, metrics_paths: list, spectra_paths: list, dimension_svg_path: str,
    dimension_png_path: str, spectrum_svg_path: str, spectrum_png_path: str,
) -> None:  # fmt: skip
    options, look = validate(CapacityConfig, settings, "capacity"), style.looks(labels)
    metrics = pd.concat([read_table(p) for p in metrics_paths], ignore_index=True)
    spectra = {table.model.iloc[0]: table for table in map(read_table, spectra_paths)}
    figure = effective_dimension_figure(metrics, options.boxes, options.likelihoods, look)
    style.save(figure, dimension_svg_path, dimension_png_path)
    figure = fisher_spectrum_figure(spectra, options.boxes, options.likelihoods[0], look)
    style.save(figure, spectrum_svg_path, spectrum_png_path)

"""Pictures of the dynamics of molecules."""

from __future__ import annotations

import pandas as pd

from qff.figures import style
from qff.figures.molecules import inversion_figure, vibrations_figure
from qff.stages.common import read_table

REFERENCE = "reference"
METHOD = "ccsd_t"  # variant of the numbers of the reference method itself


def _of(models: list, paths: list) -> dict[str, pd.DataFrame]:
    """Tables of the reference and of the models, in this order."""
    return {m: read_table(p) for m, p in zip([REFERENCE, *models], paths, strict=True)}


def plot_vibrations(
    *, labels: dict, models: list, spectrum_paths: list, energy_paths: list, harmonic_path: str, svg_path: str, png_path: str
) -> None:  # fmt: skip
    """``models`` name all paths but the first, which is that of the fitted reference."""
    spectra = _of(models, spectrum_paths)
    harmonic = read_table(harmonic_path)
    wavenumbers = harmonic.value[harmonic.quantity.str.startswith("harmonic_frequency")].to_numpy()
    source = "CCSD(T)" if (harmonic.variant == METHOD).any() else "fitted reference"
    reference, energies = spectra.pop(REFERENCE), _of(models, energy_paths)
    figure = vibrations_figure(reference, spectra, wavenumbers, source, energies, style.looks(labels))
    style.save(figure, svg_path, png_path)


def plot_inversion(
    *, labels: dict, models: list, inversion_paths: list, trajectory_paths: list, metrics_paths: list, svg_path: str, png_path: str
) -> None:  # fmt: skip
    """``models`` name all paths but the first, which is that of the fitted reference."""
    metrics = pd.concat(_of(models, metrics_paths).values(), ignore_index=True)
    figure = inversion_figure(
        _of(models, inversion_paths),
        _of(models, trajectory_paths),
        metrics[metrics.quantity == "inversion_rate"],
        style.looks(labels),
    )
    style.save(figure, svg_path, png_path)

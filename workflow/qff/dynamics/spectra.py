"""Vibrational density of states: what frequencies the atoms move with."""

from __future__ import annotations

import numpy as np

from qff.units import SPEED_OF_LIGHT_CM_PER_FS

MAX_WAVENUMBER = 5000.0  # cm⁻¹
PEAK_HALF_WIDTH = 60.0  # cm⁻¹ on both sides of the highest point that belong to a peak


def power_spectrum(series: np.ndarray, time_step_fs: float) -> tuple[np.ndarray, np.ndarray]:
    """Periodogram of a series with a Hann window: wavenumbers (W,) in cm⁻¹ and power (..., W), not normalised.

    It equals the Fourier transform of the autocorrelation function (Wiener–Khinchin).

    Args:
        series: (..., T), without NaN.
    """
    centred = series - series.mean(-1, keepdims=True)
    power = np.abs(np.fft.rfft(centred * np.hanning(series.shape[-1]))) ** 2
    wavenumbers = np.fft.rfftfreq(series.shape[-1], time_step_fs) / SPEED_OF_LIGHT_CM_PER_FS
    kept = wavenumbers <= MAX_WAVENUMBER
    return wavenumbers[kept], power[..., kept]


def density_of_states(velocities: np.ndarray, masses: np.ndarray, time_step_fs: float):
    """Mass-weighted power spectrum of all velocities (T, A, 3) of a trajectory, with unit area: two (W,)."""
    wavenumbers, power = power_spectrum(np.moveaxis(velocities, 0, -1), time_step_fs)
    total = np.einsum("axw,a->w", power, masses)
    return wavenumbers, total / np.trapezoid(total, wavenumbers)


def peak(wavenumbers: np.ndarray, power: np.ndarray) -> float:
    """Mean wavenumber (cm⁻¹) of the power around the highest point of a spectrum (W,)."""
    near = np.abs(wavenumbers - wavenumbers[power.argmax()]) <= PEAK_HALF_WIDTH
    return float(np.average(wavenumbers[near], weights=power[near]))

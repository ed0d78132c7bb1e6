"""Learning curves: error against the number of training frames."""

from __future__ import annotations

import numpy as np
import pandas as pd

BOOTSTRAP_SAMPLES = 2000


def power_law(sizes: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """Exponent b and prefactor a of error = a N^-b, by least squares in logarithms."""
    slope, intercept = np.polyfit(np.log(sizes), np.log(errors), 1)
    return float(-slope), float(np.exp(intercept))


def fit(table: pd.DataFrame, rng: np.random.Generator) -> dict[str, float]:
    """Power law through a learning curve, with a 95 % interval of the exponent over seeds.

    Seeds are resampled as wholes: one seed's errors at different sizes share its test set.

    Args:
        table: columns seed, n_train, value (one error per seed and size).

    Returns:
        exponent, exponent_low, exponent_high, prefactor, r_squared (of the logarithms of the median curve).
    """
    wide = table.pivot(index="seed", columns="n_train", values="value").sort_index(axis=1)
    sizes, curves = wide.columns.to_numpy(dtype=float), wide.to_numpy()
    exponent, prefactor = power_law(np.tile(sizes, len(curves)), curves.ravel())
    draws = rng.integers(0, len(curves), (BOOTSTRAP_SAMPLES, len(curves)))
    samples = [power_law(np.tile(sizes, len(curves)), curves[d].ravel())[0] for d in draws]
    median = np.log(np.median(curves, axis=0))
    centred = np.log(sizes) - np.log(sizes).mean()
    residual = median - median.mean() - centred * (centred @ median) / (centred @ centred)
    spread = ((median - median.mean()) ** 2).sum()
    return {
        "exponent": exponent,
        "exponent_low": float(np.quantile(samples, 0.025)),
        "exponent_high": float(np.quantile(samples, 0.975)),
        "prefactor": prefactor,
        "r_squared": float(1 - (residual**2).sum() / spread) if spread > 0 else 1.0,
    }

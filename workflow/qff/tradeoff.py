"""Do energies get worse where forces get better? Errors of one model over the force weight of its loss."""

from __future__ import annotations

import numpy as np
from scipy import stats

from qff.scaling import INTERVAL, SAMPLES, resample


def rank_correlation(
    energies: np.ndarray, forces: np.ndarray, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Spearman's correlation of energy and force errors (S, W) of S seeds over W force weights, with a 95 % interval.

    The mean logarithm over seeds is ranked; seeds are resampled. Negative: a trade-off, every step along the weights
    pays for one with the other. A single seed has an unbounded interval.
    """
    counts = np.concatenate([np.ones((1, len(energies))), resample(np.zeros(len(energies), int), rng, SAMPLES)])
    ranks = [stats.rankdata(counts @ np.log(errors), axis=1) for errors in (energies, forces)]
    centred = [r - r.mean(1, keepdims=True) for r in ranks]
    product = (centred[0] * centred[1]).sum(1)
    scale = np.sqrt((centred[0] ** 2).sum(1) * (centred[1] ** 2).sum(1))
    values = np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)
    low, high = np.quantile(values[1:], INTERVAL) if len(energies) > 1 else (-np.inf, np.inf)
    return float(values[0]), float(low), float(high)

"""Does the effective dimension go with accuracy? Rank correlation with test errors over the models of a system."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import rankdata

CAPACITIES = {"normalised": "normalised_effective_dimension", "absolute": "effective_dimension"}
ERRORS = {"energy": "energy_rmse", "force": "force_rmse"}
BOOTSTRAP_SAMPLES = 2000
MINIMUM_MODELS = 3  # two models are always in perfect order


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rank correlation along the last axis; ties share their mean rank, nan if all values of x or of y are equal."""
    ranks = [rankdata(v, axis=-1) for v in (x, y)]
    a, b = (r - r.mean(-1, keepdims=True) for r in ranks)
    norm = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    return np.divide((a * b).sum(-1), norm, out=np.full(norm.shape, np.nan), where=norm > 0)


def correlation(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[float, float, float]:
    """Rank correlation over models of the medians over seeds, with a 95 % bootstrap interval over models and seeds.

    Models are resampled as well as seeds: an interval over seeds alone would only say how well the order of these
    few models is known, not what it says about models.

    Args:
        x, y: (models, seeds), paired by seed.
    """
    models, seeds = x.shape
    chosen = rng.integers(0, models, (BOOTSTRAP_SAMPLES, models))
    drawn = rng.integers(0, seeds, (BOOTSTRAP_SAMPLES, seeds))
    medians = [np.take_along_axis(np.median(v[:, drawn], axis=-1).T, chosen, axis=1) for v in (x, y)]
    low, high = np.nanquantile(spearman(*medians), [0.025, 0.975])
    return float(spearman(np.median(x, axis=1), np.median(y, axis=1))), float(low), float(high)


def pairs(metrics: pd.DataFrame, capacity: str, error: str, variant: str) -> pd.DataFrame:
    """Capacity x and test error y of every model and seed, at n = number of training frames.

    Args:
        metrics: tidy table of numbers of one system. capacity, error: keys of CAPACITIES and ERRORS.

    Returns:
        columns model, seed, n_train, x, y.
    """
    key = ["model", "seed", "n_train"]
    x = metrics[(metrics.quantity == CAPACITIES[capacity]) & (metrics.variant == variant)]
    y = metrics[(metrics.quantity == ERRORS[error]) & (metrics.split == "test")]
    joined = x[[*key, "value"]].merge(y[[*key, "value"]], on=key)
    return joined.rename(columns={"value_x": "x", "value_y": "y"})


def correlations(metrics: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Correlations of every kind of effective dimension with every error; empty with fewer than three models.

    Args:
        metrics: tidy table of numbers of one system.

    Returns:
        columns capacity, error, variant, n_train, n_models, n_seeds, rank_correlation, low, high.
    """
    rows = []
    variants = metrics[metrics.quantity == CAPACITIES["normalised"]].variant.unique()
    for variant in variants:
        for capacity in CAPACITIES:
            for error in ERRORS:
                found = pairs(metrics, capacity, error, variant)
                x, y = (found.pivot(index="model", columns="seed", values=v).to_numpy() for v in ("x", "y"))
                if len(x) < MINIMUM_MODELS:
                    continue
                value, low, high = correlation(x, y, rng)
                rows.append(
                    {
                        "capacity": capacity, "error": error, "variant": variant, "n_train": found.n_train.iloc[0],
                        "n_models": x.shape[0], "n_seeds": x.shape[1], "rank_correlation": value, "low": low, "high": high,
                    }
                )  # fmt: skip
    columns = ["capacity", "error", "variant", "n_train", "n_models", "n_seeds", "rank_correlation", "low", "high"]
    return pd.DataFrame(rows, columns=columns)

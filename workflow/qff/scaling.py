"""Learning curves: error against the number of training frames, and what limits it.

Two laws are fitted, both by least squares in logarithms of the errors of all seeds:

    power   err = B N^-α
    floor   err = e∞ + B N^-α,  e∞ ≥ 0

and compared by Akaike's criterion with the correction for few data (Hurvich & Tsai, Biometrika 76, 297, 1989). Intervals
are percentiles of a hierarchical bootstrap: published splits first where there are any, then seeds, each seed with its
errors at all sizes (one seed's errors share their split).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from qff.errors import DataError

DO_NOTHING = "mean_predictor"  # the model that others are held against
SAMPLES = 2000  # of the bootstrap
INTERVAL = (0.025, 0.975)
MIN_FLOOR_SIZES = 4  # three numbers and nothing left over would fit any curve of three sizes
LIMITED = 0.5  # train error below this part of the test error: data limit the error, not the model
FLAT, STEEP = 0.10, 0.20  # an exponent below is none, one above is one; the rules of config/claims.yaml
CONVERGED = 0.05  # largest relative change of an error by twice the steps
EXPONENTS = (0.02, 3.0)  # of the law with a floor
FLOORS = (0.0, 0.9999)  # the floor as part of the fitted error at the largest size
GRID = 30  # exponents, and floors
STEPS = 40  # of the refinement


@dataclass(frozen=True)
class Curve:
    """Errors of a model by seed and size.

    Attributes:
        sizes: (K,) numbers of training frames, ascending. errors: (S, K), NaN where a seed was not trained.
        folds: (S,) published split that a seed belongs to; all equal if there are none.
    """

    sizes: np.ndarray
    errors: np.ndarray
    folds: np.ndarray

    @property
    def medians(self) -> np.ndarray:
        """Median over seeds (K,)."""
        return np.nanmedian(self.errors, axis=0)

    def at(self, chosen: np.ndarray) -> Curve:
        """The sizes of a mask (K,), and the seeds that have one of them."""
        errors = self.errors[:, chosen]
        present = np.isfinite(errors).any(1)
        return Curve(self.sizes[chosen], errors[present], self.folds[present])


def curve_of(table: pd.DataFrame, fitted: bool = True) -> Curve:
    """Learning curve from columns seed, n_train, value and, where there are published splits, fold.

    Args:
        fitted: a law is to be fitted, to logarithms. Errors on training frames are only compared and may be zero: a
            network of 49 parameters goes exactly through five energies and forces.

    Raises:
        DataError: no numbers, fewer than two sizes, several numbers of a seed at a size, or errors that are not
            positive and finite.
    """
    where = ", ".join(str(table[c].iloc[0]) for c in ("system", "model", "quantity") if c in table and len(table))
    where = f"learning curve{' of ' if where else ''}{where}"
    if table.duplicated(["seed", "n_train"]).any():
        raise DataError(f"{where}: several numbers of one seed at one size; name variant and split")
    possible = table.value > 0 if fitted else table.value >= 0
    bad = table[~possible | ~np.isfinite(table.value.astype(float))]
    if len(bad):
        first = bad.iloc[0]
        raise DataError(
            f"{where}: error {first.value} of seed {first.seed} at {first.n_train} frames; errors must be positive and "
            "finite: train the point again"
        )
    wide = table.pivot(index="seed", columns="n_train", values="value").sort_index(axis=1)
    if len(wide.columns) < 2:
        raise DataError(f"{where}: {len(wide.columns)} size(s); a power law needs at least two")
    folds = np.zeros(len(wide), int)
    if "fold" in table and table.fold.notna().all():
        folds = table.groupby("seed").fold.first().loc[wide.index].to_numpy()
    return Curve(wide.columns.to_numpy(dtype=float), wide.to_numpy(dtype=float), folds)


def resample(folds: np.ndarray, rng: np.random.Generator, samples: int = SAMPLES) -> np.ndarray:
    """How often each seed is drawn, (samples, S): folds with replacement, then seeds within each."""
    names, members = np.unique(folds, return_inverse=True)
    drawn = rng.integers(0, len(names), (samples, len(names)))
    counts = np.zeros((samples, len(folds)))
    rows = np.arange(samples)
    for place in range(len(names)):
        for fold in range(len(names)):
            own, now = np.flatnonzero(members == fold), rows[drawn[:, place] == fold]
            seeds = own[rng.integers(0, len(own), (len(now), len(own)))]
            np.add.at(counts, (now[:, None], seeds), 1.0)
    return counts


def sums(curve: Curve, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number and mean logarithm of the errors at every size, (R, K) each, for seeds drawn ``counts`` (R, S) times."""
    present = np.isfinite(curve.errors)
    logs = np.where(present, np.log(np.where(present, curve.errors, 1.0)), 0.0)
    weights = counts @ present
    return weights, (counts @ logs) / np.where(weights > 0, weights, 1.0)


def power_law(sizes: np.ndarray, weights: np.ndarray, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exponent α and prefactor B of err = B N^-α, (R,) each; NaN where fewer than two sizes have weight.

    Args:
        sizes: (K,). weights, logs: (R, K) as :func:`sums` gives them.
    """
    x, total = np.log(sizes), weights.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_x, mean_y = weights @ x / total, (weights * logs).sum(1) / total
        deviation = x - mean_x[:, None]
        spread = (weights * deviation**2).sum(1)
        slope = (weights * deviation * logs).sum(1) / np.where(spread > 0, spread, np.nan)
    return -slope, np.exp(mean_y - slope * mean_x)


def floor_law(sizes: np.ndarray, weights: np.ndarray, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exponent α, prefactor B and floor e∞ of err = e∞ + B N^-α, (R,) each.

    With φ = e∞ / err(N_max), ln err = ln B + ln(N^-α + N_max^-α φ/(1 - φ)): ln B follows from (α, φ). The best point of a
    coarse grid, by matrix products, is refined by damped Gauss–Newton steps within the bounds, for all resamples at once.
    """
    low, high = np.array([EXPONENTS, FLOORS]).T
    grid = np.meshgrid(*(np.linspace(*bounds, GRID) for bounds in (EXPONENTS, FLOORS)), indexing="ij")
    grid = np.stack([x.ravel() for x in grid], 1)  # (G, 2)
    shape, total, weighted = _floor_shape(sizes, grid)[0], weights.sum(1, keepdims=True), weights * logs
    # Σ w (y - F - mean)², without what does not depend on the point.
    mean = (weighted.sum(1, keepdims=True) - weights @ shape.T) / total
    cost = weights @ (shape**2).T - 2 * weighted @ shape.T - total * mean**2
    point, damping = grid[cost.argmin(1)], np.full(len(weights), 1e-3)
    residual, slopes = _floor_residual(sizes, weights, logs, point)
    cost = (weights * residual**2).sum(1)
    for _ in range(STEPS):
        downhill = np.einsum("rk,rk,rkp->rp", weights, residual, slopes)
        blocked = ((point <= low) & (downhill < 0)) | ((point >= high) & (downhill > 0))
        free = np.where(blocked[:, None], 0.0, slopes)
        normal = np.einsum("rk,rkp,rkq->rpq", weights, free, free)
        diagonal = np.einsum("rpp->rp", normal)
        normal[:, [0, 1], [0, 1]] += damping[:, None] * diagonal + (diagonal < np.finfo(float).tiny)
        step = np.linalg.solve(normal, np.where(blocked, 0.0, downhill)[..., None])[..., 0]
        trial = np.clip(point + step, low, high)
        found = _floor_residual(sizes, weights, logs, trial)
        better = (new := (weights * found[0] ** 2).sum(1)) < cost
        damping = np.clip(np.where(better, damping / 5, damping * 5), 1e-12, 1e12)
        point, cost = np.where(better[:, None], trial, point), np.where(better, new, cost)
        residual = np.where(better[:, None], found[0], residual)
        slopes = np.where(better[:, None, None], found[1], slopes)
    exponent, part = point.T
    offset = (weighted - weights * _floor_shape(sizes, point)[0]).sum(1) / total[:, 0]
    prefactor = np.exp(offset)
    return exponent, prefactor, prefactor * sizes[-1] ** -exponent * part / (1 - part)


def _floor_shape(sizes: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ln(N^-α + N_max^-α φ/(1 - φ)) (R, K) at points (α, φ) (R, 2), and its derivatives by them (R, K, 2)."""
    (exponent, part), logs = points.T[..., None], np.log(sizes)
    falling, floor = np.exp(-exponent * logs), np.exp(-exponent * logs[-1]) * part / (1 - part)
    by_exponent = -(falling * logs + floor * logs[-1]) / (falling + floor)
    by_part = np.exp(-exponent * logs[-1]) / (1 - part) ** 2 / (falling + floor)
    return np.log(falling + floor), np.stack([by_exponent, by_part], -1)


def _floor_residual(sizes, weights, logs, points) -> tuple[np.ndarray, np.ndarray]:
    """y - F and ∂F, less their weighted means over sizes, which the prefactor takes up."""
    shape, slopes = _floor_shape(sizes, points)
    part = (weights / weights.sum(1, keepdims=True))[..., None]
    residual = logs - shape
    return residual - (part[..., 0] * residual).sum(1, keepdims=True), slopes - (part * slopes).sum(1, keepdims=True)


def predicted(sizes: np.ndarray, prefactor: float, exponent: float, floor: float = 0.0) -> np.ndarray:
    """err = e∞ + B N^-α."""
    return floor + prefactor * np.asarray(sizes, dtype=float) ** -exponent


def aicc(curve: Curve, fitted: np.ndarray, n_parameters: int) -> float:
    """Akaike's criterion with the correction for few data; infinite if there are too few.

    ``fitted``: error at every size; ``n_parameters``: of the law, to which the variance of the residuals adds one.
    """
    residuals = (np.log(curve.errors) - np.log(fitted))[np.isfinite(curve.errors)]
    n, p = len(residuals), n_parameters + 1
    if n - p - 1 <= 0:
        return np.inf
    variance = max(float((residuals**2).mean()), np.finfo(float).tiny)
    return float(n * np.log(variance)) + 2 * p + 2 * p * (p + 1) / (n - p - 1)


def fit(curve: Curve, rng: np.random.Generator) -> dict[str, float | int | str]:
    """Both laws through a learning curve, with 95 % intervals, and the one that Akaike's criterion prefers.

    Returns:
        exponent, exponent_low, exponent_high, prefactor, aicc of the power law, r_squared of its medians;
        floor_exponent(_low, _high), floor(_low, _high), floor_prefactor, floor_aicc, NaN with fewer than
        :data:`MIN_FLOOR_SIZES` sizes; law: ``power`` or ``floor``; n_smallest, n_largest, n_sizes, n_seeds.
        Intervals of a single seed are unbounded.
    """
    once = np.ones((1, len(curve.errors)))
    counts = resample(curve.folds, rng)
    weights, logs = sums(curve, np.concatenate([once, counts]))
    usable = (weights > 0).sum(1) >= 2
    weights, logs = weights[usable], logs[usable]
    exponents, prefactors = power_law(curve.sizes, weights, logs)
    found = {
        **_interval("exponent", exponents, len(curve.errors)),
        "prefactor": float(prefactors[0]),
        "aicc": aicc(curve, predicted(curve.sizes, prefactors[0], exponents[0]), 2),
        "r_squared": _r_squared(curve),
    }
    nothing = np.full(1, np.nan)
    if len(curve.sizes) >= MIN_FLOOR_SIZES:
        chunks = np.array_split(np.arange(len(weights)), 1 + len(weights) // 500)  # what fits into the cache
        parts = [floor_law(curve.sizes, weights[c], logs[c]) for c in chunks]
        floors = [np.concatenate(p) for p in zip(*parts, strict=True)]
        score = aicc(curve, predicted(curve.sizes, floors[1][0], floors[0][0], floors[2][0]), 3)
    else:
        floors, score = [nothing] * 3, np.inf
    found |= _interval("floor_exponent", floors[0], len(curve.errors)) | _interval(
        "floor", floors[2], len(curve.errors)
    )
    found |= {"floor_prefactor": float(floors[1][0]), "floor_aicc": score}
    found["law"] = "floor" if score < found["aicc"] else "power"
    ends = {"n_smallest": int(curve.sizes[0]), "n_largest": int(curve.sizes[-1])}
    return found | ends | {"n_sizes": len(curve.sizes), "n_seeds": len(curve.errors)}


def _interval(name: str, values: np.ndarray, n_seeds: int) -> dict[str, float]:
    """The first value, with percentiles of the others."""
    low, high = (-np.inf, np.inf)
    if np.isnan(values[0]):
        low = high = np.nan
    elif n_seeds > 1:
        low, high = np.nanquantile(values[1:], INTERVAL)
    return {name: float(values[0]), f"{name}_low": float(low), f"{name}_high": float(high)}


def _r_squared(curve: Curve) -> float:
    """Of a line through the logarithms of the medians."""
    x, y = np.log(curve.sizes), np.log(curve.medians)
    spread = ((y - y.mean()) ** 2).sum()
    return float(np.corrcoef(x, y)[0, 1] ** 2) if spread > 0 else 1.0


def data_limited(train: Curve, test: Curve) -> np.ndarray:
    """Sizes (K,) of bool at which the median train error is below half of the median test error.

    Raises:
        DataError: the two curves have other sizes.
    """
    if not np.array_equal(train.sizes, test.sizes):
        raise DataError(f"train errors at {train.sizes.tolist()} frames, test errors at {test.sizes.tolist()}")
    return train.medians < LIMITED * test.medians


def change_by_steps(test: pd.DataFrame, doubled: pd.DataFrame) -> float:
    """Relative change of the test error at the largest size with twice the steps: the median over seeds trained both ways.

    NaN if there are none. Both tables have columns seed, n_train and value.
    """
    largest = test.n_train.max()
    once, twice = (table[table.n_train == largest].set_index("seed").value for table in (test, doubled))
    ratios = (twice / once).dropna()
    return abs(float(ratios.median()) - 1) if len(ratios) else float("nan")


def diagnosis(train: Curve, test: Curve, found: dict, change: float) -> str:
    """What limits the error at the largest size, read from train and test errors side by side.

    ``not converged``
        twice the steps change the error by more than 5 %: a statement about training.
    ``data``
        train errors far below test errors, which fall: generalisation; the exponent means what it says.
    ``generalisation``
        train errors far below test errors, which stay: the form of the model is wrong for the problem.
    ``capacity``
        train errors reach test errors: the model is full. ``capacity or optimiser`` if nobody trained it longer.
    ``undecided``
        train errors far below test errors, whose slope is not known well enough.

    Args:
        found: of :func:`fit`. change: of :func:`change_by_steps`.
    """
    if change > CONVERGED:
        return "not converged"
    if not data_limited(train, test)[-1]:
        return "capacity" if change <= CONVERGED else "capacity or optimiser"
    if found["exponent_low"] > FLAT:
        return "data"
    return "generalisation" if found["exponent_high"] < FLAT else "undecided"

"""Power laws through learning curves: known ones are found again, and intervals hold what they promise."""

import numpy as np
import pandas as pd
import pytest
from qff import scaling
from qff.errors import DataError
from qff.scaling import Curve, curve_of, diagnosis, fit, predicted, resample

SIZES = np.array([10, 20, 50, 100, 200, 500, 950], float)


def noisy(rng, exponent=0.6, prefactor=500.0, floor=0.0, seeds=5, noise=0.05, sizes=SIZES) -> Curve:
    errors = predicted(sizes, prefactor, exponent, floor) * np.exp(rng.normal(0, noise, (seeds, len(sizes))))
    return Curve(sizes, errors, np.zeros(seeds, int))


def flat_curve(value, sizes=SIZES, seeds=3) -> Curve:
    return Curve(sizes, np.full((seeds, len(sizes)), float(value)), np.zeros(seeds, int))


@pytest.mark.parametrize(("exponent", "prefactor"), [(0.0, 3.0), (0.4, 800.0), (0.9, 0.02), (-0.2, 1.0)])
def test_an_exact_power_law_is_found(exponent, prefactor):
    found = fit(noisy(np.random.default_rng(0), exponent, prefactor, noise=0.0), np.random.default_rng(1))
    ends = (found["exponent"], found["exponent_low"], found["exponent_high"])
    assert ends == pytest.approx((exponent,) * 3, abs=1e-12)
    assert found["prefactor"] == pytest.approx(prefactor, rel=1e-10)


@pytest.mark.parametrize(("exponent", "floor"), [(0.5, 40.0), (0.9, 15.0), (1.4, 25.0)])
def test_an_exact_floor_is_found(exponent, floor):
    curve = noisy(np.random.default_rng(0), exponent, 600.0, floor, noise=0.0)
    found = fit(curve, np.random.default_rng(1))
    assert found["law"] == "floor"
    assert found["floor_exponent"] == pytest.approx(exponent, rel=1e-6)
    assert found["floor"] == pytest.approx(floor, rel=1e-6)
    assert found["floor_prefactor"] == pytest.approx(600.0, rel=1e-6)


def test_the_floor_law_is_the_least_squares_of_a_general_minimiser():
    from scipy.optimize import minimize

    curve = noisy(np.random.default_rng(4), 0.8, 600.0, 20.0, noise=0.1)
    found = fit(curve, np.random.default_rng(1))

    def cost(x):
        law = predicted(SIZES, np.exp(x[0]), x[1], np.exp(x[2]))
        return ((np.log(curve.errors) - np.log(law)) ** 2).sum()

    best = minimize(
        cost, [6.0, 0.7, 3.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12, "maxiter": 5000}
    )
    ours = cost([np.log(found["floor_prefactor"]), found["floor_exponent"], np.log(found["floor"])])
    assert ours == pytest.approx(best.fun, rel=1e-7)
    assert found["floor_exponent"] == pytest.approx(best.x[1], rel=1e-3)


def test_akaikes_criterion_chooses_the_law_that_made_the_data():
    rng = np.random.default_rng(7)
    laws = [fit(noisy(rng, 0.6, noise=0.08), rng)["law"] for _ in range(12)]
    assert laws.count("power") >= 9  # a nested law is preferred in vain about once in six times
    laws = [fit(noisy(rng, 0.9, 600.0, 20.0, noise=0.08), rng)["law"] for _ in range(6)]
    assert laws.count("floor") == 6


def test_three_sizes_are_not_enough_for_a_floor():
    found = fit(noisy(np.random.default_rng(0), 0.9, 600.0, 40.0, sizes=SIZES[[0, 3, 6]]), np.random.default_rng(1))
    assert found["law"] == "power"
    assert np.isnan([found["floor"], found["floor_exponent"], found["floor_exponent_high"]]).all()


def test_akaikes_criterion_is_that_of_the_textbook():
    curve = Curve(SIZES[:2], np.array([[np.e, 1.0], [1.0, np.e], [1.0, 1.0]]), np.zeros(3, int))
    n, p, rss = 6, 3, 2.0
    expected = n * np.log(rss / n) + 2 * p + 2 * p * (p + 1) / (n - p - 1)
    assert scaling.aicc(curve, np.ones(2), 2) == pytest.approx(expected)
    assert scaling.aicc(Curve(SIZES[:2], np.ones((1, 2)), np.zeros(1, int)), np.ones(2), 2) == np.inf


@pytest.mark.parametrize("folds", [np.zeros(10, int), np.repeat(np.arange(5), 2)], ids=["seeds", "splits"])
def test_intervals_hold_the_truth(folds):
    """Percentile intervals of few units are somewhat narrow: 95 % of them hold the truth in at least 80 % of trials."""
    rng, inside, trials = np.random.default_rng(11), 0, 100
    spread = 0.08 * (folds.max() > 0)
    for _ in range(trials):
        own = rng.normal(0, spread, (folds.max() + 1, len(SIZES)))[folds]  # what seeds of one split share
        noise = rng.normal(0, 0.08, (len(folds), len(SIZES)))
        curve = Curve(SIZES, predicted(SIZES, 500.0, 0.6) * np.exp(own + noise), folds)
        counts = resample(folds, rng)
        exponents, _ = scaling.power_law(SIZES, *scaling.sums(curve, counts))
        low, high = np.quantile(exponents, scaling.INTERVAL)
        inside += low <= 0.6 <= high
    assert 80 <= inside <= 99


def test_splits_are_drawn_before_seeds():
    """Seeds of one split that agree are no independent evidence."""
    shift = np.array([-0.3, 0.3])[np.repeat([0, 1], 10)][:, None] * np.log(SIZES / 100)
    errors = predicted(SIZES, 500.0, 0.6) * np.exp(shift)
    widths = []
    for folds in (np.zeros(20, int), np.repeat([0, 1], 10)):
        found = fit(Curve(SIZES, errors, folds), np.random.default_rng(0))
        widths.append(found["exponent_high"] - found["exponent_low"])
    assert widths[0] < 0.35
    assert widths[1] == pytest.approx(0.6)
    counts = resample(np.repeat([0, 1], 10), np.random.default_rng(0))
    assert set(counts.sum(1)) == {20.0}
    assert set(counts[:, :10].sum(1)) == {0.0, 10.0, 20.0}


def test_seeds_may_differ_by_size():
    """Missing points have no weight; the fit is that of the points that are there."""
    curve = noisy(np.random.default_rng(3), noise=0.1)
    curve.errors[3:, 4:] = np.nan
    found = fit(curve, np.random.default_rng(0))
    seeds, places = np.nonzero(np.isfinite(curve.errors))
    slope, intercept = np.polyfit(np.log(SIZES[places]), np.log(curve.errors[seeds, places]), 1)
    assert (found["exponent"], np.log(found["prefactor"])) == pytest.approx((-slope, intercept), rel=1e-9)
    assert found["exponent_low"] < found["exponent"] < found["exponent_high"]


def test_a_single_seed_has_no_interval():
    found = fit(noisy(np.random.default_rng(0), seeds=1), np.random.default_rng(1))
    assert (found["exponent_low"], found["exponent_high"]) == (-np.inf, np.inf)


def test_equal_streams_give_equal_intervals():
    curve = noisy(np.random.default_rng(0))
    assert fit(curve, np.random.default_rng(5)) == fit(curve, np.random.default_rng(5))


def table(**changes):
    rows = [(seed, n, 100.0 / n + seed) for seed in (0, 1) for n in (10, 100)]
    found = pd.DataFrame(rows, columns=["seed", "n_train", "value"])
    return found.assign(system="ethanol", model="qnn", quantity="force_mae", **changes)


def test_tables_become_curves():
    curve = curve_of(table().sample(frac=1, random_state=1))
    np.testing.assert_allclose(curve.errors, [[10.0, 1.0], [11.0, 2.0]])
    assert (curve.sizes.tolist(), curve.folds.tolist()) == ([10.0, 100.0], [0, 0])
    assert curve_of(table(fold=[3, 3, 1, 1])).folds.tolist() == [3, 1]
    assert curve.at(np.array([False, True])).errors.tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[t.n_train == 10], r"ethanol, qnn, force_mae: 1 size\(s\); a power law needs at least two"),
        (lambda t: t[:0], r"0 size\(s\)"),
        (lambda t: pd.concat([t, t[:1]]), "several numbers of one seed at one size"),
        (lambda t: t.assign(value=[1.0, 0.0, 1.0, 1.0]), "error 0.0 of seed 0 at 100 frames"),
        (lambda t: t.assign(value=[1.0, 1.0, np.inf, 1.0]), "error inf of seed 1 at 10 frames"),
        (
            lambda t: t.assign(value=[1.0, 1.0, 1.0, np.nan]),
            "error nan of seed 1 at 100 frames.*train the point again",
        ),
    ],
)
def test_bad_tables(change, message):
    with pytest.raises(DataError, match=message):
        curve_of(change(table()))


def test_training_errors_may_be_zero():
    exact = table().assign(value=[1.0, 0.0, 1.0, 1.0])
    assert curve_of(exact, fitted=False).errors.min() == 0
    with pytest.raises(DataError, match=r"error -1\.0 of seed 0"):
        curve_of(exact.assign(value=[1.0, -1.0, 1.0, 1.0]), fitted=False)


def test_data_limit_the_error_where_the_train_error_is_below_half_of_it():
    test = flat_curve(10.0, SIZES[:3])
    train = Curve(SIZES[:3], np.array([[1.0, 4.9, 5.1]]), np.zeros(1, int))
    assert scaling.data_limited(train, test).tolist() == [True, True, False]
    with pytest.raises(DataError, match="train errors at"):
        scaling.data_limited(train, flat_curve(10.0, SIZES[:2]))


def test_twice_the_steps():
    """At the largest size, seed by seed: another set of seeds is no change."""
    once = pd.DataFrame(
        {"seed": [0, 1, 2, 0, 1, 2], "n_train": [10] * 3 + [950] * 3, "value": [9.0, 9, 9, 1, 10, 20]}
    )
    twice = pd.DataFrame({"seed": [0, 1, 0], "n_train": [950, 950, 10], "value": [0.9, 9.4, 1.0]})
    assert scaling.change_by_steps(once, twice) == pytest.approx(0.08)
    assert np.isnan(scaling.change_by_steps(once, twice[2:]))


@pytest.mark.parametrize(
    ("train", "exponent", "change", "reading"),
    [
        (0.1, (0.5, 0.7), np.nan, "data"),
        (0.1, (0.05, 0.7), np.nan, "undecided"),
        (0.1, (-0.1, 0.05), 0.01, "generalisation"),
        (0.9, (0.0, 0.05), 0.01, "capacity"),
        (0.9, (0.5, 0.7), 0.01, "capacity"),
        (0.9, (0.0, 0.05), np.nan, "capacity or optimiser"),
        (0.9, (0.0, 0.05), 0.2, "not converged"),
        (0.1, (0.5, 0.7), 0.2, "not converged"),
    ],
)
def test_what_limits_a_model(train, exponent, change, reading):
    found = dict(zip(("exponent_low", "exponent_high"), exponent, strict=True))
    assert diagnosis(flat_curve(train), flat_curve(1.0), found, change) == reading

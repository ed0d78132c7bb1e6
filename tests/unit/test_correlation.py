"""Effective dimension against test error, over models."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from qff.correlation import correlation, correlations, pairs, spearman
from qff.metrics import metric_rows, metric_table
from qff.stages.correlation import correlate_capacity
from scipy import stats

VALUES = arrays(float, (5, 6), elements=st.integers(0, 9).map(float))  # small integers: many ties


@given(VALUES, VALUES)
def test_spearman_is_that_of_scipy(x, y):
    for a, b, ours in zip(x, y, spearman(x, y), strict=True):
        if np.ptp(a) == 0 or np.ptp(b) == 0:
            assert np.isnan(ours)
        else:
            assert ours == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


def test_medians_decide_and_models_widen_the_interval():
    rng = np.random.default_rng(0)
    levels = np.arange(1.0, 13.0)[:, None]
    x = levels + 0.01 * rng.normal(size=(12, 10))
    falling = correlation(x, 1 / levels + 1e-4 * rng.normal(size=(12, 10)), rng)
    assert falling == pytest.approx((-1, -1, -1))
    y = rng.normal(size=(12, 1)) + 1e-6 * rng.normal(size=(12, 10))  # certain for each model, unrelated to x
    value, low, high = correlation(x, y, rng)
    assert value == pytest.approx(stats.spearmanr(levels[:, 0], np.median(y, axis=1)).statistic)
    assert low < value < high
    assert high - low > 0.5
    y = -levels * np.ones(10)
    y[:, 0] = 1e3 * levels[:, 0]  # one bad seed of ten
    assert correlation(x, y, rng)[0] == pytest.approx(-1)


def test_intervals_cover_the_truth():
    """Of twelve models from a population with correlation 0, about 95 % of the intervals hold 0."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(60):
        x, y = rng.normal(size=(2, 12, 1)) + 1e-6 * rng.normal(size=(2, 12, 3))
        _, low, high = correlation(x, y, rng)
        covered += low <= 0 <= high
    assert covered >= 50


def numbers(models: dict[str, tuple[float, float]], n_seeds: int = 3) -> pd.DataFrame:
    """Tidy table from model → (d_n, energy error)."""
    rows = []
    for model, (dimension, error) in models.items():
        for seed in range(n_seeds):
            labels = {"system": "lih", "model": model, "seed": seed}
            for n, factor in ((80, 1.0), (300, -1.0)):
                both = {
                    "effective_dimension": ("1", factor * dimension + 0.001 * seed),
                    "normalised_effective_dimension": ("1", factor * dimension / 50),
                }
                rows += metric_rows(both, **labels, n_train=n, variant="gaussian_unit")
            found = {"energy_rmse": ("meV", error * (1 + 0.001 * seed)), "force_rmse": ("eV/Ang", 1 / error)}
            rows += metric_rows(found, **labels, n_train=80, split="test")
            rows += metric_rows({"energy_rmse": ("meV", -error)}, **labels, n_train=80, split="train")
    return metric_table(rows)


MODELS = {"qnn": (30.0, 1.0), "nn": (5.0, 4.0), "nn_biased": (8.0, 3.0), "wide": (60.0, 0.5)}


def test_pairs_join_by_model_seed_and_number_of_frames():
    found = pairs(numbers(MODELS), "absolute", "energy", "gaussian_unit")
    assert len(found) == 12
    assert set(found.n_train) == {80}
    chosen = found[(found.model == "nn") & (found.seed == 2)].iloc[0]
    assert (chosen.x, chosen.y) == pytest.approx((5.002, 4.008))


def test_correlations_of_a_system():
    found = correlations(numbers(MODELS), np.random.default_rng(0)).set_index(["capacity", "error"])
    assert len(found) == 4
    assert set(found.n_models) == {4}
    assert set(found.n_seeds) == {3}
    for capacity in ("normalised", "absolute"):
        assert found.rank_correlation[capacity, "energy"] == pytest.approx(-1)
        assert found.rank_correlation[capacity, "force"] == pytest.approx(1)


def test_two_models_say_nothing():
    table = numbers({k: MODELS[k] for k in ("qnn", "nn")})
    assert correlations(table, np.random.default_rng(0)).empty


@pytest.mark.parametrize("n_models", [4, 2])
def test_stage(tmp_path, n_models):
    numbers(dict(list(MODELS.items())[:n_models])).to_csv(tmp_path / "metrics.csv", index=False)
    paths = {"table_path": "out.csv", "correlations_path": "correlations.csv", "run_path": "run.json"}
    correlate_capacity(
        context={"profile": "study", "seed": 1, "code_digest": "0" * 16},
        system="lih",
        metrics_paths=[str(tmp_path / "metrics.csv")],
        **{k: str(tmp_path / v) for k, v in paths.items()},
    )
    rows = pd.read_csv(tmp_path / "out.csv")
    assert len(rows) == (12 if n_models == 4 else 0)
    assert len(pd.read_csv(tmp_path / "correlations.csv")) == len(rows) / 3
    if n_models == 4:
        values = rows.set_index("variant").value
        assert values["normalised_energy_gaussian_unit"] == pytest.approx(-1)
        assert values["normalised_energy_gaussian_unit_low"] <= values["normalised_energy_gaussian_unit_high"]
        assert set(rows.model) == {"all_models"}
    runs = json.loads((tmp_path / "run.json").read_text())["runs"]
    assert runs[0]["params"]["models"] == sorted(list(MODELS)[:n_models])

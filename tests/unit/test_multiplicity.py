"""Holm's procedure, and claims that are tested together."""

import numpy as np
import pandas as pd
import pytest
from qff.claims import Claim, judge
from qff.config import validate
from qff.errors import ConfigError
from qff.multiplicity import holm_levels, p_value
from scipy import stats


def test_p_values_are_those_of_the_t_test():
    values = np.random.default_rng(0).normal(0.4, 1, 12)
    error = values.std(ddof=1) / np.sqrt(12)
    low = values.mean() - stats.t.ppf(0.975, 11) * error
    assert p_value(values.mean(), low, 12, 0.0) == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue)
    assert p_value(0.3, -np.inf, 1, 0.0) == 1.0


def test_holm_steps_down_until_the_first_that_fails():
    """m = 4: levels α/4, α/3 reject the two smallest, α/2 does not the third; the last shares its level."""
    levels = holm_levels([0.03, 0.001, 0.6, 0.016])
    np.testing.assert_allclose(levels, [1 - 0.05 / 2, 1 - 0.05 / 4, 1 - 0.05 / 2, 1 - 0.05 / 3])
    assert holm_levels([0.04]) == [0.95]
    assert holm_levels([]) == []


def test_the_family_holds_its_error_rate():
    """Of families of eight true hypotheses, 5 % reject at least one; 2,000 families, false alarms one in 1,000."""
    rng = np.random.default_rng(1)
    false = 0
    for _ in range(2000):
        p = rng.uniform(size=8)
        false += any(value < 1 - level for value, level in zip(p, holm_levels(p.tolist()), strict=True))
    assert stats.binomtest(false, 2000, 0.05, alternative="greater").pvalue > 1e-3
    assert false > 40


def claims_of(families):
    measure = {
        "label": "error, a / b",
        "quantity": "energy_rmse",
        "split": "test",
        "combine": "ratio",
        "at_most": 1.0,
    }
    return {
        f"c{k}": validate(
            Claim,
            {
                "source": "this study", "statement": "a beats b", "system": "lih", "published": "none", "evidence": "x",
                "measures": [{**measure, "model": "a", "against": f"b{k}", **({"family": f} if f else {})}],
            },
            "claim",
        )
        for k, f in enumerate(families)
    }  # fmt: skip


def metrics_of(ratios, seeds=10):
    rng, rows = np.random.default_rng(4), []
    common = {
        "system": "lih",
        "variant": "",
        "n_train": 80,
        "split": "test",
        "quantity": "energy_rmse",
        "unit": "meV",
    }
    for seed in range(seeds):
        rows.append({**common, "model": "a", "seed": seed, "value": 1.0})
        for k, ratio in enumerate(ratios):
            value = float(np.exp(-np.log(ratio) + 0.3 * rng.normal()))
            rows.append({**common, "model": f"b{k}", "seed": seed, "value": value})
    return pd.DataFrame(rows)


def test_a_family_widens_its_intervals():
    """Alone, the doubtful one of five is decided; among five it is not. The clear ones stay decided."""
    metrics = metrics_of([0.2, 0.25, 0.77, 0.98, 1.02])
    alone = judge(claims_of([None] * 5), metrics, "p").set_index("claim_id")
    together = judge(claims_of(["f"] * 5), metrics, "p").set_index("claim_id")
    np.testing.assert_allclose(alone.ours, together.ours)
    widths = [np.log(t.ci_high / t.ci_low).to_numpy() for t in (alone, together)]
    assert (widths[1] > widths[0] * 1.05).all()
    assert (together.verdict[:2] == "reproduced").all()
    p = stats.ttest_1samp(np.log(metrics[metrics.model == "b2"].value.astype(float)), 0).pvalue
    assert 0.05 / 3 < p < 0.05  # what this test is about
    assert alone.verdict.iloc[2] == "reproduced"
    assert together.verdict.iloc[2] == "reproduced_with_deviation"


def test_a_family_compares_models():
    with pytest.raises(ConfigError, match="its measures compare two models, with one limit"):
        validate(
            Claim,
            {
                "source": "s", "statement": "t", "system": "lih", "published": "p", "evidence": "e",
                "measures": [{"label": "l", "quantity": "q", "model": "a", "at_most": 1.0, "family": "f"}],
            },
            "claim",
        )  # fmt: skip

"""Judging: from numbers to verdicts."""

import numpy as np
import pandas as pd
import pytest
from qff.claims import Claim, Measure, combine, estimate, judge, load_claims, measure_estimate, verdict_of
from qff.config import validate
from qff.errors import ConfigError
from qff.evaluation import METRIC_COLUMNS
from scipy import stats


def table(**models):
    """metrics.csv with one number per seed: model=[values]."""
    rows = [
        ("lih", model, "", 80, seed, "test", "energy_rmse", "meV", value)
        for model, values in models.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=METRIC_COLUMNS)


def measure(**settings):
    return Measure(**{"label": "x", "quantity": "energy_rmse", "split": "test", "model": "qnn", **settings})


@pytest.mark.parametrize(
    ("values", "rule", "verdict"),
    [
        ([1.0, 1.1, 0.9, 1.0, 1.05], {"at_most": 2.0}, "reproduced"),
        ([5.0, 5.1, 4.9, 5.0, 5.05], {"at_most": 2.0}, "not_reproduced"),
        ([1.0, 1.9, 0.5, 3.5, 1.5], {"at_most": 2.0}, "reproduced_with_deviation"),
        ([2.0, 3.9, 1.0, 5.5, 2.5], {"at_most": 2.0}, "inconclusive"),
        ([1.0, 1.1, 0.9, 1.0, 1.05], {"at_least": 0.5, "at_most": 2.0}, "reproduced"),
        ([0.1, 0.11, 0.09], {"at_least": 0.5, "at_most": 2.0}, "not_reproduced"),
        ([1.0], {"at_most": 2.0}, "inconclusive"),
        ([1.0, np.nan, 1.0], {"at_most": 2.0}, "not_tested"),
        ([1.0, np.inf, 1.0], {"at_most": 2.0}, "not_tested"),
        ([], {"at_most": 2.0}, "not_tested"),
    ],
)
def test_verdicts(values, rule, verdict):
    m = measure(**rule)
    assert verdict_of(m, measure_estimate(table(qnn=values), "lih", m)[0]) == verdict


def test_intervals_are_student_t():
    values = np.array([0.3, -0.1, 0.4, 0.2])
    found = estimate(values, logarithmic=False)
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert (found.value, found.low, found.high, found.n_seeds) == pytest.approx((0.2, low, high, 4))
    positive = np.array([0.1, 1.0, 10.0])
    assert estimate(positive, logarithmic=True).value == pytest.approx(1.0)
    single = estimate([3.0], logarithmic=False)
    assert (single.low, single.high) == (-np.inf, np.inf)


def test_comparisons_are_paired_by_seed():
    """Seeds differ by factors, the pair never does: the interval of the ratio is narrow."""
    base = np.array([1.0, 10.0, 100.0, 1000.0])
    metrics = table(qnn=1.5 * base, nn=base)
    m = measure(against="nn", combine="ratio", at_most=2.0)
    found, unit = measure_estimate(metrics, "lih", m)
    assert unit == "1"
    assert (found.value, found.low) == pytest.approx((1.5, 1.5))
    assert found.high == pytest.approx(1.5)
    shuffled = metrics.sample(frac=1, random_state=1)
    assert measure_estimate(shuffled, "lih", m)[0].high == pytest.approx(1.5)
    partly = metrics[~((metrics.model == "nn") & (metrics.seed == 3))]
    assert measure_estimate(partly, "lih", m)[0].n_seeds == 3
    difference = measure(against="nn", combine="difference", at_least=0.0)
    assert measure_estimate(metrics, "lih", difference)[0].value == pytest.approx(0.5 * base.mean())


def test_a_claim_is_as_strong_as_its_weakest_measure():
    assert combine(["reproduced", "reproduced"]) == "reproduced"
    assert combine(["reproduced", "reproduced_with_deviation"]) == "reproduced_with_deviation"
    assert combine(["reproduced_with_deviation", "inconclusive"]) == "inconclusive"
    assert combine(["inconclusive", "not_tested"]) == "not_tested"
    assert combine(["not_tested", "not_reproduced", "reproduced"]) == "not_reproduced"


def test_judge_writes_one_row_per_measure():
    claim = Claim(
        source="s", statement="t", system="lih", published="p", evidence="e",
        measures=[measure(at_most=2.0), measure(model="nn", at_most=2.0)],
    )  # fmt: skip
    found = judge({"a.b": claim}, table(qnn=[1.0, 1.1, 1.05], nn=[9.0, 9.1, 9.2]), "study")
    assert list(found.measure_verdict) == ["reproduced", "not_reproduced"]
    assert set(found.verdict) == {"not_reproduced"}
    assert (found.ci_low <= found.ours).all()
    assert (found.ours <= found.ci_high).all()
    absent = judge({"a.b": claim}, table(), "study")
    assert set(absent.verdict) == {"not_tested"}
    assert (absent.n_seeds == 0).all()


def test_ambiguous_measures_are_refused():
    doubled = pd.concat([table(qnn=[1.0, 2.0])] * 2)
    with pytest.raises(ConfigError, match="several numbers per seed"):
        measure_estimate(doubled, "lih", measure(at_most=1.0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "at_most, at_least or both"),
        ({"at_most": 1.0, "at_least": 2.0}, "nothing can satisfy both"),
        ({"at_most": 1.0, "against": "nn"}, "go together"),
        ({"at_most": 1.0, "atmost": 1.0}, r"unknown key 'atmost': did you mean 'at_most'\?"),
        ({"at_most": "low"}, "at_most"),
    ],
)
def test_bad_measures(settings, message):
    with pytest.raises(ConfigError, match=message):
        validate(Measure, {"label": "x", "quantity": "q", "model": "qnn", **settings}, "claims")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no claims"),
        ("- a", "holds no claims"),
        ("a: [", "not valid YAML"),
        ("kiss.x: {source: s}", "kiss.x: statement"),
    ],
)
def test_bad_claims_files(tmp_path, content, message):
    path = tmp_path / "claims.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        load_claims(path)


def test_the_studys_claims_refer_to_what_is_measured(study):
    config = study.config
    capacity = {f"{k}_{box}" for k in config.capacity.likelihoods for box in [*config.capacity.boxes, "local"]}
    claims = load_claims("config/claims.yaml")
    assert len(claims) >= 4
    for name, claim in claims.items():
        assert claim.system in study.systems, name
        for m in claim.measures:
            assert m.model in config.models, name
            assert m.against in {None, *config.models}, name
            if "effective_dimension" in m.quantity:
                assert m.variant in capacity, name
                assert {m.model, m.against} <= {None, *config.capacity.models}, name
            else:
                assert m.split == "test" or m.model in config.dynamics.models, name

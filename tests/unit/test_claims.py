"""Judging: from numbers to verdicts."""

from itertools import combinations_with_replacement, permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qff.claims import (
    VERDICTS,
    Claim,
    Estimate,
    Measure,
    combine,
    estimate,
    judge,
    measure_estimate,
    verdict_of,
)
from qff.config import validate
from qff.errors import ConfigError
from qff.metrics import METRIC_COLUMNS
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
        ([0.1, 0.9, 5.0], {"at_least": 0.5, "at_most": 2.0}, "reproduced_with_deviation"),
        ([0.05, 0.2, 2.5], {"at_least": 0.5, "at_most": 2.0}, "inconclusive"),
        ([1.0, 1.0, 1.0], {"at_least": 1.0}, "reproduced"),  # the limit itself is inside
        ([1.0, 1.0, 1.0], {"at_most": 1.0}, "reproduced"),
        ([-1.0, -1.1, -0.9], {"at_least": 0.0}, "not_reproduced"),
        ([9.0], {"at_most": 2.0}, "inconclusive"),  # one number refutes nothing either
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
    factors = np.array([1.0, 2.0, 4.0, 16.0])
    low, high = stats.t.interval(0.95, 3, np.log(factors).mean(), stats.sem(np.log(factors)))
    found = estimate(factors, logarithmic=True)
    assert (found.value, found.low, found.high) == pytest.approx((2**1.75, np.exp(low), np.exp(high)))
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
    assert measure_estimate(metrics, "lih", difference)[1] == "meV"


@pytest.mark.parametrize("other", [{}, {"nn": [1.0, np.nan]}, {"nn": [1.0, 0.0]}], ids=["absent", "nan", "zero"])
def test_a_comparison_with_numbers_that_are_not_there_is_not_tested(other):
    m = measure(against="nn", combine="ratio", at_most=2.0)
    metrics = table(qnn=[1.0, 1.1], **other)
    assert verdict_of(m, measure_estimate(metrics, "lih", m)[0]) == "not_tested"


def test_seeds_that_do_not_overlap_are_no_pairs():
    metrics = table(qnn=[1.0, 1.1], nn=[1.0, 1.1])
    metrics.loc[metrics.model == "nn", "seed"] += 2
    m = measure(against="nn", combine="ratio", at_most=2.0)
    assert measure_estimate(metrics, "lih", m)[0] is None


@pytest.mark.parametrize(
    "change", [{"quantity": "force_rmse"}, {"split": "train"}, {"variant": "x"}, {"model": "nn"}]
)
def test_every_part_of_a_measure_counts(change):
    assert measure_estimate(table(qnn=[1.0, 2.0]), "lih", measure(**{"at_most": 1.0, **change}))[0] is None
    assert measure_estimate(table(qnn=[1.0, 2.0]), "h2o", measure(at_most=1.0))[0] is None


@given(
    st.lists(st.floats(0.01, 100), min_size=2, max_size=8),
    st.floats(0.01, 100),
    st.floats(1, 1e3),
)
def test_verdicts_follow_from_where_the_interval_lies(values, limit, unit):
    """Tighter rules never judge better, and the unit does not matter."""
    order = {
        v: i for i, v in enumerate(("reproduced", "reproduced_with_deviation", "inconclusive", "not_reproduced"))
    }

    def judged(factor, at_most):
        m = measure(at_most=at_most)
        return order[verdict_of(m, measure_estimate(table(qnn=[factor * v for v in values]), "lih", m)[0])]

    assert judged(1, limit) >= judged(1, 2 * limit)
    found = measure_estimate(table(qnn=values), "lih", measure(at_most=limit))[0]
    if min(abs(np.log(x / limit)) for x in (found.low, found.value, found.high)) > 1e-6:
        assert judged(1, limit) == judged(unit, unit * limit)


def test_a_claim_is_as_strong_as_its_weakest_measure():
    assert combine(["reproduced", "reproduced"]) == "reproduced"
    assert combine(["reproduced", "reproduced_with_deviation"]) == "reproduced_with_deviation"
    assert combine(["reproduced_with_deviation", "inconclusive"]) == "inconclusive"
    assert combine(["inconclusive", "not_tested"]) == "not_tested"
    assert combine(["not_tested", "not_reproduced", "reproduced"]) == "not_reproduced"


@pytest.mark.parametrize("pair", combinations_with_replacement(VERDICTS, 2), ids=" + ".join)
def test_the_weakest_verdict_wins_wherever_it_stands(pair):
    strongest_first = ("reproduced", "reproduced_with_deviation", "inconclusive", "not_tested", "not_reproduced")
    weakest = max(pair, key=strongest_first.index)
    for verdicts in permutations([*pair, pair[0]]):
        assert combine(list(verdicts)) == weakest


@pytest.mark.parametrize(
    ("low", "value", "high", "verdict"),
    [
        (-0.05, 0.02, 0.09, "reproduced"),
        (0.02, 0.08, 0.15, "inconclusive"),
        (0.12, 0.15, 0.19, "inconclusive"),
        (0.15, 0.25, 0.4, "inconclusive"),
        (0.21, 0.4, 0.6, "not_reproduced"),
    ],
)
def test_between_two_limits_nothing_is_decided(low, value, high, verdict):
    """A claim of no scaling: below 0.10 it holds, above 0.20 it is refuted."""
    rows = [
        ("lih", "qnn", f"x{end}", "", "", "test", "energy_rmse", "1", v)
        for end, v in (("", value), ("_low", low), ("_high", high))
    ]
    m = measure(variant="x", at_most=0.1, refuted_above=0.2)
    assert m.rule == "≤ 0.1, refuted > 0.2"
    assert verdict_of(m, measure_estimate(pd.DataFrame(rows, columns=METRIC_COLUMNS), "lih", m)[0]) == verdict
    mirrored = measure(at_least=-0.1, refuted_below=-0.2)
    assert verdict_of(mirrored, Estimate(-value, -high, -low, 1)) == verdict


def sized(**models):
    """metrics.csv with the sizes of each model: model={n: [values]}."""
    parts = [table(**{m: v}).assign(n_train=n) for m, sizes in models.items() for n, v in sizes.items()]
    return pd.concat(parts, ignore_index=True)


def test_the_largest_size_is_one_that_both_models_have():
    metrics = sized(qnn={5: [9.0, 9.1], 80: [1.0, 1.1], 200: [5.0, 5.0]}, nn={5: [1.0, 1.0], 80: [2.0, 2.2]})
    m = measure(n_train="largest", at_most=2.0)
    assert measure_estimate(metrics, "lih", m)[0].value == pytest.approx(5.0)
    against = measure(n_train="largest", against="nn", combine="ratio", at_most=2.0)
    assert measure_estimate(metrics, "lih", against)[0].value == pytest.approx(0.5)
    nowhere = measure(n_train="largest", against="mace", combine="ratio", at_most=2.0)
    assert measure_estimate(metrics, "lih", nowhere)[0] is None


def test_the_other_model_may_be_read_from_another_variant():
    metrics = pd.concat([table(qnn=[1.0, 1.2]).assign(variant="permuted"), table(nn=[2.0, 2.4])])
    m = measure(variant="permuted", against="nn", against_variant="", combine="ratio", at_most=1.0)
    assert measure_estimate(metrics, "lih", m)[0].value == pytest.approx(0.5)
    same = measure(variant="permuted", against="nn", combine="ratio", at_most=1.0)
    assert measure_estimate(metrics, "lih", same)[0] is None


def test_numbers_without_seeds_are_compared_by_the_ends_farthest_apart():
    """Not by the number of the first model alone, and not by a pairing that there is none."""

    def record(model, *ends):
        return [
            ("lih", model, f"t{end}", 0, "", "test", "energy_rmse", "meV", v)
            for end, v in zip(("", "_low", "_high"), ends, strict=True)
        ]

    seeds = [("lih", "qnn", "t", 0, seed, "test", "energy_rmse", "meV", 4.0) for seed in range(3)]
    metrics = pd.DataFrame(
        [*seeds, *record("nn", 2.0, 1.0, 4.0), *record("mace", 8.0, 6.0, 9.0)], columns=METRIC_COLUMNS
    )

    def found(model, against, combine):
        m = measure(model=model, variant="t", against=against, combine=combine, at_most=1.0)
        value, unit = measure_estimate(metrics, "lih", m)
        return (value.value, value.low, value.high, unit), verdict_of(m, value)

    assert found("nn", "mace", "ratio") == ((0.25, pytest.approx(1 / 9), pytest.approx(4 / 6), "1"), "reproduced")
    assert found("mace", "nn", "difference") == ((6.0, 2.0, 8.0, "meV"), "not_reproduced")
    assert found("qnn", "nn", "ratio") == (
        (pytest.approx(2.0), pytest.approx(1.0), pytest.approx(4.0), "1"),
        "inconclusive",
    )
    absent = measure(model="nn", variant="t", against="kernel", combine="ratio", at_most=1.0)
    assert measure_estimate(metrics, "lih", absent)[0] is None


@pytest.mark.parametrize(
    ("control", "verdict"), [([1.0, 1.1], "reproduced"), ([9.0, 9.1], "inconclusive"), ([], "inconclusive")]
)
def test_a_claim_needs_its_controls(control, verdict):
    """Without them no verdict, in either direction; a claim that was not tested stays so."""
    common = {"source": "s", "statement": "t", "system": "lih", "published": "p", "evidence": "e"}
    claims = {
        "a.claim": Claim(**common, measures=[measure(at_most=2.0)], requires=["a.control"]),
        "a.false": Claim(**common, measures=[measure(at_most=0.5)], requires=["a.control"]),
        "a.absent": Claim(**common, measures=[measure(model="mace", at_most=0.5)], requires=["a.control"]),
        "a.control": Claim(**common, measures=[measure(model="nn", at_most=2.0)]),
    }
    found = judge(claims, table(qnn=[1.0, 1.1], nn=control), "study").set_index("claim_id")
    assert found.verdict["a.claim"] == verdict
    assert found.verdict["a.false"] == ("not_reproduced" if verdict == "reproduced" else "inconclusive")
    assert found.verdict["a.absent"] == "not_tested"
    assert found.measure_verdict["a.claim"] == "reproduced"


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


def test_another_set_of_the_molecule_stands_in_for_it():
    claim = Claim(
        source="s", statement="t", system="lih", published="p", evidence="errors_lih", measures=[measure(at_most=2.0)]
    )
    numbers = table(qnn=[1.0, 1.1, 1.05])
    other = numbers.assign(system="lih_theirs")
    found = judge({"a.b": claim}, other, "study", {"lih": "lih_theirs"})
    assert found.system.tolist() == ["lih_theirs"]
    assert found.evidence.tolist() == ["errors_lih_theirs"]
    assert found.verdict.tolist() == ["reproduced"]
    assert judge({"a.b": claim}, other, "study").verdict.tolist() == ["not_tested"]


def test_ambiguous_measures_are_refused():
    doubled = pd.concat([table(qnn=[1.0, 2.0])] * 2)
    with pytest.raises(ConfigError, match="several numbers per seed"):
        measure_estimate(doubled, "lih", measure(at_most=1.0))


def test_n_train_chooses_one_of_several_numbers():
    small, large = table(qnn=[1.0, 1.1]), table(qnn=[5.0, 5.1]).assign(n_train=300)
    both = pd.concat([small, large])
    both["n_train"] = both.n_train.astype(object)
    with pytest.raises(ConfigError, match="name split, variant or n_train"):
        measure_estimate(both, "lih", measure(at_most=2.0))
    found = [
        verdict_of(m, measure_estimate(both, "lih", m)[0])
        for m in (measure(at_most=2.0, n_train=n) for n in (80, 300, 9))
    ]
    assert found == ["reproduced", "not_reproduced", "not_tested"]


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (-0.8, -0.9, -0.5, "reproduced"),
        (-0.8, -1.0, 0.2, "inconclusive"),
        (0.2, -0.5, 0.7, "inconclusive"),
        (0.8, 0.1, 1.0, "not_reproduced"),
    ],
)
def test_a_number_without_seeds_brings_its_interval(value, low, high, verdict):
    rows = [
        ("lih", "qnn", f"x{end}", 80, "", "test", "energy_rmse", "1", v)
        for end, v in (("", value), ("_low", low), ("_high", high))
    ]
    m = measure(variant="x", at_most=0.0)
    found, _ = measure_estimate(pd.DataFrame(rows, columns=METRIC_COLUMNS), "lih", m)
    assert (found.value, found.low, found.high, found.n_seeds) == (value, low, high, 1)
    assert verdict_of(m, found) == verdict


def test_each_writes_out_every_combination():
    entry = {
        "label": "error, {model} in {variant}", "quantity": "energy_rmse", "at_most": 1.0,
        "each": {"variant": {"a": "A", "b": "B"}, "model": {"qnn": "QNN", "nn": "NN"}},
    }  # fmt: skip
    plain = {"label": "x", "quantity": "energy_rmse", "model": "qnn", "at_most": 1.0}
    claim = validate(
        Claim, {"source": "s", "statement": "t", "system": "lih", "published": "p", "evidence": "e", "measures": [plain, entry]}, "c"
    )  # fmt: skip
    assert [(m.label, m.variant, m.model) for m in claim.measures] == [
        ("x", "", "qnn"),
        ("error, QNN in A", "a", "qnn"),
        ("error, NN in A", "a", "nn"),
        ("error, QNN in B", "b", "qnn"),
        ("error, NN in B", "b", "nn"),
    ]
    assert all(m.at_most == 1.0 for m in claim.measures)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "at_most, at_least or both"),
        ({"at_most": 1.0, "at_least": 2.0}, "nothing can satisfy both"),
        ({"at_most": 1.0, "against": "nn"}, "go together"),
        ({"at_most": 1.0, "against_variant": "x"}, "'against_variant' needs 'against'"),
        ({"at_most": 1.0, "refuted_above": 0.5}, "refuted_above 0.5 needs a limit that it lies beyond"),
        ({"at_most": 1.0, "refuted_below": 0.5}, "refuted_below 0.5 needs a limit"),
        ({"at_most": 1.0, "n_train": "smallest"}, "n_train"),
        ({"at_most": 1.0, "atmost": 1.0}, r"unknown key 'atmost': did you mean 'at_most'\?"),
        ({"at_most": "low"}, "at_most"),
        ({"at_most": float("inf")}, "at_most: .*finite"),
        ({"at_least": float("nan")}, "at_least: .*finite"),
        ({"at_most": 1.0, "against": "nn", "combine": "quotient"}, "combine"),
        ({"at_most": 1.0, "model": "Q N N"}, "model: .*pattern"),
    ],
)
def test_bad_measures(settings, message):
    with pytest.raises(ConfigError, match=message):
        validate(Measure, {"label": "x", "quantity": "q", "model": "qnn", **settings}, "claims")

"""The file of claims: what is refused, and that the study measures what its own claims ask for."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from qff.claim_index import claims_of_models
from qff.claims import (
    judge,
    load_claims,
    measure_estimate,
)
from qff.config import read_yaml
from qff.config.points import TRANSFER_SEEN, TRANSFER_UNSEEN, VARIANTS, read_sweep
from qff.correlation import CAPACITIES, ERRORS
from qff.data import INTERPOLATED
from qff.dynamics.diatomic import observables
from qff.errors import ConfigError
from qff.evaluation import errors
from qff.metrics import METRIC_COLUMNS
from qff.report.published import judged_numbers
from qff.stages.correlation import MODEL
from qff.stages.fits import EXPONENTS, TRADEOFF

GOOD = """kiss.x:
  source: s
  statement: t
  system: lih
  published: p
  evidence: errors_lih
  measures:
    - {label: l, quantity: q, model: qnn, at_most: 1.0}
"""


def test_a_good_claims_file(tmp_path):
    (tmp_path / "claims.yaml").write_text(GOOD)
    assert load_claims(tmp_path / "claims.yaml")["kiss.x"].measures[0].at_most == 1.0


def test_a_claim_of_several_systems(tmp_path):
    (tmp_path / "claims.yaml").write_text(
        GOOD.replace("kiss.x:", "kiss.lih.y:")
        + GOOD.replace(
            "kiss.x:", "kiss.lih.x:\n  also: {water: h2o, hydronium: h3o}\n  requires: [kiss.lih.y, kiss.lih.x]"
        )
        + GOOD.replace("kiss.x:", "kiss.water.y:").replace("lih", "h2o")
        + GOOD.replace("kiss.x:", "kiss.hydronium.y:")
    )
    claims = load_claims(tmp_path / "claims.yaml")
    assert list(claims) == [
        "kiss.lih.y",
        "kiss.lih.x",
        "kiss.water.x",
        "kiss.hydronium.x",
        "kiss.water.y",
        "kiss.hydronium.y",
    ]
    found, own = claims["kiss.water.x"], claims["kiss.lih.x"]
    assert (found.system, found.evidence, found.requires) == ("h2o", "errors_h2o", ["kiss.water.y", "kiss.water.x"])
    assert (own.system, own.evidence, own.requires) == ("lih", "errors_lih", ["kiss.lih.y", "kiss.lih.x"])
    assert found.measures == own.measures
    assert claims_of_models(tmp_path / "claims.yaml")["h2o", "qnn"] == ["kiss.water.x", "kiss.water.y"]


def test_a_missing_claims_file(tmp_path):
    with pytest.raises(ConfigError, match=r"claims\.yaml: no such file"):
        load_claims(tmp_path / "claims.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no claims"),
        ("- a", "holds no claims"),
        ("a: [", "not valid YAML"),
        ("kiss.x: {source: s}", "kiss.x: statement"),
        ("kiss.x: text", "kiss.x: .*dictionary"),
        ("kiss.x: {}\nkiss.y: {}\nkiss.x: {}", r"key 'kiss\.x' is given twice"),
        (GOOD.replace("measures:", "measure:"), r"kiss\.x: unknown key 'measure': did you mean 'measures'\?"),
        (GOOD.replace("at_most", "atmost"), r"kiss\.x: unknown key 'measures.0.atmost': did you mean 'at_most'\?"),
        (GOOD.replace("1.0", "[1.0]"), r"kiss\.x: measures.0.at_most"),
        (GOOD.replace("l, q", "l, each: [a], q"), r"kiss\.x: measures: measure 'l': each is a mapping"),
        (GOOD.replace("l, q", "l, each: {variant: {}}, q"), r"kiss\.x: measures: measure 'l': each is a mapping"),
        (GOOD.replace("l, q", "l, each: {variant: {a: A}}, q"), r"measure 'l': the label lacks \{variant\}"),
        (
            GOOD.replace("l, q", "'{model}', each: {model: {nn: NN}}, q"),
            r"'model' is given both by each and beside it",
        ),
        (GOOD.replace("l, q", "'{seed}', each: {seed: {1: one}}, q"), r"kiss\.x: unknown key 'measures.0.seed'"),
        (
            GOOD.replace("  measures", "  requires: [kiss.y]\n  measures"),
            "kiss.x: requires: no claim 'kiss.y': did you mean",
        ),
        (GOOD.replace("  source", "  also: [h2o]\n  source"), r"kiss\.x: also: expected a mapping of words"),
        (
            GOOD.replace("  source", "  also: {x: h2o}\n  source"),
            r"kiss\.x: also: 'x' makes the claim 'kiss\.x', which is there",
        ),
        (GOOD.replace("lih", "[]").replace("  source", "  also: {y: h2o}\n  source"), r"kiss\.x: system"),
        (GOOD.split("  measures")[0] + "  measures: []", r"kiss\.x: measures: .*at least 1"),
    ],
)
def test_bad_claims_files(tmp_path, content, message):
    path = tmp_path / "claims.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        load_claims(path)


# Quantities of the dynamics of molecules (tests/unit/test_molecules.py) that claims may judge.
MOLECULES = {
    "surviving_fraction",
    "path_barrier_error",
    "path_rmse",
    "inversion_rate",
    *(f"vdos_peak_deviation_{k}" for k in (1, 2, 3)),
}


ELSEWHERE = ("study.ethanol.", "study.li2s.", "study.h2o.hybrid_")  # ablations of models of other stages and overlays


def test_the_claims_on_ablations_refer_to_what_is_measured():
    """By config/ablations.yaml."""
    overlay = read_yaml("config/ablations.yaml")
    models = {
        "ethanol": overlay["models"],
        "li2s": overlay["materials"]["models"],
        "h2o": overlay["hybrid"]["models"],
    }
    claims = {k: c for k, c in load_claims("config/claims.yaml").items() if k.startswith(ELSEWHERE)}
    cause = claims.pop("study.ethanol.cause")
    kept = {**read_yaml("config/config.yaml")["capacity"]["boxes"], **overlay["capacity"]["boxes"]}
    places = [*(box for box, bounds in kept.items() if bounds), "local"]
    for m in cause.measures:
        assert m.variant in {f"normalised_{e}_gaussian_{place}" for e in ("energy", "force") for place in places}
    assert len(cause.measures) == 2 * len(places)
    assert len(overlay["capacity"]["models"]) >= 3
    assert len(claims) == 8
    for name, claim in claims.items():
        for m in claim.measures:
            assert {m.model, m.against} <= set(models[claim.system]), name
            assert m.split == ("blocks" if claim.system == "li2s" else "test"), name
            assert m.quantity in {"energy_rmse", "force_rmse"}, name
            assert m.family == ("quantum_part_materials" if claim.system == "li2s" else "quantum_part"), name


def test_the_studys_claims_refer_to_what_is_measured(study):
    config = study.config
    boxes, first = [*config.capacity.boxes, "local"], config.capacity.likelihoods[0]
    capacity = {f"{k}_{box}" for k in config.capacity.likelihoods for box in boxes}
    capacity |= {f"{first}_{box}_uniform" for box in boxes}
    correlated = {f"{c}_{e}_{variant}" for c in CAPACITIES for e in ERRORS for variant in capacity}
    one = pd.DataFrame({"component": [-1, 0], "reference": [0.0, 0.0], "predicted": [0.0, 0.0]})
    tested = set(errors(one, ["Li", "H"]))
    time = np.arange(0, config.dynamics.length_fs + 1)
    path = pd.DataFrame({"time_fs": time, "distance_ang": 1.6 + 0.1 * np.sin(time), "total_energy_ev": 0.0 * time})
    simulated = set(observables(path, path, 2)) | MOLECULES
    published = pd.read_csv("results/published/metrics.csv")
    published[["variant", "split"]] = published[["variant", "split"]].fillna("")
    claims = load_claims("config/claims.yaml")
    assert len(claims) >= 4
    for name, claim in claims.items():
        if name.startswith(("nishi.", "le.", "draft.", "hybrid_materials.", *ELSEWHERE)):
            continue  # below; tests/unit/test_table_one.py; tests/unit/test_materials_claims.py
        assert claim.system in study.systems, name
        figure = claim.evidence.removesuffix(f"_{claim.system}")
        assert Path("workflow/report", f"{figure}.rst").is_file(), name
        for m in claim.measures:
            assert m.model in [MODEL, *config.models], name
            assert m.against in {None, "reference", *config.models}, name
            if m.model == MODEL:
                assert m.quantity == "effective_dimension_error_correlation", name
                assert (m.variant in correlated, m.split) == (True, ""), name
            elif "effective_dimension" in m.quantity:
                n_train = study.systems[claim.system].split.n_train
                assert m.n_train in {n_train, *config.capacity.n_data}, name
                assert m.quantity in {"effective_dimension", "normalised_effective_dimension"}, name
                assert (m.variant in capacity, m.split) == (True, ""), name
                assert {m.model, m.against} <= {None, *config.capacity.models}, name
            elif m.split:
                assert (m.quantity in tested, m.variant) == (True, ""), name
                assert m.split in {"test", INTERPOLATED}, name
            else:
                assert (m.quantity in simulated, m.variant) == (True, ""), name
                assert {m.model, m.against} <= {None, "reference", *config.dynamics.models}, name
            if claim.system in set(published.system) and {m.model, m.against} <= {None, *published.model}:
                assert measure_estimate(published, claim.system, m)[0], f"{name}: {m.label}"


def test_the_claims_on_circuits_refer_to_what_is_measured(study):
    """Gradients of the equivariant circuit; the tests of the quantum part are one family, two of them for each twin."""
    depths = {f"depth_{n}" for n in study.config.quantum.trainability.layers}
    claims = load_claims("config/claims.yaml")
    for name in (k for k in claims if k.startswith("le.")):
        for m in claims[name].measures:
            assert m.quantity in {"gradient_variance_slope", "gradient_variance_power_law_misfit"}, name
            assert m.model == "equivariant", name
            assert m.variant in depths, name
    own = [c for k, c in claims.items() if k.startswith("study.") and not k.startswith(ELSEWHERE)]
    family = [m for c in own for m in c.measures]
    assert len(family) == 22
    assert {m.family for m in family} == {"quantum_part"}


def test_the_claims_on_scaling_refer_to_what_is_measured(study):
    """What the stage writes, of models and systems of the sweeps."""
    swept = [p for path in Path("config/sweeps").glob("*.tsv") for p in read_sweep(path)]
    systems = {p.system for p in swept}
    models = {p.model for p in swept}
    errors_of = {"energy_mae", "energy_mae_centred", "force_mae", "energy_to_force_mae", "energy_rmse", "force_rmse"}
    claims = {k: c for k, c in load_claims("config/claims.yaml").items() if k.startswith("nishi.")}
    assert systems <= {c.system for c in claims.values()} <= set(study.systems)
    for name, claim in claims.items():
        assert claim.evidence == f"learning_curves_{claim.system}", name
        assert not [r for r in claim.requires if claims[r].system != claim.system], name
        for m in claim.measures:
            assert {m.model, m.against} <= {None, *models}, name
            assert m.split == "test", name
            if m.quantity in EXPONENTS.values():
                assert (m.variant, m.n_train) == ("learning_curve", None), name
            elif m.quantity == TRADEOFF:
                assert m.variant == "force_weights", name
            elif m.quantity == "force_skill":
                assert m.variant in (TRANSFER_SEEN, TRANSFER_UNSEEN), name
            else:
                assert m.quantity in errors_of, name
                assert m.variant in VARIANTS, name
                assert m.n_train == "largest", name


def test_the_published_verdicts_follow_from_the_published_numbers(study):
    """As far as the claims are still judged by the same rules."""
    ours = judge(load_claims("config/claims.yaml"), judged_numbers(Path("results/published")), "study")
    key = ["claim_id", "measure", "rule"]
    both = ours.merge(pd.read_csv("results/published/claims.csv"), on=key, suffixes=("", "_published"))
    assert len(both) >= 10
    assert list(both.measure_verdict) == list(both.measure_verdict_published)
    for column in ("ours", "ci_low", "ci_high", "n_seeds"):
        np.testing.assert_allclose(both[column], both[f"{column}_published"], rtol=1e-9)


PATHS_OF_VERDICTS = {
    "metrics_path": "metrics.csv",
    "table_path": "claims.csv",
    "json_path": "claims.json",
    "run_path": "run.json",
}


@pytest.mark.parametrize(
    ("systems", "stand_ins", "expected"),
    [
        (["lih"], {}, {"lih"}),
        (["h2o_kiss"], {"h2o": "h2o_kiss"}, {"h2o_kiss"}),
        (["uracil_rmd17"], {}, {"uracil_rmd17"}),
        (["benzene"], {}, {"lih", "h2o", "h3o"}),
    ],
)
def test_claims_of_other_systems_are_left_out(systems, stand_ins, expected, tmp_path):
    """Unless the study has none at all: then all are shown, untested."""
    from qff.stages.claims import judge_claims

    (tmp_path / "metrics.csv").write_text(",".join(METRIC_COLUMNS) + "\n", encoding="utf-8")
    paths = {name: str(tmp_path / file) for name, file in PATHS_OF_VERDICTS.items()}
    context = {"profile": "study", "seed": 1, "code_digest": "0" * 16}
    judge_claims(context=context, systems=systems, stand_ins=stand_ins, claims_path="config/claims.yaml", **paths)
    with open(paths["table_path"], encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert {row["system"] for row in rows} >= expected
    assert len(expected) > 1 or {row["system"] for row in rows} == expected
    assert {row["verdict"] for row in rows} == {"not_tested"}


def test_a_claim_that_is_stated_for_a_set_is_not_judged_on_it_in_place_of_another():
    """nishi.ethanol.revised_better has a sister of its own on rMD17; the claims on H2O have none on the imported set."""
    from qff.stages.claims import on_systems

    known = load_claims("config/claims.yaml")
    found = on_systems(known, ["ethanol_rmd17"], {"ethanol": "ethanol_rmd17"})
    assert "nishi.ethanol_rmd17.revised_better" in found
    assert "nishi.ethanol.revised_better" not in found
    assert "kiss.h2o.qnn_reach" in on_systems(known, ["h2o_kiss"], {"h2o": "h2o_kiss"})

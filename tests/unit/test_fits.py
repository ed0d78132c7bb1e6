"""The stage that fits: from points to exponents, readings and rows of the table of numbers."""

import json

import numpy as np
import pandas as pd
import pytest
from qff import scaling
from qff.anchors import anchor_rows, anchors_of, read_anchors
from qff.config.points import FORCE_WEIGHTS, LEARNING_CURVE
from qff.controls import permuted_labels
from qff.data import LabelledFrames
from qff.errors import ConfigError
from qff.evaluation import centred_energy_errors
from qff.metrics import METRIC_COLUMNS
from qff.stages.fits import EXPONENTS, fit_scaling, folds_of
from qff.tradeoff import rank_correlation

CONTEXT = {"profile": "test", "seed": 1, "code_digest": "0"}
ERRORS = {"energy_rmse": 90.0, "energy_mae": 70.0, "energy_mae_centred": 60.0, "force_rmse": 0.9, "force_mae": 0.6}


def points(model, exponent, variant=LEARNING_CURVE, sizes=(10, 50, 200, 950), train=0.1, factor=1.0, seeds=3):
    """Tidy rows of a power law."""
    rng = np.random.default_rng(len(model))
    return [
        (
            "ethanol",
            model,
            variant,
            n,
            seed,
            split,
            q,
            "u",
            factor * part * e * n**-exponent * np.exp(rng.normal(0, 0.02)),
        )
        for n in sizes
        for seed in range(seeds)
        for split, part in (("train", train), ("test", 1.0))
        for q, e in ERRORS.items()
    ]


def run(tmp_path, *rows, anchors=()):
    tmp_path.mkdir(exist_ok=True)
    paths = {k: str(tmp_path / f"{k}.csv") for k in ("points", "table", "fits")}
    pd.DataFrame([r for part in rows for r in part], columns=METRIC_COLUMNS).to_csv(paths["points"], index=False)
    splits = [{"train": [0], "test": [seed]} for seed in range(3)]
    (tmp_path / "splits.json").write_text(json.dumps({"splits": splits}))
    fit_scaling(
        context=CONTEXT, system="ethanol", splits_path=str(tmp_path / "splits.json"), roles={"a": "comparison", "b": "choice"}, anchors=list(anchors),
        metrics_paths=[paths["points"]], table_path=paths["table"], fits_path=paths["fits"],
        run_path=str(tmp_path / "run.json"),
    )  # fmt: skip
    record = json.loads((tmp_path / "run.json").read_text())
    return pd.read_csv(paths["table"]), pd.read_csv(paths["fits"]), record


def test_exponents_and_readings(tmp_path):
    table, fits, record = run(tmp_path, points("a", 0.7), points("b", 0.0, train=0.9), points("mean_predictor", 0.0))
    assert set(fits.model) == {"a", "b"}  # doing nothing has no law
    full = fits[fits.range == "all"].set_index(["model", "quantity"])
    assert full.loc[("a", "force_mae"), "exponent"] == pytest.approx(0.7, abs=0.02)
    assert full.loc[("a", "force_mae"), "limited_by"] == "data"
    assert full.loc[("b", "force_mae"), "limited_by"] == "capacity or optimiser"
    assert set(fits[fits.range == "data_limited"].model) == {"a"}
    numbers = table[table.quantity.isin(EXPONENTS.values())].set_index(["model", "quantity", "variant"]).value
    low, value, high = (
        numbers["a", "scaling_exponent_force_mae", f"learning_curve{e}"] for e in ("_low", "", "_high")
    )
    assert low < value < high
    assert numbers["a", "scaling_exponent_force", "data_limited_curve"] == pytest.approx(0.7, abs=0.02)
    runs = {r["name"]: r for r in record["runs"]}
    assert set(runs) == {"a-ethanol-fit", "b-ethanol-fit"}
    assert runs["b-ethanol-fit"]["tags"] == {"system": "ethanol", "model": "b", "role": "choice"}


def test_seeds_of_a_published_split_belong_together():
    tests = [[1, 2], [3, 4], [1, 2], [5], [3, 4]]
    assert folds_of([{"train": [k], "test": test} for k, test in enumerate(tests)]) == {0: 0, 1: 1, 2: 0, 3: 3, 4: 1}


def test_twice_the_steps_tell_capacity_from_training(tmp_path):
    long = {"variant": "doubled_steps", "sizes": (10, 950), "train": 0.9}
    same = run(tmp_path / "1", points("a", 0.0, train=0.9), points("a", 0.0, **long))[1]
    better = run(tmp_path / "2", points("a", 0.0, train=0.9), points("a", 0.0, factor=0.7, **long))[1]
    assert set(same[same.range == "all"].limited_by) == {"capacity"}
    assert set(better[better.range == "all"].limited_by) == {"not converged"}
    assert better[better.range == "all"].change_by_steps.to_numpy() == pytest.approx(0.3, abs=0.05)


def test_a_model_of_one_size_has_no_law(tmp_path):
    table, fits, record = run(tmp_path, points("a", 0.7, sizes=(950,)))
    assert fits.empty
    assert list(fits.columns)[:3] == ["system", "model", "quantity"]
    assert record["runs"] == []
    assert set(table.quantity) == set(ERRORS)


def test_the_tradeoff_is_measured_where_all_weights_are(tmp_path):
    weights = [points("a", 0.0, v, sizes=(200,), factor=f) for v, f in FORCE_WEIGHTS.items() if v != LEARNING_CURVE]
    table = run(tmp_path / "1", points("a", 0.0), *weights)[0]
    found = table[table.quantity == "energy_force_tradeoff"].set_index("variant")
    assert found.loc["force_weights", ["n_train", "value"]].tolist() == [200.0, 1.0]  # both errors grow together here
    assert set(found.index) == {"force_weights", "force_weights_low", "force_weights_high"}
    table = run(tmp_path / "2", points("a", 0.0), *weights[1:])[0]
    assert "energy_force_tradeoff" not in set(table.quantity)


def test_rank_correlation_of_energies_and_forces():
    rng = np.random.default_rng(0)
    weights, noise = np.arange(5.0), np.exp(rng.normal(0, 0.1, (2, 6, 5)))
    energies, forces = np.exp(weights) * noise[0], np.exp(-weights) * noise[1]
    assert rank_correlation(energies, forces, rng) == pytest.approx((-1.0, -1.0, -1.0))
    value, low, high = rank_correlation(noise[0], noise[1], rng)
    assert -1 <= low <= value <= high <= 1
    assert low < high
    assert rank_correlation(energies[:1], forces[:1], rng)[1:] == (-np.inf, np.inf)
    assert rank_correlation(np.ones((2, 5)), forces[:2], rng)[0] == 0.0


def test_published_errors_enter_the_table(tmp_path):
    anchors = read_anchors("config/anchors.yaml")
    table = run(tmp_path, points("a", 0.7), anchors=anchors_of(anchors, "ethanol_rmd17"))[0]
    published = table[table.variant == "published"].set_index(["model", "quantity", "n_train"]).value
    assert published["published_mace", "force_mae", 1000] == pytest.approx(0.0021)
    assert published["published_gap", "energy_mae", 1000] == pytest.approx(3.5)
    assert anchors_of(anchors, "lih") == []


@pytest.mark.parametrize(
    ("molecule", "ace", "nequip", "mace"),
    [("ethanol", 0.59, 0.89, 0.92), ("aspirin", 0.42, 0.62, 0.63), ("malonaldehyde", 0.58, 0.78, 0.79), ("benzene", 0.56, 0.76, 0.73)],
)  # fmt: skip
def test_published_exponents(molecule, ace, nequip, mace):
    """Of the errors printed for 50 and 1000 frames, to two digits."""
    rows = anchor_rows(anchors_of(read_anchors("config/anchors.yaml"), f"{molecule}_rmd17"), molecule)
    found = {r["model"]: r["value"] for r in rows if r["quantity"] == "scaling_exponent_force_mae"}
    expected = {"published_ace": ace, "published_nequip": nequip, "published_mace": mace}
    assert found == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "source: s\nmodels: {a: A}\nsystems: {x: {b: {50: [1.0, 2.0]}}}",
            "systems.x: 'b' has no label under models",
        ),
        ("source: s\nmodels: {a: A}\nsystems: {x: {a: {50: [1.0, 0.0]}}}", "systems.x.a.50: .*must be positive"),
        ("source: s\nmodels: {a: A}\nsystems: {x: {a: {50: [1.0]}}}", "systems.x.a.50"),
        ("models: {a: A}\nsystems: {}", "source"),
    ],
)
def test_bad_anchors(tmp_path, content, message):
    (tmp_path / "anchors.yaml").write_text(content)
    with pytest.raises(ConfigError, match=message):
        read_anchors(tmp_path / "anchors.yaml")


def test_permuted_labels_stay_in_their_set():
    """Energy and forces move together, geometries stay; mean energies are what they were."""
    n = 40
    energies = np.arange(n, dtype=float)
    frames = LabelledFrames(
        ["H", "H"], np.arange(n)[:, None, None] * np.ones((n, 2, 3)), energies, energies[:, None, None] * np.ones((n, 2, 3)), [{}] * n
    )  # fmt: skip
    order = np.random.default_rng(0).permutation(n).tolist()
    splits = [{"train": order[:20], "validation": order[20:30], "test": order[30:]} for order in (order, order[::-1])]
    seen, parts = permuted_labels(frames, splits, 15, np.random.default_rng(1))
    for split, part in zip(splits, parts, strict=True):
        for name, count in (("train", 15), ("validation", 10)):
            index, own = split[name][:count], part[name]
            assert seen.positions[own, 0, 0].tolist() == index
            assert sorted(seen.energies[own]) == sorted(index)
            assert seen.energies[own].tolist() != index
            np.testing.assert_array_equal(seen.forces[own, 1, 2], seen.energies[own])
    assert sorted(k for part in parts for own in part.values() for k in own) == list(range(50))


def test_energies_without_their_mean_offset():
    table = pd.DataFrame({"component": [-1, -1, 0], "reference": [1.0, 2.0, 0.0], "predicted": [1.5, 2.7, 9.0]})
    found = centred_energy_errors(table)
    assert found["energy_mae_centred"] == ("meV", pytest.approx(100.0))
    assert found["energy_rmse_centred"] == ("meV", pytest.approx(100.0))


def test_the_thresholds_are_those_of_the_claims():
    from qff.claims import load_claims

    claims = load_claims("config/claims.yaml")
    judged = [m for name, c in claims.items() if ".no_scaling_" in name for m in c.measures]
    assert judged
    assert {(m.at_most, m.refuted_above) for m in judged} == {(scaling.FLAT, scaling.STEEP)}

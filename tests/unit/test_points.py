"""Points of the learning curves: sizes of the study and rows of sweeps, and what is said about bad ones."""

import copy
import shutil

import pytest
from qff.config import load_study, read_yaml
from qff.config.points import FORCE_WEIGHTS, LEARNING_CURVE, VARIANTS, Point, read_sweep
from qff.errors import ConfigError

GOOD = read_yaml("config/config.yaml")
HEADER = "system\tmodel\tvariant\tn_train\tn_seeds\n"


@pytest.fixture
def folder(tmp_path):
    for name in ("systems", "models"):
        shutil.copy(f"config/{name}.yaml", tmp_path)
    (tmp_path / "sweeps").mkdir()
    return tmp_path


def study_of(folder, *rows, header=HEADER, **scaling):
    (folder / "sweeps/trial.tsv").write_text(
        "# a trial\n" + header + "".join("\t".join(r.split()) + "\n" for r in rows)
    )
    content = copy.deepcopy(GOOD)
    content["scaling"] |= {"sweeps": ["trial"], **scaling}
    return load_study(content, folder)


def test_sizes_of_the_study_are_points():
    study = load_study(GOOD | {"scaling": GOOD["scaling"] | {"sweeps": []}}, "config")
    points = study.points
    assert len({p.key for p in points}) == len(points)
    sizes = study.config.scaling.sizes
    assert {(p.system, p.n_train) for p in points} == {(s, n) for s, numbers in sizes.items() for n in numbers}
    assert {p.n_seeds for p in points} == {study.config.seeds}
    assert {p.variant for p in points} == {LEARNING_CURVE}


def test_rows_of_a_sweep_join_the_points_of_the_study(folder):
    before = study_of(folder, "lih qnn doubled_steps 5 2", sweeps=[]).points
    after = study_of(
        folder, "lih qnn learning_curve 5 2", "lih qnn doubled_steps 5 2", "h2o kernel learning_curve 200 3"
    ).points
    assert len(after) == len(before) + 2
    by_key = {p.key: p.n_seeds for p in after}
    assert by_key["lih", "qnn", LEARNING_CURVE, 5] == 2  # in place of the study's ten
    assert by_key["lih", "qnn", "doubled_steps", 5] == 2
    assert by_key["h2o", "kernel", LEARNING_CURVE, 200] == 3
    assert by_key["lih", "qnn", LEARNING_CURVE, 10] == 10


def test_a_sweep_may_stand_alone(folder):
    points = study_of(
        folder, "lih qnn learning_curve 5 2", models=[], sizes=dict.fromkeys(("lih", "h2o", "h3o"))
    ).points
    assert [p.key for p in points] == [("lih", "qnn", LEARNING_CURVE, 5)]


def test_variants_change_the_training(study):
    def training(model, variant):
        return study.training_of_point(Point(system="h2o", model=model, variant=variant, n_train=20, n_seeds=1))

    plain = training("qnn", LEARNING_CURVE)
    assert plain.steps == study.config.scaling.steps
    assert training("qnn", "doubled_steps") == plain.model_copy(update={"steps": 2 * plain.steps})
    assert training("qnn", "tenfold_steps").steps == 10 * plain.steps
    assert training("qnn", "permuted_labels") == plain
    for variant, factor in FORCE_WEIGHTS.items():
        weighted = training("qnn", variant)
        assert weighted.force_weight == pytest.approx(factor * plain.force_weight)
        assert weighted.steps == plain.steps
    assert training("nn", "doubled_steps").steps == 20 * plain.steps  # relative_steps: 10
    assert len(FORCE_WEIGHTS) >= 5
    assert set(FORCE_WEIGHTS) <= set(VARIANTS)


def test_a_row_may_state_its_steps(folder):
    header = HEADER.replace("n_seeds", "n_seeds\tsteps")
    rows = [f"h2o qnn learning_curve {n} 2 7" for n in (10, 40, 150, 300)]
    study = study_of(folder, *rows, header=header)
    steps = {p.key: study.training_of_point(p).steps for p in study.points}
    assert {v for k, v in steps.items() if k[:2] == ("h2o", "qnn")} == {7}
    assert steps["h2o", "nn", LEARNING_CURVE, 10] == 10 * study.config.scaling.steps
    with pytest.raises(ConfigError, match=r"h2o qnn learning_curve has 150 steps at one size and 7 at 40; .* fixed"):
        study_of(folder, rows[1], header=header)


def test_a_model_may_be_left_out_of_a_system(folder):
    content = copy.deepcopy(GOOD)
    content["leave_out"] = {"h2o": ["nn"]}
    study = load_study(content, "config")
    assert study.models_of("h2o", ["qnn", "nn"]) == ["qnn"]
    assert study.models_of("lih", ["qnn", "nn"]) == ["qnn", "nn"]
    for wrong, message in (
        ({"water": ["nn"]}, "leave_out: unknown 'water'"),
        ({"h2o": ["nm"]}, "leave_out.h2o: unk"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_study({**content, "leave_out": wrong}, "config")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("water qnn learning_curve 5 2", r"sweeps/trial.tsv: unknown system 'water'"),
        ("lih kernl learning_curve 5 2", r"unknown model 'kernl': did you mean 'kernel'\?"),
        ("lih polynomial_quartic learning_curve 5 2", "'polynomial_quartic' has no settings for 'lih'"),
        ("lih qnn learning_curve 500 2", "500 exceed the 80 training frames of 'lih'"),
        ("lih qnn learning_curve 5 11", "11 seeds, the study has 10; raise 'seeds'"),
        ("lih qnn learning_curv 5 2", r"line 3: variant: unknown variant: did you mean 'learning_curve'\?"),
        ("lih qnn learning_curve 1 2", "line 3: n_train: .*greater than or equal to 2"),
        ("lih qnn learning_curve 5 0", "line 3: n_seeds: .*greater than or equal to 1"),
        ("lih qnn learning_curve five 2", "line 3: n_train: .*integer.*'five'"),
        ("lih qnn learning_curve 5", "line 3: 4 values for 5 columns; they are separated by tabs"),
    ],
)
def test_bad_rows(folder, row, message):
    with pytest.raises(ConfigError, match=message):
        study_of(folder, row)


def test_bad_tables(folder):
    row = "lih qnn learning_curve 5 2"
    with pytest.raises(ConfigError, match="line 4: the same point as line 3"):
        study_of(folder, row, row)
    with pytest.raises(ConfigError, match=r"trial.tsv: holds no points; expected a header \(system, model"):
        study_of(folder)
    with pytest.raises(ConfigError, match=r"line 3: unknown key 'n_seed': did you mean 'n_seeds'\?"):
        study_of(folder, row, header=HEADER.replace("n_seeds", "n_seed"))
    with pytest.raises(ConfigError, match=r"trail.tsv: no such sweep: did you mean 'trial'\?; there are: trial"):
        study_of(folder, row, sweeps=["trail"])


def test_a_system_with_sizes_needs_a_model(folder):
    """Without a model there is nothing to fit; without any, the stage is off."""
    with pytest.raises(
        ConfigError, match=r"scaling.sizes.lih: none of scaling.models .* set scaling.sizes.lih: null"
    ):
        study_of(folder, "lih qnn learning_curve 5 2", models=["polynomial_quartic"])
    assert len(study_of(folder, "lih qnn learning_curve 5 2", models=[]).points) == 1


@pytest.mark.parametrize(
    ("name", "systems"), [("ethanol", 1), ("rmd17", 4), ("rmd17_controls", 4), ("rmd17_capacity", 1)]
)
def test_the_sweeps_of_the_repository(name, systems):
    points = read_sweep(f"config/sweeps/{name}.tsv")
    assert all(isinstance(p, Point) for p in points)
    assert len({p.system for p in points}) == systems
    overlay = read_yaml("config/rmd17.yaml")
    assert name == "ethanol" or name in overlay["scaling"]["sweeps"]
    assert max(p.n_seeds for p in points) <= overlay["seeds"]
    assert max(p.n_train for p in points) <= 950  # the published rule: never more than 1,000 with validation

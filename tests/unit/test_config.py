"""Bad configuration stops with a message that names the key and the remedy."""

import copy
import os
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from qff.config import Config, ModelConfig, SystemConfig, load_study, read_yaml, validate, with_types
from qff.errors import ConfigError
from qff.models import build_architecture
from qff.systems import System

INFINITY, NAN = float("inf"), float("nan")
GOOD = read_yaml("config/config.yaml")
LIH = read_yaml("config/systems.yaml")["lih"]


def changed(content, path: str, value):
    """A copy with one key, given as a dotted path, set to a value."""
    content = copy.deepcopy(content)
    *folders, key = path.split(".")
    place = content
    for folder in folders:
        place = place[int(folder)] if isinstance(place, list) else place[folder]
    place[key] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("sede", 1, r"unknown key 'sede': did you mean 'seed'\?"),
        ("training.step", 5, r"unknown key 'training.step': did you mean 'steps'\?"),
        ("reference.modus", "frozen", r"did you mean 'mode'\?"),
        ("seeds", "ten", r"seeds: .*integer.*'ten'"),
        ("seeds", 2.5, "seeds"),
        ("seeds", True, "seeds"),
        ("seeds", 0, "seeds: .*greater than or equal to 1"),
        ("seed", -1, "seed"),
        ("training.steps", 0, "training.steps"),
        ("seeds", 10.0, "seeds: .*integer.*10.0"),
        ("seed", None, "seed: .*integer"),
        ("training.optimiser", "bgfs", r"training.optimiser: .*'adam', 'bfgs', .*: did you mean 'bfgs'\?"),
        ("training.optimiser", "sgd", r"training.optimiser: .*'adam', 'bfgs', .* \(got 'sgd'\)"),
        ("training.learning_rate", "fast", "training.learning_rate: .*number"),
        ("training.learning_rate", True, "training.learning_rate: .*number"),
        ("training.learning_rate", INFINITY, "training.learning_rate: .*finite"),
        ("training.force_weight", NAN, "training.force_weight"),
        ("training", [], "training: .*dictionary"),
        ("reference", None, "reference: .*dictionary"),
        ("tracking.uri", 5, "tracking.uri: .*string"),
        ("training.force_weight", -1.0, "training.force_weight"),
        ("reference.mode", "thaw", "reference.mode"),
        ("reference.energy_tolerance_mev", 0.0, "energy_tolerance_mev"),
        ("capacity.boxes", {"flat": [1.0, 1.0]}, r"box flat: \[1.0, 1.0\] is empty"),
        ("capacity.boxes", {"flat": [1.0, 0.0]}, r"box flat: \[1.0, 0.0\] is empty"),
        ("capacity.boxes", {"wide": [0.0, INFINITY]}, "boxes.wide.*finite"),
        ("capacity.boxes", {"none": [NAN, 1.0]}, "boxes.none.*finite"),
        ("capacity.boxes", {"half": [0.0]}, "boxes.half"),
        ("capacity.boxes", {"../up": [0.0, 1.0]}, "boxes.*pattern"),
        ("capacity.boxes", {"local": [0.0, 1.0]}, "the name is taken by the trained parameters"),
        ("capacity.boxes", {}, "capacity.boxes: .*at least 1"),
        ("capacity.likelihoods", ["gausian"], r"likelihoods.0: .*did you mean 'gaussian'\?"),
        ("capacity.likelihoods", [], "capacity.likelihoods: .*at least 1"),
        ("capacity.likelihoods", ["gaussian", "gaussian"], "'gaussian' is listed twice"),
        ("capacity.samples", 1, "capacity.samples"),
        ("capacity.n_data", [18], "capacity.n_data.0: .*19"),
        ("capacity.n_data", [300, 300], "'300' is listed twice"),
        ("dynamics.time_step_fs", 0.0, "dynamics.time_step_fs"),
        ("dynamics.length_fs", 0.1, "length_fs 0.1 is shorter than one time_step_fs 0.25"),
        ("dynamics.length_fs", INFINITY, "dynamics.length_fs: .*finite"),
        ("profile", "../elsewhere", "profile"),
        ("profile", "published", "results/published/ is not a run's"),
        ("systems", ["lhi"], r"systems: unknown 'lhi': did you mean 'lih'\?"),
        ("systems", [], "systems"),
        ("systems", ["lih", "lih"], "systems: 'lih' is listed twice"),
        ("systems", "lih", "systems: .*list"),
        ("models", [*GOOD["models"], "nn"], "models: 'nn' is listed twice"),
        ("models", ["qn"], r"models: unknown 'qn': did you mean 'qnn'\?"),
        ("dynamics.models", ["amber"], "dynamics.models: unknown 'amber'"),
        ("quantum.models", ["amber"], "quantum.models: unknown 'amber'"),
        ("quantum.twin", "amber", "quantum.twin: unknown 'amber'"),
        ("quantum.shots.counts", [0, 10], "quantum.shots.counts"),
        ("quantum.noise.two_qubit", [1.5], "quantum.noise.two_qubit"),
        ("quantum.noise.folding", [1, 2], "folding: 2 is even"),
        ("scaling.sizes", {"lih": [5, 800]}, r"scaling.sizes.lih: \[800\] exceed the 80 training frames"),
        ("scaling.sizes", {"h2s": [5, 10]}, "scaling.sizes: unknown 'h2s'"),
        ("scaling.sizes", {"lih": [0, 5]}, "scaling.sizes.lih.0: .*greater than or equal to 2"),
        ("scaling.sizes", {"lih": [5]}, "scaling.sizes.lih: .*at least 2"),
        ("scaling.sizes", {"lih": [5, 10, 5]}, "scaling.sizes.lih: '5' is listed twice"),
    ],
)
def test_bad_study_config(path, value, message):
    with pytest.raises(ConfigError, match=message):
        load_study(changed(GOOD, path, value))


@pytest.mark.parametrize("content", [None, [], "study", 3])
def test_config_that_is_no_mapping(content):
    with pytest.raises(ConfigError, match="config"):
        load_study(content)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("coordinates.0.bounds", [-0.5, 4.2], "a bond needs 0 < lower < upper"),
        ("coordinates.0.bounds", [4.2, 0.8], "a bond needs 0 < lower < upper"),
        ("coordinates.0.bounds", [1.0, 4.2], "scan 0.9–4.0 Å leaves the bounds"),
        ("coordinates.0.atoms", [0, 0], "a bond needs 2 different atom indices"),
        ("coordinates.0.atoms", [0, 2], "the system has 2 atoms"),
        ("coordinates.0.atoms", [0], "a bond needs 2 different atom indices"),
        ("coordinates.0.atoms", [0, -1], "a bond needs 2 different atom indices"),
        ("coordinates.0.bounds", [0.8, INFINITY], "coordinates.0.bounds.1: .*finite"),
        ("coordinates.0.bounds", [0.8], "coordinates.0.bounds"),
        ("coordinates.0.bounds", ["0.8", 4.2], "coordinates.0.bounds.0: .*number.*'0.8'"),
        ("coordinates", [], "coordinates: a scan and samples"),
        ("coordinates.0.kind", "dihedral", "a dihedral needs 4 different atom indices"),
        ("atoms", ["Li"], "2 masses for 1 atoms"),
        ("masses_amu", [7.0], "1 masses for 2 atoms"),
        ("masses_amu", [7.0, -1.0], "masses_amu"),
        ("reference.scan.minimum", -0.9, "minimum"),
        ("reference.scan.maximum", 0.5, "not below maximum"),
        ("reference.method", "CCSD(TQ)", r"method: .*did you mean 'CCSD\(T\)'\?"),
        ("reference.scan.n_frames", 160.0, "n_frames: .*integer"),
        ("reference.scan.focus_density", INFINITY, "focus_density: .*finite"),
        ("split.n_train", 140, "n_train 140 .* n_validation 20 leave no test frame of 160"),
        ("split.n_train", 1.2, "split.n_train: .*integer"),
        ("split.n_train", 1, "split.n_train: .*greater than or equal to 2"),
        ("split.n_validation", 0, "split.n_validation: .*greater than or equal to 1"),
        ("split.n_test", 10, "unknown key 'split.n_test'"),
        ("stretch", 0.0, "stretch"),
    ],
)
def test_bad_system(path, value, message):
    with pytest.raises(ConfigError, match=message):
        validate(SystemConfig, changed(LIH, path, value), "lih")


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        ("qnn", {"layers": 0}, "layers=0"),
        ("qnn", {"n_qubits": 0}, "at least 1"),
        ("qnn", {"connectivity": "ring"}, "'ring' is neither 'linear' nor 'full'"),
        ("qnn", {"feature_map": "tanh"}, "unknown feature_map 'tanh'"),
        ("qnn", {"n_qubits": 4}, "takes 4 features.*gives 3"),
        ("qnn", {"depth": 3}, "depth"),
        ("qnn", {"circuit": "kis"}, "unknown circuit 'kis'"),
        ("qnn", {"engine": "qulacs"}, "unknown engine 'qulacs'"),
        ("qnn", {"output_range": -0.2}, "output_range"),
        ("nn", {"hidden": [0]}, "at least one neuron"),
        ("nn", {"layers": 3}, "unknown settings of a neural network: layers"),
        ("behler_parrinello", {"cutoff_ang": 0.0}, "must be positive"),
        ("behler_parrinello", {"eta": 1}, "unknown settings"),
    ],
)
def test_bad_model_settings(study, model, settings, message):
    entry = study.models[model]
    entry = entry.model_copy(update={"systems": {"lih": {**entry.systems["lih"], **settings}}})
    with pytest.raises(ConfigError, match=message):
        build_architecture(System("lih", study.systems["lih"]), entry)


def test_missing_model_setting_system_and_kind(study):
    entry, system = study.models["qnn"], System("lih", study.systems["lih"])
    settings = {k: v for k, v in entry.systems["lih"].items() if k != "feature_map"}
    with pytest.raises(ConfigError, match="setting 'feature_map' is missing"):
        build_architecture(system, entry.model_copy(update={"systems": {"lih": settings}}))
    with pytest.raises(ConfigError, match="no settings for system 'lih'"):
        build_architecture(system, entry.model_copy(update={"systems": {}}))
    with pytest.raises(ConfigError, match="unknown model kind 'gnn'"):
        build_architecture(system, entry.model_copy(update={"kind": "gnn"}))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("systems.yaml", "lih: [1, 2", "not valid YAML"),
        ("systems.yaml", "- lih", "systems.yaml"),
        ("systems.yaml", "lih: text", "lih"),
        ("models.yaml", "- qnn", "models.yaml"),
        ("models.yaml", "qnn: text", "qnn"),
        ("systems.yaml", "", "expected a mapping from names to entries, got NoneType"),
        ("models.yaml", "qnn: [1]", "models.yaml, qnn: expected a mapping of settings"),
        ("models.yaml", "nn: {label: a, kind: nn}", "models.yaml, nn: systems"),
        ("models.yaml", "nn: {label: a, kind: nn, systems: {lih: 5}}", "nn: systems.lih: .*dictionary"),
        (
            "models.yaml",
            "nn: {label: a, name: b, kind: nn, systems: {}}",
            "unknown key 'name': a model is named by its key",
        ),
        ("models.yaml", "nn: {}\nqnn: {}\nnn: {}", "key 'nn' is given twice"),
        ("models.yaml", "Big NN: {label: a, kind: nn, systems: {}}", "Big NN: name: .*pattern"),
        ("models.yaml", "5: {label: a, kind: nn, systems: {}}", "models.yaml, 5: name"),
        ("models.yaml", None, "no such file"),
        ("systems.yaml", "lih: !!python/object/apply:os.system ['true']", "not valid YAML"),
    ],
)
def test_broken_files(tmp_path, name, content, message):
    for file in ("systems.yaml", "models.yaml"):
        (tmp_path / file).write_text(yaml.safe_dump(read_yaml(f"config/{file}")))
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=message):
        load_study(GOOD, tmp_path)


def test_unreadable_files(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path)
    path = tmp_path / "models.yaml"
    path.write_bytes(bytes(range(128, 256)))
    with pytest.raises(ConfigError, match=r"models.yaml: not valid YAML"):
        read_yaml(path)
    path.chmod(0)
    if os.geteuid():  # root reads everything
        with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
            read_yaml(path)


def test_merged_keys_are_not_given_twice(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("base: &base {a: 1, b: 2}\nmore:\n  <<: *base\n  b: 3\n")
    assert read_yaml(path)["more"] == {"a": 1, "b": 3}


def with_water(folder: Path, n_train: int, models: dict):
    """The study's files with a second system, for which only some models have settings."""
    systems, entries = read_yaml("config/systems.yaml"), read_yaml("config/models.yaml")
    systems["water"] = changed(LIH, "split.n_train", n_train)
    for name, settings in models.items():
        entries[name]["systems"]["water"] = settings
    for name, content in (("systems", systems), ("models", entries)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    shutil.copytree("config/sweeps", folder / "sweeps", dirs_exist_ok=True)


def test_every_system_of_the_learning_curves_is_checked(tmp_path):
    """Also one that only has a learning curve."""
    content = changed(changed(GOOD, "scaling.sizes", {"water": [5, 40]}), "scaling.models", ["nn"])
    with_water(tmp_path, 30, {"nn": {"hidden": [3]}})
    with pytest.raises(ConfigError, match=r"scaling.sizes.water: \[40\] exceed the 30 training frames"):
        load_study(content, tmp_path)
    with_water(tmp_path, 50, {})
    with pytest.raises(ConfigError, match=r"models.yaml: none of the models \[.*\] has settings for 'water'"):
        load_study(content, tmp_path)
    with_water(tmp_path, 50, {"nn": {"hidden": [3]}})
    assert load_study(content, tmp_path).systems["water"].split.n_train == 50


def test_an_overlay_can_drop_a_learning_curve():
    """Snakemake joins mappings key by key: null is how an overlay takes a system of the study out."""
    study = load_study(changed(GOOD, "scaling.sizes", {"lih": None, "h2o": [5, 40]}))
    assert study.config.scaling.sizes == {"h2o": [5, 40]}


def test_models_are_used_where_they_have_settings(tmp_path):
    with_water(tmp_path, 50, {"nn": {"hidden": [3]}})
    study = load_study(changed(GOOD, "systems", ["lih", "water"]), tmp_path)
    assert study.models_of("water", study.config.models) == ["nn", "mean_predictor"]  # which is for every system
    assert study.models_of("lih", ["kernel", "kernel_symmetric", "qnn"]) == ["kernel", "qnn"]
    assert load_study(changed(GOOD, "systems", ["water"]), tmp_path).models_of("water", ["qnn"]) == []


def test_a_model_may_be_trained_in_its_own_way(tmp_path):
    with_water(tmp_path, 50, {})
    entries = read_yaml(tmp_path / "models.yaml")
    entries["nn"] |= {"training": {"optimiser": "adam"}, "relative_steps": 2.5}
    (tmp_path / "models.yaml").write_text(yaml.safe_dump(entries))
    study = load_study(changed(GOOD, "training.steps", 100), tmp_path)
    assert (study.training_of("nn").optimiser, study.training_of("nn").steps) == ("adam", 250)
    assert study.training_of("nn", steps=10).steps == 25
    assert (study.training_of("qnn").optimiser, study.training_of("qnn").steps) == (
        GOOD["training"]["optimiser"],
        100,
    )
    entries["nn"]["training"] = {"optimizer": "adam"}
    (tmp_path / "models.yaml").write_text(yaml.safe_dump(entries))
    with pytest.raises(ConfigError, match=r"models.yaml, nn.training: unknown key 'optimizer': did you mean"):
        load_study(GOOD, tmp_path)


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        load_study({**GOOD, "seeds": 0, "sede": 1, "models": 5})
    assert len(str(caught.value).splitlines()) == 3


@given(
    st.sampled_from(["training", "reference", "capacity", "scaling", "dynamics", "quantum", "tracking"]),
    st.text("abcdefxyz_", min_size=3),
)
def test_any_unknown_nested_key_is_named(section, key):
    with pytest.raises(ConfigError, match=f"unknown key '{section}.{key}'"):
        load_study(changed(GOOD, f"{section}.{key}", 1))


@given(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)))
def test_boxes_are_accepted_only_in_order(bounds):
    content = changed(GOOD, "capacity.boxes", {"box": list(bounds)})
    if bounds[0] < bounds[1]:
        assert load_study(content).config.capacity.boxes["box"] == bounds
    else:
        with pytest.raises(ConfigError, match=r"box box: .* is empty"):
            load_study(content)


@given(st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1).filter(lambda k: k not in Config.model_fields))
def test_any_unknown_key_is_named(key):
    with pytest.raises(ConfigError, match=f"unknown key '{key}'"):
        load_study({**GOOD, key: 1})


@given(st.floats(allow_nan=True), st.floats(allow_nan=True))
def test_bounds_are_accepted_only_in_order(low, high):
    content = changed(LIH, "coordinates.0.bounds", [low, high])
    if 0 < low <= 0.9 and 4.0 <= high < INFINITY:
        validate(SystemConfig, content, "lih")
    else:
        with pytest.raises(ConfigError):
            validate(SystemConfig, content, "lih")


def test_overlays_are_valid():
    from snakemake.utils import update_config

    for name in ("smoke", "full", "freeze"):
        content = copy.deepcopy(GOOD)
        update_config(content, read_yaml(f"config/{name}.yaml"))
        assert load_study(content).config.profile == name


def test_nested_numbers_of_the_command_line_are_read():
    given = {"seeds": 3, "profile": "7", "dynamics": {"time_step_fs": "-0.25"}, "training": {"optimiser": "adam"}}
    found = with_types(given)
    assert found == {
        "seeds": 3,
        "profile": "7",
        "dynamics": {"time_step_fs": -0.25},
        "training": {"optimiser": "adam"},
    }


def test_models_are_shown_beside_those_they_are_held_against():
    models = ["qnn_bfgs", "qnn_from_zero", "nn", "qnn", "kernel"]
    study = load_study({"profile": "few", "seed": 1, "seeds": 2, "systems": ["lih", "h2o"], "models": models})
    assert study.shown("h2o", "comparison") == ["nn", "qnn", "kernel"]
    assert study.shown("h2o", "optimiser") == ["nn", "qnn", "qnn_bfgs"]
    assert study.shown("h2o", "choice") == ["qnn", "qnn_from_zero"]
    assert study.shown("lih", "comparison") == ["nn", "qnn", "kernel"]
    assert study.shown("lih", "optimiser") == study.shown("lih", "choice") == []


def test_an_unknown_role_is_refused():
    entry = {"name": "qnn", "label": "QNN", "kind": "qnn", "role": "extra", "systems": {"lih": {}}}
    with pytest.raises(ConfigError, match="role: Input should be 'comparison', 'optimiser', 'choice' or 'ablation'"):
        validate(ModelConfig, entry, "qnn")

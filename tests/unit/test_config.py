"""Bad configuration stops with a message that names the key and the remedy."""

import copy

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from qff import config_docs
from qff.config import Config, SystemConfig, load_study, read_yaml, validate
from qff.errors import ConfigError
from qff.models import build_architecture
from qff.systems import System

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
        ("training.optimiser", "bgfs", "training.optimiser: .*'bfgs' or 'adam'"),
        ("training.force_weight", -1.0, "training.force_weight"),
        ("reference.mode", "thaw", "reference.mode"),
        ("reference.energy_tolerance_mev", 0.0, "energy_tolerance_mev"),
        ("capacity.boxes", {"flat": [1.0, 1.0]}, r"box flat: \[1.0, 1.0\] is empty"),
        ("capacity.likelihoods", ["gausian"], "likelihoods"),
        ("capacity.samples", 1, "capacity.samples"),
        ("dynamics.time_step_fs", 0.0, "dynamics.time_step_fs"),
        ("profile", "../elsewhere", "profile"),
        ("systems", ["lhi"], r"systems: unknown 'lhi': did you mean 'lih'\?"),
        ("systems", [], "systems"),
        ("models", ["qn"], r"models: unknown 'qn': did you mean 'qnn'\?"),
        ("dynamics.models", ["amber"], "dynamics.models: unknown 'amber'"),
        ("scaling.sizes", {"lih": [5, 800]}, r"scaling.sizes.lih: \[800\] exceed the 80 training frames"),
        ("scaling.sizes", {"h2o": [5]}, "scaling.sizes: unknown 'h2o'"),
        ("scaling.sizes", {"lih": [0]}, "scaling.sizes"),
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
        ("coordinates.0.atoms", [0, 0], "two different atom indices"),
        ("coordinates.0.atoms", [0, 2], "the system has 2 atoms"),
        ("coordinates.0.kind", "dihedral", "kind"),
        ("masses_amu", [7.0], "1 masses for 2 atoms"),
        ("masses_amu", [7.0, -1.0], "masses_amu"),
        ("reference.scan.minimum", -0.9, "minimum"),
        ("reference.scan.maximum", 0.5, "not below maximum"),
        ("reference.method", "CCSD(TQ)", "method"),
        ("split.n_train", 140, "leave no test frame"),
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


@given(st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1).filter(lambda k: k not in Config.model_fields))
def test_any_unknown_key_is_named(key):
    with pytest.raises(ConfigError, match=f"unknown key '{key}'"):
        load_study({**GOOD, key: 1})


@given(st.floats(allow_nan=True), st.floats(allow_nan=True))
def test_bounds_are_accepted_only_in_order(low, high):
    content = changed(LIH, "coordinates.0.bounds", [low, high])
    if 0 < low <= 0.9 and high >= 4.0:
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


def test_generated_documents_have_not_drifted(tmp_path, capsys):
    assert config_docs.main(["--check"]) == 0
    assert config_docs.main(["--folder", str(tmp_path)]) == 0
    (tmp_path / "README.md").write_text("edited")
    assert config_docs.main(["--check", "--folder", str(tmp_path)]) == 1
    assert "README.md does not match" in capsys.readouterr().err

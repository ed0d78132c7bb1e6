"""The predictor that has learnt nothing: exactly the mean training energy and no force, for every system."""

import numpy as np
import pytest
from qff.config import ModelConfig, TrainingConfig, load_study, read_yaml
from qff.data import LabelledFrames
from qff.errors import ConfigError
from qff.models import build_architecture, load
from qff.systems import System
from qff.training.ensemble import build_ensemble

STUDY = load_study(read_yaml("config/config.yaml"))
MEAN = STUDY.models["mean_predictor"]


def frames(system: System, count: int = 12) -> LabelledFrames:
    """Random geometries, energies and forces."""
    rng = np.random.default_rng(3)
    shape = (count, len(system.symbols), 3)
    energies = rng.normal(-200.0, 5.0, count)
    return LabelledFrames(system.symbols, rng.normal(0, 2, shape), energies, rng.normal(0, 1, shape), [{}] * count)


@pytest.mark.parametrize("name", STUDY.systems)
@pytest.mark.parametrize("force_weight", [0.0, 1.0, 100.0])
def test_it_predicts_the_mean_of_its_training_energies(name, force_weight, tmp_path):
    system = System(name, STUDY.systems[name])
    labelled = frames(system)
    splits = [
        {"train": [0, 1, 2, 7, 9], "validation": [3], "test": [4]},
        {"train": [5, 6, 8, 10, 11], "validation": [0]},
    ]
    ensemble = build_ensemble(build_architecture(system, MEAN), labelled, splits, n_train=4)
    result = ensemble.train(None, TrainingConfig(force_weight=force_weight))
    for split, potential in zip(splits, ensemble.potentials(MEAN, result.parameters), strict=True):
        potential.save(tmp_path / "model.safetensors")
        energies, forces = load(tmp_path / "model.safetensors").energy_and_forces(labelled.positions)
        np.testing.assert_allclose(energies, labelled.energies[split["train"][:4]].mean(), rtol=1e-13)
        assert forces.shape == labelled.forces.shape
        assert not forces.any()


def test_it_is_made_for_every_system():
    assert all(STUDY.models_of(name, ["mean_predictor"]) for name in STUDY.systems)
    assert MEAN.closed_form


def test_settings_of_a_system_go_before_those_of_every_system():
    entry = ModelConfig(name="m", label="m", kind="nn", systems={"h2o": {"hidden": [3]}, "default": {"hidden": [5]}})
    assert entry.settings_of("h2o") == {"hidden": [3]}
    assert entry.settings_of("anything") == {"hidden": [5]}
    assert STUDY.models["nn"].settings_of("anything") is None
    architecture = build_architecture(System("lih", STUDY.systems["lih"]), entry)
    assert architecture.settings == {"hidden": [5]}


def test_it_has_no_settings():
    wrong = MEAN.model_copy(update={"systems": {"default": {"degree": 3}}})
    with pytest.raises(ConfigError, match="unknown settings of a mean predictor: degree"):
        build_architecture(System("lih", STUDY.systems["lih"]), wrong)

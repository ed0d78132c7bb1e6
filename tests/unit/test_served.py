"""Trained potentials as models of MLflow: saved without code or pickle, loaded with a signature that is enforced."""

import numpy as np
import pytest
import yaml
from qff.errors import DataError, ModelFileError
from qff.models import build_architecture
from qff.models.potential import Potential
from qff.served import as_mlflow_model, symbols_of
from qff.systems import System


@pytest.fixture(scope="module")
def potential(study) -> Potential:
    architecture = build_architecture(System("h2o", study.systems["h2o"]), study.models["nn_biased"])
    parameters = np.random.default_rng(0).normal(scale=0.3, size=architecture.n_parameters)
    n = architecture.system.n_coordinates
    return Potential(architecture, study.models["nn_biased"], parameters, np.zeros(n), np.ones(n), -2074.0, 0.5)


def test_a_model_gives_what_its_potential_gives(potential, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    potential.save(tmp_path / "model_s0.safetensors")
    positions = np.array([[[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]]] * 2)
    numbers = np.array([[8, 1, 1]] * 2)
    with as_mlflow_model(tmp_path / "model_s0.safetensors") as folder:
        files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        assert not [name for name in files if name.endswith((".pkl", ".py"))]
        about = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
        assert about["flavors"]["python_function"]["loader_module"] == "qff.served"
        model = mlflow.pyfunc.load_model(str(folder))
    found = model.predict({"positions": positions, "numbers": numbers})
    energies, forces = potential.energy_and_forces(positions)
    np.testing.assert_array_equal(found["energy"], energies)
    np.testing.assert_array_equal(found["forces"], forces)
    assert [spec.name for spec in model.metadata.signature.outputs] == ["energy", "forces"]
    with pytest.raises(DataError, match=r"\[8, 1, 1\] in this order"):
        model.predict({"positions": positions, "numbers": np.array([[1, 8, 1]] * 2)})
    with pytest.raises(mlflow.exceptions.MlflowException, match="shape"):
        model.predict({"positions": positions[:, :2], "numbers": numbers})


def test_other_files_are_no_models(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"not safetensors")
    with pytest.raises(ModelFileError, match="not a saved potential"):
        symbols_of(path)

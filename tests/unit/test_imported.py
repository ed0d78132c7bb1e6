"""Sets that others published: read, converted, and refused when they are not what they should be."""

import json
import os
import shutil
from pathlib import Path
from typing import get_args

import ase
import ase.io
import numpy as np
import pytest
import torch
import yaml
from ase.calculators.singlepoint import SinglePointCalculator
from qff.config import ImportedConfig, SystemConfig, load_study, read_yaml, validate
from qff.data import read_frames
from qff.errors import ConfigError, DataError
from qff.models import build_architecture
from qff.provenance import file_digest
from qff.reference.imported import LAYOUTS, check_file, read_imported, read_raw
from qff.reference.location import imported_file
from qff.stages.reference import import_set
from qff.systems import System

DATA = os.environ.get("QFF_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="QFF_DATA does not name the folder of published sets")
CONTEXT = {"profile": "test", "seed": 0, "code_digest": "0"}
POSITIONS = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]]) + np.arange(4.0)[:, None, None]
ENERGIES = np.array([-2076.5, -2076.25, -2076.0, -2075.5])
FORCES = np.zeros((4, 3, 3))
FORCES[0, :2, 0] = [-1.0, 1.0]  # along the first bond: neither net force nor torque
BOHR, HARTREE, KCAL = 0.529177210903, 27.211386245988, 0.0433641042


def write_npz(path: Path, **change) -> Path:
    content = {
        "atomic_numbers": np.array([8, 1, 1]),
        "positions_bohr": POSITIONS / BOHR,
        "energies_hartree": ENERGIES / HARTREE,
        "forces_hartree_per_bohr": FORCES / HARTREE * BOHR,
    }
    np.savez(path, **{k: v for k, v in (content | change).items() if v is not None})
    return path


def write_extxyz(path: Path, symbols: str = "OHH", forces: bool = True) -> Path:
    order = [0, 1, 2] if symbols == "OHH" else [1, 2, 0]
    images = []
    for positions, energy, force in zip(POSITIONS, ENERGIES, FORCES, strict=True):
        atoms = ase.Atoms(symbols, positions[order])
        results = {"energy": energy, **({"forces": force[order]} if forces else {})}
        atoms.calc = SinglePointCalculator(atoms, **results)
        images.append(atoms)
    ase.io.write(path, images, format="extxyz")
    return path


@pytest.fixture
def system(study):
    """The system of the study's imported set, for the file of a test."""

    def made_for(path: Path, **change) -> SystemConfig:
        config = study.systems["h2o_kiss"].model_dump(mode="json", exclude_none=True)
        config["reference"]["imported"] |= {"sha256": file_digest(path), "n_frames": 4, **change}
        config["split"] = {"n_train": 2, "n_validation": 1}
        return validate(SystemConfig, config, "system")

    return made_for


def test_every_format_of_the_configuration_is_known():
    choices = get_args(ImportedConfig.model_fields["format"].annotation)
    assert set(choices) == {*LAYOUTS, "extxyz"} - {"npz_rmd17"}  # which has splits of its own: qff.reference.rmd17


def test_atomic_units_become_ev_and_angstrom(tmp_path, system):
    path = write_npz(tmp_path / "set.npz")
    frames = read_imported(path, system(path))
    np.testing.assert_allclose(frames.positions, POSITIONS, atol=1e-8)
    np.testing.assert_allclose(frames.energies, ENERGIES, rtol=1e-12)
    np.testing.assert_allclose(frames.forces, FORCES, atol=1e-12)
    assert frames.symbols == ["O", "H", "H"]
    assert frames.info[1]["method"] == "unknown"


def test_the_layout_of_rmd17(tmp_path):
    """One kcal/mol is 43.364 meV; energies may come as a column."""
    path = tmp_path / "set.npz"
    content = {"nuclear_charges": [8, 1, 1], "coords": POSITIONS, "energies": ENERGIES[:, None], "forces": FORCES}
    np.savez(path, old_energies=ENERGIES, **content)
    found = read_raw(path, "npz_rmd17")
    np.testing.assert_allclose(found.energies, KCAL * ENERGIES, rtol=1e-8)
    np.testing.assert_allclose(found.forces, KCAL * FORCES, rtol=1e-8)
    np.testing.assert_array_equal(found.positions, POSITIONS)


def test_atoms_come_in_the_order_of_the_system(tmp_path):
    """Atoms of one element keep their order; forces go with their atoms."""
    path = write_extxyz(tmp_path / "set.extxyz", "HHO")
    found = read_raw(path, "extxyz").in_order_of(["O", "H", "H"], "set")
    np.testing.assert_allclose(found.positions, POSITIONS, atol=1e-8)
    np.testing.assert_allclose(found.forces, FORCES, atol=1e-8)
    with pytest.raises(DataError, match=r"set: atoms \['H', 'H', 'O'\], expected \['O', 'H'\]"):
        read_raw(path, "extxyz").in_order_of(["O", "H"], "set")


def test_energies_alone_serve_for_comparison_only(tmp_path, system):
    path = write_extxyz(tmp_path / "set.extxyz", forces=False)
    assert read_raw(path, "extxyz").forces is None
    with pytest.raises(DataError, match="holds no forces"):
        read_imported(path, system(path, format="extxyz"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions_bohr": None}, "no 'positions_bohr'; it holds atomic_numbers"),
        ({"energies_hartree": np.zeros(3)}, r"energies \(3,\).*do not describe frames of 3 atoms"),
        ({"forces_hartree_per_bohr": np.zeros((4, 2, 3))}, "do not describe frames of 3 atoms"),
        ({"energies_hartree": np.array([0.0, np.nan, 0.0, 0.0])}, "frame 1: values that are not finite"),
        ({"atomic_numbers": np.array([16, 1, 1])}, r"atoms \['S', 'H', 'H'\], expected"),
        ({"atomic_numbers": np.array([{}, 1, 1], dtype=object)}, "not a readable npz_atomic_units file"),
    ],
)
def test_damaged_sets(tmp_path, system, change, message):
    path = write_npz(tmp_path / "set.npz", **change)
    with pytest.raises(DataError, match=message) as caught:
        read_imported(path, system(path))
    assert str(path) in str(caught.value)


def test_a_truncated_file_and_another_version(tmp_path, system):
    path = write_npz(tmp_path / "set.npz")
    config = system(path)
    with pytest.raises(DataError, match=r"4 frames, config/systems.yaml expects 5"):
        read_imported(path, system(path, n_frames=5))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(
        DataError, match=f"sha256 is {file_digest(path)}, .* expects {config.reference.imported.sha256}"
    ):
        read_imported(path, config)
    with pytest.raises(DataError, match="not a readable"):
        read_raw(path, "npz_atomic_units")
    path.unlink()
    with pytest.raises(DataError, match=r"no such file; it is published at .*PennyLaneAI/qml"):
        check_file(path, config.reference.imported)


def test_where_the_set_is_and_where_to_get_it(study, tmp_path, monkeypatch):
    imported = study.systems["h2o_kiss"].reference.imported
    monkeypatch.delenv("QFF_DATA", raising=False)
    with pytest.raises(DataError, match=r"QFF_DATA is not set.*'h2o_kiss'.*PennyLaneAI/qml.*set QFF_DATA=<folder>"):
        imported_file(imported, "h2o_kiss")
    monkeypatch.setenv("QFF_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"no such file \(QFF_DATA=.*Get it from"):
        imported_file(imported, "h2o_kiss")
    path = tmp_path / imported.file
    path.parent.mkdir(parents=True)
    path.touch()
    assert imported_file(imported, "h2o_kiss") == path


def test_net_forces_are_reported_and_refused_beyond_the_tolerance(tmp_path, system):
    """What is wrong with the oxygen of one frame is what the record says, and what becomes labels."""
    forces = FORCES.copy()
    forces[2, 0, 2] = 0.01
    path = write_npz(tmp_path / "set.npz", forces_hartree_per_bohr=forces / HARTREE * BOHR)
    out = {k: tmp_path / k for k in ("labels", "recheck", "run")}

    def run(tolerance):
        import_set(
            context=CONTEXT, system="h2o_kiss", file_paths=[str(path)], **{f"{k}_path": str(v) for k, v in out.items()},
            config=system(path, balance_tolerance=tolerance).model_dump(mode="json"),
        )  # fmt: skip

    with pytest.raises(DataError, match=r"frame 2: net force 0\.0100 eV/Å, torque 0\.0200 eV \(tolerance 0\.015"):
        run(0.015)
    run(0.05)
    (record,) = json.loads(out["run"].read_text())["runs"]
    assert record["metrics"] == {"n_frames": 4, "force_consistency_ev_per_ang": pytest.approx(0.02)}
    assert record["params"] == {"mode": "imported", "method": "unknown", "basis": "unknown", "program": "unknown"}
    labels = read_frames(out["labels"])
    np.testing.assert_allclose(labels.forces, forces, atol=1e-8)
    assert "frozen_core" not in json.loads((tmp_path / "labels.json").read_text())


@pytest.mark.parametrize("model", ["qnn", "nn", "nn_biased"])
def test_models_made_for_the_system_it_is_like_are_used(study, model):
    mine, theirs = (System(name, study.systems[name]) for name in ("h2o_kiss", "h2o"))
    built = [build_architecture(x, study.models[model]).n_parameters for x in (mine, theirs)]
    assert built == [87, 87]
    assert study.models_of("h2o_kiss", list(study.models)) == study.models_of("h2o", list(study.models))


def test_a_system_like_none(tmp_path):
    systems = read_yaml("config/systems.yaml")
    systems["h2o_kiss"]["like"] = "h20"
    (tmp_path / "systems.yaml").write_text(yaml.safe_dump(systems))
    (tmp_path / "models.yaml").write_text(Path("config/models.yaml").read_text())
    shutil.copytree("config/sweeps", tmp_path / "sweeps")
    with pytest.raises(ConfigError, match=r"h2o_kiss.like: unknown system 'h20': did you mean 'h2o'"):
        load_study(read_yaml("config/config.yaml"), tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frozen": "x.extxyz"}, "'frozen' has no meaning for an imported set"),
        ({"imported": None}, "exactly one of 'scan'"),
        ({"internal": {}}, "internal"),
        ({"imported.sha256": "12"}, "sha256"),
        ({"imported.format": "npz_atomic_unit"}, "did you mean 'npz_atomic_units'"),
        ({"imported.n_frames": 300}, "leave no test frame of 300"),
    ],
)
def test_bad_imported_sets(study, change, message):
    config = study.systems["h2o_kiss"].model_dump(mode="json", exclude_none=True)
    for key, value in change.items():
        *parents, last = ["reference", *key.split(".")]
        place = config
        for parent in parents:
            place = place[parent]
        place[last] = value
    with pytest.raises(ConfigError, match=message):
        validate(SystemConfig, config, "h2o_kiss")


def test_labels_of_our_own_have_a_method(study):
    for change, message in (
        ({"method": "unknown"}, "only an imported set"),
        ({"frozen": None}, "'frozen' is missing"),
    ):
        config = study.systems["h2o"].model_dump(mode="json", exclude_none=True)
        config["reference"] |= change
        with pytest.raises(ConfigError, match=message):
            validate(SystemConfig, config, "h2o")


@needs_data
def test_the_published_set_is_the_one_described(study):
    """Facts of the set, measured on its file before it was imported here."""
    config = study.systems["h2o_kiss"]
    frames = read_imported(imported_file(config.reference.imported, "h2o_kiss"), config)
    assert frames.energies.mean() == pytest.approx(-76.316008 * HARTREE, abs=2e-5)
    assert frames.energies.std() == pytest.approx(0.0786, abs=1e-4)
    assert np.sqrt((frames.forces**2).mean()) == pytest.approx(1.1032, abs=1e-4)
    assert np.sqrt((frames.forces.sum(1) ** 2).mean()) == pytest.approx(0.0143, abs=1e-4)
    x, _ = System("h2o_kiss", config).scaled_coordinates(torch.as_tensor(frames.positions))
    assert x.abs().max() < 0.95

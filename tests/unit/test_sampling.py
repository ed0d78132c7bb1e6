"""Geometries from dynamics, labels by density functional theory, and systems without internal coordinates."""

from pathlib import Path

import numpy as np
import pytest
import torch
from qff.config import ReferenceConfig, SystemConfig, validate
from qff.data import read_frames
from qff.errors import ConfigError, DataError, LabelError
from qff.models import build_architecture
from qff.reference import density_functional, labels
from qff.reference.frozen import check_consistency, read_frozen, recheck
from qff.reference.geometries import geometries, parts
from qff.reference.sampling import read_trajectories, sample_trajectory, write_trajectory
from qff.stages.reference import collect_reference, label_chunk, sample_geometries
from qff.systems import System

CONTEXT = {"profile": "test", "seed": 0, "code_digest": "0"}
START = [[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]]


def water(tmp_path: Path, **change) -> SystemConfig:
    """Water in a minimal basis: a label takes a second."""
    entry = {
        "label": "water",
        "atoms": ["O", "H", "H"],
        "reference": {
            "method": "PBE",
            "basis": "sto-3g",
            "sampled": {
                "stream": "water", "start": START, "temperature_k": 500.0, "n_frames": 4, "trajectories": 2,
                "steps_between_frames": 20, "equilibration_fs": 20.0, **change,
            },
            "frozen": str(tmp_path / "frozen.extxyz"),
        },
        "split": {"n_train": 2, "n_validation": 1},
    }  # fmt: skip
    return validate(SystemConfig, entry, "water")


def write_two(folder: Path, system: SystemConfig, temperature: float = 500.0) -> list[Path]:
    """Two trajectories of two frames, not from dynamics."""
    rng = np.random.default_rng(3)
    paths = [folder / f"trajectory_{k}.extxyz" for k in range(2)]
    for path in paths:
        xyz = np.round(np.array(START) + 0.03 * rng.normal(size=(2, 3, 3)), 8)
        write_trajectory(path, system, xyz, temperature)
    return paths


@pytest.fixture
def short_of_time(monkeypatch):
    """A coarser grid than that of published labels: these are only compared with themselves."""
    monkeypatch.setattr(density_functional, "GRID_LEVEL", 3)


def test_trajectories_are_sampled_at_the_temperature(tmp_path):
    """Three atoms whose drift is removed at every step would be a third too cold."""
    pytest.importorskip("tblite")
    system = water(tmp_path, n_frames=200, friction_per_fs=0.1, equilibration_fs=50.0)
    (first, hot), (second, other) = (sample_trajectory(system, k) for k in (0, 1))
    assert first.shape == (100, 3, 3)
    assert (hot + other) / 2 == pytest.approx(500, rel=0.15)
    assert np.abs(first - second).max() > 0.05, "trajectories are independent"
    masses = np.array(system.masses)
    np.testing.assert_allclose(np.einsum("a,bax->bx", masses, first), 0, atol=1e-6)
    bonds = np.linalg.norm(first[:, 1:] - first[:, :1], axis=-1)
    assert 0.8 < bonds.min() < 0.95 < 1.0 < bonds.max() < 1.25


def test_the_same_trajectory_again(tmp_path):
    pytest.importorskip("tblite")
    system = water(tmp_path)
    np.testing.assert_array_equal(sample_trajectory(system, 1)[0], sample_trajectory(system, 1)[0])


def test_without_its_sampler(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tblite.ase", None)
    with pytest.raises(DataError, match=r"tblite, which is not installed: pip install"):
        sample_trajectory(water(tmp_path), 0)


def test_trajectories_become_geometries(tmp_path):
    system = water(tmp_path)
    paths = write_two(tmp_path, system)
    found = geometries(system, paths)
    assert found.shape == (4, 3, 3)
    np.testing.assert_array_equal(found, np.round(found, 8))
    assert parts(system) == ["trajectory_0", "trajectory_0", "trajectory_1", "trajectory_1"]
    with pytest.raises(DataError, match=r"2 sampled frames in 1 trajectories, config/systems.yaml asks for 4"):
        read_trajectories(paths[:1], system)
    paths[1].write_text("garbage")
    with pytest.raises(DataError, match=r"trajectory_1\.extxyz: not a readable trajectory .*sample again"):
        read_trajectories(paths, system)
    write_trajectory(paths[1], system.model_copy(update={"atoms": ["S", "H", "H"]}), np.array([START] * 2), 500.0)
    with pytest.raises(DataError, match=r"trajectory_1\.extxyz, frame 0: atoms are not"):
        read_trajectories(paths, system)
    with pytest.raises(DataError, match="mean kinetic temperature of 440 K, not 500 K"):
        read_trajectories(write_two(tmp_path, system, 440.0), system)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_frames": 5}, "n_frames 5 is not a multiple of 2 trajectories"),
        ({"start": START[:2]}, "sampled.start has 2 positions for 3 atoms"),
        ({"start": [[0.0, 0.0]] * 3}, "every atom needs three coordinates"),
        ({"temperature_k": 0.0}, "temperature_k"),
    ],
)
def test_bad_samples(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        water(tmp_path, **change)


@pytest.mark.usefixtures("short_of_time")
def test_forces_are_the_slope_of_the_energy(tmp_path):
    """With the motion of the grid and of the fitting basis; without them 1e-3 eV/Å would be missing."""
    system, positions = water(tmp_path), np.array(START)
    found = labels.label(system, positions, "x")
    direction = np.array([[0.0, 0.2, 0.5], [0.0, 0.6, 0.3], [0.0, -0.1, -0.5]])
    direction /= np.linalg.norm(direction)
    along = labels.slope(system, positions, direction, "x", step=0.005)
    assert (found.forces * direction).sum() == pytest.approx(-along, abs=1e-5)
    np.testing.assert_allclose(found.forces.sum(0), 0, atol=1e-9)
    assert found.info == {"scf_retries": 0}


@pytest.mark.usefixtures("short_of_time")
def test_what_does_not_converge_is_tried_again_or_refused(tmp_path, monkeypatch):
    system, positions = water(tmp_path), np.array(START)
    plain = labels.label(system, positions, "x")
    monkeypatch.setattr(density_functional, "SCF_CYCLES", 2)
    again = labels.label(system, positions, "x")
    assert again.info == {"scf_retries": 1}
    assert again.energy == pytest.approx(plain.energy, abs=1e-7)
    np.testing.assert_allclose(again.forces, plain.forces, atol=1e-5)
    monkeypatch.setattr(density_functional, "SECOND_ORDER_CYCLES", 1)
    with pytest.raises(LabelError, match=r"frame 7: RKS did not converge"):
        labels.label(system, positions, "frame 7")


@pytest.mark.usefixtures("short_of_time")
def test_a_sampled_set_from_geometries_to_its_recheck(tmp_path, monkeypatch):
    """Chunks, joined and frozen, read again; a set of another size, and one that was edited, are refused."""
    system = water(tmp_path)
    monkeypatch.setattr(
        "qff.stages.reference.sample_trajectory", lambda s, k: (np.array([START] * 2) * (1 + k / 100), 500.0)
    )
    trajectories = [str(tmp_path / f"trajectory_{k}.extxyz") for k in range(2)]
    common = {"context": CONTEXT, "system": "water", "config": system.model_dump(mode="json")}
    for k, path in enumerate(trajectories):
        sample_geometries(**common, number=k, output_path=path)
    chunks = [str(tmp_path / f"chunk_{k}.extxyz") for k in range(2)]
    for k, path in enumerate(chunks):
        label_chunk(**common, chunk=k, chunks=2, trajectory_paths=trajectories, output_path=path)
    labelled = tmp_path / "frozen.extxyz"
    collect_reference(
        **common, chunk_paths=chunks, labels_path=str(labelled), recheck_path=str(tmp_path / "recheck.csv"),
        run_path=str(tmp_path / "run.json"),
    )  # fmt: skip
    frames = read_frozen(labelled, system)
    assert [(i["frame"], i["part"], i["method"]) for i in frames.info] == [
        (k, f"trajectory_{k // 2}", "PBE") for k in range(4)
    ]
    assert check_consistency(frames, "water", 1e-3) < 1e-4
    few = system.reference.model_copy(update={"recheck_frames": 1})
    table = recheck(
        frames, system.model_copy(update={"reference": few}), ReferenceConfig(recheck_frames=3), 1, "water"
    )
    assert len(table) == 1, "costly labels are recomputed less often"
    assert table.energy_difference_mev.max() < 1e-5
    with pytest.raises(DataError, match=r"geometries or another level of theory"):
        read_frozen(labelled, water(tmp_path, n_frames=6))
    labelled.write_text(labelled.read_text().replace("trajectory_1", "trajectory_0", 1))
    with pytest.raises(DataError, match="a comment line was edited"):
        read_frozen(labelled, system)


def test_a_system_without_coordinates(study):
    """Every geometry is inside; what needs coordinates says so, and a network on distances works."""
    system = System("ethanol", study.systems["ethanol"])
    positions = torch.tensor(study.systems["ethanol"].reference.sampled.start, dtype=torch.float64)[None]
    assert system.inside(positions.numpy()).all()
    for use in (system.scaled_coordinates, system.internal_coordinates, lambda _: system.n_coordinates):
        with pytest.raises(ConfigError, match=r"system 'ethanol' has no internal coordinates .*behler_parrinello"):
            use(positions)
    like = study.models["qnn"].model_copy(update={"systems": {"ethanol": study.models["qnn"].systems["h2o"]}})
    with pytest.raises(ConfigError, match="system 'ethanol' has no internal coordinates"):
        build_architecture(system, like)
    settings = {"cutoff_ang": 5.0, "radial": [[1.0, 1.0]], "hidden": [3]}
    network = study.models["behler_parrinello"].model_copy(update={"systems": {"ethanol": settings}})
    assert build_architecture(system, network).n_parameters == 3 * (3 * 3 + 3 + 3 + 1) - 3
    np.testing.assert_allclose(system.masses[[0, 2, 3]], [12.0, 15.99491462, 1.00782503], atol=1e-6)


def test_the_published_set_of_ethanol(study):
    system = study.systems["ethanol"]
    path = Path(system.reference.frozen)
    frames = read_frozen(path, system)
    assert len(frames) >= 600
    assert {i["method"] for i in frames.info} == {"PBE"}
    assert read_frames(path).symbols == system.atoms

"""Molecules of three and four atoms: coordinates, samples of geometries, frozen sets."""

import collections

import ase
import numpy as np
import pytest
import torch
from qff.config import SystemConfig, validate
from qff.data import LabelledFrames
from qff.errors import ConfigError, DataError, LabelError
from qff.reference import frozen
from qff.reference.geometries import geometries, parts
from qff.reference.internal import cartesian, sample, umbrella_angle
from qff.systems import System
from qff.units import BOLTZMANN_EV_PER_K

WATERS = ["h2o", "h3o"]


@pytest.mark.parametrize("dihedral", [95.0, 130.0, 179.999, 180.0, 180.001, 230.0, 265.0])
def test_coordinates_are_those_of_ase(study, dihedral):
    """There and back, and against ASE; nothing happens at the planar form."""
    q = np.array([[0.93, 1.01, 0.98, 104.0, 117.0, dihedral]])
    positions = cartesian(q)
    atoms = ase.Atoms("OHHH", positions[0])
    assert [atoms.get_distance(0, k) for k in (1, 2, 3)] == pytest.approx(q[0, :3])
    assert [atoms.get_angle(1, 0, k) for k in (2, 3)] == pytest.approx(q[0, 3:5])
    assert atoms.get_dihedral(2, 0, 1, 3) % 360 == pytest.approx(dihedral)
    system = System("h3o", study.systems["h3o"])
    bounds = np.array([c.bounds for c in system.config.coordinates])
    x, _ = system.scaled_coordinates(torch.tensor(positions))
    back = bounds[:, 0] + (x[0].numpy() / 0.95 + 1) / 2 * (bounds[:, 1] - bounds[:, 0])
    np.testing.assert_allclose(back, q[0], atol=1e-9)


@pytest.mark.parametrize("name", WATERS)
def test_derivatives_of_coordinates(study, name):
    """Against central differences, on every thirtieth frame of the set, the planar one included."""
    system = System(name, study.systems[name])
    positions = geometries(study.systems[name])[::30]
    _, gradient = system.scaled_coordinates(torch.tensor(positions))
    step = 1e-5
    for atom in range(positions.shape[1]):
        for axis in range(3):
            moved = []
            for sign in (1, -1):
                shifted = positions.copy()
                shifted[:, atom, axis] += sign * step
                moved.append(system.scaled_coordinates(torch.tensor(shifted))[0])
            difference = (moved[0] - moved[1]) / (2 * step)
            torch.testing.assert_close(gradient[:, :, atom, axis], difference, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", WATERS)
def test_geometries_stay_inside_the_bounds_and_vary_in_everything(study, name):
    config = study.systems[name]
    positions, kinds = geometries(config), parts(config)
    assert len(positions) == len(kinds)
    np.testing.assert_array_equal(positions, geometries(config))
    x, _ = System(name, config).scaled_coordinates(torch.tensor(positions))
    assert x.abs().max() < 0.95
    thermal = np.array(kinds) == "thermal"
    assert (x[thermal].std(0) > 0.05).all()
    assert len(np.unique(np.round(positions[thermal], 6), axis=0)) == thermal.sum()


def test_counts_of_the_sets(study):
    assert collections.Counter(parts(study.systems["h2o"])) == {"thermal": 1000, "grid": 150}
    assert collections.Counter(parts(study.systems["h3o"])) == {"thermal": 1200, "path": 61}


def test_the_thermal_part_is_boltzmann_of_its_springs(study):
    """Variance k_B T / k at a sharp temperature; bends in rad."""
    config = study.systems["h2o"].reference.internal.model_copy(
        update={"n_thermal": 20000, "temperatures_k": [500.0, 500.0], "grid": None}
    )
    q, kinds = sample(config)
    assert set(kinds) == {"thermal"}
    expected = np.sqrt(BOLTZMANN_EV_PER_K * 500 / np.array(config.force_constants))
    expected[2] = np.degrees(expected[2])
    np.testing.assert_allclose(q.std(0), 0.987 * expected, rtol=0.02)  # 0.987: normal numbers cut at 3 sigma
    np.testing.assert_allclose(q.mean(0), config.equilibrium, atol=0.1)


def test_the_path_is_the_symmetric_umbrella(study):
    positions = geometries(study.systems["h3o"])[-61:]
    hydrogens = np.linalg.norm(positions[:, [1, 2, 3]] - positions[:, [2, 3, 1]], axis=-1)
    np.testing.assert_allclose(hydrogens, hydrogens[:, :1] * np.ones(3), atol=1e-7)
    planar = positions[30]
    assert np.linalg.matrix_rank(planar - planar.mean(0), tol=1e-6) == 2
    assert umbrella_angle(np.array([180.0, 120.0])).tolist() == pytest.approx([120.0, 109.4712206])


def test_the_random_stream_is_named(study):
    config = study.systems["h2o"].reference.internal
    assert not np.array_equal(sample(config)[0], sample(config.model_copy(update={"stream": "other"}))[0])


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("internal.equilibrium", [0.97, 0.97], "equilibrium has 2 values"),
        ("internal.force_constants", [51.0, 51.0], "need 3 entries"),
        ("internal.grid", [[0.9], [0.9]], "need 3 entries"),
        ("internal.umbrella", [100.0, 200.0], "of a molecule with three bonds"),
        ("internal.n_path", 5, "n_path needs an umbrella range"),
        ("internal.temperatures_k", [300.0], "at least 2"),
        ("internal", None, "exactly one of 'scan'"),
    ],
)
def test_bad_samples(study, path, value, message):
    config = study.systems["h2o"].model_dump(mode="json", exclude_none=True)
    place = config["reference"]
    *parents, last = path.split(".")
    for key in parents:
        place = place[key]
    place[last] = value
    if value is None:
        del place[last]
    with pytest.raises(ConfigError, match=message):
        validate(SystemConfig, config, "h2o")


@pytest.mark.parametrize("name", WATERS)
def test_the_published_sets_are_whole(study, name):
    system = study.systems[name]
    frames = frozen.read_frozen(frozen.Path(system.reference.frozen), system)
    assert [i["part"] for i in frames.info] == parts(system)
    assert {i["basis"] for i in frames.info} == {"cc-pvdz"}
    assert all(i["rhf_stable_towards_uhf"] and not i["cc_retries"] for i in frames.info)
    assert frozen.check_consistency(frames, name, system.reference.consistency_tolerance) < 2e-5


@pytest.mark.parametrize("damage", ["force", "turned"])
def test_forces_that_cannot_be_are_named(study, damage):
    system = study.systems["h2o"]
    frames = frozen.read_frozen(frozen.Path(system.reference.frozen), system)
    forces = frames.forces.copy()
    if damage == "force":
        forces[17, 0, 1] += 0.001
    else:
        forces[17] = forces[17][:, [1, 0, 2]]  # balanced, but not those of these positions
    bad = LabelledFrames(frames.symbols, frames.positions, frames.energies, forces, frames.info)
    with pytest.raises(DataError, match="h2o, frame 17: net force"):
        frozen.check_consistency(bad, "h2o", system.reference.consistency_tolerance)


def test_forces_are_the_slope_of_recalculated_energies(study):
    """Fourth-order differences of CCSD(T) energies along a random direction, for a real frame of H3O+."""
    system = study.systems["h3o"]
    frames = frozen.read_frozen(frozen.Path(system.reference.frozen), system)
    difference = frozen.slope_difference(frames, system, 3, np.random.default_rng(0), "h3o, frame 3")
    assert difference < 2e-5


def test_wrong_slopes_stop_the_recheck(study, monkeypatch):
    from qff.config import ReferenceConfig

    system = study.systems["h2o"]
    frames = frozen.read_frozen(frozen.Path(system.reference.frozen), system)
    monkeypatch.setattr(frozen, "slope_difference", lambda *_: 0.01)
    with pytest.raises(LabelError, match=r"slope of recalculated energies differ by 0\.01"):
        frozen.recheck(frames, system, ReferenceConfig(recheck_frames=1), 0, "h2o")

"""Dynamics of molecules: integrator, fitted reference, normal modes, spectra, inversion."""

from itertools import pairwise

import ase
import numpy as np
import pandas as pd
import pytest
from ase import units
from ase.md.verlet import VelocityVerlet
from qff.calculator import PotentialCalculator
from qff.config import StartsConfig
from qff.data import LabelledFrames, read_frames
from qff.dynamics import inversion, observables, spectra, stationary
from qff.dynamics.ensemble import PotentialEnsemble
from qff.dynamics.integrator import Trajectories, cut_unphysical, kinetic_energy, velocity_verlet
from qff.dynamics.normal_modes import hessian, normal_modes, stationary_point, vibrations
from qff.dynamics.on_the_fly import OnTheFlyPotential
from qff.dynamics.reference import FittedReference
from qff.dynamics.starts import velocities
from qff.errors import DataError, DomainError, ModelFileError
from qff.figures import molecules, style
from qff.models import Potential, build_architecture
from qff.systems import System
from qff.units import BOLTZMANN_EV_PER_K, EV_IN_AMU_ANG2_PER_FS2, SPEED_OF_LIGHT_CM_PER_FS

NAMES = ["h2o", "h3o"]
# CCSD(T)/cc-pVDZ itself: analytic gradients, central differences of 0.005 Å (rule compute_harmonic).
HARMONIC = {
    "h2o": [1691.640, 3825.260, 3931.633],
    "h3o": [999.606, 1695.848, 1695.881, 3596.713, 3714.530, 3714.680],
}
BARRIER_MEV = 146.684


@pytest.fixture(scope="module")
def places(study):
    found = {}
    for name in NAMES:
        config = study.systems[name]
        found[name] = stationary.landscape(System(name, config), read_frames(config.reference.frozen))
    return found


@pytest.fixture
def water(places):
    return places["h2o"]


def start(place, count, **options):
    config = StartsConfig(temperatures_k=[300.0, 1000.0], **options)
    return velocities(config, place.minimum, place.system.masses, place.modes[0], count, 7, place.system.name)


def run(place, speeds, step, n, potential=None):
    positions = np.repeat(place.minimum[None], len(speeds), axis=0)
    return velocity_verlet(potential or place.reference, positions, speeds, place.system.masses, step, n)


def test_integrator_is_that_of_ase(water):
    speeds = start(water, 2)
    ours = run(water, speeds, 0.25, 400)
    for b in range(2):
        atoms = ase.Atoms(water.system.symbols, water.minimum, masses=water.system.masses)
        atoms.set_velocities(speeds[b] / units.fs)
        atoms.calc = PotentialCalculator(water.reference)
        theirs = VelocityVerlet(atoms, 0.25 * units.fs)
        theirs.run(400)
        # ASE's constants are those of CODATA 2014.
        np.testing.assert_allclose(ours.positions[-1, b], atoms.positions, atol=1e-6)
        assert ours.energies[-1, b] == pytest.approx(atoms.get_total_energy(), abs=1e-8)


def test_energy_error_falls_with_the_square_of_the_time_step(water):
    speeds = start(water, 4)
    spread = [np.ptp(run(water, speeds, step, round(100 / step)).energies, axis=0) for step in (0.4, 0.2, 0.1)]
    for coarse, fine in pairwise(spread):
        np.testing.assert_allclose(coarse / fine, 4, rtol=0.15)


def test_momentum_is_conserved(water):
    path = run(water, start(water, 3), 0.25, 1000)
    momentum = np.einsum("tbax,a->tbx", path.velocities, water.system.masses)
    np.testing.assert_allclose(momentum, 0, atol=1e-12)
    angular = np.einsum("tbax,a->tbx", np.cross(path.positions, path.velocities), water.system.masses)
    np.testing.assert_allclose(angular, 0, atol=1e-10)


def test_a_trajectory_that_leaves_the_bounds_stops_alone(water):
    calm = start(water, 3)
    wild = calm.copy()
    wild[1] *= 4
    alone, together = run(water, calm, 0.25, 200), run(water, wild, 0.25, 200)
    assert together.complete.tolist() == [True, False, True]
    assert 1 < together.n_alive[1] < 200
    assert together.lifetimes_fs[1] == (together.n_alive[1] - 1) * 0.25
    for b in (0, 2):
        np.testing.assert_array_equal(together.positions[:, b], alone.positions[:, b])
    assert np.isnan(together.positions[together.n_alive[1] :, 1]).all()
    with pytest.raises(DomainError, match="frame 0 of h2o"):
        velocity_verlet(water.reference, 2 * water.minimum[None], calm[:1], water.system.masses, 0.25, 1)


def test_all_trajectories_may_stop(water):
    path = run(water, 100 * start(water, 2), 0.25, 50)
    assert not path.complete.any()
    assert np.isfinite(path.energies[0]).all()
    assert path.energies.shape == (51, 2)


class Nowhere:
    """Free atoms; energies are no numbers once the first atom is beyond a wall."""

    def inside(self, positions):
        return np.ones(len(positions), dtype=bool)

    def energy_and_forces(self, positions):
        return np.where(positions[:, 0, 0] > 1, np.nan, 0.0), np.zeros_like(positions)


def test_numbers_that_are_none_stop_a_trajectory():
    speeds = np.zeros((2, 2, 3))
    speeds[0, 0, 0] = 0.3
    path = velocity_verlet(Nowhere(), np.zeros((2, 2, 3)), speeds, np.ones(2), 1.0, 10)
    assert path.n_alive.tolist() == [4, 11]


def test_broken_bonds_and_lost_energy_end_a_trajectory():
    time = np.arange(6.0)
    positions = np.zeros((6, 3, 2, 3))
    positions[:, :, 1, 0] = 1.0
    positions[4:, 0, 1, 0] = 2.1  # stretched beyond twice its length, and back in range later
    positions[5, 0, 1, 0] = 1.0
    energies = np.zeros((6, 3))
    energies[3, 1] = 0.21  # two atoms, 0.1 eV each
    energies[3, 2] = 0.19
    path = cut_unphysical(Trajectories(time, positions, np.zeros_like(positions), energies), [[0, 1]])
    assert path.n_alive.tolist() == [4, 3, 6]


@pytest.mark.parametrize(("name", "energy", "force"), [("h2o", 0.01, 1e-4), ("h3o", 0.2, 2e-3)])
def test_residuals_of_the_fitted_reference(places, name, energy, force):
    """In meV and eV/Å, on all frames and on those left out; measuring them changes nothing."""
    reference = places[name].reference
    before = reference.energy_and_forces(places[name].minimum[None])
    found = reference.residuals(np.random.default_rng(1))
    assert set(found) == {f"{n}_{q}_rmse" for n in ("fit", "held_out") for q in ("energy", "force")}
    for quantity, (unit, value) in found.items():
        assert value < (energy if unit == "meV" else force), quantity
        assert value > 0
    for a, b in zip(before, reference.energy_and_forces(places[name].minimum[None]), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", NAMES)
def test_forces_and_symmetry_of_the_fitted_reference(places, name):
    reference, frames = places[name].reference, places[name].frames
    positions = frames.positions[::97]
    energies, forces = reference.energy_and_forces(positions)
    swapped = positions.copy()
    swapped[:, [1, 2]] = swapped[:, [2, 1]]
    np.testing.assert_allclose(reference.energy_and_forces(swapped)[0], energies, rtol=0, atol=1e-9)
    np.testing.assert_allclose(reference.energy_and_forces(-positions)[0], energies, rtol=0, atol=1e-9)
    rng = np.random.default_rng(2)
    move = 1e-4 * rng.normal(size=positions.shape)
    change = reference.energy_and_forces(positions + move)[0] - reference.energy_and_forces(positions - move)[0]
    np.testing.assert_allclose(change, -2 * (forces * move).sum((1, 2)), atol=1e-8)


def test_the_fitted_reference_needs_enough_frames(study, water):
    few = LabelledFrames(
        water.frames.symbols, water.frames.positions[:5], water.frames.energies[:5], water.frames.forces[:5], []
    )
    with pytest.raises(DataError, match="5 frames determine"):
        FittedReference(water.system, few)
    with pytest.raises(DataError, match="three or four atoms, not 2"):
        FittedReference(System("lih", study.systems["lih"]), few)


@pytest.mark.parametrize("name", NAMES)
def test_vibrations_of_the_fitted_reference_are_those_of_the_method(places, name):
    place = places[name]
    np.testing.assert_allclose(place.wavenumbers, HARMONIC[name], atol=1.0)
    found = stationary.harmonic(place.reference, place)
    assert [v for _, v in found.values()] == pytest.approx(place.wavenumbers.tolist(), abs=1e-6)


def test_hessian_is_the_second_derivative_of_the_energy(water):
    step, rng = 2e-3, np.random.default_rng(4)
    second = hessian(water.reference, water.minimum)
    for _ in range(5):
        move = rng.normal(size=water.minimum.shape)
        energies, _ = water.reference.energy_and_forces(
            water.minimum + step * np.array([-1, 0, 1])[:, None, None] * move
        )
        curvature = (energies[0] - 2 * energies[1] + energies[2]) / step**2
        assert move.ravel() @ second @ move.ravel() == pytest.approx(curvature, rel=1e-3)


def test_modes_move_the_molecule_with_their_wavenumber(water):
    """A small displacement along a mode swings back after one period."""
    for wavenumber, mode in zip(water.wavenumbers, water.modes, strict=True):
        step = 1 / (wavenumber * SPEED_OF_LIGHT_CM_PER_FS) / 400
        kick = 1e-5 * mode[None]
        path = run(water, kick, step, 400)
        np.testing.assert_allclose(path.velocities[-1, 0], kick[0], atol=2e-3 * np.abs(kick).max())
        np.testing.assert_allclose(path.velocities[200, 0], -kick[0], atol=2e-3 * np.abs(kick).max())


def test_rigid_motions_are_no_vibrations(water):
    basis = vibrations(water.minimum, np.sqrt(water.system.masses))
    np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-12)
    weight = np.sqrt(water.system.masses)[:, None]
    turn = np.array([1.0, 2.0, 3.0]) + np.cross([0.3, -0.2, 0.5], water.minimum)
    np.testing.assert_allclose(basis.T @ (weight * turn).ravel(), 0, atol=1e-12)


def test_a_potential_without_a_minimum_near_by_is_told(water):
    class Slope:
        def energy_and_forces(self, positions):
            return positions[:, 1, 0], np.tile(
                np.array([[0, 0, 0], [-1.0, 0, 0], [1.0, 0, 0]]), (len(positions), 1, 1)
            )

    with pytest.raises((DataError, np.linalg.LinAlgError)):
        stationary_point(Slope(), water.minimum)


def test_imaginary_wavenumbers_are_negative(places):
    place = places["h3o"]
    values, _ = normal_modes(hessian(place.reference, place.planar), place.planar, place.system.masses)
    assert values[0] < -500
    assert (values[1:] > 1000).all()


def test_the_method_itself_agrees_with_a_frozen_label(water):
    energies, forces = OnTheFlyPotential(water.system).energy_and_forces(water.frames.positions[[1]])
    assert energies[0] == pytest.approx(water.frames.energies[1], abs=1e-6)
    np.testing.assert_allclose(forces[0], water.frames.forces[1], atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_starts(places, name):
    place = places[name]
    masses, modes = place.system.masses, place.modes
    speeds = start(place, 400)
    np.testing.assert_allclose(np.einsum("bax,a->bx", speeds, masses), 0, atol=1e-12)
    np.testing.assert_allclose(np.einsum("bax,a->bx", np.cross(place.minimum, speeds), masses), 0, atol=1e-12)
    energy = kinetic_energy(speeds, masses)
    for part, temperature in ((energy[::2], 300), (energy[1::2], 1000)):
        expected = len(modes) / 2 * BOLTZMANN_EV_PER_K * temperature
        assert part.mean() == pytest.approx(expected, rel=0.2)
    np.testing.assert_array_equal(start(place, 3), speeds[:3])
    excited = start(place, 5, mode_energies_mev=[200.0, 160.0])
    momentum = np.einsum("bax,ax,a->b", excited, modes[0], masses)
    energies = momentum**2 / 2 / EV_IN_AMU_ANG2_PER_FS2
    np.testing.assert_allclose(energies, [0.2, 0.16, 0.2, 0.16, 0.2], rtol=1e-9)


def test_spectrum_of_an_oscillator_shows_its_frequency():
    """Two atoms on a spring, k = 40 eV/Å², in closed form."""
    mass, step = np.array([1.0, 16.0]), 0.25
    wavenumber = 3500.0
    omega = 2 * np.pi * wavenumber * SPEED_OF_LIGHT_CM_PER_FS
    time = np.arange(40001) * step
    velocity = np.zeros((len(time), 2, 3))
    velocity[:, 0, 0], velocity[:, 1, 0] = np.cos(omega * time), -np.cos(omega * time) / 16
    grid, density = spectra.density_of_states(velocity, mass, step)
    assert spectra.peak(grid, density) == pytest.approx(wavenumber, abs=0.1)
    assert np.trapezoid(density, grid) == pytest.approx(1)
    near = np.abs(grid - wavenumber) < 15
    assert np.trapezoid(density[near], grid[near]) > 0.99


def test_peaks_of_slow_motion_are_harmonic(water):
    """Small vibrations: peaks of the normal coordinates are their harmonic wavenumbers."""
    path = run(water, 0.05 * start(water, 2), 0.25, 16000)
    found = observables.peaks(water.system, path, water.minimum, water.modes)
    # Verlet raises a frequency by (ω Δt)²/24: 6 cm⁻¹ at 3900.
    shift = (2 * np.pi * water.wavenumbers * SPEED_OF_LIGHT_CM_PER_FS * 0.25) ** 2 / 24
    expected = water.wavenumbers * (1 + shift)
    np.testing.assert_allclose([v for _, v in found.values()], expected, atol=1.5)
    short = Trajectories(path.time_fs[:100], path.positions[:100], path.velocities[:100], path.energies[:100])
    assert np.isnan([v for _, v in observables.peaks(water.system, short, water.minimum, water.modes).values()]).all()


def test_normal_coordinates_do_not_turn(water):
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    moved = water.minimum + 1e-5 * (2 * water.modes[0] - water.modes[2])
    for positions in (moved, moved @ rotation.T + 1.0):
        found = observables.normal_coordinates(water.system, positions[None], water.minimum, water.modes)
        np.testing.assert_allclose(found[0], [2e-5, 0, -1e-5], atol=1e-8)


def test_inversions_are_counted_once():
    heights = np.array([0.3, 0.1, -0.05, 0.1, -0.3, -0.1, 0.05, -0.1, -0.3, 0.3])
    assert inversion.count(heights, 0.15) == 2
    assert inversion.count(np.array([0.1, -0.1]), 0.15) == 0


def test_height_and_mirror_of_a_pyramid(places):
    minimum = places["h3o"].minimum
    other = inversion.mirrored(minimum)
    assert inversion.height(other) == pytest.approx(-inversion.height(minimum))
    np.testing.assert_allclose(
        np.linalg.norm(other[1:] - other[0], axis=1), np.linalg.norm(minimum[1:] - minimum[0], axis=1)
    )
    assert abs(inversion.height(minimum)) == pytest.approx(0.3285, abs=1e-3)
    assert inversion.height(places["h3o"].planar) == pytest.approx(0, abs=1e-6)


def test_barrier_of_the_fitted_reference_is_that_of_the_method(places):
    place = places["h3o"]
    found = stationary.barrier(place.reference, place)
    assert found["inversion_barrier"][1] == pytest.approx(BARRIER_MEV, abs=0.2)
    assert found["well_difference"][1] == pytest.approx(0, abs=1e-6)
    table = stationary.path_energies(place.reference, place.frames)
    errors = stationary.path_errors(table)
    assert errors["path_rmse"][1] < 0.2
    assert errors["path_barrier"][1] == pytest.approx(152.8, abs=0.5)
    assert len(stationary.path_energies(place.reference, LabelledFrames([], *np.zeros((3, 0)), []))) == 0


def test_rates_over_the_same_starts():
    rng = np.random.default_rng(0)
    theirs = rng.integers(20, 30, 20)
    times = np.full(20, 10000.0)
    same = observables.rate_ratio(theirs, times, theirs, times, rng)
    assert [v for _, v in same.values()] == [1.0, 1.0, 1.0]
    twice = observables.rate_ratio(2 * theirs, times, theirs, times, rng)
    assert [v for _, v in twice.values()] == [2.0, 2.0, 2.0]
    other = observables.rate_ratio(rng.integers(20, 30, 20), times, theirs, times, rng)
    low, high = other["inversion_rate_ratio_low"][1], other["inversion_rate_ratio_high"][1]
    assert low < other["inversion_rate_ratio"][1] < high
    nothing = observables.rate_ratio(theirs, times, 0 * theirs, times, rng)
    assert np.isnan(nothing["inversion_rate_ratio_low"][1])
    early = np.where(np.arange(20) < 5, 20.0, 10000.0)  # five stopped after one inversion within 20 fs
    some = observables.rate_ratio(np.where(early < 1000, 1, theirs), early, theirs, times, rng)
    assert [v for _, v in some.values()] == [1.0, 1.0, 1.0]
    none = observables.rate_ratio(theirs, np.full(20, 20.0), theirs, times, rng)
    assert np.isnan([v for _, v in none.values()]).all()


class Flat:
    """An umbrella without a barrier: the planar form is the minimum."""

    def __init__(self, place):
        self._place, self._reference = place, place.reference

    def energy_and_forces(self, positions):
        energies, forces = self._reference.energy_and_forces(positions)
        a, b, c, d = np.moveaxis(positions, 1, 0)
        normal = np.cross(c - b, d - b)
        volume = ((a - b) * normal).sum(-1)  # 0 in the plane
        slope = np.stack([normal, np.cross(d - a, c - a), np.cross(b - a, d - a), np.cross(c - a, b - a)], 1)
        return energies + 2 * volume**2, forces - 4 * volume[:, None, None] * slope


def test_a_potential_without_a_barrier_has_none(places):
    """Newton's method then finds the planar form from everywhere: no zero barrier is made of that."""
    place = places["h3o"]
    flat = Flat(place)
    positions = place.frames.positions[:3]
    move = 1e-5 * np.random.default_rng(1).normal(size=positions.shape)
    change = flat.energy_and_forces(positions + move)[0] - flat.energy_and_forces(positions - move)[0]
    np.testing.assert_allclose(change, -2 * (flat.energy_and_forces(positions)[1] * move).sum((1, 2)), atol=1e-9)
    assert np.isnan(stationary.barrier(flat, place)["inversion_barrier"][1])


def test_deviation_needs_the_whole_length():
    time = np.arange(0, 201.0)
    reference = pd.DataFrame({"start": 0, "time_fs": time, "bond_0_1_ang": 1.0, "bond_0_2_ang": 1.0})
    ours = reference.assign(bond_0_1_ang=1.2)
    found = observables.deviations(ours[ours.time_fs <= 150], reference, lengths=(100, 200, 500))
    assert found["distance_rmse_100fs"] == ("Ang", pytest.approx(0.2 / np.sqrt(2)))
    assert np.isnan(found["distance_rmse_200fs"][1])
    assert "distance_rmse_500fs" not in found


def test_drift_and_survival():
    time = np.arange(1001) * 1.0
    energies = np.stack([1e-3 * time / 1000, -2e-3 * time / 1000], 1)  # 1 and -2 meV/ps
    energies[501:, 1] = np.nan
    shape = (1001, 2, 3, 3)
    path = Trajectories(time, np.zeros(shape), np.zeros(shape), energies)
    assert observables.conservation(path)["energy_drift_per_atom"][1] == pytest.approx(0.5)
    assert observables.stability(path)["stable_trajectories"] == ("1", 1)
    assert observables.stability(path)["simulated_time"] == ("fs", 750.0)
    windows = observables.energy_windows(path)
    assert windows.alive.tolist() == [2] * 5 + [1] * 5
    assert windows.change_mev.iloc[-1] == pytest.approx(0.9)


@pytest.mark.parametrize("model", ["nn_biased", "qnn"])
def test_an_ensemble_is_its_members(study, water, model):
    architecture = build_architecture(water.system, study.models[model])
    members = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        parameters = rng.normal(0, 0.5, architecture.n_parameters)
        members.append(
            Potential(architecture, study.models[model], parameters, np.zeros(3), np.ones(3), -5.0, 2.0 + seed)
        )
    positions = water.frames.positions[:6]
    ensemble = PotentialEnsemble(members)
    energies, forces = ensemble.energy_and_forces(positions)
    for k, member in enumerate(members):
        alone = member.energy_and_forces(positions[2 * k : 2 * k + 2])
        np.testing.assert_allclose(energies[2 * k : 2 * k + 2], alone[0], rtol=1e-12)
        np.testing.assert_allclose(forces[2 * k : 2 * k + 2], alone[1], atol=1e-11)
    wide = positions.copy()
    wide[1] *= 3
    assert ensemble.inside(wide).tolist() == [True, False, True, True, True, True]
    other = build_architecture(water.system, study.models["nn"])
    stranger = Potential(other, study.models["nn"], np.zeros(87), np.zeros(3), np.ones(3), 0.0, 1.0)
    with pytest.raises(ModelFileError, match="different models"):
        PotentialEnsemble([members[0], stranger])


def test_harmonic_wavenumbers_share_a_panel_unless_a_wide_gap_parts_them():
    assert molecules.bands(np.array([3931.6, 1691.6, 3825.3])) == [(1491.6, 1891.6), (3625.3, 4131.6)]
    assert molecules.bands(np.array([100.0])) == [(0.0, 300.0)]


def test_figures_of_a_model_that_stops_at_once(tmp_path):
    """Nothing to average, no rate: the reference is drawn all the same."""
    grid = np.arange(0, 5000, 3.3)
    reference = pd.DataFrame({"wavenumber_inverse_cm": grid, "density_cm": np.exp(-(((grid - 1690) / 20) ** 2))})
    energy = pd.DataFrame({"time_fs": [50.0, 150.0], "change_mev": [0.0, 0.1], "alive": [4, 4]})
    look = style.looks({"qnn": "QNN"})
    figure = molecules.vibrations_figure(
        reference,
        {"qnn": reference.assign(density_cm=np.nan)},
        np.array([1691.6]),
        {"reference": energy, "qnn": energy.assign(change_mev=np.nan, alive=0)},
        look,
    )
    style.save(figure, str(tmp_path / "a.svg"), str(tmp_path / "a.png"))
    heights = np.linspace(-0.4, 0.4, 9)
    curve = pd.DataFrame({"height_ang": heights, "label_ev": -(heights**2), "energy_ev": -(heights**2) + 0.01})
    path = pd.DataFrame({"start": 0, "time_fs": [0.0, 1.0], "height_ang": [0.3, 0.2]})
    figure = molecules.inversion_figure(
        {"reference": curve, "qnn": curve.assign(seed=0)},
        {"reference": path, "qnn": path[:1]},
        pd.DataFrame({"model": ["reference", "qnn"], "value": [24.0, np.nan]}),
        look,
    )
    style.save(figure, str(tmp_path / "b.svg"), str(tmp_path / "b.png"))
    assert [t.get_text() for t in figure.axes[-1].get_yticklabels()] == ["fitted reference", "QNN"]
    assert all((tmp_path / f"{name}.png").stat().st_size > 10000 for name in "ab")

"""Dynamics of molecules: integrator, starts, normal coordinates, spectra, inversion."""

from itertools import pairwise

import ase
import numpy as np
import pandas as pd
import pytest
from ase import units
from ase.md.verlet import VelocityVerlet
from qff.calculator import PotentialCalculator
from qff.config import StartsConfig
from qff.dynamics import inversion, observables, spectra
from qff.dynamics.ensemble import PotentialEnsemble
from qff.dynamics.integrator import Trajectories, cut_unphysical, kinetic_energy, velocity_verlet
from qff.dynamics.starts import velocities
from qff.errors import DomainError, ModelFileError
from qff.figures import molecules, style
from qff.models import Potential, build_architecture
from qff.units import BOLTZMANN_EV_PER_K, EV_IN_AMU_ANG2_PER_FS2, SPEED_OF_LIGHT_CM_PER_FS

NAMES = ["h2o", "h3o"]


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


def test_modes_move_the_molecule_with_their_wavenumber(water):
    """A small displacement along a mode swings back after one period."""
    for wavenumber, mode in zip(water.wavenumbers, water.modes, strict=True):
        step = 1 / (wavenumber * SPEED_OF_LIGHT_CM_PER_FS) / 400
        kick = 1e-5 * mode[None]
        path = run(water, kick, step, 400)
        np.testing.assert_allclose(path.velocities[-1, 0], kick[0], atol=2e-3 * np.abs(kick).max())
        np.testing.assert_allclose(path.velocities[200, 0], -kick[0], atol=2e-3 * np.abs(kick).max())


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
        "CCSD(T)",
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

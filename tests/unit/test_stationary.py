"""The fitted reference of a molecule: its stationary points, vibrations and inversion barrier."""

import numpy as np
import pytest
from qff.data import LabelledFrames
from qff.dynamics import inversion, stationary
from qff.dynamics.normal_modes import hessian, normal_modes, stationary_point, vibrations
from qff.dynamics.on_the_fly import OnTheFlyPotential
from qff.dynamics.reference import FittedReference
from qff.errors import DataError
from qff.systems import System

NAMES = ["h2o", "h3o"]
# CCSD(T)/cc-pVDZ itself: analytic gradients, central differences of 0.005 Å (rule compute_harmonic).
HARMONIC = {
    "h2o": [1691.640, 3825.260, 3931.633],
    "h3o": [999.606, 1695.848, 1695.881, 3596.713, 3714.530, 3714.680],
}
BARRIER_MEV = 146.684


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

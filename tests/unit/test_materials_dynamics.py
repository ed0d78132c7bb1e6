"""Periodic materials: repulsion, dynamics and what it shows, cost."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.data import chemical_symbols
from lithium_chloride import DESCRIPTOR, labelled, rattled, some_potential
from qff.figures.materials import materials_figure
from qff.materials.calculator import MaterialCalculator
from qff.materials.cost import exponent, measure
from qff.materials.dynamics import Criterion, Run, simulate
from qff.materials.neighbours import neighbour_list
from qff.materials.observables import ending, mobile_element, radial_distribution
from qff.materials.potential import shortest_distances


@pytest.fixture(scope="module")
def frames():
    return labelled(30, some_potential())


# Dynamics and cost ------------------------------------------------------------------------------------------------


def test_a_wall_stops_pairs_closer_than_any_in_training(frames):
    closest = shortest_distances(frames, DESCRIPTOR)
    pair = closest[0, 1]
    e = neighbour_list(frames[0].positions, frames[0].cell, 4.0)
    real = e.index >= 0
    assert np.linalg.norm(e.vectors(frames[0].positions, frames[0].cell)[real], axis=1).min() >= closest.min() - 1e-12
    base, walled = some_potential(), replace(some_potential(wall=50.0), closest=closest)
    cell, numbers = 30.0 * np.eye(3), np.array([3, 17])
    for r, expected in ((pair + 0.01, 0.0), (pair - 0.1, 50.0 * 0.1**3)):
        positions = np.array([[5.0, 5, 5], [5 + r, 5, 5]])
        difference = walled.evaluate(numbers, positions, cell)[0] - base.evaluate(numbers, positions, cell)[0]
        assert difference == pytest.approx(expected, abs=1e-9)


class Springs:
    """A stand-in with the interface of a potential: every atom is bound to its site."""

    descriptor = DESCRIPTOR
    closest = np.full((2, 2), 2.0)

    def __init__(self, sites, strength=2.0):
        self.sites, self.strength = sites, strength

    def evaluate(self, numbers, positions, cell, pairs=None):
        away = positions - self.sites
        return 0.5 * self.strength * float((away**2).sum()), -self.strength * away, np.zeros((3, 3))


def calculator_of(monkeypatch, potential):
    """Let the dynamics run on any object that evaluates."""
    monkeypatch.setattr("qff.materials.calculator.load", lambda p: p)
    return potential


def test_langevin_reaches_its_temperature_and_constant_energy_keeps_it(monkeypatch):
    atoms = rattled(0, 0.0, (2, 2, 2))
    springs = calculator_of(monkeypatch, Springs(atoms.positions.copy()))
    criterion = Criterion(0.5 * springs.closest, 900.0, 1.0)
    rng = np.random.default_rng(0)
    run = simulate(springs, atoms, 300.0, 6000.0, 2.0, 0.02, criterion, rng)
    assert run.failure == ""
    assert run.temperatures[len(run.times) // 2 :].mean() == pytest.approx(300.0, rel=0.15)
    elements = run.by_element[len(run.times) // 2 :].mean(0)
    assert elements == pytest.approx([300.0, 300.0], rel=0.2)
    assert run.hottest_element_k == elements.max()
    np.testing.assert_allclose(run.by_element.mean(1), run.temperatures)  # as many of the one as of the other
    free = simulate(springs, atoms, 300.0, 1000.0, 2.0, None, criterion, rng)
    assert abs(free.drift_mev_per_atom_per_ps) < 0.1


@pytest.mark.parametrize(
    ("criterion", "failure"),
    [
        (Criterion(np.full((2, 2), 3.5), 900.0, 1.0), "close pair"),
        (Criterion(np.full((2, 2), 1.0), 50.0, 1.0), "temperature"),
        (Criterion(np.full((2, 2), 1.0), 900.0, 1e-4), "potential energy"),
    ],
)
def test_a_run_that_leaves_physics_stops_and_says_why(monkeypatch, criterion, failure):
    atoms = rattled(0, 0.0, (2, 1, 1))
    springs = calculator_of(monkeypatch, Springs(atoms.positions.copy()))
    run = simulate(springs, atoms, 300.0, 1000.0, 2.0, 0.02, criterion, np.random.default_rng(0))
    assert run.failure == failure
    assert run.length_fs < 1000.0


def test_the_calculator_keeps_its_list_only_while_it_holds():
    potential, atoms = some_potential(), rattled(8)
    atoms.calc = MaterialCalculator(potential)
    rng = np.random.default_rng(0)
    for scale in (0.05, 0.05, 0.4, 1.0):
        atoms.positions += rng.normal(scale=scale, size=atoms.positions.shape)
        expected = potential.evaluate(atoms.numbers, atoms.positions, atoms.cell.array)
        assert atoms.get_potential_energy() == pytest.approx(expected[0], abs=1e-9)
        np.testing.assert_allclose(atoms.get_forces(), expected[1], atol=1e-9)


@pytest.mark.parametrize("sizes", [np.full(20, 12.0), np.linspace(11.0, 14.0, 20)])
def test_the_distribution_of_an_ideal_gas_is_one(sizes):
    rng, cells = np.random.default_rng(0), sizes[:, None, None] * np.eye(3)
    positions = sizes[:, None, None] * rng.random((20, 100, 3))
    numbers = np.repeat([3, 17], 50)
    r, g = radial_distribution(positions, numbers, cells, (3, 17), 5.0, 10)
    np.testing.assert_allclose(g[3:], 1.0, atol=0.1)
    assert r[0] == 0.25


@pytest.mark.parametrize(
    ("symbols", "mobile"),
    [("LiGePS", "Li"), ("HBLi", "Li"), ("NaZrSiPO", "Na"), ("AgGeS", "Ag"), ("ZrYO", "O"), ("LaF", "F")],
)
def test_the_mobile_element_is_the_cation_that_is_conducted_or_the_lightest(symbols, mobile):
    assert chemical_symbols[mobile_element(Atoms(symbols).numbers)] == mobile


def test_the_end_of_a_run_names_the_pair_and_when_it_left_the_training_range():
    numbers, cell = np.array([3, 17, 17]), 30.0 * np.eye(3)
    known = np.array([[5.0, 5, 5], [6.8, 5, 5], [9.5, 5, 5]])
    last = np.array([[5.0, 5, 5], [6.2, 5, 5], [8.6, 5, 5]])
    potential = replace(some_potential(), closest=np.array([[2.0, 1.5], [1.5, 2.5]]))
    environment = DESCRIPTOR.environment(numbers, known, cell)
    features = DESCRIPTOR.features(DESCRIPTOR.moments(environment))
    potential = replace(potential, compression=potential.compression.limited(features, environment.kinds))
    path = np.array([known, known, last])
    run = Run(20.0 * np.arange(1, 4), path, *np.zeros((4, 3)), "close pair", 60.0, last, 900.0)
    found = ending(potential, run, numbers, cell)
    assert found["pair"] == "Li-Cl"
    assert found["distance_ang"] == pytest.approx(1.2)
    assert found["part_of_shortest"] == pytest.approx(0.8)
    assert (found["left_training_fs"], found["temperature_at_end_k"]) == (60.0, 900.0)
    assert np.isnan(
        ending(potential, replace(run, positions=path[:2], times=run.times[:2]), numbers, cell)["left_training_fs"]
    )


def test_cost_is_measured_and_its_exponent_fitted(frames):
    costs = measure(some_potential(), frames[0], [1, 2], 1)
    assert [c.n_atoms for c in costs] == [4, 32]
    assert all(c.memory_mib > 0 and c.search_seconds >= 0 for c in costs)
    assert exponent([1, 10, 100], [2.0, 20.0, 200.0]) == pytest.approx((1.0, 1.0, 1.0))
    value, low, high = exponent([1, 10, 100], [2.0, 25.0, 200.0])
    assert low < value < high


def test_a_temperature_has_one_colour_in_all_panels():
    """Tables write it as 300, 300.0 or text, beside the word for the labelled frames."""
    kelvin = ["300.0", "600.0", "reference"]
    distributions = pd.concat(
        pd.DataFrame({"pair": pair, "temperature_k": t, "start": 0, "r_ang": [1.0, 2.0], "g": [0.0, 1.0]})
        for pair in ("Li-S", "Li-Li")
        for t in kelvin
    )
    displacements = pd.concat(
        pd.DataFrame({"temperature_k": t, "start": 0, "time_fs": [0.0, 1.0], "msd_ang2": [0.0, 1.0]})
        for t in (600, 300)
    )
    first, _, last = materials_figure(distributions, displacements).axes
    drawn = {line.get_label(): line.get_color() for line in first.lines}
    assert [line.get_color() for line in last.lines] == [drawn["600 K"], drawn["300 K"]]
    assert len(set(drawn.values())) == 3

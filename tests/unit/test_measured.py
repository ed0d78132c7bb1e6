"""Dynamics with measured forces, training with shots, gradients at random parameters."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from qff.config import ModelConfig
from qff.data import read_frames
from qff.hardware import spsa
from qff.hardware.dynamics import Thermostat, observables, simulate
from qff.hardware.trainability import decay_per_qubit, gradient_variances
from qff.models import Potential, build_architecture
from qff.stages.measured import bonds_of, temperatures, thermal_velocities
from qff.systems import System
from qff.units import BOLTZMANN_EV_PER_K, EV_IN_AMU_ANG2_PER_FS2

MASSES = np.array([2.0, 5.0])
SPRING = 10.0  # eV/Å²


@dataclass
class NoisySpring:
    """Two atoms on a spring; every component of the forces has white noise of a known size."""

    deviation: float
    rng: np.random.Generator
    length: float = 1.5

    def inside(self, positions):
        return np.linalg.norm(positions[:, 1] - positions[:, 0], axis=-1) < 2.5

    def measure(self, positions):
        bond = positions[:, 1] - positions[:, 0]
        r = np.linalg.norm(bond, axis=-1)
        pull = (SPRING * (r - self.length) / r)[:, None] * bond
        forces = np.stack([pull, -pull], 1) + self.deviation * self.rng.normal(size=positions.shape)
        covariance = np.broadcast_to(self.deviation**2 * np.eye(6), (len(r), 6, 6))
        return 0.5 * SPRING * (r - self.length) ** 2, forces, covariance


def run(deviation, thermostat, steps, count=64, seed=0):
    rng = np.random.default_rng(seed)
    start = np.array([[0.0, 0, 0], [0, 0, 1.5]])
    moving = thermal_velocities(start, MASSES, 600.0, count, rng)
    return simulate(
        NoisySpring(deviation, rng), np.repeat(start[None], count, 0), moving, MASSES, [[0, 1]], 0.5, steps, thermostat, rng
    )  # fmt: skip


def test_exact_forces_conserve_energy():
    path = run(0.0, None, 400, count=4)
    assert np.ptp(path.total, axis=0).max() < 0.02 * path.kinetic.max()
    assert observables(path, 1)["energy_drift_predicted"][1] == 0.0


def test_noise_heats_at_the_predicted_rate():
    """Mean gain of 64 independent trajectories: within four standard errors (false alarms one in 16,000)."""
    path = run(1.0, None, 200)
    gain = path.total[-1] - path.total[0]
    predicted = path.heating.mean() * path.time_fs[-1]
    weight = np.repeat(EV_IN_AMU_ANG2_PER_FS2 / MASSES, 3)
    assert path.heating[0] == pytest.approx(0.25 * weight.sum() * 1.0)
    assert abs(gain.mean() - predicted) < 4 * gain.std(ddof=1) / np.sqrt(len(gain))
    assert predicted > 3 * gain.std(ddof=1) / np.sqrt(len(gain))


def test_a_thermostat_that_absorbs_the_noise_keeps_the_temperature():
    """Langevin with its own noise is too hot by that of the forces; one that takes it as its own is not."""
    friction, kelvin = 0.05, 300.0
    plain, absorbing = (run(0.6, Thermostat(kelvin, friction, absorbs), 1200) for absorbs in (False, True))
    hot, right = (observables(p, 6)["effective_temperature"][1] for p in (plain, absorbing))
    weight = np.repeat(EV_IN_AMU_ANG2_PER_FS2 / MASSES, 3)
    excess = 0.6**2 * 0.5 * weight / (2 * friction) / BOLTZMANN_EV_PER_K  # σ² Δt / (2 γ m) = k_B ΔT
    assert right == pytest.approx(kelvin, rel=0.08)
    assert hot == pytest.approx(kelvin + excess.mean(), rel=0.15)
    assert absorbing.absorbed == pytest.approx(1.0)
    assert plain.absorbed == 0.0


def test_noise_beyond_the_thermostat_is_absorbed_in_part():
    found = run(5.0, Thermostat(300.0, 0.01), 20, count=4)
    assert 0 < found.absorbed < 0.5


def test_a_broken_bond_ends_its_trajectory():
    path = run(60.0, None, 300, count=6)
    assert (path.lifetimes_fs < 150).any()
    ended = np.isnan(path.total[-1])
    assert ended.any()
    assert 0 <= observables(path, 1)["surviving_fraction"][1] < 1
    table = temperatures(path, 2)
    assert table.alive.is_monotonic_decreasing
    assert isinstance(table, pd.DataFrame)


def test_thermal_velocities_have_no_momentum_and_no_rotation():
    for positions in (np.array([[0, 0, 0.0], [0, 0, 1.6]]), np.array([[0, 0, 0.0], [0.9, 0, 0.2], [-0.3, 0.9, 0]])):
        masses = np.array([16.0, 1.0, 1.0])[: len(positions)]
        found = thermal_velocities(positions, masses, 500.0, 4000, np.random.default_rng(1))
        np.testing.assert_allclose(np.einsum("bax,a->bx", found, masses), 0, atol=1e-12)
        np.testing.assert_allclose(np.cross(positions, masses[:, None] * found).sum(1), 0, atol=1e-12)
        kinetic = 0.5 * np.einsum("bax,bax,a->b", found, found, masses) / EV_IN_AMU_ANG2_PER_FS2
        degrees = 1 if len(positions) == 2 else 3
        assert kinetic.mean() == pytest.approx(0.5 * degrees * BOLTZMANN_EV_PER_K * 500, rel=0.06)


def small_qnn(study):
    settings = {"circuit": "kiss", "feature_map": "arcsin", "n_qubits": 3, "layers": 2, "connectivity": "full"}
    entry = ModelConfig(name="qnn", label="QNN", kind="qnn", systems={"h2o": settings})
    return build_architecture(System("h2o", study.systems["h2o"]), entry)


def test_spsa_learns_with_and_without_shots(study):
    """Labels that the circuit itself can express; the loss falls to a tenth, with 1,000 shots to a third."""
    architecture, rng = small_qnn(study), np.random.default_rng(0)
    equilibrium = np.array([[0, 0, 0], [0.97, 0, 0.1], [-0.25, 0.93, 0]])
    positions = equilibrium + rng.normal(0, 0.04, (60, 3, 3))
    goal = rng.normal(0, 0.5, architecture.n_parameters)
    start = goal + rng.normal(0, 0.3, architecture.n_parameters)
    empty = np.zeros(architecture.circuit.n_features)
    model = Potential(architecture, None, goal, empty, empty + 1, -2.0, 3.0)

    def energies(theta):
        return replace(model, parameters=theta).energy_and_forces(positions)[0]

    labels = energies(goal)
    before = ((energies(start) - labels) ** 2).mean()
    for shots, part in ((None, 0.1), (1000, 0.33)):
        found = spsa.train(model, start, positions, labels, 600, 20, shots, np.random.default_rng(1))
        assert ((energies(found.parameters) - labels) ** 2).mean() < part * before
        assert found.executions == 2 * 20 * 620 * (shots or 1)


def test_spsa_does_not_run_away_where_the_loss_grows_steeper():
    """A quartic with a start in its flat middle: without a longest step, one step up the wall is followed by a longer one."""

    def losses(both, _):
        return (both**4).sum(1)

    start = np.full(3, 0.02)
    found = spsa.minimise(losses, start, 1, 200, 1, np.random.default_rng(0))
    assert np.abs(found - start).max() <= 200 * spsa.LONGEST * spsa.FIRST_STEP
    assert np.abs(found).max() < 0.5


def test_a_global_rotation_has_the_known_gradient_variance():
    """Separable circuit of one qubit and layer: RX RY RX |0⟩ gives f = cos φ cos θ cos φ - sin² φ; Var ∂f/∂θ over θ is
    cos⁴ φ / 2, and E cos⁴ φ = 3/8 + exp(-2)/2 + exp(-8)/8 for φ normal."""
    rng = np.random.default_rng(0)
    (found,) = gradient_variances("kiss", {"n_qubits": 1, "layers": 1, "entangling": False}, 20000, [rng])
    assert found == pytest.approx((3 / 8 + np.exp(-2) / 2 + np.exp(-8) / 8) / 2, rel=0.05)


def test_decay_per_qubit():
    assert decay_per_qubit([2, 4, 6], [2.0**-2, 2.0**-4, 2.0**-6]) == pytest.approx(-1)
    assert decay_per_qubit([2, 4, 6], [0.3, 0.3, 0.3]) == pytest.approx(0)


@pytest.mark.parametrize(("name", "count"), [("h2o", 2), ("h3o", 3), ("ethanol", 8)])
def test_bonds_are_coordinates_or_within_covalent_reach(study, name, count):
    system = System(name, study.systems[name])
    frames = read_frames(system.config.reference.frozen, system.symbols)
    bonds = bonds_of(system, frames.positions[int(frames.energies.argmin())])
    assert len(bonds) == count
    assert all(i < j for i, j in bonds) or system.config.coordinates

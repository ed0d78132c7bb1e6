"""QNN-1 against a second writing of the authors' public demonstration for H2O: matrices, in its own arrays."""

import numpy as np
import pennylane as qml
import pytest
import torch
from qff.config import load_study, read_yaml
from qff.data import read_frames
from qff.models import Potential, build_architecture
from qff.stages.common import system_from
from qff.units import BOHR_IN_ANG
from scipy.linalg import expm

DEPTH = 6
PAULI = [np.array(m, complex) for m in ([[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]])]
EXCHANGE = sum(np.kron(p, p) for p in PAULI)


@pytest.fixture(scope="module")
def model():
    return load_study(read_yaml("config/config.yaml")).models["qnn1_demo"]


@pytest.fixture(scope="module")
def frames():
    return read_frames("results/published/reference/h2o.extxyz")


@pytest.fixture(scope="module")
def architecture(model):
    return build_architecture(system_from("h2o", read_yaml("config/systems.yaml")["h2o"]), model)


@qml.qnode(qml.device("default.qubit", wires=4))
def demonstration(vectors, alphas, weights):
    """σ_0·σ_1 of the two H seen from O, ``vectors`` (2, 3) in bohr; ``alphas`` (4, D + 1), ``weights`` (4, D).

    The weights of layer d are sought in column d + 1, and where there is none JAX takes the last one.
    """
    for one, other in ((0, 1), (2, 3)):
        qml.StatePrep(np.array([0, 1, -1, 0]) / np.sqrt(2), wires=[one, other])
    for d in range(-1, DEPTH):
        if d >= 0:
            column = min(d + 1, DEPTH - 1)
            for q in (0, 2, 1, 3):
                qml.QubitUnitary(expm(-1j * weights[q, column] * EXCHANGE), wires=[q, (q + 1) % 4])
        for q in range(4):
            generator = sum(x * p for x, p in zip(vectors[q % 2], PAULI, strict=True))
            qml.QubitUnitary(expm(-0.5j * alphas[q, d + 1] * generator), wires=q)
    return qml.expval(qml.X(0) @ qml.X(1) + qml.Y(0) @ qml.Y(1) + qml.Z(0) @ qml.Z(1))


def parameters_of(alphas, weights):
    """The same for our circuit, whose exchange gates are exp(-iα/2 σ·σ): (P,)."""
    return np.concatenate([alphas.T.ravel(), 2 * weights[[0, 2, 1, 3], 1:].T.ravel()])


def test_energies_are_those_of_the_demonstration(model, frames, architecture):
    rng = np.random.default_rng(5)
    alphas, weights = rng.normal(1, 0.3, (4, DEPTH + 1)), rng.normal(0, 0.7, (4, DEPTH))
    chosen = rng.permutation(len(frames))[:5]
    none, one, shift, scale = np.zeros(6), np.ones(6), -2074.0, 0.4
    potential = Potential(architecture, model, parameters_of(alphas, weights), none, one, shift, scale)
    energies, _ = potential.energy_and_forces(frames.positions[chosen])
    vectors = (frames.positions[chosen, 1:] - frames.positions[chosen, :1]) / BOHR_IN_ANG
    expected = shift + scale * np.array([demonstration(v, alphas, weights) for v in vectors])
    np.testing.assert_allclose(energies, expected, rtol=0, atol=1e-10)
    assert np.ptp(energies) > 1e-3


def test_training_starts_where_the_demonstration_starts(architecture):
    start = architecture.initial_parameters(np.random.default_rng(1))
    weights = np.zeros((4, DEPTH))
    weights[0] = start[28] / 2
    assert 0 < weights[0, 0] < np.pi
    np.testing.assert_array_equal(start, parameters_of(np.ones((4, DEPTH + 1)), weights))


def test_training_is_set_as_in_the_demonstration(model):
    study = load_study({**read_yaml("config/config.yaml"), **read_yaml("config/demonstration.yaml")})
    found = study.training_of("qnn1_demo")
    assert (found.optimiser, found.learning_rate, found.decay, found.batch) == ("adam", 0.01, "none", 256)
    assert (found.steps, found.force_weight) == (5000, 0.0)


def test_rotations_leave_the_energy_and_exchange_does_not(frames, architecture):
    """Its weights and scales are those of a qubit, not of an element."""
    rng = np.random.default_rng(2)
    theta = torch.as_tensor(rng.normal(0.5, 0.5, architecture.n_parameters))[None]
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    one = frames.positions[:3]

    def f(positions):
        return architecture.evaluate(theta, architecture.inputs(torch.as_tensor(positions)).select((None, ...)))[0]

    torch.testing.assert_close(f(one @ (turn * np.linalg.det(turn))), f(one), rtol=0, atol=1e-12)
    assert (f(one[:, [0, 2, 1]]) - f(one)).abs().max() > 1e-3

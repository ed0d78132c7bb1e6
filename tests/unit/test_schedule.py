"""Programs laid out for execution."""

import numpy as np
import pennylane as qml
import pytest
import torch
from qff.circuits import Circuit, build_circuit
from qff.engines import angles, quaternions
from qff.engines.program import capture
from qff.engines.schedule import Dense, Exchange, Phase, Turn, build_schedule, signs


def schedule(function, n_qubits=2, n_parameters=2, n_features=2):
    return build_schedule(capture(Circuit("made", n_qubits, n_parameters, n_features, function)))


def kinds(found):
    return [type(step) for step in found.steps]


def test_a_hardware_efficient_circuit_is_phases_and_hadamard_gates_only():
    """Three bases per layer of the H2O circuit: 12 layers, the block of the start and the last encoding."""
    found = build_schedule(
        capture(build_circuit("kiss", n_qubits=3, layers=12, connectivity="full", triples=True, initial_block=True))
    )
    assert set(kinds(found)) == {Phase}
    assert len(found.steps) == 3 * 12 + 1
    assert all(step.hadamards in (0, 7) for step in found.steps)


def test_constant_gates_cost_nothing_where_a_basis_makes_them_phases():
    def function(theta, phi):
        qml.RX(theta[0], wires=0)
        qml.CNOT(wires=[0, 1])
        qml.CZ(wires=[0, 1])
        qml.S(wires=0)
        qml.PauliX(wires=1)
        qml.RY(theta[1], wires=1)
        return qml.expval(qml.PauliZ(1))

    assert set(kinds(schedule(function))) == {Phase}


def test_other_constant_gates_are_dense_and_join():
    def function(theta, phi):
        qml.RX(theta[0], wires=0)
        qml.SWAP(wires=[0, 1])
        qml.ISWAP(wires=[0, 1])
        qml.RY(theta[1], wires=1)
        return qml.expval(qml.PauliZ(1))

    assert kinds(schedule(function)).count(Dense) == 1


def test_what_comes_before_the_first_angle_is_in_the_start_state():
    def function(theta, phi):
        qml.Hadamard(wires=0)
        qml.CNOT(wires=[0, 1])
        qml.RZ(theta[0], wires=0)
        return qml.expval(qml.PauliX(0) @ qml.PauliX(1))

    found = schedule(function)
    assert len(found.steps) == 1
    assert np.linalg.norm(found.start) == pytest.approx(1)


def test_three_ising_gates_of_one_angle_are_an_exchange():
    def function(theta, phi):
        for gate in (qml.IsingYY, qml.IsingXX, qml.IsingZZ):
            gate(theta[0], wires=[0, 1])
        for gate in (qml.IsingYY, qml.IsingXX):
            gate(theta[1], wires=[0, 1])
        qml.IsingZZ(2 * theta[1], wires=[0, 1])
        return qml.expval(qml.PauliZ(0))

    assert kinds(schedule(function))[0] is Exchange
    assert kinds(schedule(function)).count(Exchange) == 1


def test_the_equivariant_circuit_has_no_phases():
    found = build_schedule(capture(build_circuit("equivariant", n_qubits=4, layers=2)))
    assert kinds(found) == [Turn] * 4 + ([Exchange] * 4 + [Turn] * 4) * 2


def test_signs_are_those_of_pauli_z():
    assert signs(0b10, 4).tolist() == [1, 1, -1, -1]
    assert signs(0b11, 4).tolist() == [1, -1, -1, 1]


@pytest.mark.parametrize("length", [0.0, 1e-6, 0.01, 0.29, 0.31, 1.0, 3.0, 6.5, 12.0])
def test_quaternions_and_their_derivatives(length):
    """Against automatic differentiation of the plain formula, and finite differences at zero."""
    rng = np.random.default_rng(int(100 * length))
    x = rng.normal(size=(1, 3, 1))
    x *= length / np.linalg.norm(x)
    v, g = rng.normal(size=(1, 3, 1)), rng.normal(size=(1, 4, 1))
    step = 1e-5

    def difference(function):
        """Derivative of a function of x along every axis."""
        axes = np.eye(3)[:, None, :, None] * step
        return np.array([(function(x + a) - function(x - a)) / (2 * step) for a in axes])

    def u(x):
        return quaternions.quaternion(x, quaternions.radial(x))

    def derivative(x):
        return quaternions.rate(x, quaternions.radial(x), v)

    functions = quaternions.radial(x)
    assert (u(x) ** 2).sum() == pytest.approx(1)
    rate = difference(u)  # (3, 1, 4, 1)
    np.testing.assert_allclose(derivative(x), np.tensordot(v[0, :, 0], rate, 1), atol=1e-9)
    pull = difference(lambda y: (g * u(y)).sum())
    np.testing.assert_allclose(quaternions.pullback(x, functions, g)[0, :, 0], pull, atol=1e-9)
    pull = difference(lambda y: (g * derivative(y)).sum())
    np.testing.assert_allclose(quaternions.pullback_rate(x, functions, v, g)[0, :, 0], pull, atol=1e-8)


def test_quaternions_of_members_that_share_their_vectors():
    """One row of x for all rows of v and g, two vectors each: as if x were repeated."""
    rng = np.random.default_rng(0)
    x, v, g = rng.normal(size=(1, 6, 5)), rng.normal(size=(3, 6, 5)), rng.normal(size=(3, 8, 5))
    one, all_ = (x, quaternions.radial(x)), (x.repeat(3, 0), quaternions.radial(x.repeat(3, 0)))
    np.testing.assert_array_equal(quaternions.rate(*one, v), quaternions.rate(*all_, v))
    np.testing.assert_array_equal(quaternions.pullback(*one, g), quaternions.pullback(*all_, g))
    np.testing.assert_array_equal(quaternions.pullback_rate(*one, v, g), quaternions.pullback_rate(*all_, v, g))
    np.testing.assert_array_equal(quaternions.rate(*all_, v[:1]), quaternions.rate(*one, v[:1]).repeat(3, 0))
    np.testing.assert_array_equal(
        quaternions.pullback_rate(*one, v[:1], g), quaternions.pullback_rate(*all_, v[:1].repeat(3, 0), g)
    )


def test_angles_with_products():
    """α = c + a·θ + b·φ + θ·C·φ as captured, evaluated and differentiated."""

    def function(theta, phi):
        qml.RX(0.3 + 2 * theta[0] - phi[1] + 0.5 * theta[1] * phi[0], wires=0)
        return qml.expval(qml.PauliZ(0))

    program = capture(Circuit("made", 1, 2, 2, function))
    (gate,) = program.gates
    assert gate.angle.constant == pytest.approx(0.3)
    np.testing.assert_allclose(gate.angle.theta, [2, 0], atol=1e-14)
    np.testing.assert_allclose(gate.angle.phi, [0, -1], atol=1e-14)
    np.testing.assert_allclose(gate.angle.product, [[0, 0], [0.5, 0]], atol=1e-14)
    rng = np.random.default_rng(0)
    theta, phi = rng.normal(size=(3, 2)), rng.normal(size=(1, 4, 2))
    found = angles.Angles([gate.angle], 2, 2)
    values = found.values(theta, phi, found.weights(theta))
    expected = 0.3 + 2 * theta[:, :1] - phi[0, :, 1] + 0.5 * theta[:, 1:] * phi[0, :, 0]
    np.testing.assert_allclose(values[:, 0], expected)
    g = rng.normal(size=values.shape)
    gradient = found.gradient(g, 0.0, phi)
    leaf = torch.tensor(theta, requires_grad=True)
    p = torch.tensor(phi)
    alpha = 0.3 + 2 * leaf[:, :1] - p[0, :, 1] + 0.5 * leaf[:, 1:] * p[0, :, 0]
    (theirs,) = torch.autograd.grad((alpha * torch.tensor(g[:, 0])).sum(), leaf)
    np.testing.assert_allclose(gradient, theirs.numpy())
    np.testing.assert_allclose(found.jacobian(g, phi).sum(1), gradient)

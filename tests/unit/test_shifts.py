"""Parameter-shift rules: gate by gate, feature by feature, and for vectors."""

import numpy as np
import pennylane as qml
import pytest
import torch
from qff.circuits import Circuit, build_circuit
from qff.engines import build_engine
from qff.engines.aer import AerEngine
from qff.engines.program import capture
from qff.engines.shifts import feature_frequencies, general_rule, left_jacobian
from qff.errors import ConfigError, UnsupportedOperation
from qff.gates import VectorRotation


def slope_by(rule, frequencies, rng):
    shifts, weights = rule
    a, b = rng.normal(size=(2, len(frequencies)))
    f = sum(x * np.cos(w * shifts) + y * np.sin(w * shifts) for w, x, y in zip(frequencies, a, b, strict=True))
    return float(weights @ f), float(b @ frequencies)


@pytest.mark.parametrize("frequencies", [[1], [2], [1, 2], [0.5, 1, 1.5], range(1, 14), [1, 3, 4]])
def test_the_general_rule_differentiates_every_polynomial_of_its_frequencies(frequencies):
    frequencies = np.array(frequencies, dtype=float)
    ours, exact = slope_by(general_rule(frequencies), frequencies, np.random.default_rng(0))
    assert ours == pytest.approx(exact, abs=1e-9)


def test_one_frequency_has_the_two_term_rule():
    shifts, weights = general_rule(np.array([1.0]))
    np.testing.assert_allclose(shifts, [np.pi / 2, -np.pi / 2])
    np.testing.assert_allclose(weights, [0.5, -0.5])


def test_too_many_frequencies_are_refused():
    with pytest.raises(UnsupportedOperation, match="at most 64"):
        general_rule(np.arange(1.0, 70))


def test_a_feature_that_enters_many_gates_has_many_eigenvalues():
    """D+1 encodings: frequencies 1 … D+1. Both rules agree with the engine, with equally many circuits."""
    circuit = build_circuit("kiss", n_qubits=3, layers=4)
    np.testing.assert_allclose(feature_frequencies(capture(circuit), 1), np.arange(1, 6))
    rng = np.random.default_rng(1)
    theta, phi = torch.tensor(rng.normal(size=(1, circuit.n_parameters))), torch.tensor(rng.normal(size=(1, 2, 3)))
    dphi = torch.tensor(rng.normal(size=(1, 2, 2, 3)))
    exact = build_engine("batched", circuit).evaluate(theta, phi, dphi)
    for rule in ("gate", "feature"):
        for ours, theirs in zip(exact, AerEngine(circuit, rule=rule).evaluate(theta, phi, dphi), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-8)


def test_trained_factors_are_shifted_gate_by_gate_only():
    def function(theta, phi):
        qml.RX(theta[0] * phi[0], wires=0)
        return qml.expval(qml.PauliZ(0))

    circuit = Circuit("product", 1, 1, 1, function)
    given = [torch.tensor(x, dtype=torch.float64) for x in ([[0.7]], [[[0.4]]], [[[[1.0]]]])]
    _, slope = AerEngine(circuit).evaluate(*given)
    assert float(slope) == pytest.approx(-0.7 * np.sin(0.28), abs=1e-12)
    with pytest.raises(UnsupportedOperation, match="shift gate by gate"):
        AerEngine(circuit, rule="feature").evaluate(*given)
    with pytest.raises(ConfigError, match="rule 'all' of the parameter shift is unknown"):
        AerEngine(circuit, rule="all")


@pytest.mark.parametrize("x", [[0.3, -0.8, 1.1], [1e-6, 2e-6, -1e-6], [0, 0, 3.0]])
def test_the_jacobian_of_a_vector_rotation(x):
    """exp(-i (x + dx)·σ/2) exp(i x·σ/2) - 1 = -i (J dx)·σ/2, against central differences."""
    x, step = np.array(x, dtype=float), 1e-6
    jacobian = left_jacobian(x[None])[0]
    back = VectorRotation.compute_matrix(*-x)
    sigma = [np.array(m) for m in ([[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]])]
    for k in range(3):
        move = step * np.eye(3)[k]
        change = (VectorRotation.compute_matrix(*(x + move)) - VectorRotation.compute_matrix(*(x - move))) @ back
        expected = -0.5j * sum(j * s for j, s in zip(jacobian[:, k], sigma, strict=True))
        np.testing.assert_allclose(change / (2 * step), expected, atol=1e-8)

"""Effective dimension against published numbers."""

import numpy as np
import pennylane as qml
import pytest
import torch
from qff import capacity
from qff.circuits import Circuit
from qff.engines import build_engine
from qff.errors import ConfigError


class Bare:
    """Just enough of an architecture to take Jacobians of a circuit."""

    def __init__(self, circuit):
        self.engine = build_engine("batched", circuit)

    def values(self, theta, values):
        return self.engine.evaluate(theta, values)[0]


def real_amplitudes(theta, n_qubits, reps, pairs):
    for layer in range(reps + 1):
        for q in range(n_qubits):
            qml.RY(theta[layer * n_qubits + q], wires=q)
        if layer < reps:
            for a, b in pairs:
                qml.CNOT(wires=[a, b])


def z_feature_map(phi, n_qubits):
    """H and P(2x): P is RZ up to a phase."""
    for q in range(n_qubits):
        qml.Hadamard(wires=q)
        qml.RZ(2 * phi[q], wires=q)


# --- qiskit-machine-learning's four golden values -----------------------------------------------------------
# test/neural_networks/test_effective_dimension.py: n = 5000, seed 1234, weights U(0,1) drawn first, then inputs
# N(0,1); ZFeatureMap(3, reps=1) and RealAmplitudes(3, reps=1).


def _observable_circuit(word):
    def function(theta, phi):
        z_feature_map(phi, 3)
        real_amplitudes(theta, 3, 1, [(1, 2), (0, 1)])
        return qml.expval(qml.pauli.string_to_pauli_word(word, wire_map={0: 0, 1: 1, 2: 2}))

    return Circuit(word, 3, 6, 3, function)


def _fisher(n_weights: int, n_inputs: int, words: list[str]) -> np.ndarray:
    """Σ_y ∇p_y ∇p_yᵀ / p_y, with probabilities written as expectation values of Z words."""
    rng = np.random.default_rng(1234)
    weights = rng.uniform(0, 1, (n_weights, 6))
    inputs = torch.tensor(rng.normal(0, 1, (n_inputs, 3)))
    found = [capacity.jacobians(Bare(_observable_circuit(w)), weights, inputs) for w in words]
    values = np.stack([np.ones_like(found[0][0]), *(f for f, _ in found)])  # (words, T, m)
    slopes = np.stack([np.zeros_like(found[0][1]), *(j for _, j in found)])
    size = len(words) + 1
    signs = np.array([[(-1) ** bin(a & b).count("1") for b in range(size)] for a in range(size)]) / size
    p = np.einsum("yw,wtm->ytm", signs, values)
    dp = np.einsum("yw,wtmp->ytmp", signs, slopes)
    return np.einsum("ytmp,ytmq,ytm->tpq", dp, dp, 1 / p) / n_inputs


_ALL_WORDS = ["".join("Z" if (k >> q) & 1 else "I" for q in range(3)) for k in range(1, 8)]


@pytest.mark.parametrize(
    ("words", "n_inputs", "n_weights", "published"),
    [
        (["ZZZ"], 10, 10, 4.51202148),
        (["ZZZ"], 1, 1, 1.39529449),
        (["ZZZ"], 10, 1, 3.97371533),
        (_ALL_WORDS, 10, 10, 5.90859124),
    ],
    ids=["parity_10_10", "parity_1_1", "parity_10_1", "outcomes_10_10"],
)
def test_qiskit_machine_learning(words, n_inputs, n_weights, published):
    assert capacity.effective_dimension(_fisher(n_weights, n_inputs, words), 5000) == pytest.approx(
        published, abs=1e-5
    )


def test_bernoulli_is_the_two_outcome_case():
    """The likelihood of the study, F = J Jᵀ/(1 - f²), is Σ_y ∇p ∇pᵀ/p for p± = (1 ± f)/2."""
    rng = np.random.default_rng(1234)
    weights = rng.uniform(0, 1, (10, 6))
    inputs = torch.tensor(rng.normal(0, 1, (10, 3)))
    f, jacobian = capacity.jacobians(Bare(_observable_circuit("ZZZ")), weights, inputs)
    fisher = capacity.fisher_matrices(f, jacobian, "bernoulli")
    np.testing.assert_allclose(fisher, _fisher(10, 10, ["ZZZ"]), atol=1e-12)


def test_adapter_to_qiskit_machine_learning():
    """Our model through their estimator gives our number: the study's QNN for LiH, Bernoulli likelihood."""
    estimators = pytest.importorskip("qiskit_machine_learning.neural_networks", reason="dev extra")
    circuit = __import__("qff.circuits", fromlist=["build_circuit"]).build_circuit("kiss", n_qubits=3, layers=4)
    bare, rng = Bare(circuit), np.random.default_rng(7)
    weights = rng.uniform(0, 1, (4, circuit.n_parameters))
    inputs = rng.uniform(-1, 1, (5, 3))

    class Adapter(estimators.NeuralNetwork):
        """Two outcomes with p± = (1 ± f)/2, as a qiskit-machine-learning network."""

        def __init__(self):
            super().__init__(3, circuit.n_parameters, sparse=False, output_shape=2, input_gradients=False)

        def _pairs(self, input_data, weights):
            f, jacobian = capacity.jacobians(bare, np.atleast_2d(weights), torch.tensor(np.atleast_2d(input_data)))
            return f[0], jacobian[0]

        def _forward(self, input_data, weights):
            f, _ = self._pairs(input_data, weights)
            return np.stack([(1 + f) / 2, (1 - f) / 2], 1)

        def _backward(self, input_data, weights):
            _, jacobian = self._pairs(input_data, weights)
            return None, np.stack([jacobian / 2, -jacobian / 2], 1)

    theirs = estimators.EffectiveDimension(Adapter(), weight_samples=weights, input_samples=inputs)
    f, jacobian = capacity.jacobians(bare, weights, torch.tensor(inputs))
    fisher = capacity.fisher_matrices(f, jacobian, "bernoulli")
    expected = theirs.get_effective_dimension(5000)
    assert capacity.effective_dimension(fisher, 5000) == pytest.approx(float(np.ravel(expected)[0]), abs=1e-8)


# --- Abbas et al. 2021 --------------------------------------------------------------------------------------


def _abbas(entangled: bool) -> Circuit:
    """4 qubits, (ZZ)FeatureMap and RealAmplitudes with 9 repetitions, full entanglement, parity readout; d = 40.

    Features are x_i and the products (π - x_i)(π - x_j), which the angles of the ZZ map need.
    """
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]

    def function(theta, phi):
        for _ in range(2 if entangled else 1):
            z_feature_map(phi, 4)
            if entangled:
                for k, (a, b) in enumerate(pairs):
                    qml.CNOT(wires=[a, b])
                    qml.RZ(2 * phi[4 + k], wires=b)
                    qml.CNOT(wires=[a, b])
        real_amplitudes(theta, 4, 9, pairs)
        return qml.expval(qml.PauliZ(0) @ qml.PauliZ(1) @ qml.PauliZ(2) @ qml.PauliZ(3))

    return Circuit("abbas", 4, 40, 10, function)


@pytest.mark.parametrize(("entangled", "published"), [(True, 0.8210580), (False, 0.6743698)], ids=["qnn", "easy_qnn"])
def test_abbas_quantum_models(entangled, published):
    """Rebuilt with T = m = 100, θ ~ U(0,1), x ~ N(0,1), n = 1000; our draws are not theirs: within 0.015."""
    rng = np.random.default_rng(0)
    theta = rng.uniform(0, 1, (100, 40))
    x = rng.normal(0, 1, (100, 4))
    pairs = [(np.pi - x[:, i]) * (np.pi - x[:, j]) for i in range(4) for j in range(i + 1, 4)]
    features = torch.tensor(np.column_stack([x, *pairs]))
    f, jacobian = capacity.jacobians(Bare(_abbas(entangled)), theta, features)
    value = capacity.effective_dimension(capacity.fisher_matrices(f, jacobian, "bernoulli"), 1000) / 40
    print(f"d_1000/d = {value:.4f}, published {published:.4f}")
    assert value == pytest.approx(published, abs=0.015)


def test_flat_spectrum_and_limits():
    """A flat full-rank spectrum exceeds d: 1.053 at n = 300, 1.029 at n = 500; undefined below 19 data."""
    flat = np.eye(50)[None]
    assert capacity.effective_dimension(flat, 300) / 50 == pytest.approx(1.053, abs=5e-4)
    assert capacity.effective_dimension(flat, 500) / 50 == pytest.approx(1.029, abs=5e-4)
    assert capacity.kappa(300) == pytest.approx(8.371, abs=5e-4)
    with pytest.raises(ConfigError, match="n ≥ 19"):
        capacity.kappa(18)
    capacity.kappa(19)

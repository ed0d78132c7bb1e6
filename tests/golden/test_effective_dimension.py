"""Effective dimension against published numbers."""

import numpy as np
import pennylane as qml
import pytest
import torch
from qff.capacity import Spectra, fisher_eigenvalues, kappa, spectra
from qff.circuits import Circuit
from qff.engines import build_engine
from qff.errors import ConfigError
from qff.models.nn import NeuralNetwork
from qff.systems import System


class Bare:
    """Just enough of an architecture: a circuit, whatever its inputs mean."""

    def __init__(self, circuit):
        engine = build_engine("batched", circuit)
        self.jacobian = engine.jacobian
        self.values = lambda theta, values: engine.evaluate(theta, values)[0]


def dimension(fisher: np.ndarray, n_data: int) -> float:
    """d_n of whole Fisher matrices (T, P, P)."""
    return Spectra(np.linalg.eigvalsh(fisher)[:, ::-1], fisher.shape[-1]).effective_dimension(n_data)


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
    found = [Bare(_observable_circuit(w)).jacobian(torch.tensor(weights), inputs[None]) for w in words]
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
    assert dimension(_fisher(n_weights, n_inputs, words), 5000) == pytest.approx(published, abs=1e-5)


def test_bernoulli_is_the_two_outcome_case():
    """The likelihood of the study, F = J Jᵀ/(1 - f²), is Σ_y ∇p ∇pᵀ/p for p± = (1 ± f)/2."""
    rng = np.random.default_rng(1234)
    weights = rng.uniform(0, 1, (10, 6))
    inputs = torch.tensor(rng.normal(0, 1, (10, 3)))
    found = spectra(Bare(_observable_circuit("ZZZ")), weights, inputs, ["bernoulli"])["bernoulli"]
    expected = np.linalg.eigvalsh(_fisher(10, 10, ["ZZZ"]))[:, ::-1]
    np.testing.assert_allclose(found.eigenvalues, expected, atol=1e-12)
    assert found.effective_dimension(5000) == pytest.approx(4.51202148, abs=1e-5)


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
            f, jacobian = bare.jacobian(
                torch.tensor(np.atleast_2d(weights)), torch.tensor(np.atleast_2d(input_data))[None]
            )
            return f[0].numpy(), jacobian[0].numpy()

        def _forward(self, input_data, weights):
            f, _ = self._pairs(input_data, weights)
            return np.stack([(1 + f) / 2, (1 - f) / 2], 1)

        def _backward(self, input_data, weights):
            _, jacobian = self._pairs(input_data, weights)
            return None, np.stack([jacobian / 2, -jacobian / 2], 1)

    theirs = estimators.EffectiveDimension(Adapter(), weight_samples=weights, input_samples=inputs)
    found = spectra(bare, weights, torch.tensor(inputs), ["bernoulli"])["bernoulli"].effective_dimension(5000)
    assert found == pytest.approx(float(np.ravel(theirs.get_effective_dimension(5000))[0]), abs=1e-8)


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
    value = (
        spectra(Bare(_abbas(entangled)), theta, features, ["bernoulli"])["bernoulli"].effective_dimension(1000) / 40
    )
    print(f"d_1000/d = {value:.4f}, published {published:.4f}")
    assert value == pytest.approx(published, abs=0.015)


def test_flat_spectrum_and_limits():
    """A flat full-rank spectrum exceeds d: 1.053 at n = 300, 1.029 at n = 500; undefined below 19 data."""
    flat = Spectra(np.ones((1, 50)), 50)
    assert flat.effective_dimension(300) / 50 == pytest.approx(1.053, abs=5e-4)
    assert flat.effective_dimension(500) / 50 == pytest.approx(1.029, abs=5e-4)
    assert kappa(300) == pytest.approx(8.371, abs=5e-4)
    with pytest.raises(ConfigError, match="n ≥ 19"):
        kappa(18)
    kappa(19)


# --- Whole determinants, formed as in the definition ---------------------------------------------------------


@pytest.mark.parametrize("model", [("nn", {"hidden": [4, 7], "output_bias": False}), ("wide", {"hidden": [30, 31]})])
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_eigenvalues_give_the_full_determinant(study, model, likelihood):
    """det(1 + κ F̂) over all d parameters, for fewer (50) and more (1053) parameters than the 60 inputs."""
    name, settings = model
    architecture = NeuralNetwork(System("lih", study.systems["lih"]), settings)
    rng, d = np.random.default_rng(3), architecture.n_parameters
    assert d == {"nn": 50, "wide": 1053}[name]
    theta = rng.uniform(-1, 1, (4, d))
    inputs = torch.tensor(rng.uniform(-1, 1, (60, 1)))
    f, jacobian = (x.numpy() for x in architecture.jacobian(torch.tensor(theta), inputs[None]))
    if likelihood == "bernoulli":
        assert np.abs(f).max() > 1
        jacobian = jacobian * np.sqrt(1 - np.tanh(f) ** 2)[..., None]
    fisher = np.einsum("tmp,tmq->tpq", jacobian, jacobian) / 60
    normalised = d * fisher / np.trace(fisher, axis1=1, axis2=2).mean()
    logarithms = np.linalg.slogdet(np.eye(d) + kappa(300) * normalised)[1]
    found = spectra(architecture, theta, inputs, [likelihood])[likelihood]
    assert found.eigenvalues.shape == (4, min(60, d))
    np.testing.assert_allclose(2 * found.log_volumes(300), logarithms, rtol=1e-10)
    expected = 2 * np.log(np.exp(logarithms / 2).mean()) / np.log(kappa(300))
    assert found.effective_dimension(300) == pytest.approx(expected, rel=1e-10)


def test_rank_counts_directions_not_rounding():
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(30, 30)))[0][:5]
    rows = np.random.default_rng(1).normal(size=(20, 5)) @ directions
    assert Spectra(fisher_eigenvalues(rows)[None], 30).rank() == 5
    assert Spectra(fisher_eigenvalues(rows.T)[None], 20).rank() == 5


def test_unknown_likelihood(study):
    architecture = NeuralNetwork(System("lih", study.systems["lih"]), {"hidden": [4]})
    with pytest.raises(ConfigError, match="unknown likelihood 'poisson'; known: gaussian, bernoulli"):
        spectra(architecture, np.zeros((1, 13)), torch.zeros(2, 1, dtype=torch.float64), ["poisson"])

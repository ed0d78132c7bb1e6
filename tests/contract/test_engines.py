"""The three engines agree, on the circuits of the study and on random ones."""

import numpy as np
import pennylane as qml
import pytest
import torch
from qff.circuits import Circuit, build_circuit
from qff.config import load_study, read_yaml
from qff.engines import build_engine
from qff.errors import ConfigError, UnsupportedOperation
from qff.models import build_architecture
from qff.systems import System

STUDY = load_study(read_yaml("config/config.yaml"))


def arguments(circuit, members=2, frames=3, directions=2, seed=0):
    rng = np.random.default_rng(seed)
    theta = torch.tensor(rng.uniform(-np.pi, np.pi, (members, circuit.n_parameters)))
    phi = torch.tensor(rng.uniform(-2, 2, (1, frames, circuit.n_features)))
    dphi = torch.tensor(rng.normal(size=(1, frames, directions, circuit.n_features)))
    return theta, phi, dphi


def random_circuit(seed: int, n_qubits: int = 3, n_gates: int = 14) -> Circuit:
    """Gates of every supported kind with affine angles, in random order."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 10, n_gates)
    places = [rng.permutation(n_qubits)[:2].tolist() for _ in range(n_gates)]
    slopes = rng.normal(size=(n_gates, 3))

    def function(theta, phi):
        for g, (kind, (a, b)) in enumerate(zip(kinds, places, strict=True)):
            angle = slopes[g, 0] * theta[g] + slopes[g, 1] * phi[g % 2] * (g % 3 > 0) + slopes[g, 2]
            if kind < 3:
                [qml.RX, qml.RY, qml.RZ][kind](angle, wires=a)
            elif kind == 3:
                qml.IsingXX(angle, wires=[a, b])
            elif kind == 4:
                qml.IsingZZ(angle, wires=[a, b])
            elif kind == 5:
                qml.PauliRot(angle, "XY", wires=[a, b])
            elif kind == 6:
                qml.Hadamard(wires=a)
                qml.CNOT(wires=[a, b])
            elif kind == 7:
                qml.Rot(angle, theta[g], phi[0], wires=a)
            elif kind == 8:
                qml.CRZ(angle, wires=[a, b])
            else:
                qml.PhaseShift(angle, wires=b)
        return qml.expval(qml.PauliZ(0) @ qml.PauliX(1) + 0.5 * qml.PauliY(2))

    return Circuit(f"random{seed}", n_qubits, n_gates, 2, function)


CIRCUITS = {
    "lih": build_circuit("kiss", n_qubits=3, layers=10),
    "full": build_circuit("kiss", n_qubits=3, layers=3, connectivity="full", triples=True, initial_block=True),
    **{f"random{k}": random_circuit(k) for k in range(8)},
}


@pytest.mark.parametrize("name", CIRCUITS)
def test_batched_equals_pennylane(name):
    """Values, input derivatives and parameter gradients of a loss of both."""
    circuit = CIRCUITS[name]
    theta, phi, dphi = arguments(circuit)
    results = []
    for engine in ("batched", "pennylane"):
        leaf = theta.clone().requires_grad_(True)
        f, df = build_engine(engine, circuit).evaluate(leaf, phi, dphi)
        (gradient,) = torch.autograd.grad((f**2).sum() + (df**3).sum(), leaf)
        values, none = build_engine(engine, circuit).evaluate(theta, phi)
        assert none is None
        results.append((f.detach(), df.detach(), gradient, values))
    for ours, theirs, tolerance in zip(*results, (1e-10, 1e-10, 1e-9, 1e-10), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", CIRCUITS)
def test_compiled_equals_fused(name, monkeypatch):
    """The two ways of the batched engine: kernels in small blocks, with states recomputed, on two threads; torch."""
    from qff.engines import compiled

    circuit = CIRCUITS[name]
    engine = build_engine("batched", circuit)
    theta, phi, dphi = arguments(circuit, members=3, frames=7)
    monkeypatch.setattr(compiled, "BLOCK_BYTES", 48 * engine.dimension * 3 * 2)
    results = []
    for evaluate, kept, threads in (
        (engine._evaluate_fused, 0, 1),
        (engine.evaluate, 0, 1),
        (engine.evaluate, 2**30, 2),
    ):
        monkeypatch.setattr(compiled, "KEPT_BYTES", kept)
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            leaf = theta.clone().requires_grad_(True)
            f, df = evaluate(leaf, phi, dphi)
            (gradient,) = torch.autograd.grad((f**2).sum() + (df**3).sum(), leaf)
        finally:
            torch.set_num_threads(before)
        results.append((f.detach(), df.detach(), gradient))
    for other in results[1:]:
        for ours, theirs, tolerance in zip(results[0], other, (1e-12, 1e-11, 1e-9), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance)


def test_gradients_in_the_inputs_agree():
    """Whoever trains what feeds the circuit gets gradients in its features and directions."""
    circuit = CIRCUITS["full"]
    theta, phi, dphi = arguments(circuit, members=1)
    results = []
    for engine in ("batched", "pennylane"):
        leaf = phi.clone().requires_grad_(True)
        f, df = build_engine(engine, circuit).evaluate(theta.clone().requires_grad_(True), leaf, dphi)
        (gradient,) = torch.autograd.grad((f**2).sum() + (df**2).sum(), leaf)
        results.append(gradient)
    torch.testing.assert_close(*results, rtol=0, atol=1e-9)


def test_lightning_agrees():
    from qff.engines.pennylane import PennyLaneEngine

    theta, phi, _ = arguments(CIRCUITS["full"])
    ours, _ = build_engine("batched", CIRCUITS["full"]).evaluate(theta, phi)
    theirs, _ = PennyLaneEngine(CIRCUITS["full"], "lightning.qubit").evaluate(theta, phi)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["lih", "full"])
def test_aer_agrees_in_energy_and_force(name):
    """Through OpenQASM and the parameter-shift rule, on the features of real geometries for LiH."""
    circuit = CIRCUITS[name]
    theta, phi, dphi = arguments(circuit, members=1, frames=2, directions=1)
    if name == "lih":
        architecture = build_architecture(System("lih", STUDY.systems["lih"]), STUDY.models["qnn"])
        positions = torch.zeros(2, 2, 3, dtype=torch.float64)
        positions[:, 1, 2] = torch.tensor([1.0, 3.7])
        inputs = architecture.inputs(positions)
        phi, dphi = inputs.values[None], inputs.tangents[None]
    for ours, theirs in zip(
        build_engine("batched", circuit).evaluate(theta, phi, dphi),
        build_engine("aer", circuit).evaluate(theta, phi, dphi),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


def test_unsupported_angle_is_named():
    def function(theta, phi):
        qml.RX(theta[0] * phi[0], wires=0)
        return qml.expval(qml.PauliZ(0))

    circuit = Circuit("product", 1, 1, 1, function)
    with pytest.raises(UnsupportedOperation, match=r"'product'.*not an affine function.*engine: pennylane"):
        build_engine("batched", circuit)
    theta, phi, dphi = arguments(circuit)
    f, df = build_engine("pennylane", circuit).evaluate(theta, phi, dphi)
    angle = theta[:, :, None] * phi[..., 0][:, None]
    torch.testing.assert_close(f, torch.cos(angle[:, 0]), rtol=0, atol=1e-12)
    slope = -torch.sin(angle[:, 0])[..., None] * theta[:, :, None] * dphi[..., 0]
    torch.testing.assert_close(df, slope, rtol=0, atol=1e-12)


def test_unsupported_operation_is_named():
    def function(theta, phi):
        qml.RX(theta[0], wires=0)
        qml.AmplitudeDamping(0.1, wires=0)  # no unitary
        return qml.expval(qml.PauliZ(0))

    with pytest.raises(UnsupportedOperation, match="AmplitudeDamping"):
        build_engine("batched", Circuit("custom", 1, 1, 1, function))


def test_measurement_must_be_one_expectation_value():
    def function(theta, phi):
        qml.RX(theta[0], wires=0)
        return qml.probs(wires=0)

    with pytest.raises(UnsupportedOperation, match="exactly one"):
        build_engine("batched", Circuit("probs", 1, 1, 1, function))


def test_a_user_adds_a_circuit_in_a_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import pennylane as qml\n"
        "from qff.circuits import Circuit\n\n"
        "def mine(layers):\n"
        "    def function(theta, phi):\n"
        "        for d in range(layers):\n"
        "            qml.RX(phi[0], wires=0)\n"
        "            qml.RY(theta[d], wires=0)\n"
        "        return qml.expval(qml.PauliZ(0))\n"
        "    return Circuit('mine', 1, layers, 1, function)\n"
    )
    circuit = build_circuit(f"{path}:mine", layers=4)
    theta, phi, dphi = arguments(circuit)
    ours, theirs = (build_engine(e, circuit).evaluate(theta, phi, dphi) for e in ("batched", "pennylane"))
    torch.testing.assert_close(ours[1], theirs[1], rtol=0, atol=1e-10)
    with pytest.raises(ConfigError, match="defines no 'other'"):
        build_circuit(f"{path}:other")
    with pytest.raises(ConfigError, match="no such file"):
        build_circuit("nowhere.py:mine")
    with pytest.raises(ConfigError, match="unknown circuit 'kis'"):
        build_circuit("kis")


def test_counts_and_dead_parameters_of_the_declared_circuits():
    """P = 50, 87, 135, with 2, 1 and 14 parameters outside the light cone of the readout."""
    from qff.capacity import dead_parameters, jacobians

    class Bare:
        """Just enough of an architecture: values of the circuit."""

        def __init__(self, engine):
            self.engine = engine

        def values(self, theta, values):
            return self.engine.evaluate(theta, values)[0]

    cases = [
        ({"n_qubits": 3, "layers": 10}, 50, 2),
        ({"n_qubits": 3, "layers": 12, "connectivity": "full", "triples": True, "initial_block": True}, 87, 1),
        ({"n_qubits": 6, "layers": 10, "triples": True, "initial_block": True}, 135, 14),
    ]
    for settings, count, dead in cases:
        circuit = build_circuit("kiss", **settings)
        assert circuit.n_parameters == count
        rng = np.random.default_rng(0)
        theta = rng.uniform(0, 2 * np.pi, (2, count))
        phi = torch.tensor(rng.uniform(-1, 1, (4, circuit.n_features)))
        _, jacobian = jacobians(Bare(build_engine("batched", circuit)), theta, phi)
        assert dead_parameters(jacobian) == dead

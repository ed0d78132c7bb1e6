"""Circuits of the study and random ones, and arguments for them."""

import numpy as np
import pennylane as qml
import torch
from qff.circuits import Circuit, build_circuit
from qff.config import load_study, read_yaml
from qff.gates import VectorRotation, heisenberg

STUDY = load_study(read_yaml("config/config.yaml"))


def arguments(circuit, members=2, frames=3, directions=2, seed=0):
    rng = np.random.default_rng(seed)
    theta = torch.tensor(rng.uniform(-np.pi, np.pi, (members, circuit.n_parameters)))
    phi = torch.tensor(rng.uniform(-2, 2, (1, frames, circuit.n_features)))
    if circuit.name == "amplitude":
        phi = phi / phi.norm(dim=-1, keepdim=True)
    dphi = torch.tensor(rng.normal(size=(1, frames, directions, circuit.n_features)))
    return theta, phi, dphi


def random_circuit(seed: int, n_qubits: int = 3, n_gates: int = 14) -> Circuit:
    """Gates of every supported kind, angles with products, in random order."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 16, n_gates)
    places = [rng.permutation(n_qubits)[:2].tolist() for _ in range(n_gates)]
    slopes = rng.normal(size=(n_gates, 4))

    def function(theta, phi):
        for g, (kind, (a, b)) in enumerate(zip(kinds, places, strict=True)):
            angle = slopes[g, 0] * theta[g] + slopes[g, 1] * phi[g % 2] * (g % 3 > 0) + slopes[g, 2]
            angle = angle + slopes[g, 3] * theta[g] * phi[1] * (g % 4 == 0)
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
            elif kind == 9:
                qml.PhaseShift(angle, wires=b)
            elif kind == 10:
                heisenberg(angle, [a, b])
            elif kind == 11:
                VectorRotation(angle, theta[g] * phi[0], 0.3, wires=a)
            elif kind == 12:
                qml.SWAP(wires=[a, b])
            elif kind == 13:
                qml.S(wires=a)
                qml.CZ(wires=[a, b])
            elif kind == 14:
                qml.Toffoli(wires=[a, b, 3 - a - b])
            else:
                qml.PauliY(wires=a)
                qml.T(wires=b)
        return qml.expval(qml.PauliZ(0) @ qml.PauliX(1) + 0.5 * qml.PauliY(2))

    return Circuit(f"random{seed}", n_qubits, n_gates, 2, function)


CIRCUITS = {
    "lih": build_circuit("kiss", n_qubits=3, layers=10),
    "full": build_circuit("kiss", n_qubits=3, layers=3, connectivity="full", triples=True, initial_block=True),
    "rz": build_circuit("kiss", n_qubits=3, layers=3, connectivity="full", encoding="rz"),
    "separable": build_circuit("kiss", n_qubits=3, layers=4, entangling=False),
    "equivariant": build_circuit("equivariant", n_qubits=4, layers=2),
    "demo": build_circuit("equivariant", n_qubits=4, layers=2, repetitions=2, tied=False),
    "amplitude": build_circuit("amplitude", n_qubits=3, layers=2),
    **{f"random{k}": random_circuit(k) for k in range(12)},
}

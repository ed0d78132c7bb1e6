"""Capture of a PennyLane function as a program of Pauli rotations with affine angles.

Every gate becomes ``exp(-i α/2 P)`` with a Pauli word P and α = c + a·θ + b·φ, or a constant unitary. Angles
are found by automatic differentiation of the tape's parameters, so ordinary arithmetic on θ and φ inside the
circuit works as long as it is affine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
import pennylane as qml
import torch

from qff.circuits import Circuit
from qff.errors import UnsupportedOperation

_WORDS = {"RX": "X", "RY": "Y", "RZ": "Z", "IsingXX": "XX", "IsingYY": "YY", "IsingZZ": "ZZ"}


@dataclass(frozen=True)
class Rotation:
    """exp(-i α/2 P): ``word`` has one letter per qubit; α = constant + theta @ θ + phi @ φ."""

    word: str
    constant: float
    theta: np.ndarray  # (P,)
    phi: np.ndarray  # (F,)


@dataclass(frozen=True)
class Constant:
    """A gate without angles: ``matrix`` acts on the whole register."""

    matrix: np.ndarray  # (d, d) complex


@dataclass(frozen=True)
class Program:
    gates: list[Rotation | Constant]
    observable: np.ndarray  # (d, d) complex, Hermitian
    terms: list[tuple[str, float]]  # the same as Pauli words and coefficients
    n_qubits: int


_PAULI = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}


def permutation(word: str) -> tuple[np.ndarray, np.ndarray]:
    """Pauli word as (source index, phase): (P U)[i] = phase[i] U[source[i]]."""
    matrix = reduce(np.kron, [_PAULI[letter] for letter in word]).astype(complex)
    source = np.abs(matrix).argmax(axis=1)
    return source, matrix[np.arange(len(matrix)), source]


def record(circuit: Circuit, theta: torch.Tensor, phi: torch.Tensor) -> qml.tape.QuantumScript:
    """Tape of the circuit at given angles; checks that it measures one expectation value."""
    tape = qml.tape.make_qscript(circuit.function)(theta, phi)
    if len(tape.measurements) != 1 or not isinstance(tape.measurements[0], qml.measurements.ExpectationMP):
        raise UnsupportedOperation(f"circuit '{circuit.name}' must return exactly one qml.expval(...)")
    if unknown := [w for w in tape.wires if w not in range(circuit.n_qubits)]:
        raise UnsupportedOperation(
            f"circuit '{circuit.name}' uses wires {unknown}; declare n_qubits so that wires are 0 … n_qubits-1"
        )
    return tape


def capture(circuit: Circuit) -> Program:
    """Program of a circuit.

    Raises:
        UnsupportedOperation: names the operation that is no Pauli rotation with an affine angle.
    """
    first, second = (_gates_at(circuit, seed) for seed in (1, 2))
    gates = []
    for one, two in zip(first, second, strict=True):
        if isinstance(one, Rotation):
            same = all(
                np.allclose(getattr(one, k), getattr(two, k), atol=1e-12) for k in ("constant", "theta", "phi")
            )
            if not same:
                raise UnsupportedOperation(
                    f"circuit '{circuit.name}': the angle of a rotation about {one.word} is not an affine function "
                    "of theta and phi; the batched engine needs that (engine: pennylane runs it, slower)"
                )
        gates.append(one)
    wires = range(circuit.n_qubits)
    tape = record(circuit, torch.zeros(circuit.n_parameters), torch.zeros(circuit.n_features))
    observable = tape.measurements[0].obs
    matrix = np.asarray(qml.matrix(observable, wire_order=wires), dtype=complex)
    sentence = observable.pauli_rep or qml.pauli_decompose(matrix, wire_order=wires).pauli_rep
    terms = [("".join(word.get(q, "I") for q in wires), float(np.real(c))) for word, c in sentence.items()]
    return Program(gates, matrix, terms, circuit.n_qubits)


def _gates_at(circuit: Circuit, seed: int) -> list[Rotation | Constant]:
    """Gates with angles linearised at a random point."""
    rng = np.random.default_rng(seed)
    theta = torch.tensor(rng.uniform(-1, 1, circuit.n_parameters), requires_grad=True)
    phi = torch.tensor(rng.uniform(-1, 1, circuit.n_features), requires_grad=True)
    gates: list[Rotation | Constant] = []

    def rotation(word: str, wires, angle) -> None:
        letters = ["I"] * circuit.n_qubits
        for letter, wire in zip(word, wires, strict=True):
            letters[wire] = letter
        parts = [np.zeros(circuit.n_parameters), np.zeros(circuit.n_features)]
        if isinstance(angle, torch.Tensor) and angle.requires_grad:
            found = torch.autograd.grad(angle, (theta, phi), allow_unused=True, retain_graph=True)
            parts = [p if g is None else g.numpy() for p, g in zip(parts, found, strict=True)]
        value = float(angle.detach()) if isinstance(angle, torch.Tensor) else float(angle)
        constant = value - parts[0] @ theta.detach().numpy() - parts[1] @ phi.detach().numpy()
        gates.append(Rotation("".join(letters), constant, *parts))

    def add(op) -> None:
        if op.name in _WORDS:
            rotation(_WORDS[op.name], op.wires, op.parameters[0])
        elif op.name == "MultiRZ":
            rotation("Z" * len(op.wires), op.wires, op.parameters[0])
        elif op.name == "PauliRot":
            rotation(op.hyperparameters["pauli_word"], op.wires, op.parameters[0])
        elif op.name == "GlobalPhase" or op.name == "Identity" or op.name == "Barrier":
            return
        elif op.num_params == 0 and op.has_matrix:
            gates.append(Constant(np.asarray(qml.matrix(op, wire_order=range(circuit.n_qubits)), dtype=complex)))
        elif op.has_decomposition:
            for part in op.decomposition():
                add(part)
        else:
            raise UnsupportedOperation(
                f"circuit '{circuit.name}': operation '{op.name}' on wires {list(op.wires)} is neither a Pauli "
                "rotation nor decomposable into them; use Pauli rotations, or set engine: pennylane (slower)"
            )

    for op in record(circuit, theta, phi).operations:
        add(op)
    return gates

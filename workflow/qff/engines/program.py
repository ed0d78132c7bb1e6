"""Capture of a PennyLane function as a program of gates whose angles are explicit functions of θ and φ.

Every gate becomes a Pauli rotation ``exp(-i α/2 P)``, a rotation ``exp(-i x·σ/2)`` of one qubit by a vector, or a
constant unitary. Angles are α = c + a·θ + b·φ + θ·C·φ, found by automatic differentiation of the tape's
parameters, so ordinary arithmetic on θ and φ inside the circuit works as long as it has that form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import pennylane as qml
import torch

from qff.circuits import Circuit
from qff.errors import UnsupportedOperation

_WORDS = {"RX": "X", "RY": "Y", "RZ": "Z", "IsingXX": "XX", "IsingYY": "YY", "IsingZZ": "ZZ"}
_REMEDY = "or set engine: pennylane, which runs it with the same result, slower"


@dataclass(frozen=True)
class Angle:
    """α = constant + theta·θ + phi·φ + θ·product·φ, in rad."""

    constant: float
    theta: np.ndarray  # (P,)
    phi: np.ndarray  # (F,)
    product: np.ndarray  # (P, F)

    @property
    def is_data(self) -> bool:
        return bool(np.any(self.phi) or np.any(self.product))

    @property
    def is_constant(self) -> bool:
        return not self.is_data and not np.any(self.theta)

    def at(self, theta: np.ndarray, phi: np.ndarray) -> float:
        return float(self.constant + self.theta @ theta + self.phi @ phi + theta @ self.product @ phi)

    def same(self, other: Angle) -> bool:
        return all(np.array_equal(getattr(self, k), getattr(other, k)) for k in self.__dataclass_fields__)


@dataclass(frozen=True)
class Rotation:
    """exp(-i α/2 P): ``word`` has one letter per qubit."""

    word: str
    angle: Angle


@dataclass(frozen=True)
class VectorGate:
    """exp(-i x·σ/2) on one qubit, x of three angles."""

    wire: int
    vector: tuple[Angle, Angle, Angle]


@dataclass(frozen=True)
class Constant:
    """A gate without angles: ``matrix`` (complex) acts on ``wires``."""

    matrix: np.ndarray
    wires: tuple[int, ...]


@dataclass(frozen=True)
class Program:
    gates: list[Rotation | VectorGate | Constant]
    start: list[Angle] | None  # real amplitudes of an encoded start state, affine in φ; None is |0…0⟩
    terms: list[tuple[str, float]]  # observable: Pauli words and coefficients
    n_qubits: int
    n_parameters: int
    n_features: int


PAULI = {
    "I": np.eye(2, dtype=complex),
    "X": np.array([[0, 1], [1, 0]], dtype=complex),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=complex),
    "Z": np.diag([1, -1]).astype(complex),
}


def kron(matrices) -> np.ndarray:
    return reduce(np.kron, matrices)


def permutation(word: str) -> tuple[np.ndarray, np.ndarray]:
    """Pauli word as (source index, phase): (P U)[i] = phase[i] U[source[i]]."""
    matrix = kron(PAULI[letter] for letter in word)
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
        UnsupportedOperation: names the operation that has no such form, or whose angles have none.
    """
    reading = _Reading(circuit, seed=1)
    again = _Reading(circuit, seed=2)
    for angle, name, found in zip(reading.angles, reading.names, again.values, strict=True):
        if not np.isclose(angle.at(again.theta, again.phi), found, atol=1e-9, rtol=1e-9):
            raise UnsupportedOperation(
                f"circuit '{circuit.name}': an angle of operation '{name}' is not of the form c + a·theta + b·phi + "
                f"theta·C·phi, which the batched engine needs; {_REMEDY}"
            )
    wires = range(circuit.n_qubits)
    tape = record(circuit, torch.zeros(circuit.n_parameters), torch.zeros(circuit.n_features))
    observable = tape.measurements[0].obs
    sentence = observable.pauli_rep
    if sentence is None:
        matrix = qml.matrix(observable, wire_order=wires)
        sentence = qml.pauli_decompose(np.asarray(matrix), wire_order=wires).pauli_rep
    terms = [("".join(word.get(q, "I") for q in wires), float(np.real(c))) for word, c in sentence.items()]
    return Program(reading.gates, reading.start, terms, circuit.n_qubits, circuit.n_parameters, circuit.n_features)


@dataclass
class _Reading:
    """The gates of a circuit with angles expanded at a random point."""

    circuit: Circuit
    seed: int
    gates: list = field(default_factory=list)
    start: list[Angle] | None = None
    angles: list[Angle] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def __post_init__(self):
        rng = np.random.default_rng(self.seed)
        self.theta = rng.uniform(0.1, 1, self.circuit.n_parameters)
        self.phi = rng.uniform(0.1, 1, self.circuit.n_features)
        self._theta = torch.tensor(self.theta, requires_grad=True)
        self._phi = torch.tensor(self.phi, requires_grad=True)
        for op in record(self.circuit, self._theta, self._phi).operations:
            self._add(op)

    def _angle(self, value, name: str) -> Angle:
        """The polynomial of an angle; its form is checked at a second point."""
        n, m = self.circuit.n_parameters, self.circuit.n_features
        theta, phi, product = np.zeros(n), np.zeros(m), np.zeros((n, m))
        number = float(value.detach()) if isinstance(value, torch.Tensor) else float(value)
        if isinstance(value, torch.Tensor) and value.requires_grad:
            slopes = torch.autograd.grad(value, (self._theta, self._phi), create_graph=True, allow_unused=True)
            if slopes[1] is not None:
                phi = slopes[1].detach().numpy()
                for feature in np.flatnonzero(phi) if slopes[1].requires_grad else ():
                    (mixed,) = torch.autograd.grad(
                        slopes[1][feature], self._theta, retain_graph=True, allow_unused=True
                    )
                    if mixed is not None:
                        product[:, feature] = mixed.numpy()
                phi = phi - product.T @ self.theta
            if slopes[0] is not None:
                theta = slopes[0].detach().numpy() - product @ self.phi
        for part in (theta, phi, product):
            part[np.abs(part) < 1e-14] = 0.0
        constant = number - theta @ self.theta - phi @ self.phi - self.theta @ product @ self.phi
        constant = 0.0 if abs(constant) < 1e-14 else constant
        self.angles.append(Angle(constant, theta, phi, product))
        self.names.append(name)
        self.values.append(number)
        return self.angles[-1]

    def _rotation(self, word: str, wires, value, name: str) -> None:
        letters = ["I"] * self.circuit.n_qubits
        for letter, wire in zip(word, wires, strict=True):
            letters[wire] = letter
        self.gates.append(Rotation("".join(letters), self._angle(value, name)))

    def _add(self, op) -> None:
        if op.name in _WORDS:
            self._rotation(_WORDS[op.name], op.wires, op.parameters[0], op.name)
        elif op.name == "MultiRZ":
            self._rotation("Z" * len(op.wires), op.wires, op.parameters[0], op.name)
        elif op.name == "PauliRot":
            self._rotation(op.hyperparameters["pauli_word"], op.wires, op.parameters[0], op.name)
        elif op.name == "VectorRotation":
            self.gates.append(VectorGate(op.wires[0], tuple(self._angle(x, op.name) for x in op.parameters)))
        elif op.name == "StatePrep":
            self._encode(op)
        elif op.name in ("GlobalPhase", "Identity", "Barrier"):
            return
        elif op.num_params == 0 and op.has_matrix:
            self._constant(op)
        elif op.has_decomposition:
            for part in op.decomposition():
                self._add(part)
        else:
            raise UnsupportedOperation(
                f"circuit '{self.circuit.name}': operation '{op.name}' on wires {list(op.wires)} is no Pauli rotation, "
                f"vector rotation or constant gate, nor decomposable into them; use those, {_REMEDY}"
            )

    def _constant(self, op) -> None:
        if op.name == "Hadamard":  # two rotations, up to a global phase
            self._rotation("Z", op.wires, np.pi, op.name)
            self._rotation("Y", op.wires, np.pi / 2, op.name)
        else:
            self.gates.append(Constant(np.asarray(qml.matrix(op), dtype=complex), tuple(op.wires)))

    def _encode(self, op) -> None:
        """Amplitude encoding: real amplitudes on all wires, before any gate."""
        amplitudes = op.parameters[0]
        if self.gates or list(op.wires) != list(range(self.circuit.n_qubits)):
            raise UnsupportedOperation(
                f"circuit '{self.circuit.name}': operation 'StatePrep' must come first and cover wires 0 … n_qubits-1 "
                f"in order; {_REMEDY}"
            )
        parts = amplitudes.reshape(-1)
        if isinstance(parts, torch.Tensor) and parts.is_complex():
            parts = parts.real
        self.start = [self._angle(x, op.name) for x in parts]

"""A captured program as one Qiskit circuit with free angles, and the numbers that they take."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from qff.engines.program import Constant, Program, Rotation, VectorGate
from qff.engines.shifts import EncodingShifts
from qff.gates import VectorRotation


class Template:
    """The circuit of a program: angles that depend on θ or on inputs are parameters, so that it is transpiled once.

    A vector rotation is one general rotation of its qubit; shifts of an encoding one are merged into it.

    Attributes:
        circuit: Qiskit's, without measurements; qubit q is wire q.
        parameters: its free angles, in the order of :meth:`angles`.
    """

    def __init__(self, shifts: EncodingShifts):
        from qiskit import QuantumCircuit
        from qiskit.circuit import Parameter

        program = self._program = shifts.program
        self.circuit, self.parameters, self._read = QuantumCircuit(program.n_qubits), [], []

        def free(count: int, read) -> list:
            found = [Parameter(f"a{len(self.parameters) + k:05d}") for k in range(count)]
            self.parameters += found
            self._read.append(read)
            return found

        if program.start is not None:
            self._prepare(free)
        skip = 0
        for place, gate in enumerate(program.gates):
            if skip:
                skip -= 1
            elif isinstance(gate, Constant):
                self.circuit.unitary(_little_endian(gate.matrix), list(gate.wires))
            elif isinstance(gate, VectorGate):
                after = program.gates[place + 1 : place + 4] if place in shifts.vectors else []
                skip = len(after)
                self.circuit.u(*free(3, lambda t, x, g=gate, a=after: _euler(g, a, t, x)), gate.wire)
            elif gate.angle.is_constant:
                _rotate(self.circuit, gate.word, gate.angle.constant)
            else:
                read = _rotation_reader(gate)
                _rotate(self.circuit, gate.word, free(1, read)[0])

    def angles(self, theta: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """Values (N, n_parameters) of the free angles at parameters (P,) and inputs (N, M)."""
        return np.concatenate([np.zeros((len(inputs), 0)), *(read(theta, inputs) for read in self._read)], 1)

    def _prepare(self, free) -> None:
        """Real amplitudes by a tree of multiplexed RY (Möttönen et al., Quantum Inf. Comput. 5, 467, 2005): wire l turns
        by an angle of its own for every state of the wires before it."""
        n = self._program.n_qubits
        for level in range(n):
            count = 2**level
            turns = free(count, lambda t, x, level=level: self._multiplexed(t, x, level))
            for i, turn in enumerate(turns):
                self.circuit.ry(turn, level)
                if level:
                    bit = min(((i + 1) & -(i + 1)).bit_length() - 1, level - 1)
                    self.circuit.cx(level - 1 - bit, level)

    def _multiplexed(self, theta, inputs, level: int) -> np.ndarray:
        """Angles (N, 2^level) of the RY gates of a level, from those of the states of the controls."""
        amplitudes = np.stack([a.constant + a.theta @ theta + inputs @ a.phi for a in self._program.start], 1)
        pairs = amplitudes.reshape(len(inputs), 2**level, 2, -1)
        last = pairs.shape[3] == 1  # the last wire carries the signs
        halves = pairs[..., 0] if last else np.linalg.norm(pairs, axis=3)
        angle = 2 * np.arctan2(halves[..., 1], halves[..., 0])
        index = np.arange(2**level)
        common = index[:, None] & (index ^ (index >> 1))
        return angle @ (-1.0) ** np.bitwise_count(common) / 2**level


def observable(program: Program) -> list[tuple[str, float]]:
    """Pauli words in Qiskit's order, the last letter is the first qubit, and their coefficients."""
    return [(word[::-1], coefficient) for word, coefficient in program.terms]


def commuting_groups(words: list[str]) -> list[list[int]]:
    """Words that one circuit measures together, because no qubit is needed in two bases: indices of each group."""
    groups: list[tuple[list[int], list[str]]] = []
    for k, word in enumerate(words):
        for members, basis in groups:
            if all(a == b or "I" in (a, b) for a, b in zip(word, basis, strict=True)):
                members.append(k)
                basis[:] = [b if a == "I" else a for a, b in zip(word, basis, strict=True)]
                break
        else:
            groups.append(([k], list(word)))
    return [members for members, _ in groups]


def measured(circuit, words: list[str]):
    """The circuit with every qubit measured in the basis that a group of words (Qiskit's order) needs."""
    found = circuit.copy()
    for qubit in range(circuit.num_qubits):
        letters = {word[::-1][qubit] for word in words} - {"I"}
        if "Y" in letters:
            found.sdg(qubit)
        if letters & {"X", "Y"}:
            found.h(qubit)
    found.measure_all()
    return found


def folded(circuit, back, factor: int):
    """U (U† U)^k with 2 k + 1 = factor and ``back`` = U†: the same unitary with the noise of ``factor`` circuits
    (Giurgica-Tiron et al., IEEE Int. Conf. Quantum Comput. Eng. 2020); barriers keep the transpiler from undoing it."""
    found = circuit.copy()
    for _ in range(factor // 2):
        for part in (back, circuit):
            found.barrier()
            found.compose(part, inplace=True)
    return found


def _rotate(circuit, word: str, angle) -> None:
    """exp(-i angle/2 P) for a word with one letter per wire."""
    wires = [q for q, letter in enumerate(word) if letter != "I"]
    letters = [word[q] for q in wires]
    if len(wires) == 1:
        {"X": circuit.rx, "Y": circuit.ry, "Z": circuit.rz}[letters[0]](angle, wires[0])
        return
    for q, letter in zip(wires, letters, strict=True):
        if letter == "X":
            circuit.h(q)
        elif letter == "Y":
            circuit.rx(np.pi / 2, q)
    for first, second in pairwise(wires):
        circuit.cx(first, second)
    circuit.rz(angle, wires[-1])
    for first, second in reversed(list(pairwise(wires))):
        circuit.cx(first, second)
    for q, letter in zip(wires, letters, strict=True):
        if letter == "X":
            circuit.h(q)
        elif letter == "Y":
            circuit.rx(-np.pi / 2, q)


def _rotation_reader(gate: Rotation):
    angle = gate.angle
    return lambda theta, inputs: (angle.constant + angle.theta @ theta + inputs @ angle.phi)[:, None]


def _euler(gate: VectorGate, after: list[Rotation], theta: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Angles (N, 3) of Qiskit's U gate that equals, up to a phase, a vector rotation and the rotations after it."""
    vectors = [_vector([_rotation_reader(Rotation("", a))(theta, inputs)[:, 0] for a in gate.vector])]
    for k, rotation in enumerate(after):
        angle = _rotation_reader(rotation)(theta, inputs)[:, 0]
        vectors.append(_vector([angle if j == k else np.zeros_like(angle) for j in range(3)]))
    matrix = vectors[0]
    for turn in vectors[1:]:
        matrix = turn @ matrix
    column, corner = matrix[:, 1, 0], matrix[:, 1, 1]
    polar = 2 * np.arctan2(np.abs(column), np.abs(corner))
    return np.stack([polar, np.angle(corner) + np.angle(column), np.angle(corner) - np.angle(column)], 1)


def _vector(components: list[np.ndarray]) -> np.ndarray:
    """exp(-i x·σ/2), (N, 2, 2)."""
    return np.asarray(VectorRotation.compute_matrix(*components))


def _little_endian(matrix: np.ndarray) -> np.ndarray:
    """A matrix whose first wire is the most significant bit, for Qiskit, whose first qubit is the least."""
    n = int(np.log2(len(matrix)))
    order = [*reversed(range(n)), *(n + k for k in reversed(range(n)))]
    return matrix.reshape([2] * 2 * n).transpose(order).reshape(matrix.shape)

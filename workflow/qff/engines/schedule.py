"""A program laid out for execution: phases, Hadamard gates, exchanges, vector rotations, dense constants.

Every qubit has a current basis (X, Y or Z). In the right bases a run of qubit-wise commuting Pauli rotations is one
diagonal phase per amplitude, and to go from one basis to another is, up to constant phases, a Hadamard gate: additions
only. So a hardware-efficient circuit becomes a sequence of phases with Hadamard gates between them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np

from qff.engines.program import PAULI, Angle, Constant, Program, Rotation, kron

_H = np.array([[1, 1], [1, -1]], dtype=complex) / np.sqrt(2)
_S = np.diag([1, 1j])
_BASIS = {"X": _H, "Y": _H @ _S.conj(), "Z": np.eye(2, dtype=complex)}  # V with V P V† = Z
_ONE = np.ones(2, dtype=complex)
_I, _MINUS_I = np.array([1, 1j]), np.array([1, -1j])
# Change of basis as (phase before, phase after) a Hadamard gate, up to a global phase.
_CHANGES = {
    ("Z", "X"): (_ONE, _ONE),
    ("X", "Z"): (_ONE, _ONE),
    ("Z", "Y"): (_MINUS_I, _ONE),
    ("Y", "Z"): (_ONE, _I),
    ("X", "Y"): (_I, _I),
    ("Y", "X"): (_MINUS_I, _MINUS_I),
}


@dataclass
class Phase:
    """Diagonal step, then Hadamard gates: exp(-i/2 Σ α_w h_w) constant, h_w the signs of a word."""

    words: list[tuple[int, Angle]]  # mask of the qubits of each word
    constant: np.ndarray  # (d,) complex
    hadamards: int = 0  # mask of qubits


@dataclass
class Exchange:
    """exp(-i α/2 (XX+YY+ZZ)) on two qubits, up to a global phase."""

    wires: tuple[int, int]
    angle: Angle


@dataclass
class Turn:
    """exp(-i x·σ/2) on one qubit."""

    wire: int
    vector: tuple[Angle, Angle, Angle]


@dataclass
class Dense:
    matrix: np.ndarray


@dataclass
class Schedule:
    n_qubits: int
    start: np.ndarray | list[Angle]  # (d,) complex, or the angles of an encoded state
    steps: list[Phase | Exchange | Turn | Dense] = field(default_factory=list)
    observable: list[tuple[str, float]] = field(default_factory=list)  # in the bases at the end


def bit(wire: int, n_qubits: int) -> int:
    """Mask of a qubit in amplitude indices; wire 0 is the most significant."""
    return 1 << (n_qubits - 1 - wire)


def signs(mask: int, dimension: int) -> np.ndarray:
    """Diagonal (±1) of Pauli Z on the qubits of a mask."""
    return 1.0 - 2.0 * (np.bitwise_count(np.arange(dimension) & mask) % 2)


class _Builder:
    def __init__(self, program: Program):
        self.n = program.n_qubits
        self.dimension = 2**self.n
        self.basis = ["Z"] * self.n
        self.steps: list = []
        self.start = program.start
        if program.start is None:
            self.start = np.zeros(self.dimension, dtype=complex)
            self.start[0] = 1

    def phase(self, constant: np.ndarray | None = None) -> Phase:
        """The phase step that can still be extended, or a new one."""
        if not self.steps or not isinstance(self.steps[-1], Phase) or self.steps[-1].hadamards:
            self.steps.append(Phase([], np.ones(self.dimension, dtype=complex)))
        if constant is not None:
            self.steps[-1].constant = self.steps[-1].constant * constant
        return self.steps[-1]

    def on(self, wire: int, factor: np.ndarray) -> np.ndarray:
        return kron([factor if q == wire else _ONE for q in range(self.n)])

    def change(self, wanted: dict[int, str]) -> None:
        """Bring qubits to other bases."""
        moves = {q: (self.basis[q], new) for q, new in wanted.items() if self.basis[q] != new}
        if not moves:
            return
        self.basis = [wanted.get(q, old) for q, old in enumerate(self.basis)]
        before = kron([_CHANGES[moves[q]][0] if q in moves else _ONE for q in range(self.n)])
        after = kron([_CHANGES[moves[q]][1] if q in moves else _ONE for q in range(self.n)])
        mask = sum(bit(q, self.n) for q in moves)
        step = self.phase(before * 2.0 ** (-len(moves) / 2))
        step.hadamards = mask
        if not np.all(after == 1):
            self.phase(after)

    def rotation(self, gate: Rotation) -> None:
        mask = sum(bit(q, self.n) for q, letter in enumerate(gate.word) if letter != "I")
        step = self.phase()
        if gate.angle.is_constant:
            step.constant = step.constant * np.exp(-0.5j * gate.angle.constant * signs(mask, self.dimension))
        else:
            step.words.append((mask, gate.angle))

    def constant(self, gate: Constant) -> None:
        """In some bases most constant gates (CZ, CNOT, X, S …) are phases; else a dense matrix."""
        for letters in product("ZXY", repeat=len(gate.wires)) if len(gate.wires) < 3 else ():
            basis = kron(_BASIS[letter] for letter in letters)
            turned = basis @ gate.matrix @ basis.conj().T
            if np.allclose(turned, np.diag(np.diag(turned)), atol=1e-14):
                self.change(dict(zip(gate.wires, letters, strict=True)))
                self.phase(self._spread(np.diag(np.diag(turned)), gate.wires).diagonal())
                return
        self.change(dict.fromkeys(range(self.n), "Z"))
        matrix = self._spread(gate.matrix, gate.wires)
        if self.steps and isinstance(self.steps[-1], Dense):
            self.steps[-1].matrix = matrix @ self.steps[-1].matrix
        else:
            self.steps.append(Dense(matrix))

    def _spread(self, matrix: np.ndarray, wires: tuple[int, ...]) -> np.ndarray:
        """Matrix on the whole register."""
        rest = [q for q in range(self.n) if q not in wires]
        full = np.kron(matrix, np.eye(2 ** len(rest))).reshape([2] * (2 * self.n))
        order = np.argsort([*wires, *rest])
        return full.transpose([*order, *(order + self.n)]).reshape(self.dimension, self.dimension)

    def absorb(self) -> None:
        """Leading steps without angles belong to a fixed start state."""
        while isinstance(self.start, np.ndarray) and self.steps:
            step = self.steps[0]
            if isinstance(step, Dense):
                self.start = step.matrix @ self.start
            elif isinstance(step, Phase) and not step.words:
                self.start = step.constant * self.start
                for q in range(self.n):
                    if step.hadamards & bit(q, self.n):
                        gate = kron(_H * np.sqrt(2) if k == q else np.eye(2) for k in range(self.n))
                        self.start = gate @ self.start
            else:
                return
            self.steps.pop(0)


def _exchanges(gates: list) -> list:
    """Three Ising rotations by one angle on one pair, next to each other, are an exchange."""
    found, k = [], 0
    while k < len(gates):
        three = gates[k : k + 3]
        if len(three) == 3 and all(isinstance(g, Rotation) for g in three):
            letters = sorted(g.word.replace("I", "") for g in three)
            supports = {tuple(q for q, letter in enumerate(g.word) if letter != "I") for g in three}
            same = all(g.angle.same(three[0].angle) for g in three)
            if letters == ["XX", "YY", "ZZ"] and len(supports) == 1 and same:
                found.append(Exchange(supports.pop(), three[0].angle))
                k += 3
                continue
        found.append(gates[k])
        k += 1
    return found


def _bases(gates: list, first: int) -> tuple[dict[int, str], int]:
    """Bases of the longest run of qubit-wise commuting rotations from ``first`` on, and the gate after it."""
    wanted: dict[int, str] = {}
    for k in range(first, len(gates)):
        if not isinstance(gates[k], Rotation):
            return wanted, k
        letters = {q: letter for q, letter in enumerate(gates[k].word) if letter != "I"}
        if any(wanted.get(q, letter) != letter for q, letter in letters.items()):
            return wanted, k
        wanted |= letters
    return wanted, len(gates)


def build_schedule(program: Program) -> Schedule:
    """Lay out a program."""
    builder = _Builder(program)
    gates = _exchanges(program.gates)
    end = 0  # of the present run of rotations, whose bases are set
    for k, gate in enumerate(gates):
        if isinstance(gate, Rotation):
            if k >= end:
                wanted, end = _bases(gates, k)
                builder.change(wanted)
            builder.rotation(gate)
        elif isinstance(gate, Constant):
            builder.constant(gate)
        else:
            builder.change(dict.fromkeys(range(program.n_qubits), "Z"))
            builder.steps.append(gate if isinstance(gate, Exchange) else Turn(gate.wire, gate.vector))
    builder.absorb()
    observable = []
    for word, coefficient in program.terms:
        letters = []
        for letter, basis in zip(word, builder.basis, strict=True):
            turned = _BASIS[basis] @ PAULI[letter] @ _BASIS[basis].conj().T
            name = max(PAULI, key=lambda p, m=turned: abs(np.trace(PAULI[p] @ m)))
            coefficient *= float(np.real(np.trace(PAULI[name] @ turned)) / 2)
            letters.append(name)
        observable.append(("".join(letters), coefficient))
    return Schedule(program.n_qubits, builder.start, builder.steps, observable)

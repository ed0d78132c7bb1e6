"""Givens rotations among basis states: the gates of an ansatz that keeps particle number and spin projection.

A rotation is PennyLane's ``SingleExcitation`` or ``DoubleExcitation``; here it is a list of pairs of basis states that it
mixes, which makes an evaluation as cheap as the number of states.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from qff.vqe.active_space import ActiveSpace

CNOTS = {2: 2, 4: 14}  # of PennyLane's decompositions, by the number of wires


@dataclass(frozen=True)
class Rotation:
    """exp(θ (T - T†)), T moving electrons from qubits ``off`` to qubits ``on``, without Jordan–Wigner strings.

    Attributes:
        lower, upper: places of the states it mixes: upper = T lower.
    """

    off: tuple[int, ...]
    on: tuple[int, ...]
    lower: np.ndarray
    upper: np.ndarray

    @property
    def wires(self) -> tuple[int, ...]:
        """Wires in the order of PennyLane's gate, whose angle is 2θ."""
        return (*self.on, *self.off)

    @property
    def cnots(self) -> int:
        return CNOTS[len(self.wires)]

    def apply(self, angle: float, state: np.ndarray) -> np.ndarray:
        """State (D,) after the rotation by θ = ``angle`` (rad)."""
        turned, c, s = state.copy(), np.cos(angle), np.sin(angle)
        turned[self.upper] = c * state[self.upper] + s * state[self.lower]
        turned[self.lower] = c * state[self.lower] - s * state[self.upper]
        return turned

    def between(self, bra: np.ndarray, ket: np.ndarray) -> float:
        """⟨bra| T - T† |ket⟩."""
        return float(bra[self.upper] @ ket[self.lower] - bra[self.lower] @ ket[self.upper])


def pool(space: ActiveSpace) -> list[Rotation]:
    """All single and double excitations between orbitals, occupied or not, that keep the spin projection."""
    n, found = space.n_qubits, []
    for rank in (1, 2):
        sets = list(combinations(range(n), rank))
        for first, second in combinations(sets, 2):
            if set(first) & set(second) or sum(q % 2 for q in first) != sum(q % 2 for q in second):
                continue
            rotation = _rotation(space, first, second)
            if len(rotation.lower):
                found.append(rotation)
    return found


def _rotation(space: ActiveSpace, off: tuple[int, ...], on: tuple[int, ...]) -> Rotation:
    bits = [sum(1 << (space.n_qubits - 1 - q) for q in group) for group in (off, on)]
    place = {int(state): k for k, state in enumerate(space.states)}
    lower = [s for s in space.states.tolist() if s & bits[0] == bits[0] and not s & bits[1]]
    return Rotation(
        off,
        on,
        np.array([place[s] for s in lower], int),
        np.array([place[s ^ bits[0] ^ bits[1]] for s in lower], int),
    )


def quantum_function(space: ActiveSpace, rotations: list[Rotation], angles: np.ndarray):
    """The ansatz in PennyLane, on wires 0 … n-1: gates only, for a device, a drawing or an export.

    Called inside a quantum node, before its measurement.
    """
    import pennylane as qml

    n = space.n_qubits
    reference = [int(bit) for bit in format(int(space.states[0]), f"0{n}b")]
    qml.BasisState(np.array(reference), wires=range(n))
    for rotation, angle in zip(rotations, angles, strict=True):
        gate = qml.SingleExcitation if len(rotation.off) == 1 else qml.DoubleExcitation
        gate(2 * angle, wires=rotation.wires)

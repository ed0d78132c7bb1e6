"""Circuits on amplitudes (:mod:`qff.materials.circuit`) as a device would run them: every atom is loaded and read out.

Real amplitudes are loaded by a binary tree of rotations, each controlled by the qubits before it (Möttönen et al., Quantum
Inf. Comput. 5, 467, 2005): 2ⁿ - 1 RY and 2ⁿ - 2 CNOT gates. No gate of it can be shifted to give a derivative by an amplitude. But
the atomic energy E = x̃ᵀ A x̃ is quadratic in x̃ = (1, x), so that its central difference is exact for steps of any size:

    ∂E/∂x_k = [E(x̃ + a e_k) - E(x̃ - a e_k)] / 2a,

2 (2ⁿ - 1) circuits an atom, loaded with other amplitudes. Noise of E grows as |x̃ ± a e_k|² and is divided by a: a = |x̃| is
about the best.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from qff.circuits import Circuit
from qff.errors import UnsupportedOperation
from qff.hardware.composed import drawn
from qff.materials.circuit import AmplitudeCircuit
from qff.materials.heads import CircuitHead

#: Expectation values and one-shot variances (N,) of a circuit at angles (N, F).
Run = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def loading_angles(states: np.ndarray) -> np.ndarray:
    """Angles (N, 2ⁿ - 1), in the order of the gates, that load real amplitudes (N, 2ⁿ) of any length; of zeros, |0…0⟩."""
    count, size = states.shape
    found = []
    for qubit in range(size.bit_length() - 1):
        halves = states.reshape(count, 2**qubit, 2, -1)
        last = halves.shape[3] == 1  # alone has signs: all before it are lengths
        first, second = np.moveaxis(halves[..., 0] if last else np.linalg.norm(halves, axis=3), 2, 0)
        found.append(2 * np.arctan2(second, first) @ _signs(qubit) / 2**qubit)
    return np.concatenate(found, 1)


def _signs(qubit: int) -> np.ndarray:
    """(2^q, 2^q): sign with which the i-th rotation (column) acts where the qubits before it are in a basis state (row)."""
    states = np.arange(2**qubit)
    return 1.0 - 2.0 * (np.bitwise_count(states[:, None] & _gray(states)) % 2)


def _gray(number):
    return number ^ (number >> 1)


def element_circuits(head: CircuitHead) -> list[Circuit]:
    """The circuit of each element, loading included; its 2ⁿ - 1 angles are data, its readout is in eV.

    Raises:
        UnsupportedOperation: no circuit of real rotations with CZ gates on a ring.
    """
    if not isinstance(head, CircuitHead):
        raise UnsupportedOperation("the head of this potential is no circuit on amplitudes; fit amplitude_hybrid")
    elements, size, _ = head.matrices.shape
    n = size.bit_length() - 1
    circuit = AmplitudeCircuit(n, (len(head.theta) - elements * size) // n, elements)
    if not np.allclose(circuit.matrices(head.theta), head.matrices, rtol=0, atol=1e-9 * np.abs(head.matrices).max()):
        raise UnsupportedOperation("the circuit of this potential has no CZ gates on a ring between its layers")
    layers = head.theta[: circuit.n_angles].reshape(circuit.layers, n)
    weights = head.theta[circuit.n_angles :].reshape(elements, size)
    return [_loaded(layers, circuit.ring, own) for own in weights]


def _loaded(layers: np.ndarray, ring: list[tuple[int, int]], weights: np.ndarray) -> Circuit:
    """Loading, then ``layers`` (L, n) of rotations with CZ gates on a ring between, and a readout that weighs outcomes (2ⁿ,)."""
    import pennylane as qml

    n = layers.shape[1]
    words = list(product("IZ", repeat=n))
    signs = np.array([[(-1.0) ** (bits & mask).bit_count() for bits in range(2**n)] for mask in range(2**n)])
    terms = [
        qml.prod(*(qml.PauliZ(q) for q in range(n) if word[q] == "Z")) if "Z" in word else qml.Identity(0)
        for word in words
    ]

    def function(_, phi):
        angles = iter(phi)
        for target in range(n):
            for k in range(2**target):
                qml.RY(next(angles), wires=target)
                if target:  # the bit in which this number and the next differ, the highest after the last one
                    flipped = _gray(k) ^ _gray((k + 1) % 2**target)
                    qml.CNOT(wires=(target - flipped.bit_length(), target))
        for number, own in enumerate(layers):
            for pair in ring if number else ():
                qml.CZ(wires=pair)
            for q in range(n):
                qml.RY(float(own[q]), wires=q)
        return qml.expval(qml.dot(signs @ weights / 2**n, terms))

    return Circuit("loaded_amplitudes", n, 0, 2**n - 1, function)


class MeasuredHead:
    """The head of a potential, its circuits run one by one: energies and slopes of atoms from measured values.

    Args:
        runs: of the circuit of each element.
        slopes: False leaves the circuits of slopes out; they are then 0.

    Attributes:
        shots: of every circuit; None for exact values. The atoms of one call after the other are assumed to be the same ones
            if their numbers are: they are not simulated again, only drawn again.
        n_shifted: circuits for the slopes of all atoms seen so far.
    """

    def __init__(self, runs: list[Run], rng: np.random.Generator | None = None, slopes: bool = True):
        self.shots: int | None = None
        self._runs, self._rng, self._slopes, self._known = runs, rng, slopes, {}

    @property
    def n_shifted(self) -> int:
        return sum(values.size - len(values) for values, *_ in self._known.values())

    def energies(self, values: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`qff.materials.heads.QuadraticHead.energies`."""
        key = values.tobytes() + kinds.tobytes()
        if key not in self._known:
            self._known[key] = self._run(values, kinds)
        found, variances, step = self._known[key]
        if self.shots is not None:
            found = drawn(found, variances, self.shots, self._rng)
        ahead, behind = np.split(found[:, 1:], 2, axis=1)
        slopes = (ahead - behind) / (2 * step[:, None]) if self._slopes else np.zeros_like(values)
        return found[:, 0], slopes

    def _run(self, values: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Energies and their variances (A, 1 + 2 k) in eV: of x̃, then of x̃ + a e_k, then of x̃ - a e_k; steps a (A,)."""
        states = np.hstack([np.ones((len(values), 1)), values])[:, None]
        step = np.linalg.norm(states[:, 0], axis=1)
        if self._slopes:
            moves = step[:, None, None] * np.eye(states.shape[2])[None, 1:]
            states = np.concatenate([states, states + moves, states - moves], 1)
        shape, flat = states.shape[:2], states.reshape(-1, states.shape[2])
        found, variances = np.empty((2, len(flat)))
        element = np.repeat(kinds, shape[1])
        for s, run in enumerate(self._runs):
            mine = element == s
            found[mine], variances[mine] = run(loading_angles(flat[mine]))
        size = (flat**2).sum(1)  # which loading divides out
        return (size * found).reshape(shape), (size**2 * variances).reshape(shape), step

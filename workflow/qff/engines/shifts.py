"""Parameter-shift rules: derivatives of a circuit in its features from the circuit itself at other angles.

A feature enters many gates. Shifting one gate after the other by ±π/2 gives ∂f/∂φ by the product rule (Mitarai et al.,
Phys. Rev. A 98, 032309, 2018; Schuld et al., Phys. Rev. A 99, 032331, 2019), with the slope of every angle in φ as
weight. Shifting the feature itself moves all of them at once: f is then a trigonometric polynomial with as many
frequencies as the sum of their generators has distances between eigenvalues, and :func:`general_rule` has as many pairs
of shifts (Wierichs et al., Quantum 6, 677, 2022).
"""

from __future__ import annotations

import numpy as np

from qff.engines.program import Angle, Program, Rotation, VectorGate
from qff.errors import UnsupportedOperation

MAX_FREQUENCIES = 64


class EncodingShifts:
    """A program whose encoding angles are inputs of their own, one for every gate.

    An encoding exp(-i x·σ/2) by a vector has no shift rule in x. A change dx is a small rotation J dx after the gate, J
    the left Jacobian of the exponential map; so rotations about x, y and z follow it, of angle 0 unless shifted.

    Attributes:
        program: the same circuit as a function of M inputs in place of its features.
        slots: (G,) inputs that are shifted.
        vectors: place of every encoding vector rotation among the gates; the three gates after it are its rotations.
    """

    def __init__(self, program: Program):
        self._features = program.n_features
        gates: list[tuple] = []  # gate, first input
        angles: list[Angle] = []  # that become inputs
        places, slots, self.vectors = [], [], []  # inputs of the angles, inputs that are shifted, gates
        self._rotations, self._rotors = [], []  # (slot, angle) of rotations; first slot and first angle of vectors
        n_inputs = 0
        for gate in program.gates:
            if isinstance(gate, Rotation) and gate.angle.is_data:
                self._rotations.append((len(slots), len(angles)))
                slots.append(n_inputs)
                places.append(n_inputs)
                angles.append(gate.angle)
                gates.append((gate, n_inputs))
                n_inputs += 1
            elif isinstance(gate, VectorGate) and any(a.is_data for a in gate.vector):
                self._rotors.append((len(slots), len(angles)))
                self.vectors.append(len(gates))
                places += range(n_inputs, n_inputs + 3)
                angles += gate.vector
                gates.append((gate, n_inputs))
                for k, letter in enumerate("XYZ", n_inputs + 3):
                    word = ["I"] * program.n_qubits
                    word[gate.wire] = letter
                    slots.append(k)
                    gates.append((Rotation("".join(word), gate.vector[0]), k))
                n_inputs += 6
            else:
                gates.append((gate, None))
        start = n_inputs
        self._encodes_start = any(angle.is_data for angle in program.start or ())
        angles += program.start or ()
        n_inputs += len(program.start or ())
        places += range(start, n_inputs)

        def one(index: int) -> Angle:
            n = program.n_parameters
            return Angle(0.0, np.zeros(n), np.eye(n_inputs)[index], np.zeros((n, n_inputs)))

        def moved(gate, first):
            if first is None:
                return _widened(gate, n_inputs)
            if isinstance(gate, VectorGate):
                return VectorGate(gate.wire, tuple(one(first + k) for k in range(3)))
            return Rotation(gate.word, one(first))

        amplitudes = None if program.start is None else [one(k) for k in range(start, n_inputs)]
        self.program = Program(
            [moved(*g) for g in gates], amplitudes, program.terms, program.n_qubits, program.n_parameters, n_inputs
        )
        self.slots, self._places = np.array(slots, dtype=int), np.array(places, dtype=int)
        shapes = {"constant": (), "theta": (program.n_parameters,), "phi": (program.n_features,)}
        shapes["product"] = (program.n_parameters, program.n_features)
        self._angles = {
            k: np.array([getattr(a, k) for a in angles], dtype=float).reshape(len(angles), *shape)
            for k, shape in shapes.items()
        }

    def inputs(self, theta: np.ndarray, phi: np.ndarray) -> np.ndarray:
        """Inputs (B, M) at parameters (P,) and features (B, F)."""
        found = np.zeros((len(phi), self.program.n_features))
        found[:, self._places] = self._values(theta, phi)
        return found

    def slopes(self, theta: np.ndarray, phi: np.ndarray) -> np.ndarray:
        """Weights (B, G, F): ∂f/∂φ = Σ_g slopes_g (f(slot g + π/2) - f(slot g - π/2)) / 2.

        Raises:
            UnsupportedOperation: features are amplitudes of the start state, which no gate shifts.
        """
        if self._encodes_start:
            raise UnsupportedOperation(
                "features that are amplitudes of the start state have no two-term parameter-shift rule; encode with "
                "Pauli or vector rotations, or take values only"
            )
        slope = self._rates(theta)
        found = np.zeros((len(phi), len(self.slots), self._features))
        if self._rotations:
            slot, angle = np.array(self._rotations).T
            found[:, slot] = slope[angle]
        for slot, angle in self._rotors:
            jacobian = left_jacobian(self._values(theta, phi)[:, angle : angle + 3])
            found[:, slot : slot + 3] = jacobian @ slope[angle : angle + 3]
        return found

    def _rates(self, theta: np.ndarray) -> np.ndarray:
        """Slopes (A, F) of all angles in the features."""
        return self._angles["phi"] + np.tensordot(theta, self._angles["product"], (0, 1))

    def _values(self, theta: np.ndarray, phi: np.ndarray) -> np.ndarray:
        """All angles (B, A)."""
        return self._angles["constant"] + self._angles["theta"] @ theta + phi @ self._rates(theta).T

    def shifted(self, inputs: np.ndarray) -> np.ndarray:
        """The circuits of one frame after the other: inputs (B, 1 + 2 G, M) as given, then with every slot at +π/2 and
        with every slot at -π/2."""
        move = np.zeros((1 + 2 * len(self.slots), inputs.shape[1]))
        place = np.arange(len(self.slots))
        move[1 + place, self.slots] = np.pi / 2
        move[1 + len(place) + place, self.slots] = -np.pi / 2
        return inputs[:, None] + move


def _widened(gate, n_inputs: int):
    """A gate without data, beside inputs that are not its own."""
    if isinstance(gate, Rotation):
        return Rotation(gate.word, _without_data(gate.angle, n_inputs))
    if isinstance(gate, VectorGate):
        return VectorGate(gate.wire, tuple(_without_data(a, n_inputs) for a in gate.vector))
    return gate


def _without_data(angle: Angle, n_inputs: int) -> Angle:
    return Angle(angle.constant, angle.theta, np.zeros(n_inputs), np.zeros((len(angle.theta), n_inputs)))


def left_jacobian(x: np.ndarray) -> np.ndarray:
    """J (B, 3, 3) with exp(-i (x + dx)·σ/2) = exp(-i (J dx)·σ/2) exp(-i x·σ/2) to first order in dx; x (B, 3)."""
    r = np.linalg.norm(x, axis=1)[:, None, None]
    small = r < 1e-4
    safe = np.where(small, 1.0, r)
    first = np.where(small, 1 - r**2 / 6, np.sin(safe) / safe)
    second = np.where(small, 1 / 6, (1 - np.sin(safe) / safe) / safe**2)
    third = np.where(small, 0.5 - r**2 / 24, (1 - np.cos(safe)) / safe**2)
    cross = np.cross(np.eye(3)[None], x[:, None])  # (B, 3, 3): cross @ v = x × v
    return first * np.eye(3) + second * x[:, :, None] * x[:, None, :] + third * cross


def general_rule(frequencies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shifts (2 R,) and coefficients (2 R,) such that f'(0) = Σ c f(shift) for f = a + Σ_k b_k cos ω_k x + c_k sin ω_k x.

    Wierichs et al. 2022, eq. 9 for ω = 1 … R; others by solving the linear system at equidistant shifts. Two terms, ±π/2
    with ±½, for one frequency of 1.

    Args:
        frequencies: (R,) positive and different.

    Raises:
        UnsupportedOperation: too many of them, or so close to each other that no shifts tell them apart.
    """
    omega = np.sort(np.asarray(frequencies, dtype=float))
    if len(omega) > MAX_FREQUENCIES:
        raise UnsupportedOperation(f"{len(omega)} frequencies: a shift rule is made for at most {MAX_FREQUENCIES}")
    place = (2 * np.arange(1, len(omega) + 1) - 1) * np.pi / (2 * len(omega)) / omega[:1]
    system = 2 * np.sin(np.outer(omega, place))
    if len(omega) and np.linalg.cond(system) > 1e8:
        raise UnsupportedOperation(f"frequencies {omega}: no equidistant shifts tell them apart; shift gate by gate")
    half = np.linalg.solve(system, omega) if len(omega) else omega
    return np.concatenate([place, -place]), np.concatenate([half, -half])


def feature_frequencies(program: Program, feature: int) -> np.ndarray:
    """Frequencies (R,) of f as a function of one feature: sums of the slopes of all rotations that it enters.

    Raises:
        UnsupportedOperation: it enters in another way, with a factor that is trained, or with too many frequencies.
    """
    found = {0.0}
    for gate in program.gates:
        angles = gate.vector if isinstance(gate, VectorGate) else [gate.angle] if isinstance(gate, Rotation) else []
        if not any(np.any(a.phi[feature]) or np.any(a.product[:, feature]) for a in angles):
            continue
        if isinstance(gate, VectorGate) or np.any(angles[0].product[:, feature]):
            raise UnsupportedOperation(
                "a feature enters a vector rotation or with a trained factor: shift gate by gate (rule: gate)"
            )
        slope = float(angles[0].phi[feature])
        found = {round(w + s, 9) for w in found for s in (0.0, slope, -slope)}
        if len(found) > 2 * MAX_FREQUENCIES + 1:
            raise UnsupportedOperation(
                f"a feature has more than {MAX_FREQUENCIES} frequencies; shift gate by gate (rule: gate)"
            )
    return np.array(sorted(w for w in found if w > 0))

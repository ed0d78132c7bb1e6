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
        self._captured, self._read = program, []  # of every input or group of inputs: its angles
        gates, slots, self.vectors = [], [], []
        n_inputs = 0
        for gate in program.gates:
            if isinstance(gate, Rotation) and gate.angle.is_data:
                slots.append(n_inputs)
                gates.append((gate, n_inputs))
                self._read.append((gate.angle,))
                n_inputs += 1
            elif isinstance(gate, VectorGate) and any(a.is_data for a in gate.vector):
                self.vectors.append(len(gates))
                gates.append((gate, n_inputs))
                self._read.append(gate.vector)
                for k, letter in enumerate("XYZ"):
                    word = ["I"] * program.n_qubits
                    word[gate.wire] = letter
                    slots.append(n_inputs + 3 + k)
                    gates.append((Rotation("".join(word), gate.vector[0]), n_inputs + 3 + k))
                n_inputs += 6
            else:
                gates.append((gate, None))
        self._start = n_inputs
        n_inputs += len(program.start or ())

        def one(index: int) -> Angle:
            n = program.n_parameters
            return Angle(0.0, np.zeros(n), np.eye(n_inputs)[index], np.zeros((n, n_inputs)))

        def moved(gate, first):
            if first is None:
                return _widened(gate, n_inputs)
            if isinstance(gate, VectorGate):
                return VectorGate(gate.wire, tuple(one(first + k) for k in range(3)))
            return Rotation(gate.word, one(first))

        start = None if program.start is None else [one(self._start + k) for k in range(len(program.start))]
        self.program = Program(
            [moved(*g) for g in gates], start, program.terms, program.n_qubits, program.n_parameters, n_inputs
        )
        self.slots = np.array(slots, dtype=int)

    def inputs(self, theta: np.ndarray, phi: np.ndarray) -> np.ndarray:
        """Inputs (B, M) at parameters (P,) and features (B, F)."""
        found = [
            np.zeros((len(phi), 0)),
            *(self._group(angles, theta, phi)[0] for angles in self._read),
            *(_at(angle, theta, phi)[0][:, None] for angle in self._captured.start or ()),
        ]
        return np.concatenate(found, 1)

    def slopes(self, theta: np.ndarray, phi: np.ndarray) -> np.ndarray:
        """Weights (B, G, F): ∂f/∂φ = Σ_g slopes_g (f(slot g + π/2) - f(slot g - π/2)) / 2.

        Raises:
            UnsupportedOperation: features are amplitudes of the start state, which no gate shifts.
        """
        if any(angle.is_data for angle in self._captured.start or ()):
            raise UnsupportedOperation(
                "features that are amplitudes of the start state have no two-term parameter-shift rule; encode with "
                "Pauli or vector rotations, or take values only"
            )
        empty = np.zeros((len(phi), 0, self._captured.n_features))
        return np.concatenate([empty, *(self._group(angles, theta, phi)[1] for angles in self._read)], 1)

    def shifted(self, inputs: np.ndarray) -> np.ndarray:
        """The circuits of one frame after the other: inputs (B, 1 + 2 G, M) as given, then with every slot at +π/2 and
        with every slot at -π/2."""
        move = np.zeros((1 + 2 * len(self.slots), inputs.shape[1]))
        place = np.arange(len(self.slots))
        move[1 + place, self.slots] = np.pi / 2
        move[1 + len(place) + place, self.slots] = -np.pi / 2
        return inputs[:, None] + move

    def _group(self, angles, theta, phi) -> tuple[np.ndarray, np.ndarray]:
        """Inputs (B, 1 or 6) of a gate, and slopes (B, 1 or 3, F) of its slots."""
        values, slopes = (np.stack(x, 1) for x in zip(*(_at(a, theta, phi) for a in angles), strict=True))
        if len(angles) == 1:
            return values, slopes
        return np.concatenate([values, np.zeros_like(values)], 1), left_jacobian(values) @ slopes


def _at(angle: Angle, theta: np.ndarray, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angle (B,) and its slope (B, F) in the features."""
    slope = angle.phi + theta @ angle.product
    return angle.constant + angle.theta @ theta + phi @ slope, np.broadcast_to(slope, phi.shape)


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

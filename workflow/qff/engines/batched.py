"""The batched engine: one circuit for many parameter sets and many inputs at once, in torch.

Gates that do not see the data are fused into one unitary per parameter set; consecutive data gates, written in
the basis in which they are diagonal, become one elementwise phase. Input derivatives are carried forward as
tangents beside the state; parameter gradients come from torch's reverse mode, so any loss of energies *and*
forces can be differentiated.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
import torch

from qff.circuits import Circuit
from qff.engines.compiled import CompiledProgram
from qff.engines.program import Constant, Rotation, capture, permutation

_ONE = np.eye(2, dtype=complex)
_H = np.array([[1, 1], [1, -1]], dtype=complex) / np.sqrt(2)
_SDG = np.diag([1, -1j])
# Basis change V with V P V† = Z for each letter.
_TO_Z = {"I": _ONE, "Z": _ONE, "X": _H, "Y": _H @ _SDG}


def _signs(word: str) -> np.ndarray:
    """Diagonal of the Z word with the same support as ``word``, shape (d,)."""
    return reduce(np.kron, [np.ones(2) if letter == "I" else np.array([1.0, -1.0]) for letter in word])


class _Encoding:
    """Consecutive qubit-wise commuting data rotations: V† exp(i Σ_f S[:, f] φ_f + i s0) V, V a basis change."""

    def __init__(self, rotations: list[Rotation]):
        letters = ["I"] * len(rotations[0].word)
        for rotation in rotations:
            letters = [b if a == "I" else a for a, b in zip(letters, rotation.word, strict=True)]
        self.basis = reduce(np.kron, [_TO_Z[letter] for letter in letters])
        slopes = sum(np.outer(_signs(r.word), r.phi) for r in rotations)
        self.slopes = torch.tensor(-0.5 * slopes)  # (d, F)

    @staticmethod
    def fits(rotations: list[Rotation], new: Rotation) -> bool:
        """True if ``new`` commutes qubit-wise with all of ``rotations``."""
        return all(a == "I" or b == "I" or a == b for r in rotations for a, b in zip(r.word, new.word, strict=True))


class BatchedEngine:
    """Expectation value of a circuit and its derivatives along given input directions.

    Shapes: S parameter sets, B inputs, K directions, F features, P parameters, all float64.
    """

    def __init__(self, circuit: Circuit):
        program = capture(circuit)
        self.circuit = circuit
        self.dimension = 2**program.n_qubits
        self._compiled = CompiledProgram(program, circuit.n_parameters)
        self._observable = torch.tensor(program.observable)
        self._fixed: list[list[Rotation | Constant]] = [[]]
        self._encodings: list[_Encoding] = []
        self._split(program.gates)
        self._groups = self._group()

    def _split(self, gates: list[Rotation | Constant]) -> None:
        """Alternate fixed segments and encodings; basis changes move into the fixed neighbours."""
        pending: list[Rotation] = []
        held: list[Rotation] = []  # parameter part of pending rotations; commutes with the encoding

        def flush() -> None:
            if pending:
                encoding = _Encoding(pending)
                known = [e for e in self._encodings if torch.equal(e.slopes, encoding.slopes)]
                if known:
                    encoding.slopes = known[0].slopes  # same object: its phases are computed once per call
                self._fixed[-1].append(Constant(encoding.basis))
                self._encodings.append(encoding)
                self._fixed.append([Constant(encoding.basis.conj().T), *held])
                pending.clear()
                held.clear()

        for gate in gates:
            if isinstance(gate, Rotation) and np.any(gate.phi):
                if not _Encoding.fits(pending, gate):
                    flush()
                pending.append(gate)
                if np.any(gate.theta) or gate.constant != 0.0:
                    held.append(Rotation(gate.word, gate.constant, gate.theta, np.zeros_like(gate.phi)))
            else:
                flush()
                self._fixed[-1].append(gate)
        flush()

    def _group(self) -> list[_FixedGroup]:
        """Fixed segments of one structure are built together, in one batch."""
        groups: dict[tuple, _FixedGroup] = {}
        for position, segment in enumerate(self._fixed):
            shape = tuple(g.word if isinstance(g, Rotation) else g.matrix.tobytes() for g in segment)
            groups.setdefault(shape, _FixedGroup(self.dimension)).add(position, segment)
        return list(groups.values())

    def _unitaries(self, theta: torch.Tensor) -> list[torch.Tensor]:
        """Fused unitary of every fixed segment, each (S, d, d) complex128."""
        unitaries: list[torch.Tensor | None] = [None] * len(self._fixed)
        for group in self._groups:
            built = group.build(theta)
            for place, position in enumerate(group.positions):
                unitaries[position] = built[:, place]
        return unitaries

    def evaluate(
        self, theta: torch.Tensor, phi: torch.Tensor, dphi: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Expectation values f and directional derivatives.

        Args:
            theta: (S, P) angles in rad.
            phi: (S or 1, B, F) encoded features.
            dphi: (S or 1, B, K, F) directions, or None for values only.

        Returns:
            f (S, B) and df (S, B, K) with df_k = Σ_F ∂f/∂φ_F dphi_kF (None without directions).
        """
        fixed_inputs = not (phi.requires_grad or (dphi is not None and dphi.requires_grad))
        if theta.device.type == "cpu" and fixed_inputs:
            directions = phi.new_zeros(*phi.shape[:2], 0, phi.shape[2]) if dphi is None else dphi
            f, df = self._compiled.evaluate(theta, phi, directions)
            return f, None if dphi is None else df
        return self._evaluate_fused(theta, phi, dphi)

    def _evaluate_fused(self, theta, phi, dphi):
        """The same in torch operations: for other devices, and for gradients in the inputs."""
        unitaries = self._unitaries(theta)
        phases: dict[int, tuple[torch.Tensor, torch.Tensor | None]] = {}
        state = unitaries[0][:, None, :, 0]  # (S, 1, d)
        tangents = None  # (S, B, K, d)
        for encoding, unitary in zip(self._encodings, unitaries[1:], strict=True):
            key = id(encoding.slopes)
            if key not in phases:
                slopes = encoding.slopes.to(theta.device)
                angle = phi @ slopes.T
                rate = None if dphi is None else 1j * (dphi @ slopes.T)
                phases[key] = torch.polar(torch.ones_like(angle), angle), rate
            phase, rate = phases[key]
            state = state * phase
            if dphi is not None:
                moved = rate * state[:, :, None]
                tangents = moved if tangents is None else tangents * phase[:, :, None] + moved
            if unitary is not unitaries[-1]:
                turned = unitary.transpose(-1, -2)
                state = state @ turned
                if tangents is not None:
                    tangents = (tangents.flatten(1, 2) @ turned).unflatten(1, tangents.shape[1:3])
        # The last segment moves into the observable: O' = U† O U.
        last = unitaries[-1]
        observable = self._observable.to(theta.device)
        observable = last.mH @ observable @ last if self._encodings else observable.expand(len(theta), -1, -1)
        image = (state @ observable.transpose(-1, -2)).conj()  # <ψ|O
        f = (image * state).sum(-1).real
        f = f.expand(len(theta), phi.shape[1])
        if dphi is None:
            return f, None
        if tangents is None:
            return f, torch.zeros(*f.shape, dphi.shape[2], dtype=f.dtype, device=f.device)
        return f, 2 * (tangents @ image[..., None])[..., 0].real


class _FixedGroup:
    """Fixed segments with the same gates and different angles, fused for all parameter sets in one go."""

    def __init__(self, dimension: int):
        self.dimension = dimension
        self.positions: list[int] = []
        self._segments: list[list[Rotation]] = []

    def add(self, position: int, segment: list[Rotation | Constant]) -> None:
        if not self.positions:
            self._steps = [self._step(g) for g in segment]
        self.positions.append(position)
        self._segments.append([g for g in segment if isinstance(g, Rotation)])
        self._theta = torch.tensor(np.array([[g.theta for g in s] for s in self._segments]))  # (L, G, P)
        self._constant = torch.tensor(np.array([[g.constant for g in s] for s in self._segments]))  # (L, G)

    @staticmethod
    def _step(gate: Rotation | Constant):
        if isinstance(gate, Constant):
            return "constant", torch.tensor(gate.matrix)
        if set(gate.word) <= {"I", "Z"}:
            return "diagonal", torch.tensor(_signs(gate.word))
        source, phase = permutation(gate.word)
        return "rotation", (torch.tensor(source), torch.tensor(phase))

    def build(self, theta: torch.Tensor) -> torch.Tensor:
        """(S, L, d, d) complex128."""
        device = theta.device
        shape = (len(theta), len(self.positions), self.dimension, self.dimension)
        unitary = torch.eye(self.dimension, dtype=torch.complex128, device=device).expand(shape)
        if self._theta.numel():
            angles = torch.einsum("lgp,sp->slg", self._theta.to(device), theta) + self._constant.to(device)
        else:
            angles = self._constant.to(device).expand(len(theta), -1, -1)
        place, waiting = 0, None  # `waiting`: exponent of diagonal gates not yet applied

        def apply_waiting(unitary, waiting):
            if waiting is None:
                return unitary
            return torch.polar(torch.ones_like(waiting), waiting)[..., :, None] * unitary

        for kind, data in self._steps:
            if kind == "diagonal":
                term = -0.5 * angles[..., place, None] * data.to(device)
                waiting = term if waiting is None else waiting + term
                place += 1
                continue
            unitary, waiting = apply_waiting(unitary, waiting), None
            if kind == "constant":
                unitary = data.to(device) @ unitary
            else:
                source, phase = (x.to(device) for x in data)
                half = 0.5 * angles[..., place, None, None]
                moved = phase[:, None] * unitary[..., source, :]
                unitary = torch.cos(half) * unitary - 1j * torch.sin(half) * moved
                place += 1
        return apply_waiting(unitary, waiting)

"""Gates that PennyLane does not have."""

from __future__ import annotations

import pennylane as qml
from pennylane import math


class VectorRotation(qml.operation.Operation):
    """exp(-i x·σ/2) on one qubit, for a vector x = (x, y, z): the SU(2)-equivariant encoding of a direction.

    Rotating x by R is the same as conjugating the gate with the spin representation of R (Le et al., New J. Phys.
    27, 023015, 2025, up to their factor α/2). Each component is a number or an array over frames.
    """

    num_wires = 1
    num_params = 3
    ndim_params = (0, 0, 0)
    grad_method = None

    def __init__(self, x, y, z, wires, id=None):
        super().__init__(x, y, z, wires=wires, id=id)

    @staticmethod
    def compute_matrix(x, y, z):
        """(2, 2) or (B, 2, 2); smooth at x = 0."""
        square = math.cast(x * x + y * y + z * z, "float64")
        x, y, z = (v + 0.0 * square for v in (x, y, z))  # numbers become arrays of the same kind
        small = square < 1e-4
        r = math.sqrt(math.where(small, math.ones_like(square), square))
        ratio = math.where(small, 0.5 - square / 48 + square**2 / 3840, math.sin(r / 2) / r)
        cosine = math.where(small, 1 - square / 8 + square**2 / 384, math.cos(r / 2))
        u0, u1, u2, u3 = (math.cast(v, "complex128") for v in (cosine, ratio * x, ratio * y, ratio * z))
        rows = [math.stack([u0 - 1j * u3, -u2 - 1j * u1], axis=-1), math.stack([u2 - 1j * u1, u0 + 1j * u3], axis=-1)]
        return math.stack(rows, axis=-2)

    @staticmethod
    def compute_decomposition(x, y, z, wires):
        return [qml.QubitUnitary(VectorRotation.compute_matrix(x, y, z), wires=wires)]

    def adjoint(self):
        return VectorRotation(*(-p for p in self.parameters), wires=self.wires)


def heisenberg(angle, wires) -> None:
    """exp(-i α/2 (XX + YY + ZZ)): the SU(2)-invariant gate of two qubits."""
    qml.IsingXX(angle, wires=wires)
    qml.IsingYY(angle, wires=wires)
    qml.IsingZZ(angle, wires=wires)


def singlet(wires) -> None:
    """(|01⟩ - |10⟩)/√2 from |00⟩: invariant under the same rotation of both qubits."""
    first, second = wires
    qml.PauliX(first)
    qml.Hadamard(first)
    qml.PauliX(second)
    qml.CNOT([first, second])

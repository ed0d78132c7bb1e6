"""Adaptive VQE (Grimsley et al., Nat. Commun. 10, 3007 (2019)) with Givens rotations as its pool.

The rotation with the largest energy gradient is appended, all angles are optimised again from where they were, until no
gradient is left. Spatial symmetry needs no care: a rotation that breaks it has no gradient.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from qff.errors import LabelError
from qff.vqe.active_space import ActiveSpace
from qff.vqe.ansatz import Rotation, pool

GRADIENT_TOLERANCE = 1e-5  # Ha/rad, largest of the pool: with 1e-4 stretched H2O stops 3e-6 Ha above CASCI
MAX_ROTATIONS = 400
DEGENERATE = 1e-8  # Ha/rad: gradients that differ by less are equal by symmetry, and the first in the pool is taken


@dataclass(frozen=True)
class VQEResult:
    """A converged ansatz.

    Attributes:
        energy: Ha. state: amplitudes over the states of the space, (D,).
        rotations, angles: the ansatz, in the order of application; θ in rad.
        evaluations: of energy and gradient, by the optimiser. seconds: wall time.
    """

    energy: float
    state: np.ndarray
    rotations: list[Rotation]
    angles: np.ndarray
    evaluations: int
    seconds: float

    @property
    def cnots(self) -> int:
        """Number of CNOT gates, in PennyLane's decompositions of the rotations."""
        return sum(r.cnots for r in self.rotations)


def energy_and_gradient(
    space: ActiveSpace, rotations: list[Rotation], angles: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy (Ha), its gradient in the angles (Ha/rad), and the state (D,), by one pass forward and one back."""
    state = np.zeros(len(space.states))
    state[0] = 1.0
    for rotation, angle in zip(rotations, angles, strict=True):
        state = rotation.apply(angle, state)
    image = space.hamiltonian @ state
    energy, ket, bra = float(state @ image), state, image
    gradient = np.zeros(len(rotations))
    for k in reversed(range(len(rotations))):
        gradient[k] = 2 * rotations[k].between(bra, ket)
        ket, bra = (rotations[k].apply(-angles[k], x) for x in (ket, bra))
    return energy, gradient, state


def solve(space: ActiveSpace, where: str) -> VQEResult:
    """Ground state of an active space.

    Raises:
        LabelError: gradients are left after ``MAX_ROTATIONS`` rotations; the message starts with ``where``.
    """
    began, choices = time.perf_counter(), pool(space)
    rotations: list[Rotation] = []
    angles, evaluations = np.zeros(0), 0
    energy, _, state = energy_and_gradient(space, rotations, angles)
    while True:
        image = space.hamiltonian @ state
        gradients = np.array([abs(2 * r.between(image, state)) for r in choices])
        if (
            gradients.max(initial=0.0) < GRADIENT_TOLERANCE
        ):  # also of an empty pool: one state has nothing to mix with
            break
        if len(rotations) == MAX_ROTATIONS:
            raise LabelError(
                f"{where}: VQE still has gradients of {gradients.max():.1e} Ha after {MAX_ROTATIONS} rotations"
            )
        # Ties are broken by the order of the pool, not by rounding.
        rotations.append(choices[int(np.argmax(gradients > gradients.max() - DEGENERATE))])
        found = minimize(
            lambda x: energy_and_gradient(space, rotations, x)[:2], np.append(angles, 0.0), jac=True, method="BFGS",
            options={"gtol": GRADIENT_TOLERANCE / 10},
        )  # fmt: skip
        angles, evaluations = found.x, evaluations + found.nfev
        energy, _, state = energy_and_gradient(space, rotations, angles)
    return VQEResult(energy, state, rotations, angles, evaluations, time.perf_counter() - began)

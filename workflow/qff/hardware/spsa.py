"""Training as on a device: simultaneous perturbation (SPSA), losses from a finite number of shots.

Energies alone: a loss of forces would take every shifted circuit of every frame, twice a step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from qff.hardware.composed import MeasuredValues, check_circuits
from qff.hardware.shots import sample_means
from qff.models import Potential
from qff.models.qnn import QNN

DECAY, PERTURBATION_DECAY = 0.602, 0.101  # Spall, IEEE Trans. Aerosp. Electron. Syst. 34, 817, 1998
PERTURBATION = 0.1  # first size of a perturbation (rad, and of what weighs circuits)
FIRST_STEP = 0.05  # mean first change of a parameter, likewise
# Parameters beyond which both shrink as 1/√P: a step in a random direction is as long as their number is large.
CROWD = 200
STABILITY = 0.1  # part of the steps that delays the decay
LONGEST = 5  # times the first step: no step is longer, where the loss is steeper than at the start
CALIBRATION = 20  # losses from which the size of the gradient is guessed, counted as executions


@dataclass(frozen=True)
class SpsaResult:
    """Last parameters (P,) and how many circuits were executed for them, shots included (as if one each if exact)."""

    parameters: np.ndarray
    executions: float


def train(
    potential: Potential,
    initial: np.ndarray,
    positions: np.ndarray,
    energies: np.ndarray,
    steps: int,
    batch: int,
    shots: int | None,
    rng: np.random.Generator,
) -> SpsaResult:
    """Minimise the mean square of f - target over frames, two losses of ``batch`` frames a step.

    Args:
        potential: of one circuit or of many; says how features and energies are scaled.
        initial: (P,). positions: (B, A, 3) in Å. energies: (B,) in eV. shots: None for exact losses.
    """
    features = potential.inputs(positions).values
    targets = (energies - potential.energy_shift) / potential.energy_scale
    outputs = _of_one if isinstance(potential.architecture, QNN) else _of_many
    measure, executions = outputs(potential, shots, rng)

    def losses(both: np.ndarray, frames: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            f = measure(torch.as_tensor(both), features[frames][None])
        return ((f - targets[frames]) ** 2).mean(1)

    parameters = minimise(losses, initial, len(targets), steps, batch, rng)
    return SpsaResult(parameters, executions())


def _of_one(potential: Potential, shots: int | None, rng: np.random.Generator) -> tuple[Callable, Callable]:
    """Measured outputs (S, B) of a circuit whose outcomes are ±1, and the executions so far."""
    done = [0.0]

    def measure(theta, values):
        f = potential.architecture.values(theta, values).numpy()
        done[0] += f.size * (shots or 1)
        return f if shots is None else sample_means(np.clip(f, -1, 1), shots, rng)

    return measure, lambda: done[0]


def _of_many(potential: Potential, shots: int | None, rng: np.random.Generator) -> tuple[Callable, Callable]:
    """The same of a model of many circuits."""
    circuits = MeasuredValues(check_circuits(potential), shots, rng)
    device = potential.architecture.with_circuits(circuits)
    return lambda theta, values: device.values(theta, values).numpy(), lambda: circuits.executions


def minimise(
    losses: Callable[[np.ndarray, np.ndarray], np.ndarray],
    initial: np.ndarray,
    n_frames: int,
    steps: int,
    batch: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Last parameters (P,) of SPSA.

    Args:
        losses: from two vectors of parameters (2, P) and the frames of a batch, (2,).
    """

    def difference(theta: np.ndarray, c: float) -> tuple[np.ndarray, float]:
        """A random direction (P,) and the slope of the loss along it."""
        direction = rng.choice([-1.0, 1.0], len(theta))
        frames = rng.permutation(n_frames)[:batch]
        ahead, behind = losses(np.stack([theta + c * direction, theta - c * direction]), frames)
        return direction, float(ahead - behind) / (2 * c)

    theta = np.array(initial, dtype=float)
    crowding = min(1.0, np.sqrt(CROWD / len(theta)))
    perturbation = crowding * PERTURBATION
    typical = np.mean([abs(difference(theta, perturbation)[1]) for _ in range(CALIBRATION)])
    delay = STABILITY * steps
    first = crowding * FIRST_STEP
    gain = first * (delay + 1) ** DECAY / max(typical, 1e-12)
    for step in range(steps):
        direction, slope = difference(theta, perturbation / (step + 1) ** PERTURBATION_DECAY)
        change = gain / (step + 1 + delay) ** DECAY * slope
        theta -= np.clip(change, -LONGEST * first, LONGEST * first) * direction
    return theta

"""Training as on a device: simultaneous perturbation (SPSA), losses from a finite number of shots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from qff.hardware.shots import sample_means
from qff.models.qnn import QNN

DECAY, PERTURBATION_DECAY = 0.602, 0.101  # Spall, IEEE Trans. Aerosp. Electron. Syst. 34, 817, 1998
PERTURBATION = 0.1  # first size of a perturbation (rad)
FIRST_STEP = 0.05  # mean first change of a parameter (rad)
STABILITY = 0.1  # part of the steps that delays the decay
CALIBRATION = 20  # losses from which the size of the gradient is guessed, counted as executions


@dataclass(frozen=True)
class SpsaResult:
    """Last parameters (P,) and how many circuits were executed for them, shots included (as if one each if exact)."""

    parameters: np.ndarray
    executions: float


def train(
    architecture: QNN,
    initial: np.ndarray,
    phi: np.ndarray,
    targets: np.ndarray,
    steps: int,
    batch: int,
    shots: int | None,
    rng: np.random.Generator,
) -> SpsaResult:
    """Minimise the mean square of f - target over frames, two losses of ``batch`` frames a step.

    Energies alone: a loss of forces would take every shifted circuit of every frame, twice a step.

    Args:
        phi: (B, F) features. targets: (B,) energies as outputs of the circuit. shots: None for exact losses.
    """
    features, size = torch.as_tensor(phi), len(initial)

    def difference(theta: np.ndarray, c: float) -> tuple[np.ndarray, float]:
        """A random direction (P,) and the slope of the loss along it."""
        direction = rng.choice([-1.0, 1.0], size)
        frames = rng.permutation(len(phi))[:batch]
        both = torch.as_tensor(np.stack([theta + c * direction, theta - c * direction]))
        with torch.no_grad():
            f = architecture.values(both, features[frames][None]).numpy()
        if shots is not None:
            f = sample_means(np.clip(f, -1, 1), shots, rng)
        loss = ((f - targets[frames]) ** 2).mean(1)
        return direction, float(loss[0] - loss[1]) / (2 * c)

    theta = np.array(initial, dtype=float)
    typical = np.mean([abs(difference(theta, PERTURBATION)[1]) for _ in range(CALIBRATION)])
    delay = STABILITY * steps
    gain = FIRST_STEP * (delay + 1) ** DECAY / max(typical, 1e-12)
    for step in range(steps):
        direction, slope = difference(theta, PERTURBATION / (step + 1) ** PERTURBATION_DECAY)
        theta -= gain / (step + 1 + delay) ** DECAY * slope * direction
    executions = 2.0 * min(batch, len(phi)) * (steps + CALIBRATION) * (shots or 1)
    return SpsaResult(theta, executions)

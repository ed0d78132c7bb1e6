"""Initial parameters of the circuit: what the draft's third step leaves open.

Our choice: some circuits are drawn, and the one whose readouts explain most of the pre-trained network's errors is kept. Its
weight in the integration layer starts at zero, so that training starts from the network as it is.
"""

from __future__ import annotations

import numpy as np
import torch

from qff.models.hybrid import Hybrid
from qff.training.ensemble import Ensemble

RIDGE = 1e-3  # of the readouts' own variance: there are as many readouts as some training sets have frames


def choose_circuit(ensemble: Ensemble, seed: int, candidates: list[np.ndarray]) -> tuple[int, float]:
    """Index of the parameter vector to keep, and the part of the validation errors' variance that it explains.

    Readouts are regressed on the energy errors of the training frames; validation frames judge. A hybrid without a
    circuit has nothing to choose: (0, 0).
    """
    architecture = ensemble.architecture
    if not isinstance(architecture, Hybrid) or architecture.branch == "none":
        return 0, 0.0
    scores = []
    for theta in candidates:
        parts = []
        for data in (ensemble.training, ensemble.validation):
            values = data.inputs.values[seed : seed + 1]
            member = torch.as_tensor(theta)[None]
            with torch.no_grad():
                readouts = architecture.readouts(member, values)[0].numpy()
                predicted = architecture.values(member, values)[0].numpy()
            wanted = (data.energies[seed] - ensemble.shift[seed]) / ensemble.scale[seed]
            parts.append((readouts, wanted.numpy() - predicted))
        scores.append(explained_variance(*parts[0], *parts[1]))
    best = int(np.argmax(scores))
    return best, float(scores[best])


def explained_variance(x: np.ndarray, y: np.ndarray, x_held_out: np.ndarray, y_held_out: np.ndarray) -> float:
    """1 - (mean square left)/(variance) of held-out y (n,), after ridge regression on x (n, F), both centred."""
    center, shift = x.mean(0), y.mean()
    moments = (x - center).T @ (x - center)
    moments += RIDGE * np.trace(moments) / len(moments) * np.eye(len(moments))
    weights = np.linalg.solve(moments, (x - center).T @ (y - shift))
    left = y_held_out - shift - (x_held_out - center) @ weights
    return float(1 - (left**2).mean() / ((y_held_out - shift) ** 2).mean())

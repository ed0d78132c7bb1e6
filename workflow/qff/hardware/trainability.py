"""Gradients at random parameters: do they vanish with qubits and depth (barren plateaus)?"""

from __future__ import annotations

import numpy as np
import torch

from qff.circuits import build_circuit
from qff.engines import build_engine


def gradient_variances(circuit: str, settings: dict, samples: int, rngs: list[np.random.Generator]) -> list[float]:
    """Independent estimates, one per generator, of the variance of ∂f/∂θ_k over random parameters and features, mean over the parameters that matter (McClean et al., Nat.
    Commun. 9, 4812, 2018).

    Parameters uniform in 0 … 2π, features normal with a spread of 1; parameters outside the light cone of the readout,
    whose gradient is always 0, are left out.
    """
    built = build_circuit(circuit, **settings)
    engine = build_engine("batched", built)
    found = []
    for rng in rngs:
        theta = torch.tensor(rng.uniform(0, 2 * np.pi, (samples, built.n_parameters)))
        phi = torch.tensor(rng.normal(size=(samples, 1, built.n_features)))
        gradients = engine.jacobian(theta, phi)[1][:, 0].numpy()  # (S, P)
        variance = gradients.var(0)
        found.append(float(variance[variance > 1e-20].mean()))
    return found


def decay_per_qubit(qubits: list[int], variances: list[float]) -> float:
    """Slope of log2 of the variance against the number of qubits: -1 or steeper for a barren plateau, whose variance is
    exponentially small; 0 for none."""
    return float(np.polyfit(qubits, np.log2(variances), 1)[0])


def power_law_misfit(qubits: list[int], variances: list[float]) -> float:
    """Residual of a power of the number of qubits n, log V = a - b log n, over that of an exponential, a - b n, both root
    mean squares: below 1 if gradients vanish polynomially rather than exponentially. NaN below three numbers of qubits,
    which any curve fits."""
    if len(qubits) < 3:
        return float("nan")
    y, residuals = np.log(variances), []
    for x in (np.log(qubits), np.array(qubits, dtype=float)):
        residuals.append(float(np.sqrt(np.mean((y - np.polyval(np.polyfit(x, y, 1), x)) ** 2))))
    return residuals[0] / max(residuals[1], 1e-12)

"""Error mitigation: zero-noise extrapolation and the inversion of readout errors.

Written here rather than taken from mitiq: its folding goes through Cirq circuits with numbers for angles, one circuit
after the other, and brings Cirq along; ours folds the one transpiled template with free angles.
"""

from __future__ import annotations

import numpy as np

from qff.errors import ConfigError


def extrapolate(factors: np.ndarray, values: np.ndarray, order: int) -> np.ndarray:
    """Values (N, ...) at noise ``factors`` (N,), extrapolated to no noise by a polynomial of an order (Temme, Bravyi &
    Gambetta, Phys. Rev. Lett. 119, 180509, 2017); order N - 1 is Richardson's extrapolation.

    Raises:
        ConfigError: fewer factors than coefficients, or the same factor twice.
    """
    factors = np.asarray(factors, dtype=float)
    if len(set(factors.tolist())) < len(factors) or len(factors) <= order:
        raise ConfigError(f"zero-noise extrapolation of order {order} needs {order + 1} different factors: {factors}")
    weights = np.linalg.pinv(np.vander(factors, order + 1, increasing=True))[0]
    return np.tensordot(weights, values, axes=(0, 0))


def unflip(value: np.ndarray, flip: float, weight: int = 1) -> np.ndarray:
    """Expectation value of a word on ``weight`` qubits whose outcomes are each flipped with probability ``flip``, as it
    would be without (Bravyi et al., Phys. Rev. A 103, 042605, 2021, for independent and equal flips).

    Raises:
        ConfigError: flipped so often that the outcome says nothing.
    """
    contrast = 1 - 2 * flip
    if contrast <= 0:
        raise ConfigError(f"readout error {flip}: from 0.5 on, outcomes say nothing and nothing can be corrected")
    return np.asarray(value) / contrast**weight

"""Angles as functions of θ and φ, for all members and frames at once, with the derivatives a gradient needs."""

from __future__ import annotations

import numpy as np

from qff.engines.program import Angle


class Angles:
    """A list of n angles α = c + a·θ + b·φ + θ·C·φ.

    Shapes: θ (S, P), φ (R, B, F) with R = S or 1; angles (S or R, n, B).
    """

    def __init__(self, angles: list[Angle], n_parameters: int, n_features: int):
        shape = (len(angles), n_parameters, n_features)
        self.n = len(angles)
        self.constant = np.array([a.constant for a in angles])
        self.theta = np.array([a.theta for a in angles]).reshape(shape[:2])
        self.phi = np.array([a.phi for a in angles]).reshape(shape[0], shape[2])
        self.product = np.array([a.product for a in angles]).reshape(shape)
        self.uses_theta = bool(np.any(self.theta) or np.any(self.product))
        self._bilinear = bool(np.any(self.product))

    def weights(self, theta: np.ndarray) -> np.ndarray:
        """∂α/∂φ, (S or 1, n, F)."""
        if not self._bilinear:
            return self.phi[None]
        return self.phi + np.tensordot(theta, self.product, (1, 1))

    def values(self, theta: np.ndarray, phi: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(S, n, B), or (R, n, B) if no angle depends on θ."""
        found = weights @ phi.transpose(0, 2, 1)
        if self.uses_theta:
            return found + (theta @ self.theta.T + self.constant)[:, :, None]
        return found + self.constant[:, None]

    def gradient(self, g_values: np.ndarray, g_weights: np.ndarray, phi: np.ndarray) -> np.ndarray:
        """Gradient in θ (S, P) from those in the angles (S, n, B) and in the weights (S, n, F)."""
        found = g_values.sum(2) @ self.theta
        if self._bilinear:
            found = found + np.tensordot(g_weights + g_values @ phi, self.product, ((1, 2), (0, 2)))
        return found

    def jacobian(self, g_values: np.ndarray, phi: np.ndarray) -> np.ndarray:
        """The same frame by frame, (S, B, P), for weights that do not matter."""
        return g_values.transpose(0, 2, 1) @ self.theta + self.jacobian_of_weights(g_values, phi)

    def jacobian_of_weights(self, g_values: np.ndarray, x: np.ndarray) -> np.ndarray | float:
        """Jacobian in θ (S, B, P) of Σ g_values · (weights x) with x (R, B, F) and ``g_values`` (S, n, B) held fixed."""
        if not self._bilinear:
            return 0.0
        products = np.tensordot(x, self.product, (2, 2))  # (R, B, n, P)
        return (g_values.transpose(0, 2, 1)[:, :, None] @ products)[:, :, 0]

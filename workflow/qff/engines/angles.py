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


def quaternion(x: np.ndarray) -> np.ndarray:
    """(cos(r/2), sin(r/2)/r x) of vectors x (…, 3, B) with r = |x|: exp(-i x·σ/2) = u0 - i u·σ; (…, 4, B)."""
    r, s, _, _ = _radial(x)
    return np.concatenate([np.cos(r / 2), s * x], -2)


def quaternion_rate(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Derivative of :func:`quaternion` along v (…, 3, B)."""
    _, s, t, _ = _radial(x)
    along = (x * v).sum(-2, keepdims=True)
    return np.concatenate([-0.5 * s * along, s * v + t * x * along], -2)


def quaternion_pullback(x: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Gradient in x from the gradient g (…, 4, B) in the quaternion."""
    _, s, t, _ = _radial(x)
    g0, gv = g[..., :1, :], g[..., 1:, :]
    return -0.5 * s * g0 * x + s * gv + t * x * (gv * x).sum(-2, keepdims=True)


def quaternion_pullback_rate(x: np.ndarray, v: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Gradient in x of g · quaternion_rate(x, v)."""
    _, s, t, w = _radial(x)
    g0, gv = g[..., :1, :], g[..., 1:, :]
    xv, gx, gvv = ((a * b).sum(-2, keepdims=True) for a, b in ((x, v), (gv, x), (gv, v)))
    return -0.5 * g0 * (t * x * xv + s * v) + t * x * gvv + w * x * gx * xv + t * (gv * xv + gx * v)


def _radial(x: np.ndarray) -> tuple[np.ndarray, ...]:
    """r, s = sin(r/2)/r, t = s'/r, w = t'/r; series where they cancel."""
    r = np.sqrt((x * x).sum(-2, keepdims=True))
    small = r < 0.3
    q = np.where(small, 1.0, r)
    sine, cosine = np.sin(q / 2), np.cos(q / 2)
    s = sine / q
    t = (q * cosine / 2 - sine) / q**3
    w = (3 * sine - 1.5 * q * cosine - q * q * sine / 4) / q**5
    h = r * r
    # s = Σ_k (-1)^k r^{2k} / (2^{2k+1} (2k+1)!)
    c = [1 / 2, -1 / 48, 1 / 3840, -1 / 645120, 1 / 185794560, -1 / 81749606400]
    s0 = sum(a * h**k for k, a in enumerate(c))
    t0 = sum(2 * k * a * h ** (k - 1) for k, a in enumerate(c) if k)
    w0 = sum(4 * k * (k - 1) * a * h ** (k - 2) for k, a in enumerate(c) if k > 1)
    return r, np.where(small, s0, s), np.where(small, t0, t), np.where(small, w0, w)

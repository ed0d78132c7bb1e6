"""Cutoff functions f_c(r) of symmetry functions, numbered as in n2p2 (keyword ``cutoff_type``)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from qff.errors import ConfigError

NAMES = ("hard", "cos", "tanh_unnormalised", "tanh", "exp", "poly1", "poly2", "poly3", "poly4")
_TANH1_CUBED = math.tanh(1.0) ** 3
# The polynomials of degree 2k+1 (k = 1 … 4) that fall from 1 at x = 0 to 0 at x = 1 with k vanishing derivatives at
# both ends; coefficients of x^(k+1) … x^(2k+1), the lowest power after the constant 1 being k+1.
_POLYNOMIALS = {
    "poly1": (-3.0, 2.0),
    "poly2": (-10.0, 15.0, -6.0),
    "poly3": (-35.0, 84.0, -70.0, 20.0),
    "poly4": (-126.0, 420.0, -540.0, 315.0, -70.0),
}


@dataclass(frozen=True)
class Cutoff:
    """f_c(r): 1 below the inner radius α r_c, 0 from r_c on; in between a function of x = (r - α r_c)/(r_c - α r_c).

    Attributes:
        kind: 0 hard step, 1 ½(1 + cos πx), 2 tanh³(1 - r/r_c), 3 the same divided by tanh³(1),
            4 exp(1 - 1/(1 - x²)), 5–8 polynomials with 1–4 vanishing derivatives at both ends.
        inner: α in [0, 1); kinds 0, 2 and 3 have no use for it.

    Raises:
        ConfigError: an unknown kind or an α outside [0, 1).
    """

    kind: int = 1
    inner: float = 0.0

    def __post_init__(self):
        if isinstance(self.kind, bool) or self.kind not in range(len(NAMES)):
            known = ", ".join(f"{number} {name}" for number, name in enumerate(NAMES))
            raise ConfigError(f"unknown cutoff type {self.kind}; known: {known}")
        if not 0 <= self.inner < 1:
            raise ConfigError(f"inner cutoff α = {self.inner}: must lie in [0, 1)")

    def __call__(self, r: torch.Tensor, radius: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """f_c and df_c/dr at distances r, both broadcast against the radii."""
        name = NAMES[self.kind]
        inside = (r < radius).to(r.dtype)
        if name == "hard":
            return inside, torch.zeros_like(inside)
        if name in ("tanh_unnormalised", "tanh"):
            scale = 1.0 if name == "tanh_unnormalised" else 1 / _TANH1_CUBED
            t = torch.tanh((1 - r / radius).clamp(min=0.0))
            return scale * t**3, (-3 * scale) * t**2 * (1 - t**2) / radius
        width = (1 - self.inner) * radius
        x = ((r - self.inner * radius) / width).clamp(0.0, 1.0)
        if name == "cos":
            value = 0.5 * (1 + torch.cos(math.pi * x))
            slope = (-0.5 * math.pi) * torch.sin(math.pi * x)
        elif name == "exp":
            gap = (1 - x**2).clamp(min=1e-3)  # below, e^(-1/gap) is zero in double precision
            value = torch.exp(1 - 1 / gap) * (x**2 < 1 - 1e-3)
            slope = -2 * x / gap**2 * value
        else:
            value, slope = _polynomial(_POLYNOMIALS[name], x)
        return value * inside, slope * inside / width


def _polynomial(coefficients, x):
    """1 + Σ_m c_m x^(n+m) with n = len(coefficients), and its derivative (Horner)."""
    order = len(coefficients)
    value, slope = torch.zeros_like(x), torch.zeros_like(x)
    for power, c in reversed(list(enumerate(coefficients, order))):
        value, slope = value * x + c, slope * x + power * c
    return value * x**order + 1, slope * x ** (order - 1)

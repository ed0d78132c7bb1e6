"""Radial functions of models that learn their own: spherical Bessel functions under a smooth envelope."""

from __future__ import annotations

import math

import torch


def bessel(r: torch.Tensor, cutoff: float, count: int) -> torch.Tensor:
    """sqrt(2/r_c) sin(nπ r/r_c)/r, n = 1 … count, at distances (…): (…, count) (Gasteiger et al. 2020, eq. 7)."""
    n = torch.arange(1, count + 1, dtype=r.dtype) * (math.pi / cutoff)
    return math.sqrt(2 / cutoff) * torch.sin(n * r[..., None]) / r[..., None]


def polynomial_cutoff(r: torch.Tensor, cutoff: float) -> torch.Tensor:
    """1 - 28 x⁶ + 48 x⁷ - 21 x⁸ with x = r/r_c, 0 from r_c on: two vanishing derivatives there (ibid., eq. 8, p = 6)."""
    x = (r / cutoff).clamp(max=1.0)
    return 1 - 28 * x**6 + 48 * x**7 - 21 * x**8

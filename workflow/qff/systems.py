"""Systems of the study: atoms, masses and the internal coordinates a model sees.

Internal coordinates make a model translation and rotation invariant. They are scaled with fixed physical
bounds from ``config/systems.yaml`` rather than training extremes, so that validation, test and dynamics frames
stay inside ±0.95, where arcsin and its derivative are tame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from qff.config import CoordinateConfig, SystemConfig
from qff.errors import DomainError

MARGIN = 0.95  # scaled coordinates of the bounds are ±MARGIN


def bond(positions: torch.Tensor, atoms: list[int]) -> torch.Tensor:
    """Distance of two atoms in Å; positions (B, A, 3) → (B,)."""
    return (positions[:, atoms[1]] - positions[:, atoms[0]]).norm(dim=-1)


def angle(positions: torch.Tensor, atoms: list[int]) -> torch.Tensor:
    """Angle in degrees at the middle one of three atoms; positions (B, A, 3) → (B,)."""
    a = positions[:, atoms[0]] - positions[:, atoms[1]]
    b = positions[:, atoms[2]] - positions[:, atoms[1]]
    return torch.rad2deg(torch.atan2(torch.linalg.cross(a, b).norm(dim=-1), (a * b).sum(-1)))


def dihedral(positions: torch.Tensor, atoms: list[int]) -> torch.Tensor:
    """Angle in degrees, 0 to 360, between the half-planes of atoms (0, 1, 2) and (0, 1, 3) around the axis 0-1.

    180° is planar; positions (B, A, 3) → (B,).
    """
    origin, end, first, second = (positions[:, k] for k in atoms)
    axis = (end - origin) / (end - origin).norm(dim=-1, keepdim=True)
    a = torch.linalg.cross(axis, first - origin)
    b = torch.linalg.cross(axis, second - origin)
    sine = (torch.linalg.cross(a, b) * axis).sum(-1)
    return torch.rad2deg(torch.atan2(-sine, -(a * b).sum(-1))) + 180.0


COORDINATES = {"bond": bond, "angle": angle, "dihedral": dihedral}


def _scaled(coordinate: CoordinateConfig, q):
    low, high = coordinate.bounds
    return MARGIN * (2 * (q - low) / (high - low) - 1)


@dataclass(frozen=True)
class System:
    """A molecule and its scaled internal coordinates."""

    name: str
    config: SystemConfig

    @property
    def symbols(self) -> list[str]:
        return self.config.atoms

    @property
    def masses(self) -> np.ndarray:
        """Atomic masses in amu, (A,)."""
        return np.array(self.config.masses_amu)

    @property
    def n_coordinates(self) -> int:
        return len(self.config.coordinates)

    def internal_coordinates(self, positions) -> torch.Tensor:
        """Internal coordinates (B, K) in Å and degrees of positions (B, A, 3) in Å."""
        positions = torch.as_tensor(positions, dtype=torch.float64)
        return torch.stack([COORDINATES[c.kind](positions, c.atoms) for c in self.config.coordinates], 1)

    def inside(self, positions) -> np.ndarray:
        """Whether all scaled coordinates of positions (B, A, 3) lie within ±1, (B,) of bool."""
        columns = self.internal_coordinates(positions).unbind(1)
        x = torch.stack([_scaled(c, q) for c, q in zip(self.config.coordinates, columns, strict=True)], 1)
        return (x.abs() < 1).all(1).numpy()

    def scaled_coordinates(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scaled internal coordinates and their Cartesian derivatives.

        Args:
            positions: (B, A, 3) in Å.

        Returns:
            x (B, K) in ±1, dimensionless, and dx/dR (B, K, A, 3) in 1/Å.

        Raises:
            DomainError: a coordinate leaves ±1, that is, leaves the bounds by more than their margin.
        """
        positions = positions.detach().requires_grad_(True)
        values, gradients = [], []
        with torch.enable_grad():
            for coordinate in self.config.coordinates:
                low, high = coordinate.bounds
                q = COORDINATES[coordinate.kind](positions, coordinate.atoms)
                x = _scaled(coordinate, q)
                (gradient,) = torch.autograd.grad(x.sum(), positions)
                values.append(x.detach())
                gradients.append(gradient)
                outside = (x.detach().abs() >= 1) | ~torch.isfinite(x.detach())
                if outside.any():
                    frame = int(outside.nonzero()[0])
                    raise DomainError(
                        f"frame {frame} of {self.name}: {coordinate.kind} {coordinate.atoms} = {float(q[frame].detach()):.4f} "
                        f"{coordinate.unit} lies outside the bounds {low}–{high} {coordinate.unit} of config/systems.yaml; the models are not defined "
                        "there. Widen the bounds and retrain, or leave the frame out."
                    )
        return torch.stack(values, 1), torch.stack(gradients, 1)

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
from qff.errors import ConfigError, DomainError

MARGIN = 0.95  # scaled coordinates of the bounds are ±MARGIN


def bond(positions: torch.Tensor, atoms: list[int]) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """Distance of two atoms in Å, (B,), and its derivatives in the position of each, (B, 3); positions (B, A, 3)."""
    first, second = atoms
    vector = positions[:, second] - positions[:, first]
    r = vector.norm(dim=-1)
    slope = vector / r[:, None]
    return r, (-slope, slope)


def angle(positions: torch.Tensor, atoms: list[int]) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """Angle in degrees at the middle one of three atoms, (B,), and its derivatives in degrees/Å, (B, 3) each."""
    first, vertex, second = atoms
    a, b = positions[:, first] - positions[:, vertex], positions[:, second] - positions[:, vertex]
    normal = torch.linalg.cross(a, b)
    sine = normal.norm(dim=-1)
    # An end moves the angle along the perpendicular to its arm, in the plane, by 1/length.
    scale = torch.rad2deg(1 / sine)[:, None]
    at_first = scale * torch.linalg.cross(a, normal) / (a * a).sum(-1, keepdim=True)
    at_second = scale * torch.linalg.cross(normal, b) / (b * b).sum(-1, keepdim=True)
    return torch.rad2deg(torch.atan2(sine, (a * b).sum(-1))), (at_first, -at_first - at_second, at_second)


def dihedral(positions: torch.Tensor, atoms: list[int]) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """Angle in degrees, 0 to 360, between the half-planes of atoms (0, 1, 2) and (0, 1, 3) around the axis 0-1.

    180° is planar. Returns the angle (B,) and its derivatives in degrees/Å, (B, 3) for each atom.
    """
    origin, end, first, second = (positions[:, k] for k in atoms)
    axis = end - origin
    length = axis.norm(dim=-1, keepdim=True)
    unit = axis / length
    a, b = torch.linalg.cross(unit, first - origin), torch.linalg.cross(unit, second - origin)
    sine = (torch.linalg.cross(a, b) * unit).sum(-1)
    # An end moves the dihedral around the axis by 1/distance from it; the axis tilts below it in proportion.
    at_first = torch.rad2deg(-a / (a * a).sum(-1, keepdim=True))
    at_second = torch.rad2deg(b / (b * b).sum(-1, keepdim=True))
    height = [((p - origin) * unit).sum(-1, keepdim=True) / length for p in (first, second)]
    at_end = -height[0] * at_first - height[1] * at_second
    value = torch.rad2deg(torch.atan2(-sine, -(a * b).sum(-1))) + 180.0
    return value, (-at_end - at_first - at_second, at_end, at_first, at_second)


COORDINATES = {"bond": bond, "angle": angle, "dihedral": dihedral}


def _scaled(coordinate: CoordinateConfig, q: torch.Tensor) -> torch.Tensor:
    low, high = coordinate.bounds
    return MARGIN * (2 * (q - low) / (high - low) - 1)


@dataclass(frozen=True)
class System:
    """A molecule and its scaled internal coordinates."""

    name: str
    config: SystemConfig

    @property
    def settings_name(self) -> str:
        """The system under which models find their settings: this one, or the one that it is like."""
        return self.config.like or self.name

    @property
    def symbols(self) -> list[str]:
        return self.config.atoms

    @property
    def masses(self) -> np.ndarray:
        """Atomic masses in amu, (A,)."""
        return np.array(self.config.masses)

    @property
    def coordinates(self) -> list[CoordinateConfig]:
        """Its internal coordinates.

        Raises:
            ConfigError: it has none.
        """
        if not self.config.coordinates:
            raise ConfigError(
                f"system '{self.name}' has no internal coordinates (coordinates in config/systems.yaml), which this needs; "
                "use a model of interatomic distances, such as behler_parrinello"
            )
        return self.config.coordinates

    @property
    def n_coordinates(self) -> int:
        return len(self.coordinates)

    def internal_coordinates(self, positions) -> torch.Tensor:
        """Internal coordinates (B, K) in Å and degrees of positions (B, A, 3) in Å."""
        positions = torch.as_tensor(positions, dtype=torch.float64)
        return torch.stack([COORDINATES[c.kind](positions, c.atoms)[0] for c in self.coordinates], 1)

    def inside(self, positions) -> np.ndarray:
        """Whether all scaled coordinates of positions (B, A, 3) lie within ±1, (B,) of bool; all, without coordinates."""
        if not self.config.coordinates:
            return np.ones(len(positions), dtype=bool)
        columns = self.internal_coordinates(positions).unbind(1)
        x = torch.stack([_scaled(c, q) for c, q in zip(self.coordinates, columns, strict=True)], 1)
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
        positions = positions.detach()
        values = []
        gradients = positions.new_zeros(len(positions), self.n_coordinates, *positions.shape[1:])
        for k, coordinate in enumerate(self.coordinates):
            low, high = coordinate.bounds
            q, slopes = COORDINATES[coordinate.kind](positions, coordinate.atoms)
            x = _scaled(coordinate, q)
            for atom, slope in zip(coordinate.atoms, slopes, strict=True):
                gradients[:, k, atom] = (2 * MARGIN / (high - low)) * slope
            inside = x.abs() < 1  # false for NaN
            if not inside.all():
                frame = int((~inside).nonzero()[0])
                raise DomainError(
                    f"frame {frame} of {self.name}: {coordinate.kind} {coordinate.atoms} = {float(q[frame]):.4f} "
                    f"{coordinate.unit} lies outside the bounds {low}–{high} {coordinate.unit} of config/systems.yaml; the models are not defined "
                    "there. Widen the bounds and retrain, or leave the frame out."
                )
            values.append(x)
        return torch.stack(values, 1), gradients

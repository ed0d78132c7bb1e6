"""Stationary points and harmonic vibrations of any potential, from its forces."""

from __future__ import annotations

import numpy as np

from qff.errors import DataError
from qff.units import harmonic_wavenumber


def vibrations(positions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Orthonormal basis (3A, 3A - 6) of all motions but translations and rotations of a bent molecule.

    Motions are displacements times weights: 1 for plain Cartesian ones, sqrt(m) for mass-weighted ones.

    Args:
        positions: (A, 3) in Å. weights: (A,).
    """
    centred = positions - np.average(positions, axis=0, weights=weights**2)
    translations = np.broadcast_to(np.eye(3)[:, None], (3, *positions.shape))
    rotations = np.cross(np.eye(3)[:, None], centred)
    rigid = (np.concatenate([translations, rotations]) * weights[:, None]).reshape(6, -1)
    return np.linalg.qr(rigid.T, mode="complete")[0][:, 6:]


def hessian(potential, positions: np.ndarray, step: float = 0.005) -> np.ndarray:
    """Second derivatives (3A, 3A) in eV/Å² at positions (A, 3), from central differences of the forces.

    Only along the vibrations, which saves half of the forces or more: translations and rotations get none, which is
    what they have at a stationary point.
    """
    basis = vibrations(positions, np.ones(len(positions)))
    moves = step * basis.T.reshape(-1, *positions.shape)
    _, forces = potential.energy_and_forces(np.concatenate([positions + moves, positions - moves]))
    ahead, behind = forces.reshape(2, len(moves), -1)
    found = (behind - ahead) @ basis / (2 * step)
    return basis @ (found + found.T) @ basis.T / 2


def stationary_point(
    potential, start: np.ndarray, guide=None, tolerance: float = 1e-5, max_steps: int = 30
) -> np.ndarray:
    """Minimum or saddle point (A, 3) near a start, by Newton steps in the vibrations.

    Args:
        guide: potential that gives the second derivatives, if those of ``potential`` cost too much.
        tolerance: largest force component left, eV/Å.

    Raises:
        DataError: not reached.
        DomainError: a step leaves the bounds of the potential.
    """
    positions = np.array(start, dtype=float)
    for _ in range(max_steps):
        _, forces = potential.energy_and_forces(positions[None])
        if np.abs(forces).max() < tolerance:
            return positions
        basis = vibrations(positions, np.ones(len(positions)))
        curvature = basis.T @ hessian(guide or potential, positions) @ basis
        positions = positions + (basis @ np.linalg.solve(curvature, basis.T @ forces.ravel())).reshape(-1, 3)
    raise DataError(f"no stationary point within {max_steps} Newton steps; forces of {np.abs(forces).max():.2g} eV/Å")


def normal_modes(second: np.ndarray, positions: np.ndarray, masses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Harmonic wavenumbers (K,) in cm⁻¹, ascending, and Cartesian displacements (K, A, 3), K = 3A - 6.

    Imaginary ones are negative. Displacements are those of unit mass-weighted normal coordinates, in amu^-1/2.

    Args:
        second: (3A, 3A) in eV/Å². positions: (A, 3) in Å. masses: (A,) in amu.
    """
    weight = np.repeat(np.sqrt(masses), 3)
    basis = vibrations(positions, np.sqrt(masses))
    values, vectors = np.linalg.eigh(basis.T @ (second / np.outer(weight, weight)) @ basis)
    wavenumbers = np.array([np.sign(k) * harmonic_wavenumber(abs(k), 1.0) for k in values])
    return wavenumbers, ((basis @ vectors).T / weight).reshape(len(values), -1, 3)

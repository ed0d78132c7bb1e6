"""The fitted reference: a dense least-squares fit to all labels of a molecule, on which reference dynamics run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qff.data import LabelledFrames
from qff.errors import DataError, DomainError
from qff.polynomial import Monomials, pair_permutations, pairs, variables
from qff.systems import System
from qff.units import EV_IN_MEV

DEGREES = {3: 8, 4: 6}  # atoms → degree: 95 symmetric polynomials for AB2, 196 for AB3
LENGTH_ANG = 2.0  # λ of the Morse variables; held-out errors are smaller than with 1 Å
ENERGY_SCALE_EV, FORCE_SCALE_EV_PER_ANG = 1e-3, 1e-2  # errors that weigh the same
SOFT_EV = 0.3  # frames this high above the lowest one weigh a half
MARGIN = 0.1  # the fit is used this part of the range of the distances beyond it


@dataclass
class FittedReference:
    """Permutation-symmetric polynomial through energies and forces of all frames, defined where there are frames.

    Raises:
        DataError: the molecule has not three or four atoms, or too few frames.
    """

    system: System
    frames: LabelledFrames

    def __post_init__(self):
        symbols = self.system.symbols
        if len(symbols) not in DEGREES:
            raise DataError(f"{self.system.name}: a fitted reference needs three or four atoms, not {len(symbols)}")
        self._pairs = pairs(len(symbols))
        permuted = pair_permutations(symbols)
        self._monomials = Monomials(len(self._pairs), DEGREES[len(symbols)])
        self._orbits = self._monomials.orbits(permuted)
        kind = np.min(permuted, axis=0)  # pairs of the same elements share centre and bounds
        distances = self._distances(self.frames.positions)
        same = [distances[:, kind == k] for k in kind]
        self._centre = np.array([d.mean() for d in same])
        low, high = (np.array([f(d) for d in same]) for f in (np.min, np.max))
        self._low, self._high = low - MARGIN * (high - low), high + MARGIN * (high - low)
        self._shift = float(self.frames.energies.min())
        self._use(self._fit(np.arange(len(self.frames))))

    def _distances(self, positions: np.ndarray) -> np.ndarray:
        first, second = self._pairs.T
        return np.linalg.norm(positions[..., second, :] - positions[..., first, :], axis=-1)

    def _use(self, coefficients: np.ndarray) -> None:
        spread = coefficients[self._orbits]
        # Energy and its gradient in the variables are one product with the monomials.
        self._weights = np.column_stack([spread, self._monomials.derivatives(spread)])

    def _fit(self, index: np.ndarray) -> np.ndarray:
        """Coefficients of the symmetric polynomials from some of the frames.

        Raises:
            DataError: they do not determine the coefficients.
        """
        frames, monomials = self.frames, self._monomials
        y, slope = variables(frames.positions[index], self._pairs, self._centre, LENGTH_ANG)
        values = monomials(y)
        sums = np.eye(self._orbits.max() + 1)[self._orbits]
        forces = np.zeros((len(index), slope[0, 0].size, sums.shape[1]))
        for v, exponent in enumerate(monomials.exponents.T):
            gradient = (values[:, monomials.lowered[:, v]] * exponent) @ sums
            forces -= slope[:, v].reshape(len(index), -1, 1) * gradient[:, None]
        energies = frames.energies[index] - self._shift
        weight = SOFT_EV / (SOFT_EV + energies)
        rows = np.concatenate(
            [
                (values @ sums) * (weight / ENERGY_SCALE_EV)[:, None],
                (forces * (weight / FORCE_SCALE_EV_PER_ANG)[:, None, None]).reshape(-1, sums.shape[1]),
            ]
        )
        targets = np.concatenate(
            [
                energies * weight / ENERGY_SCALE_EV,
                (frames.forces[index] * (weight / FORCE_SCALE_EV_PER_ANG)[:, None, None]).ravel(),
            ]
        )
        scale = np.sqrt((rows**2).sum(0))
        solution, _, rank, _ = np.linalg.lstsq(rows / scale, targets, rcond=1e-12)
        if rank < len(scale):
            raise DataError(
                f"{self.system.name}: {len(index)} frames determine {rank} of the {len(scale)} coefficients of the fitted "
                "reference; it needs more frames"
            )
        return solution / scale

    def inside(self, positions: np.ndarray) -> np.ndarray:
        """Whether all distances of positions (B, A, 3) lie where there are frames, (B,) of bool."""
        r = self._distances(np.asarray(positions))
        return ((r >= self._low) & (r <= self._high)).all(-1)

    def energy_and_forces(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energies (B,) in eV and forces (B, A, 3) in eV/Å of positions (B, A, 3) in Å.

        Raises:
            DomainError: a distance lies outside those of the frames by more than the margin.
        """
        positions = np.asarray(positions)
        inside = self.inside(positions)
        if not inside.all():
            raise DomainError(
                f"frame {int((~inside).argmax())} of {self.system.name}: a distance leaves the range of the labels that "
                "the reference is fitted to"
            )
        y, slope = variables(positions, self._pairs, self._centre, LENGTH_ANG)
        found = self._monomials(y) @ self._weights
        return found[:, 0] + self._shift, -np.einsum("bv,bvax->bax", found[:, 1:], slope)

    def residuals(self, rng: np.random.Generator) -> dict[str, tuple[str, float]]:
        """Root mean square error on all frames, and on a fifth of them left out of a second fit."""
        order = rng.permutation(len(self.frames))
        held, rest = np.split(order, [len(order) // 5])
        found = self._errors(order, "fit")
        everything = self._weights
        self._use(self._fit(rest))
        found |= self._errors(held, "held_out")
        self._weights = everything
        return found

    def _errors(self, index: np.ndarray, name: str) -> dict[str, tuple[str, float]]:
        energies, forces = self.energy_and_forces(self.frames.positions[index])
        energy = (energies - self.frames.energies[index]) * EV_IN_MEV
        force = forces - self.frames.forces[index]
        return {
            f"{name}_energy_rmse": ("meV", float(np.sqrt((energy**2).mean()))),
            f"{name}_force_rmse": ("eV/Ang", float(np.sqrt((force**2).mean()))),
        }

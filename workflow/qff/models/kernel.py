"""Gaussian-process regression of energies and forces on internal coordinates."""

from __future__ import annotations

import math

import torch

from qff.errors import ConfigError
from qff.models.architecture import Inputs
from qff.models.linear import LinearArchitecture
from qff.models.symmetry import SymmetricCoordinates


class Kernel(LinearArchitecture):
    """f(x) = Σ_m c_m exp(-|x - x_m|²/2l²), centred on training geometries.

    The sparse Gaussian process of the Gaussian approximation potentials (Bartók & Csányi, Int. J. Quantum Chem. 115,
    1051, 2015): energies and forces of all training frames are fitted, cᵀKc with K_mn = k(x_m, x_n) is the prior, its
    weight the ratio of noise and signal. Coordinates are the scaled internal ones, as a QNN sees them.

    Parameters: coefficients c (M), centres (M·F, one after the other), log l.

    Settings:
        centres: number M of centres, the first training frames; if those are fewer, centres repeat, and the function
            is that of the frames there are.
        length_scales: alternatives of l, in units of the scaled coordinates; the validation set decides.
        symmetric: average the kernel over permutations of equal atoms, in bonds and angles (no dihedral).
    """

    def __init__(self, system, settings):
        super().__init__(system, settings)
        if unknown := set(settings) - {"centres", "length_scales", "symmetric", "output_range"}:
            raise ConfigError(f"unknown settings of a kernel model: {', '.join(sorted(unknown))}")
        self._centres = settings["centres"]
        if not isinstance(self._centres, int) or self._centres < 1:
            raise ConfigError(f"centres = {self._centres}: must be an integer of at least 1")
        self._lengths = settings.get("length_scales", [0.5, 1.0, 1.5, 2.0, 3.0])
        if not self._lengths or min(self._lengths) <= 0:
            raise ConfigError(f"length_scales = {self._lengths}: must be positive numbers")
        if settings.get("symmetric", False):
            coordinates = SymmetricCoordinates(system)
            self._scaled, self._orders = coordinates.scaled, coordinates.permutations
            self.invariances = self.invariances | {"permutation", "mirror"}
        else:
            self._scaled, self._orders = system.scaled_coordinates, torch.arange(system.n_coordinates)[None]

    @property
    def n_coefficients(self):
        return self._centres

    @property
    def n_parameters(self):
        return self._centres * (1 + self._orders.shape[1]) + 1

    def alternatives(self, training):
        frames = training.values[:, torch.arange(self._centres) % training.values.shape[1]].flatten(1)
        columns = [frames.new_full((len(frames), 1), math.log(length)) for length in self._lengths]
        return [torch.cat([frames, column], 1) for column in columns]

    def inputs(self, positions):
        x, gradient = self._scaled(positions)
        return Inputs(x, torch.eye(x.shape[1], dtype=x.dtype).expand(len(x), -1, -1), gradient)

    def _images(self, fixed):
        """Centres under all permutations (S, M·G, F), and lengths (S, 1, 1)."""
        centres = fixed[:, :-1].unflatten(1, (self._centres, -1))
        return centres[..., self._orders].flatten(1, 2), fixed[:, -1:, None].exp()

    def _kernel(self, values, images, length):
        """exp(-|x - x_m|²/2l²) / G, (S, B, M·G): distances from differences, exact at short range."""
        difference = torch.cdist(
            values.expand(len(images), -1, -1), images, compute_mode="donot_use_mm_for_euclid_dist"
        )
        return torch.exp(-0.5 * (difference / length) ** 2) / len(self._orders)

    def basis(self, fixed, inputs):
        images, length = self._images(fixed)
        kernel = self._kernel(inputs.values, images, length)
        # Along direction t: ∂k = k (x_m - x)·t/l².
        towards = inputs.tangents @ images.transpose(1, 2)[:, None]  # (S, B, K, M·G)
        towards = (towards - (inputs.tangents @ inputs.values[..., None])) * kernel[:, :, None]
        grouped = [part.unflatten(-1, (self._centres, -1)).sum(-1) for part in (kernel, towards)]
        return grouped[0], grouped[1] / length[..., None] ** 2

    def penalty(self, fixed):
        images, length = self._images(fixed)
        centres = images[:, :: len(self._orders)]
        return self._kernel(centres, images, length).unflatten(-1, (self._centres, -1)).sum(-1)

    def evaluate(self, theta, inputs):
        # One gradient of a frame is cheaper than the tangents of all kernels.
        images, length = self._images(theta[:, self._centres :])
        coefficients = theta[:, : self._centres].repeat_interleave(len(self._orders), 1)
        weighted = self._kernel(inputs.values, images, length) * coefficients[:, None]
        total = weighted.sum(-1)
        gradient = (weighted @ images - total[..., None] * inputs.values) / length**2  # (S, B, F)
        return total, (inputs.tangents @ gradient[..., None])[..., 0]

"""Low-order polynomial in symmetrised internal coordinates: the classical force field of a small molecule."""

from __future__ import annotations

from itertools import product

import torch

from qff.errors import ConfigError
from qff.models.architecture import Inputs
from qff.models.linear import LinearArchitecture
from qff.models.symmetry import SymmetricCoordinates


class Polynomial(LinearArchitecture):
    """All polynomials of the scaled bonds and angles up to a total degree that permutations of equal atoms leave alone.

    Basis: products of Chebyshev polynomials, averaged over permutations. They span what products of powers span, and
    keep the least squares well conditioned. For H2O that space is that of the polynomials in (r1 + r2, (r1 - r2)², θ):
    22 functions of degree ≤ 4, 34 of degree ≤ 5. Mirror images have equal energies.

    Settings:
        degree: largest total degree.
    """

    invariances = frozenset({"translation", "rotation", "permutation", "mirror"})

    def __init__(self, system, settings):
        super().__init__(system, settings)
        if unknown := set(settings) - {"degree", "output_range"}:
            raise ConfigError(f"unknown settings of a polynomial: {', '.join(sorted(unknown))}")
        self._degree = settings["degree"]
        if not isinstance(self._degree, int) or self._degree < 1:
            raise ConfigError(f"degree = {self._degree}: must be an integer of at least 1")
        self._coordinates = SymmetricCoordinates(system)
        n = len(self._coordinates)
        exponents = [e for e in product(range(self._degree + 1), repeat=n) if sum(e) <= self._degree]
        orders = self._coordinates.permutations.tolist()
        orbits = [max(tuple(e[k] for k in order) for order in orders) for e in exponents]
        members = {orbit: number for number, orbit in enumerate(dict.fromkeys(orbits))}
        self._exponents = torch.tensor(exponents)  # (M, K)
        self._average = torch.zeros(len(orbits), len(members), dtype=torch.float64)  # (M, C)
        self._average[torch.arange(len(orbits)), torch.tensor([members[o] for o in orbits])] = 1.0
        self._average /= self._average.sum(0)

    @property
    def n_coefficients(self):
        return self._average.shape[1]

    @property
    def n_parameters(self):
        return self.n_coefficients

    def inputs(self, positions):
        x, gradient = self._coordinates.scaled(positions)
        values, slopes = chebyshev(x, self._degree)  # (B, K, degree + 1)
        coordinates = range(x.shape[1])
        factors = [values[:, k, self._exponents[:, k]] for k in coordinates]  # K of (B, M)
        tangents = []
        for k in coordinates:
            factor = slopes[:, k, self._exponents[:, k]]
            for other in coordinates:
                if other != k:
                    factor = factor * factors[other]
            tangents.append(factor @ self._average)
        return Inputs(torch.stack(factors).prod(0) @ self._average, torch.stack(tangents, 1), gradient)

    def basis(self, fixed, inputs):
        return inputs.values, inputs.tangents


def chebyshev(x: torch.Tensor, degree: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Chebyshev polynomials T_0 … T_degree of x and their derivatives, on a new last axis."""
    values, slopes = [torch.ones_like(x), x], [torch.zeros_like(x), torch.ones_like(x)]
    for _ in range(degree - 1):
        values.append(2 * x * values[-1] - values[-2])
        slopes.append(2 * values[-2] + 2 * x * slopes[-1] - slopes[-2])
    return torch.stack(values, -1), torch.stack(slopes, -1)

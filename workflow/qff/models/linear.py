"""Models that are linear in what is fitted: least squares finds their minimum in closed form."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch

from qff.models.architecture import Architecture, Inputs

# Strengths of the ridge relative to the largest squared singular value of the problem. Labels of coupled cluster carry
# no noise to speak of: the weakest ones win unless there are hardly more equations than coefficients.
RIDGES = (0.0, 1e-16, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4)


def combined(
    coefficients: torch.Tensor, values: torch.Tensor, tangents: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """f (S, B) and its derivatives (S, B, K) from coefficients (S, C) of basis functions (S or 1, B, C) and of theirs."""
    return (values @ coefficients[:, :, None])[..., 0], (tangents @ coefficients[:, None, :, None])[..., 0]


class LinearArchitecture(Architecture):
    """f = Σ_c θ_c b_c(x; fixed).

    The first ``n_coefficients`` parameters are the coefficients θ_c; the rest, ``fixed``, is chosen before the fit
    from a few alternatives. :func:`qff.training.linear.solve` fits such a model.
    """

    linear = True
    #: Strengths of the ridge to choose from by validation.
    ridges: tuple[float, ...] = RIDGES

    @property
    @abstractmethod
    def n_coefficients(self) -> int: ...

    def alternatives(self, training: Inputs) -> list[torch.Tensor]:
        """Choices of the fixed parameters, each (S, P - C), for the training inputs of S members."""
        return [training.values.new_zeros(len(training.values), 0)]

    @abstractmethod
    def basis(self, fixed: torch.Tensor, inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor]:
        """Basis functions (S, B, C) and their derivatives along the input directions (S, B, K, C)."""

    def penalty(self, fixed: torch.Tensor) -> torch.Tensor | None:
        """Positive semidefinite R (S, C, C) of the ridge λ θᵀRθ; None is the mean square of each basis function."""
        return None

    def describe(self):
        return {**super().describe(), "n_coefficients": self.n_coefficients, "optimiser": "least squares"}

    def initial_parameters(self, rng: np.random.Generator) -> np.ndarray:
        """Zeros: a least-squares fit starts nowhere."""
        return np.zeros(self.n_parameters)

    def evaluate(self, theta, inputs):
        coefficients = theta[:, : self.n_coefficients]
        values, tangents = self.basis(theta[:, self.n_coefficients :], inputs)
        return combined(coefficients, values, tangents)

"""Models written as energies of Cartesian positions, for molecules of any size; forces by automatic differentiation."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch

from qff.models.architecture import Architecture, Inputs

_TRIPLES_AT_ONCE = 100_000  # ordered triples of atoms in evaluations without training, which bounds memory


class CartesianArchitecture(Architecture):
    """f = a function of positions in Å, defined for every geometry; its directions are the Cartesian axes."""

    invariances = frozenset({"translation", "rotation", "permutation", "mirror"})
    #: Elements whose parameters θ holds, in order: models of two molecules share θ if they are the same.
    parameter_elements: tuple[str, ...] = ()

    @abstractmethod
    def energy(self, theta: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Output f (S, B) of parameters (S, P) at positions (S, B, A, 3) in Å, twice differentiable."""

    def inside(self, positions):
        return np.ones(len(positions), dtype=bool)

    def inputs(self, positions):
        axes = torch.eye(positions[0].numel(), dtype=positions.dtype).expand(len(positions), -1, -1)
        return Inputs(positions.detach().flatten(1), axes, axes.unflatten(-1, positions.shape[1:]))

    def evaluate(self, theta, inputs):
        x = inputs.values.expand(len(theta), -1, -1)
        if theta.requires_grad or x.requires_grad:
            f, slope = self._value_and_slope(theta, x)
        else:
            frames = max(1, _TRIPLES_AT_ONCE // (len(x) * (x.shape[-1] // 3) ** 3))
            parts = [self._value_and_slope(theta, part) for part in x.split(frames, 1)]
            f, slope = (torch.cat(p, 1) for p in zip(*parts, strict=True))
        return f, (inputs.tangents @ slope[..., None])[..., 0]

    def _value_and_slope(self, theta, x):
        """f (S, B) and its gradient in the positions (S, B, 3A)."""
        keep = theta.requires_grad or x.requires_grad
        with torch.enable_grad():
            if not x.requires_grad:
                x = x.detach().requires_grad_(True)
            f = self.energy(theta, x.unflatten(-1, (-1, 3)))
            (slope,) = torch.autograd.grad(f.sum(), x, create_graph=keep)
        return (f, slope) if keep else (f.detach(), slope)

    def values(self, theta, values):
        return self.energy(theta, values.expand(len(theta), -1, -1).unflatten(-1, (-1, 3)))

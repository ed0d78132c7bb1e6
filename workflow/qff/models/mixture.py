"""Several molecules under one set of parameters, for models whose parameters belong to species."""

from __future__ import annotations

import torch

from qff.errors import ConfigError
from qff.models.architecture import Architecture, Inputs
from qff.models.cartesian import CartesianArchitecture


class Mixture(Architecture):
    """f of a frame is that of its own molecule's architecture; all of them share θ.

    Values of a frame are its positions, padded with zeros to the largest molecule, and the number of its molecule, which
    no direction moves. All members of an ensemble hold the molecules in the same order.
    """

    def __init__(self, parts: list[CartesianArchitecture]):
        """
        Raises:
            ConfigError: a model whose parameters do not fit every molecule.
        """
        for part in parts:
            if not isinstance(part, CartesianArchitecture) or _shape(part) != _shape(parts[0]):
                raise ConfigError(
                    f"model for {part.system.name}: its {part.n_parameters} parameters are not those for "
                    f"{parts[0].system.name}; only models with parameters by species can be moved, with the elements of "
                    "all molecules stated ('elements' in config/models.yaml)"
                )
        super().__init__(parts[0].system, parts[0].settings)
        self.parts = parts
        self.width = max(3 * len(part.system.symbols) for part in parts)

    @property
    def n_parameters(self):
        return self.parts[0].n_parameters

    def initial_parameters(self, rng):
        return self.parts[0].initial_parameters(rng)

    def inputs(self, positions):
        raise NotImplementedError("a mixture has no geometry of its own: number_inputs takes those of a molecule")

    def number_inputs(self, number: int, inputs: Inputs) -> Inputs:
        """Inputs of frames of molecule ``number`` as the mixture takes them: (…, B, W + 1), W = 3 · most atoms."""
        missing = self.width - inputs.values.shape[-1]
        values = torch.nn.functional.pad(inputs.values, (0, missing + 1))
        values[..., -1] = number
        tangents = torch.nn.functional.pad(inputs.tangents, (0, missing + 1, 0, missing))
        directions = torch.nn.functional.pad(inputs.directions, (0, 0, 0, missing // 3, 0, missing))
        return Inputs(values, tangents, directions)

    def evaluate(self, theta, inputs):
        numbers = inputs.values[0, :, -1].detach().round().long()
        order, outputs, slopes = [], [], []
        for number, part in enumerate(self.parts):
            rows = (numbers == number).nonzero()[:, 0]
            if not len(rows):
                continue
            size = 3 * len(part.system.symbols)
            own = Inputs(
                inputs.values[:, rows, :size],
                inputs.tangents[:, rows, :size, :size],
                inputs.directions[:, rows, :size, : size // 3],
            )
            f, df = part.evaluate(theta, own)
            order.append(rows)
            outputs.append(f)
            slopes.append(torch.nn.functional.pad(df, (0, self.width - size)))
        back = torch.cat(order).argsort()
        return torch.cat(outputs, 1)[:, back], torch.cat(slopes, 1)[:, back]

    def describe(self):
        return {**self.parts[0].describe(), "system": "+".join(part.system.name for part in self.parts)}


def _shape(part: CartesianArchitecture) -> tuple:
    """What two molecules must have in common to share parameters."""
    return part.n_parameters, part.parameter_elements


def padded_forces(forces: torch.Tensor, width: int) -> torch.Tensor:
    """Forces (…, A, 3) of a molecule with zeros for the atoms that it does not have, (…, W/3, 3)."""
    return torch.nn.functional.pad(forces, (0, 0, 0, width // 3 - forces.shape[-2]))

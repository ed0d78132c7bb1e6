"""The predictor that has learnt nothing: what any error must be held against."""

from __future__ import annotations

import numpy as np

from qff.errors import ConfigError
from qff.models.architecture import Inputs
from qff.models.linear import LinearArchitecture


class MeanPredictor(LinearArchitecture):
    """The mean training energy, and no force, for every geometry of every system.

    One coefficient, the constant: least squares of the loss makes it the mean, whatever the force weight. It has no
    settings.
    """

    ridges = (0.0,)  # the mean, not a mean that is shrunk because it happens to validate better
    invariances = frozenset({"translation", "rotation", "permutation", "mirror"})

    def __init__(self, system, settings):
        super().__init__(system, settings)
        if unknown := set(settings) - {"output_range"}:
            raise ConfigError(f"unknown settings of a mean predictor: {', '.join(sorted(unknown))}")

    @property
    def n_coefficients(self):
        return 1

    @property
    def n_parameters(self):
        return 1

    def inputs(self, positions):
        """The constant function 1; no direction changes it."""
        frames, atoms = positions.shape[:2]
        ones = positions.new_ones(frames, 1)
        return Inputs(ones, ones.new_zeros(frames, 0, 1), ones.new_zeros(frames, 0, atoms, 3))

    def inside(self, positions):
        return np.ones(len(positions), bool)

    def basis(self, fixed, inputs):
        members = len(fixed)
        return inputs.values.expand(members, -1, -1), inputs.tangents.expand(members, -1, -1, -1)

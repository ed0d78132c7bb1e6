"""Circuits that are not trained, in models of many circuits: angles stay as they are drawn, the readout is trained."""

from __future__ import annotations

import numpy as np
import torch

from qff.errors import ConfigError
from qff.models.architecture import Architecture, Inputs, one_of
from qff.models.atomic_circuit import AtomicCircuits
from qff.models.linear import combined
from qff.models.neighbour_pairs import NeighbourPairs
from qff.randomness import generator

MODELS = {"atomic_circuits": AtomicCircuits, "neighbour_pairs": NeighbourPairs}


class RandomReadout(Architecture):
    """E = Σ_r E(readout_r; angles_r), sums of R copies of a model whose angles differ and are not trained.

    What is left to train are the parameters in which the model is linear, by the same optimiser as the model itself.
    One draw of the angles for all seeds: it belongs to the model. Where features are not scaled with the statistics of
    the training frames, every circuit runs once per frame, and its expectation values are the inputs.

    Settings:
        of: atomic_circuits or neighbour_pairs; the other settings are those of that model.
        draws: R.
    """

    def __init__(self, system, settings):
        super().__init__(system, settings)
        options = dict(settings)
        kind, draws = one_of("of", options.pop("of"), tuple(MODELS)), options.pop("draws")
        self._model = MODELS[kind](system, options)
        if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
            raise ConfigError(f"draws = {draws}: must be an integer of at least 1")
        self.normalise_inputs, self.invariances = self._model.normalise_inputs, self._model.invariances
        self._trained = torch.as_tensor(self._model.readout_parameters)
        streams = [generator(0, "random_readout", system.settings_name, r) for r in range(draws)]
        self._drawn = torch.tensor(np.array([self._model.initial_parameters(rng) for rng in streams]))

    @property
    def n_parameters(self):
        return len(self._drawn) * len(self._trained)

    def initial_parameters(self, rng):
        return np.concatenate(
            [self._model.initial_parameters(rng)[self._trained.numpy()] for _ in range(len(self._drawn))]
        )

    def inside(self, positions):
        return self._model.inside(positions)

    def inputs(self, positions):
        inputs = self._model.inputs(positions)
        if self.normalise_inputs:
            return inputs
        units = torch.eye(len(self._trained), dtype=self._drawn.dtype)
        parts = [
            self._model.evaluate(drawn.expand(len(units), -1).index_copy(1, self._trained, units), inputs)
            for drawn in self._drawn
        ]
        values, tangents = (torch.cat(p) for p in zip(*parts, strict=True))
        return Inputs(values.movedim(0, -1), tangents.movedim(0, -1), inputs.directions)

    def normalisation(self, values):
        return self._model.normalisation(values)

    def evaluate(self, theta, inputs):
        if not self.normalise_inputs:
            return combined(theta, inputs.values, inputs.tangents)
        parts = [
            self._model.evaluate(drawn.expand(len(theta), -1).index_copy(1, self._trained, own), inputs)
            for drawn, own in zip(self._drawn, theta.split(len(self._trained), 1), strict=True)
        ]
        return sum(f for f, _ in parts), sum(df for _, df in parts)

"""Classical twin of the QNN: a tanh network of the same size on the same scaled coordinates."""

from __future__ import annotations

import numpy as np
import torch

from qff.errors import ConfigError
from qff.models.architecture import Architecture, Inputs


class NeuralNetwork(Architecture):
    """Dense tanh network with linear output.

    Settings:
        hidden: widths of the hidden layers.
        bias: biases in the hidden layers.
        output_bias: bias of the output neuron.
        shift: feed (x+1)/2 instead of x. A network without biases is an odd function of its inputs and cannot
            describe a well that is centred in the bounds; shifted inputs lift that.
    """

    def __init__(self, system, settings):
        super().__init__(system, settings)
        unknown = set(settings) - {"hidden", "bias", "output_bias", "shift", "output_range"}
        if unknown:
            raise ConfigError(f"unknown settings of a neural network: {', '.join(sorted(unknown))}")
        widths = [system.n_coordinates, *settings["hidden"], 1]
        if min(widths) < 1:
            raise ConfigError(f"hidden widths {settings['hidden']}: every layer needs at least one neuron")
        self._shift = settings.get("shift", False)
        hidden = settings.get("bias", True)
        biases = [hidden] * (len(widths) - 2) + [settings.get("output_bias", hidden)]
        self._layers = [(n_in, n_out, b) for n_in, n_out, b in zip(widths[:-1], widths[1:], biases, strict=True)]

    @property
    def n_parameters(self):
        return sum(n_in * n_out + n_out * b for n_in, n_out, b in self._layers)

    def initial_parameters(self, rng):
        """Glorot-normal weights, zero biases."""
        parts = []
        for n_in, n_out, bias in self._layers:
            parts.append(rng.normal(0, np.sqrt(2 / (n_in + n_out)), n_in * n_out))
            parts.append(np.zeros(n_out * bias))
        return np.concatenate(parts)

    def inputs(self, positions):
        x, gradient = self.system.scaled_coordinates(positions)
        tangents = torch.eye(x.shape[1], dtype=x.dtype).expand(len(x), -1, -1)
        if self._shift:
            x, tangents = (x + 1) / 2, tangents / 2
        return Inputs(x, tangents, gradient)

    def evaluate(self, theta, inputs):
        return dense_tanh(theta, self._layers, inputs.values, inputs.tangents)

    def linearise(self, theta, inputs):
        """By one backward pass in which delta, the gradient in a layer's sums, has tangents along the directions."""
        kept = []
        f, df = dense_tanh(theta, self._layers, inputs.values, inputs.tangents, kept)
        delta, slope = torch.ones_like(f)[..., None], torch.zeros_like(df)[..., None]  # (S, B, n), (S, B, K, n)
        parts = []
        for number in reversed(range(len(self._layers))):
            weight, h, dh = kept[number]
            bias = self._layers[number][2]
            outer = delta[..., None] * h[..., None, :]
            tangent = slope[..., None] * h[:, :, None, None] + delta[:, :, None, :, None] * dh[..., None, :]
            layer = [outer.flatten(2), delta] if bias else [outer.flatten(2)]
            along = [tangent.flatten(3), slope] if bias else [tangent.flatten(3)]
            parts.insert(0, (torch.cat(layer, -1), torch.cat(along, -1)))
            if number:
                delta, slope = delta @ weight.mT, slope @ weight[:, None].mT
                bend = 1 - h * h
                slope = slope * bend[:, :, None] - 2 * (delta * h)[:, :, None] * dh
                delta = delta * bend
        jacobian, tangents = (torch.cat(p, -1) for p in zip(*parts, strict=True))
        return f, df, jacobian, tangents


def dense_tanh(theta, layers, values, tangents, kept=None):
    """Tanh network and its forward tangents for S parameter sets at once.

    Args:
        theta: (S, P), per layer the weights (destination-major), then its biases if it has any.
        layers: (n_in, n_out, bias) per layer; the last one is linear with one output.
        values: (S or 1, B, n_in).
        tangents: (S or 1, B, K, n_in).
        kept: a list that takes weight (S, n_in, n_out), input and input tangents of every layer, if given.

    Returns:
        output (S, B) and its derivatives (S, B, K).
    """
    place = 0
    h, dh = values, tangents
    for number, (n_in, n_out, bias) in enumerate(layers):
        weight = theta[:, place : place + n_in * n_out].unflatten(1, (n_out, n_in)).transpose(1, 2)
        place += n_in * n_out
        if kept is not None:
            kept.append((weight, h, dh))
        h = h @ weight
        dh = dh @ weight[:, None]
        if bias:
            h = h + theta[:, None, place : place + n_out]
            place += n_out
        if number < len(layers) - 1:
            h = torch.tanh(h)
            dh = (1 - h * h)[:, :, None] * dh
    return h[..., 0], dh[..., 0]

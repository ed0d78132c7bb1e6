"""Feed-forward networks with n2p2's activation functions, and their file ``weights.ZZZ.data``."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from qff.errors import DataError
from qff.n2p2.files import exact, read_lines
from qff.provenance import write_text


def _tanh(x):
    t = torch.tanh(x)
    return t, 1 - t * t


def _logistic(x):
    s = torch.sigmoid(x)
    return s, s * (1 - s)


def _reversed_logistic(x):
    s = torch.sigmoid(x)
    return 1 - s, s * (s - 1)


def _gauss(x):
    g = torch.exp(-0.5 * x * x)
    return g, -x * g


#: letter of ``global_activation_short`` → function and its derivative
ACTIVATIONS = {
    "l": lambda x: (x, torch.ones_like(x)),
    "t": _tanh,
    "s": _logistic,
    "S": _reversed_logistic,
    "p": lambda x: (torch.nn.functional.softplus(x, threshold=40), torch.sigmoid(x)),
    "r": lambda x: (x.clamp(min=0.0), (x > 0).to(x.dtype)),
    "g": _gauss,
    "c": lambda x: (torch.cos(x), -torch.sin(x)),
    "e": lambda x: (torch.exp(-x), -torch.exp(-x)),
    "h": lambda x: (x * x, 2 * x),
}


@dataclass(frozen=True)
class Network:
    """Network of one element.

    Attributes:
        weights: (n_in, n_out) of every layer. biases: (n_out,) of every layer.
        activations: one letter per layer. normalise: divide the input of a neuron by the number of its connections.
    """

    weights: list[torch.Tensor]
    biases: list[torch.Tensor]
    activations: tuple[str, ...]
    normalise: bool = False

    def value_and_gradient(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Output (N,) and its derivatives (N, n) with respect to inputs (N, n)."""
        slopes = []
        for weight, bias, letter in zip(self.weights, self.biases, self.activations, strict=True):
            share = 1 / len(weight) if self.normalise else 1.0
            x, slope = ACTIVATIONS[letter]((x @ weight + bias) * share)
            slopes.append(slope * share)
        gradient = torch.ones_like(x)
        for weight, slope in zip(reversed(self.weights), reversed(slopes), strict=True):
            gradient = (gradient * slope) @ weight.T
        return x[:, 0], gradient

    def write(self, path: Path) -> None:
        """One number per line, as n2p2 writes it: source neuron slowest, biases after the weights of each layer."""
        rows = ["# connection, a = weight / b = bias, index, source layer and neuron, target layer and neuron"]
        index = 0
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            for source in range(weight.shape[0]):
                for target in range(weight.shape[1]):
                    index += 1
                    rows.append(
                        f"{exact(float(weight[source, target]))} a {index:9d} {layer:5d} {source + 1:5d} "
                        f"{layer + 1:5d} {target + 1:5d}"
                    )
            for target in range(weight.shape[1]):
                index += 1
                rows.append(f"{exact(float(bias[target]))} b {index:9d} {layer + 1:5d} {target + 1:5d}")
        write_text(path, "\n".join(rows) + "\n")


def read_network(path: Path, widths: list[int], activations: tuple[str, ...], normalise: bool = False) -> Network:
    """Network of the given widths (inputs, hidden layers, output) from ``weights.ZZZ.data``.

    Raises:
        DataError: a number is malformed, or there are too few or too many.
    """
    numbers = []
    for line in read_lines(path):
        numbers += line.numbers(line.words[:1])
    needed = sum(a * b + b for a, b in pairwise(widths))
    if len(numbers) != needed:
        raise DataError(
            f"{path}: {len(numbers)} weights, a network {'-'.join(map(str, widths))} has {needed}; these files do not "
            "belong together"
        )
    flat, place = torch.tensor(np.array(numbers)), 0
    weights, biases = [], []
    for n_in, n_out in pairwise(widths):
        weights.append(flat[place : place + n_in * n_out].view(n_in, n_out))
        place += n_in * n_out
        biases.append(flat[place : place + n_out])
        place += n_out
    return Network(weights, biases, activations, normalise)

"""Behler–Parrinello network: element networks on symmetry functions (Behler & Parrinello, PRL 98, 146401)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch

from qff.errors import ConfigError
from qff.models.architecture import Architecture, Inputs


class BehlerParrinello(Architecture):
    """E = Σ_atoms network_element(G_atom).

    G are radial symmetry functions of type 2, G = Σ_j exp(-η (r_ij - r_s)²) f_c(r_ij), with the cosine cutoff
    f_c = ½(1 + cos πr/r_c). They do not depend on bounds: the model is defined for every geometry, and beyond
    the cutoff its energy is the constant sum of isolated-atom outputs.

    Settings:
        cutoff_ang: r_c in Å.
        radial: list of [η in Å⁻², r_s in Å]; each is used for every pair of a centre and a neighbour element.
        hidden: hidden widths of every element network (tanh, biases, linear output).
    """

    normalise_inputs = True
    invariances = frozenset({"translation", "rotation", "permutation"})

    def __init__(self, system, settings):
        super().__init__(system, settings)
        unknown = set(settings) - {"cutoff_ang", "radial", "hidden", "output_range"}
        if unknown:
            raise ConfigError(f"unknown settings of a Behler–Parrinello network: {', '.join(sorted(unknown))}")
        if settings["cutoff_ang"] <= 0:
            raise ConfigError(f"cutoff_ang = {settings['cutoff_ang']}: must be positive")
        self._cutoff = float(settings["cutoff_ang"])
        self._radial = torch.tensor(settings["radial"], dtype=torch.float64)  # (R, 2)
        symbols = np.array(system.symbols)
        self._elements = list(dict.fromkeys(system.symbols))
        # Elements seen by each centre element; a lone atom of its kind does not see itself.
        self._neighbours = {e: [n for n in self._elements if (symbols == n).sum() > (n == e)] for e in self._elements}
        self._layers = {}
        for element in self._elements:
            widths = [len(self._radial) * len(self._neighbours[element]), *settings["hidden"], 1]
            self._layers[element] = [(a, b, True) for a, b in pairwise(widths)]

    def _network_size(self, element):
        return sum(n_in * n_out + n_out for n_in, n_out, _ in self._layers[element])

    @property
    def n_parameters(self):
        return sum(self._network_size(e) for e in self._elements)

    def initial_parameters(self, rng):
        """Glorot-normal weights, zero biases."""
        parts = []
        for element in self._elements:
            for n_in, n_out, _ in self._layers[element]:
                parts += [rng.normal(0, np.sqrt(2 / (n_in + n_out)), n_in * n_out), np.zeros(n_out)]
        return np.concatenate(parts)

    def inside(self, positions):
        return np.ones(len(positions), dtype=bool)

    def inputs(self, positions):
        """Symmetry functions of all atoms, concatenated in atom order, with their analytic derivatives."""
        positions = positions.detach()
        frames, atoms, _ = positions.shape
        symbols = self.system.symbols
        values, tangents = [], []
        for i, centre in enumerate(symbols):
            for element in self._neighbours[centre]:
                value = positions.new_zeros(frames, len(self._radial))
                slope = positions.new_zeros(frames, atoms, 3, len(self._radial))
                for j in (j for j, s in enumerate(symbols) if s == element and j != i):
                    bond = positions[:, j] - positions[:, i]
                    r = bond.norm(dim=-1, keepdim=True)  # (B, 1)
                    g, dg = self._radial_functions(r)
                    value = value + g
                    pull = (bond / r)[:, :, None] * dg[:, None, :]
                    slope[:, j] += pull
                    slope[:, i] -= pull
                values.append(value)
                tangents.append(slope.flatten(1, 2))
        directions = torch.eye(3 * atoms, dtype=positions.dtype).view(1, 3 * atoms, atoms, 3)
        return Inputs(torch.cat(values, 1), torch.cat(tangents, 2), directions.expand(frames, -1, -1, -1))

    def _radial_functions(self, r):
        """Terms of G and their slopes dG/dr at distances r (B, 1): two (B, R)."""
        eta, shift = self._radial.T
        reduced = (torch.pi / self._cutoff) * r.clamp(max=self._cutoff)
        cutoff = 0.5 * (1 + torch.cos(reduced))
        cutoff_slope = -0.5 * (torch.pi / self._cutoff) * torch.sin(reduced)
        gauss = torch.exp(-eta * (r - shift) ** 2)
        return gauss * cutoff, gauss * (cutoff_slope - 2 * eta * (r - shift) * cutoff)

    def evaluate(self, theta, inputs):
        # One reverse pass for ∂f/∂G is cheaper than one tangent for each of the 3A directions.
        values = inputs.values.expand(len(theta), -1, -1)
        networks = dict(
            zip(self._elements, theta.split([self._network_size(e) for e in self._elements], 1), strict=True)
        )
        total, slopes, place = 0.0, [], 0
        for element in self.system.symbols:
            width = self._layers[element][0][0]
            output, slope = _value_and_gradient(
                networks[element], self._layers[element], values[..., place : place + width]
            )
            total = total + output
            slopes.append(slope)
            place += width
        gradient = torch.cat(slopes, -1)  # (S, B, F)
        return total, (inputs.tangents @ gradient[..., None])[..., 0]


def _value_and_gradient(theta, layers, values):
    """Tanh network (S, B) and its input gradient (S, B, n_in), both differentiable in theta."""
    place, weights, slopes, h = 0, [], [], values
    for number, (n_in, n_out, _) in enumerate(layers):
        weight = theta[:, place : place + n_in * n_out].unflatten(1, (n_out, n_in))
        place += n_in * n_out
        h = torch.baddbmm(theta[:, None, place : place + n_out], h, weight.transpose(1, 2))
        place += n_out
        weights.append(weight)
        if number < len(layers) - 1:
            h = torch.tanh(h)
            slopes.append(1 - h * h)
    gradient = weights[-1].expand(-1, values.shape[1], -1)  # (S, B, n_last)
    for weight, slope in zip(weights[-2::-1], slopes[::-1], strict=True):
        gradient = (gradient * slope) @ weight
    return h[..., 0], gradient

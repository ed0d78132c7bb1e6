"""Behler–Parrinello network: element networks on symmetry functions (Behler & Parrinello, PRL 98, 146401)."""

from __future__ import annotations

from dataclasses import fields
from itertools import combinations_with_replacement, pairwise

import numpy as np
import torch

from qff.errors import ConfigError
from qff.models.architecture import Architecture, Inputs, elements_with_parameters
from qff.symmetry import Cutoff, SymmetryFunction, parse_function
from qff.symmetry.functions import WIDE
from qff.symmetry.molecule import MoleculeDescriptor
from qff.units import BOHR_IN_ANG

MANY_DISTANCES = 1.5  # more distances than this multiple of 3A are many: from 11 atoms on
_FRAMES_AT_ONCE = 50  # whose derivatives along all distances are held
_DESCRIPTOR = {"symmetry_functions", "cutoff_type", "inner_cutoff", "cutoff_ang", "radial", "angular", "elements"}


class BehlerParrinello(Architecture):
    """E = Σ_atoms network_element(G_atom), a function of interatomic distances defined for every geometry.

    Beyond the cutoff its energy is the constant sum of isolated-atom outputs. Features are scaled as n2p2 does it
    with ``scale_symmetry_functions`` and ``center_symmetry_functions``: (G - mean)/(max - min), over all atoms of an
    element.

    Settings:
        symmetry_functions: one per line as n2p2's `symfunction_short` (types 2, 3, 9; bohr): `H 2 O η r_s r_c` or
            `H 3 O H η λ ζ r_c`; they are sorted as n2p2 does.
        cutoff_ang: instead of `symmetry_functions`: cutoff radius (Å) of the list `radial`.
        radial: list of [η (Å⁻²), r_s (Å)] of radial functions, each used for every pair of elements.
        angular: list of [η (Å⁻²), λ, ζ] of angular functions (type 9) beside them, each for every triple of elements.
        elements: those that have networks and are seen as neighbours, if more than the molecule has: parameters can
            then be moved to another molecule. Others that the molecule has come after them.
        cutoff_type: 0–8 as in n2p2 (0 hard, 1 cosine, 2 and 3 tanh³, 4 exponential, 5–8 polynomials).
        inner_cutoff: α, the part of the cutoff radius below which the cutoff function is 1.
        hidden: hidden widths of every element network (tanh, biases, linear output).
    """

    normalise_inputs = True
    invariances = frozenset({"translation", "rotation", "permutation", "mirror"})
    frames_at_once = 250
    #: Settings of the atomic functions; the rest of them is about the descriptor.
    atomic_settings = frozenset({"hidden"})

    def __init__(self, system, settings):
        super().__init__(system, settings)
        if unknown := set(settings) - _DESCRIPTOR - self.atomic_settings - {"output_range"}:
            raise ConfigError(f"unknown settings of a {type(self).__name__} model: {', '.join(sorted(unknown))}")
        elements = elements_with_parameters(settings, system.symbols)
        if "symmetry_functions" in settings:
            if extra := {"cutoff_ang", "radial", "angular", "elements"} & set(settings):
                raise ConfigError(
                    f"{', '.join(sorted(extra))}: not beside symmetry_functions, which hold their cutoffs"
                )
            functions = [parse_function(line) for line in settings["symmetry_functions"].strip().splitlines()]
        else:
            functions = _functions_of_all_elements(system.symbols, elements, settings)
        if foreign := {f.centre for f in functions} - set(elements):
            raise ConfigError(f"symmetry functions of {', '.join(sorted(foreign))}: not an element of {system.name}")
        self.cutoff = Cutoff(settings.get("cutoff_type", 1), settings.get("inner_cutoff", 0.0))
        stated = elements if "elements" in settings else None
        self.descriptor = MoleculeDescriptor(system.symbols, functions, self.cutoff, stated)
        self._build({element: len(chosen) for element, chosen in self.descriptor.functions.items()})

    def _build(self, widths: dict[str, int]) -> None:
        """Atomic functions on descriptors of the given widths."""
        hidden = self.settings["hidden"]
        if min(hidden, default=0) < 1:
            raise ConfigError(f"hidden widths {hidden}: at least one layer of at least one neuron")
        self.layers = {element: list(pairwise([width, *hidden, 1])) for element, width in widths.items()}

    def _network_size(self, element):
        return sum(n_in * n_out + n_out for n_in, n_out in self.layers[element])

    @property
    def n_parameters(self):
        return sum(self._network_size(e) for e in self.layers)

    def initial_parameters(self, rng):
        """Glorot-normal weights, zero biases."""
        parts = []
        for layers in self.layers.values():
            for n_in, n_out in layers:
                parts += [rng.normal(0, np.sqrt(2 / (n_in + n_out)), n_in * n_out), np.zeros(n_out)]
        return np.concatenate(parts)

    def inside(self, positions):
        return np.ones(len(positions), dtype=bool)

    def inputs(self, positions):
        """Symmetry functions of all atoms and their derivatives, along the interatomic distances.

        A large molecule has many more distances than Cartesian components: there, along these, which takes less memory.
        """
        if len(self.descriptor.pairs) <= MANY_DISTANCES * positions[0].numel():
            return self.along_distances(positions)
        parts = [self.along_distances(part).along_axes() for part in positions.split(_FRAMES_AT_ONCE)]
        return Inputs(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Inputs)))

    def along_distances(self, positions: torch.Tensor) -> Inputs:
        """Symmetry functions of geometries (B, A, 3) in Å and their derivatives along the distances."""
        values, slopes, directions = self.descriptor(positions.detach() / BOHR_IN_ANG)
        return Inputs(values, slopes / BOHR_IN_ANG, directions)

    def normalisation(self, values):
        """Mean and max - min of every function over frames and atoms of its element, (…, F)."""
        centers, widths = [], []
        for _, block in self._blocks(values):  # (…, B, atoms, n)
            if not block.shape[-2]:  # an element of other molecules has no columns here
                continue
            flat = block.flatten(-3, -2)
            center, width = super().normalisation(flat)
            centers.append(center.tile(block.shape[-2]))
            widths.append(width.tile(block.shape[-2]))
        return torch.cat(centers, -1), torch.cat(widths, -1)

    def _blocks(self, features):
        """(element, features (…, atoms, n)) of every element."""
        place = 0
        for element, chosen in self.descriptor.functions.items():
            shape = (len(self.descriptor.atoms[element]), len(chosen))
            size = shape[0] * shape[1]
            yield element, features[..., place : place + size].unflatten(-1, shape)
            place += size

    def per_element(self, features):
        """Element → what features (…, F) hold for its first atom, (…, n)."""
        return {element: block[..., 0, :] for element, block in self._blocks(features)}

    def networks(self, theta):
        """Element → (weight (S, n_out, n_in), bias (S, n_out)) of every layer."""
        found, place = {}, 0
        for element, layers in self.layers.items():
            found[element] = []
            for n_in, n_out in layers:
                weight = theta[:, place : place + n_in * n_out].unflatten(1, (n_out, n_in))
                place += n_in * n_out
                found[element].append((weight, theta[:, place : place + n_out]))
                place += n_out
        return found

    def evaluate(self, theta, inputs):
        # One reverse pass for ∂f/∂G is cheaper than one tangent for each of the directions.
        networks = self.networks(theta)
        total, slopes = 0.0, []
        for element, block in self._blocks(inputs.values.expand(len(theta), -1, -1)):
            output, slope = _value_and_gradient(networks[element], block.flatten(1, 2))
            total = total + output.unflatten(1, block.shape[1:3]).sum(2)
            slopes.append(slope.unflatten(1, block.shape[1:3]).flatten(2))
        gradient = torch.cat(slopes, -1)  # (S, B, F)
        return total, (inputs.tangents @ gradient[..., None])[..., 0]

    def linearise(self, theta, inputs):
        networks = self.networks(theta)
        members = len(theta)
        total, slope, gradients, slope_gradients = 0.0, 0.0, [], []
        tangents = (block for _, block in self._blocks(inputs.tangents.expand(members, -1, -1, -1)))
        for (element, block), tangent in zip(
            self._blocks(inputs.values.expand(members, -1, -1)), tangents, strict=True
        ):
            parts = _linearised_network(networks[element], block, tangent)
            total, slope = total + parts[0], slope + parts[1]
            gradients += parts[2]
            slope_gradients += parts[3]
        return total, slope, torch.cat(gradients, -1), torch.cat(slope_gradients, -1)


def _functions_of_all_elements(symbols, elements, settings):
    """Radial and angular functions (in bohr) for every element and all that it can have as neighbours.

    Without ``elements`` those that vanish in the molecule are left out: a lone atom of its kind does not see itself.
    """
    cutoff = settings["cutoff_ang"] / BOHR_IN_ANG
    if cutoff <= 0:
        raise ConfigError(f"cutoff_ang = {settings['cutoff_ang']}: must be positive")

    def occurs(centre, *neighbours):
        needed = [centre, *neighbours]
        return "elements" in settings or all(symbols.count(e) >= needed.count(e) for e in needed)

    radial = [
        SymmetryFunction(centre, 2, (other,), eta * BOHR_IN_ANG**2, shift / BOHR_IN_ANG, cutoff)
        for centre in elements
        for other in elements
        if occurs(centre, other)
        for eta, shift in settings["radial"]
    ]
    angular = [
        SymmetryFunction(centre, WIDE, pair, eta * BOHR_IN_ANG**2, 0.0, cutoff, lam, zeta)
        for centre in elements
        for pair in combinations_with_replacement(elements, 2)
        if occurs(centre, *pair)
        for eta, lam, zeta in settings.get("angular", ())
    ]
    return radial + angular


def _value_and_gradient(layers, values):
    """Tanh network (S, B) and its input gradient (S, B, n_in), both differentiable in the weights."""
    slopes, h = [], values
    for number, (weight, bias) in enumerate(layers):
        h = torch.baddbmm(bias[:, None], h, weight.transpose(1, 2))
        if number < len(layers) - 1:
            h = torch.tanh(h)
            slopes.append(1 - h * h)
    gradient = layers[-1][0].expand(-1, values.shape[1], -1)  # (S, B, n_last)
    for (weight, _), slope in zip(layers[-2::-1], slopes[::-1], strict=True):
        gradient = (gradient * slope) @ weight
    return h[..., 0], gradient


def _linearised_network(layers, values, tangents):
    """Output and directional derivatives of one element's networks, summed over atoms, with weight gradients.

    One pass forward with values h and tangents dh, one backward with δ = ∂f/∂(input of a layer) and its derivative
    dδ along each direction; then ∂f/∂W = Σ δ hᵀ and ∂(df)/∂W = Σ dδ hᵀ + δ dhᵀ.

    Args:
        values: (S, B, A, n). tangents: (S, B, K, A, n).

    Returns:
        f (S, B), df (S, B, K), and per layer the gradients of f (S, B, ·) and of df (S, B, K, ·) in parameter order.
    """
    seen, h, dh = [], values, tangents
    for number, (weight, bias) in enumerate(layers):
        seen.append((h, dh))
        h = torch.einsum("sban,smn->sbam", h, weight) + bias[:, None, None]
        dh = torch.einsum("sbkan,smn->sbkam", dh, weight)
        if number < len(layers) - 1:
            h = torch.tanh(h)
            dz, dh = dh, (1 - h * h)[:, :, None] * dh
            seen[-1] += (h, dz)
    delta, ddelta = torch.ones_like(h), torch.zeros_like(dh)
    gradients, slope_gradients = [], []
    for number in reversed(range(len(layers))):
        h_in, dh_in, *activated = seen[number]
        if activated:  # δ and dδ through tanh: σ' = 1 - t², σ'' = -2 t σ'
            t, dz = activated
            slope = 1 - t * t
            ddelta = slope[:, :, None] * ddelta - (2 * t * slope * delta)[:, :, None] * dz
            delta = slope * delta
        gradients[:0] = [torch.einsum("sbam,sban->sbmn", delta, h_in).flatten(2), delta.sum(2)]
        along = torch.einsum("sbkam,sban->sbkmn", ddelta, h_in) + torch.einsum("sbam,sbkan->sbkmn", delta, dh_in)
        slope_gradients[:0] = [along.flatten(3), ddelta.sum(3)]
        if number:
            weight = layers[number][0]
            delta = torch.einsum("sbam,smn->sban", delta, weight)
            ddelta = torch.einsum("sbkam,smn->sbkan", ddelta, weight)
    return h[..., 0].sum(2), dh[..., 0].sum(3), gradients, slope_gradients

"""Equivariant QNNs on pairs of neighbours: the original (Le et al. 2025) and the revised one (Couzinié et al. 2025).

Both papers leave their equations to be inferred: what is chosen here is declared in docs/choices.md.
"""

from __future__ import annotations

import copy
import math
from itertools import combinations, combinations_with_replacement

import numpy as np
import torch

from qff.circuits import build_circuit
from qff.engines import build_engine
from qff.errors import ConfigError
from qff.models.architecture import elements_with_parameters, one_of
from qff.models.cartesian import CartesianArchitecture
from qff.models.radial import bessel, polynomial_cutoff

SMALL = 0.04  # rad², below which a series is as exact
_SETTINGS = {"form", "layers", "elements", "cutoff_ang", "n_radial", "core", "entangling", "output_range"}


class NeighbourPairs(CartesianArchitecture):
    """E = Σ_i Σ_{j<k} E(r_ij, r_ik; Z_i, Z_j, Z_k), in the revised form with a two-body term: a three-body potential.

    Each pair of neighbours of an atom is one evaluation of the circuit ``neighbour_pair`` with D layers.

    - ``original``: encodings exp(-i α_d r·σ/2), so that the distance is the angle; couplings J_d; no species, no
      radial function, no cutoff. 3D + 3 parameters.
    - ``revised``: encodings exp(-i ω_d f_c(r) r̂·σ/2) see directions alone; distances enter the couplings,
      J_d g_d(r_ij) g_d(r_ik) with g_d(r) = f_c(r) Σ_b w_db B_b(r); ω, J, w and the scale of a pair are those of its
      species; every contribution fades with f_c(r_ij) f_c(r_ik). A neighbour paired with none gives the two-body
      term. Parameters belong to species, not to atoms: they can be moved to another molecule.

    Settings:
        form: original or revised.
        layers: D.
        elements: those that have parameters, in order, if more than the molecule has; others that it has come after them.
        cutoff_ang: radius of f_c (Å).
        n_radial: number of Bessel functions.
        core: circuit; recurrent: its classical twin, a chain h_d = tanh(…) on the same angles and parameters; cosine: its
            surrogate, a truncated Fourier series of the same angles.
        entangling: without it the couplings have no gates; only one rotation per neighbour is left.
    """

    def __init__(self, system, settings):
        super().__init__(system, settings)
        if unknown := set(settings) - _SETTINGS:
            raise ConfigError(f"unknown settings of a neighbour-pair model: {', '.join(sorted(unknown))}")
        self._layers = int(settings["layers"])
        self._revised = one_of("form", settings["form"], ("original", "revised")) == "revised"
        core = one_of("core", settings.get("core", "circuit"), ("circuit", "recurrent", "cosine"))
        self._entangling = settings.get("entangling", True)
        if core != "circuit" and not self._entangling:
            raise ConfigError(f"core: {core} is a function of the couplings: it needs entangling: true")
        if not self._revised and (extra := {"cutoff_ang", "n_radial"} & set(settings)):
            raise ConfigError(f"{', '.join(sorted(extra))}: the original form has no radial function and no cutoff")
        self._core = {"recurrent": _Recurrent, "cosine": _Cosine}.get(core, _Recurrent)(self._layers)
        self.circuit = None
        if core == "circuit":
            self.circuit = build_circuit("neighbour_pair", layers=self._layers, entangling=self._entangling)
            self._core = build_engine("batched", self.circuit).expectation
        self._elements = elements_with_parameters(settings, system.symbols)
        if self._revised:
            self.parameter_elements = tuple(self._elements)
            self._cutoff, self._n_radial = float(settings["cutoff_ang"]), int(settings["n_radial"])
        self._index(system.symbols)
        self._blocks = self._parameter_blocks()

    def _index(self, symbols: list[str]) -> None:
        """Directed pairs (i, j), and pairs of them that share i, with the numbers of their species."""
        number = {e: k for k, e in enumerate(self._elements)}
        self._atoms = torch.tensor([number[s] for s in symbols])
        n = len(symbols)
        pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
        place = {pair: k for k, pair in enumerate(pairs)}
        triples = [
            (place[i, j], place[i, k]) for i in range(n) for j, k in combinations([x for x in range(n) if x != i], 2)
        ]
        self._pairs, self._triples = torch.tensor(pairs).T, torch.tensor(triples, dtype=torch.int64).reshape(-1, 2).T
        e = len(self._elements)
        unordered = {p: k for k, p in enumerate(combinations_with_replacement(range(e), 2))}
        self._pair_species = torch.tensor([e * number[symbols[i]] + number[symbols[j]] for i, j in pairs])
        self._triple_species = torch.tensor(
            [
                len(unordered) * number[symbols[pairs[a][0]]]
                + unordered[tuple(sorted((number[symbols[pairs[a][1]]], number[symbols[pairs[b][1]]])))]
                for a, b in triples
            ],
            dtype=torch.int64,
        )
        self._n_species = (e, e * e, e * len(unordered))

    def _parameter_blocks(self) -> dict[str, tuple[tuple[int, ...], float, float]]:
        """Name → shape, mean and spread of its initial values."""
        depth = self._layers
        if not self._revised:
            return {
                "alpha": ((depth + 1,), 0.5, 0.2),
                "coupling": ((depth, 2), 0.0, 0.3),
                "scale": ((1,), 0.0, 0.1),
                "bias": ((1,), 0.0, 0.1),
            }
        atoms, pairs, triples = self._n_species
        return {
            "omega": ((pairs, depth + 1), 1.0, 0.3),
            "radial": ((pairs, depth, self._n_radial), 0.0, 0.5),
            "own_radial": ((pairs, depth, self._n_radial), 0.0, 0.5),
            "coupling": ((triples, depth, 2), 0.0, 0.5),
            "single_coupling": ((pairs, depth, 2), 0.0, 0.5),
            "scale": ((triples,), 0.0, 0.1),
            "single_scale": ((pairs,), 0.0, 0.1),
            "bias": ((atoms,), 0.0, 0.0),
        }

    @property
    def n_parameters(self):
        return sum(int(np.prod(shape)) for shape, *_ in self._blocks.values())

    @property
    def readout_parameters(self) -> np.ndarray:
        """Places of the parameters in which the energy is linear: what weighs the expectation values, and constants."""
        sizes = {name: int(np.prod(shape)) for name, (shape, *_) in self._blocks.items()}
        linear = [np.full(size, name in ("scale", "single_scale", "bias")) for name, size in sizes.items()]
        return np.flatnonzero(np.concatenate(linear))

    def initial_parameters(self, rng):
        return np.concatenate(
            [rng.normal(mean, spread, shape).ravel() for shape, mean, spread in self._blocks.values()]
        )

    def _split(self, theta):
        sizes = [int(np.prod(shape)) for shape, *_ in self._blocks.values()]
        parts = theta.split(sizes, 1)
        return {k: p.unflatten(1, self._blocks[k][0]) for k, p in zip(self._blocks, parts, strict=True)}

    def energy(self, theta, positions):
        blocks = self._split(theta)
        i, j = self._pairs
        vectors = positions[:, :, j] - positions[:, :, i]  # (S, B, Q, 3)
        return self._revised_energy(blocks, vectors) if self._revised else self._original_energy(blocks, vectors)

    def _original_energy(self, blocks, vectors):
        members, frames = vectors.shape[:2]
        x = blocks["alpha"][:, None, None, :, None] * vectors[..., None, :]  # (S, B, Q, D+1, 3)
        first, second = (x[:, :, t] for t in self._triples)
        encodings = torch.stack([first, second], -2).flatten(3)  # (S, B, T, 6 (D+1))
        coupling = blocks["coupling"][:, None, None].expand(members, frames, len(self._triples[0]), -1, -1)
        angles = torch.cat([torch.zeros_like(coupling), coupling], -1).flatten(3)
        f = self._run(encodings, angles)
        return blocks["bias"] * len(self._atoms) + blocks["scale"] * f.sum(2)

    def _revised_energy(self, blocks, vectors):
        r = vectors.norm(dim=-1)  # (S, B, Q)
        fade = polynomial_cutoff(r, self._cutoff)
        waves = bessel(r, self._cutoff, self._n_radial) * fade[..., None]  # (S, B, Q, n)
        x = (blocks["omega"][:, self._pair_species][:, None] * fade[..., None])[..., None] * (vectors / r[..., None])[
            ..., None, :
        ]  # (S, B, Q, D+1, 3)
        g, own = (
            torch.einsum("sbqn,sqdn->sbqd", waves, blocks[k][:, self._pair_species]) for k in ("radial", "own_radial")
        )
        j, k = self._triples
        # Separate atoms have this energy alone; their forces are the derivative of a function that is zero.
        total = blocks["bias"][:, self._atoms].sum(1, keepdim=True) + 0.0 * fade.sum(2)
        for seen, scale, left, right, species, coupling in (
            (fade[:, :, j] * fade[:, :, k], "scale", j, k, self._triple_species, "coupling"),
            (fade, "single_scale", None, None, self._pair_species, "single_coupling"),
        ):
            active = (seen.detach() > 0).flatten(2).any(0).any(0).nonzero()[:, 0]
            if not len(active):
                continue
            species, a = species[active], (active if left is None else left[active])
            strength = blocks[coupling][:, species][:, None]  # (S, 1, T, D, 2)
            if left is None:
                others, product = torch.zeros_like(own[:, :, a]), g[:, :, a]
                encodings = torch.stack([x[:, :, a], torch.zeros_like(x[:, :, a])], -2).flatten(3)
            else:
                b = right[active]
                others, product = own[:, :, b], g[:, :, a] * g[:, :, b]
                encodings = torch.stack([x[:, :, a], x[:, :, b]], -2).flatten(3)
            angles = torch.stack([own[:, :, a], others], -1)
            angles = torch.cat([angles, strength * product[..., None]], -1).flatten(3)
            f = self._run(encodings, angles)
            total = total + (blocks[scale][:, None, species] * seen[:, :, active] * f).sum(2)
        return total

    def with_circuits(self, run) -> NeighbourPairs:
        """The same model, its circuits run by a function of their angles (S, B, F) → values (S, B), slopes (S, B, F)."""

        def attached(phi):
            f, slope = run(phi.detach())
            return f + (slope * (phi - phi.detach())).sum(-1)  # the value, and the slope as its derivative

        found = copy.copy(self)
        found._core = attached
        return found

    def _run(self, encodings, angles):
        """Core at encodings (S, B, T, 6 (D+1)) and couplings (S, B, T, 4 D): (S, B, T)."""
        phi = torch.cat([encodings, angles], -1) if self._entangling else encodings
        return self._core(phi.flatten(0, 2)[None])[0].unflatten(0, encodings.shape[:3])


class _Recurrent:
    """The circuit's classical twin on the same features: one number instead of a state of four qubits.

    h_0 = x_j·x_k; h_d = tanh(c_j + c_k + c_1 h_{d-1} + c_2 + x_j·x_k) with the four couplings of layer d and the vectors
    of its encoding; the readout is h_D.
    """

    def __init__(self, layers: int):
        self._layers = layers

    def __call__(self, phi: torch.Tensor) -> torch.Tensor:
        vectors = phi[..., : 6 * (self._layers + 1)].unflatten(-1, (self._layers + 1, 2, 3))
        dots = (vectors[..., 0, :] * vectors[..., 1, :]).sum(-1)
        couplings = phi[..., 6 * (self._layers + 1) :].unflatten(-1, (self._layers, 4))
        h = dots[..., 0]
        for d in range(self._layers):
            c = couplings[..., d, :]
            h = torch.tanh(c[..., 0] + c[..., 1] + c[..., 2] * h + c[..., 3] + dots[..., d + 1])
        return h


class _Cosine:
    """The circuit's Fourier series, cut off: of every angle the frequencies 0 and 1, of products those of one layer.

    Σ_d t_d (1 + Σ_k cos c_dk)/5 / (D + 1), with the four couplings of layer d (of none, for the first encoding) and
    t_d = tr(R(x_j)ᵀ R(x_k))/3, the invariant of two rotations that holds cosines of their angles alone.
    """

    def __init__(self, layers: int):
        self._layers = layers

    def __call__(self, phi: torch.Tensor) -> torch.Tensor:
        vectors = phi[..., : 6 * (self._layers + 1)].unflatten(-1, (self._layers + 1, 2, 3))
        cosine, sine = _half_angle(vectors.square().sum(-1))
        dots = (vectors[..., 0, :] * vectors[..., 1, :]).sum(-1)
        overlap = cosine.prod(-1) + sine.prod(-1) * dots  # of quaternions: cos of half the angle between them
        trace = (4 * overlap.square() - 1) / 3
        couplings = phi[..., 6 * (self._layers + 1) :].unflatten(-1, (self._layers, 4))
        weight = (1 + couplings.cos().sum(-1)) / 5
        return (trace[..., 0] + (trace[..., 1:] * weight).sum(-1)) / (self._layers + 1)


def _half_angle(square: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """cos(r/2) and sin(r/2)/r of r², with all derivatives at r = 0: an absent neighbour has no direction."""
    small = square < SMALL
    half = 0.5 * torch.where(small, 1.0, square).sqrt()
    u = -0.25 * torch.where(small, square, 0.0)
    series = [sum(u**n / math.factorial(2 * n + odd) for n in range(7)) for odd in (0, 1)]
    return torch.where(small, series[0], half.cos()), 0.5 * torch.where(small, series[1], half.sin() / half)

"""The hybrid of the architecture draft: a circuit beside a network on the same features, joined by an integration layer."""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
import torch

from qff.circuits import build_circuit
from qff.engines import build_engine
from qff.errors import ConfigError
from qff.models.architecture import one_of
from qff.models.atomic_circuit import mean_cosine, mean_tanh, without_parameters
from qff.models.behler_parrinello import BehlerParrinello
from qff.models.bond_features import BondFeatures
from qff.randomness import generator

BRANCHES = ("circuit", "separable", "tanh", "cosine", "random", "none")


class Hybrid(BehlerParrinello):
    """E = Σ_atoms u·tanh(A h(G) + C q(G, v) + b) + d, with blocks of parameters of its own for every element.

    h is a tanh network of the symmetry functions G (the classical branch). q are expectation values of circuits whose
    angles are linear in G and in v, what VQE says of the bonds of the atom (the quantum branch). The tanh layer and its
    readout are the integration layer. Features are functions of interatomic distances, so that net force and net torque
    vanish whatever the parameters are, and atoms out of reach of each other have no forces.

    The descriptor has the settings of :class:`BehlerParrinello`.

    Settings:
        hidden: widths of the network; the last one is that of h.
        mixing: width of the integration layer.
        branch: circuit; separable, without entangling gates; tanh, its twin with the same number of parameters (the mean
            of tanh over the same angles); cosine, its Fourier series cut off, likewise; random, a circuit whose angles
            are drawn once and not trained; or none.
        heads: circuits for every element. n_qubits, layers: of each.
        initial_spread: of the angles over atoms, at the start (rad).
        bond_cutoff_ang: reach of v; null leaves v out.
        bonds: what VQE found along the bonds (:class:`qff.models.bond_features.BondFeatures`); the workflow fills it in.
    """

    atomic_settings = frozenset(
        {"hidden", "mixing", "branch", "heads", "n_qubits", "layers", "initial_spread", "bond_cutoff_ang", "bonds"}
    )

    def _build(self, widths):
        settings = self.settings
        if min(settings["hidden"], default=0) < 1 or settings["mixing"] < 1:
            raise ConfigError(
                f"hidden {settings['hidden']}, mixing {settings['mixing']}: widths of at least one neuron"
            )
        self.branch = one_of("branch", settings["branch"], BRANCHES)
        self._spread = float(settings.get("initial_spread", 1.0))
        self._own = dict(widths)
        reach = settings.get("bond_cutoff_ang") if self.branch != "none" else None
        self._bonds = None
        if reach is not None:
            pairs = [tuple(pair) for pair in self.descriptor.pairs.tolist()]
            self._bonds = BondFeatures(self.system.symbols, list(widths), pairs, settings.get("bonds", {}), reach)
        self._widths = {e: n + (self._bonds.width(e) if self._bonds else 0) for e, n in widths.items()}
        self.circuit = None
        if self.branch != "none":
            circuit = build_circuit(
                "reuploading",
                n_qubits=settings["n_qubits"],
                layers=settings["layers"],
                entangling=self.branch != "separable",
            )
            self._n_angles, self._heads = circuit.n_features, int(settings["heads"])
            self.circuit = None if self.branch in ("tanh", "cosine") else circuit
            classical = {"tanh": mean_tanh, "cosine": mean_cosine}
            self._core = classical.get(self.branch) or without_parameters(build_engine("batched", circuit))
        self.shapes = {k: s for e in widths for k, s in self._shapes_of(e).items()}
        self._drawn = self._draw_angles() if self.branch == "random" else {}

    def _shapes_of(self, element: str) -> dict[str, tuple[int, ...]]:
        """Shapes of an element's parameters, in the order of the parameter vector."""
        mixing, shapes = int(self.settings["mixing"]), {}
        for k, (n_in, n_out) in enumerate(pairwise([self._own[element], *self.settings["hidden"]])):
            shapes |= {f"network.{k}.weight": (n_out, n_in), f"network.{k}.bias": (n_out,)}
        shapes |= {"mixing.network": (mixing, self.settings["hidden"][-1]), "mixing.bias": (mixing,)}
        shapes |= {"readout.weight": (mixing,), "readout.bias": (1,)}
        if self.branch != "none":
            shapes["mixing.circuit"] = (mixing, self._heads)
            if self.branch != "random":
                shapes |= self._angle_shapes(element)
        return {f"{element}.{k}": shape for k, shape in shapes.items()}

    def _angle_shapes(self, element):
        shape = (self._heads, self._n_angles)
        return {"circuit.weight": (*shape, self._widths[element]), "circuit.offset": shape}

    def _draw_angles(self) -> dict[str, torch.Tensor]:
        """Angles that stay as they are drawn: one draw for all seeds, since it belongs to the model."""
        rng = generator(0, "random_circuit", self.system.settings_name)
        return {
            f"{e}.{k}": torch.as_tensor(self._initial(k, shape, rng))
            for e in self._widths
            for k, shape in self._angle_shapes(e).items()
        }

    @property
    def n_parameters(self):
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    def initial_parameters(self, rng):
        """Glorot-normal weights, zero biases; angles with a spread of their own; a circuit that has no say yet."""
        return np.concatenate([self._initial(k.split(".", 1)[1], s, rng).ravel() for k, s in self.shapes.items()])

    def _initial(self, name, shape, rng):
        if name == "circuit.weight":  # normalised features span 1: their spread is about a quarter of it
            return rng.normal(0, 4 * self._spread / np.sqrt(shape[-1]), shape)
        if name == "circuit.offset":
            return rng.uniform(-np.pi, np.pi, shape)
        if name == "mixing.circuit" or name.endswith("bias"):
            return np.zeros(shape)
        return rng.normal(0, np.sqrt(2 / (shape[0] + (shape[1] if len(shape) > 1 else 1))), shape)

    def split(self, theta: torch.Tensor) -> dict[str, torch.Tensor]:
        """Name → parameters (S, *shape) of vectors (S, P)."""
        parts = theta.split([int(np.prod(s)) for s in self.shapes.values()], 1)
        return {k: p.unflatten(1, s) for (k, s), p in zip(self.shapes.items(), parts, strict=True)}

    def along_distances(self, positions):
        inputs = super().along_distances(positions)
        if self._bonds is None:
            return inputs
        values, slopes = self._bonds(positions.detach())
        joined, place = {"values": [], "tangents": []}, 0
        for element, own in self._own.items():
            atoms = len(self.descriptor.atoms[element])
            size = atoms * own
            for kind, found, added in (("values", inputs.values, values), ("tangents", inputs.tangents, slopes)):
                block = found[..., place : place + size].unflatten(-1, (atoms, own))
                joined[kind].append(torch.cat([block, added[element]], -1).flatten(-2))
            place += size
        parts = {k: torch.cat(v, -1) for k, v in joined.items()}
        return type(inputs)(**parts, directions=inputs.directions)

    def _blocks(self, features):
        place = 0
        for element, width in self._widths.items():
            shape = (len(self.descriptor.atoms[element]), width)
            yield element, features[..., place : place + shape[0] * width].unflatten(-1, shape)
            place += shape[0] * width

    def evaluate(self, theta, inputs):
        blocks = self.split(theta) | {k: v.expand(len(theta), *v.shape) for k, v in self._drawn.items()}
        total, slopes = 0.0, []
        for element, block in self._blocks(inputs.values.expand(len(theta), -1, -1)):
            if not block.shape[2]:  # an element of other molecules
                slopes.append(block.flatten(2))
                continue
            own = {k.split(".", 1)[1]: v for k, v in blocks.items() if k.startswith(f"{element}.")}
            energy, slope = self._atomic(own, block.flatten(1, 2), self._own[element])
            total = total + energy.unflatten(1, block.shape[1:3]).sum(2)
            slopes.append(slope.unflatten(1, block.shape[1:3]).flatten(2))
        return total, (inputs.tangents @ torch.cat(slopes, -1)[..., None])[..., 0]

    def _atomic(self, own, rows, n_own):
        """Energies (S, n) of atoms and their slopes in the features, both (S, n, F) with rows (S, n, F)."""
        h, steps = rows[..., :n_own], []
        for k in range(len(self.settings["hidden"])):
            h = torch.tanh(torch.baddbmm(own[f"network.{k}.bias"][:, None], h, own[f"network.{k}.weight"].mT))
            steps.append((own[f"network.{k}.weight"], 1 - h * h))
        mixed = torch.baddbmm(own["mixing.bias"][:, None], h, own["mixing.network"].mT)
        if self.branch != "none":
            q, q_slope = self._expectations(own, rows)
            mixed = mixed + q @ own["mixing.circuit"].mT
        z = torch.tanh(mixed)
        energy = (z * own["readout.weight"][:, None]).sum(-1) + own["readout.bias"]
        pull = (1 - z * z) * own["readout.weight"][:, None]  # ∂E/∂mixed
        slope = pull @ own["mixing.network"]
        for weight, step in reversed(steps):
            slope = (slope * step) @ weight
        slope = torch.nn.functional.pad(slope, (0, rows.shape[-1] - n_own))
        if self.branch != "none":
            along = q_slope * (pull @ own["mixing.circuit"])[..., None]
            slope = slope + torch.einsum("snhf,shfw->snw", along, own["circuit.weight"])
        return energy, slope

    def _expectations(self, own, rows):
        """Readouts (S, n, H) of the circuits and their slopes in the angles (S, n, H, angles)."""
        angles = torch.einsum("snw,shfw->snhf", rows, own["circuit.weight"]) + own["circuit.offset"][:, None]
        return tuple(x.unflatten(1, angles.shape[1:3]) for x in self._core(angles.flatten(1, 2)))

    def readouts(self, theta: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Readouts of the quantum branch summed over the atoms of each element, (S, B, elements · H).

        Args:
            theta: (S, P). values: normalised features (S, B, F).
        """
        blocks, found = self.split(theta) | {k: v.expand(len(theta), *v.shape) for k, v in self._drawn.items()}, []
        for element, block in self._blocks(values):
            if block.shape[2]:
                own = {k: blocks[f"{element}.{k}"] for k in ("circuit.weight", "circuit.offset")}
                q = self._expectations(own, block.flatten(1, 2))[0]
                found.append(q.unflatten(1, block.shape[1:3]).sum(2))
        return torch.cat(found, -1)

    def with_circuits(self, run) -> Hybrid:
        """The same model, its circuits run by a function of their angles (S, B, F) → values (S, B), slopes (S, B, F)."""
        found = copy.copy(self)
        found._core = run
        return found

    def linearise(self, theta, inputs):
        return super(BehlerParrinello, self).linearise(theta, inputs)

    def describe(self):
        return {k: v for k, v in super().describe().items() if k != "bonds"}  # a table, recorded where it was made


def transplant(source: Hybrid, parameters: np.ndarray, target: Hybrid, start: np.ndarray) -> np.ndarray:
    """Parameters (P',) of ``target``: those of the blocks that both have from ``source`` (P,), the others from ``start``."""
    given = source.split(torch.as_tensor(parameters)[None])
    own = target.split(torch.as_tensor(start)[None])
    return torch.cat([given.get(k, v)[0].flatten() for k, v in own.items()]).numpy()

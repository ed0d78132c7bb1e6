"""QNN-3: circuits in place of the element networks of a Behler–Parrinello potential."""

from __future__ import annotations

import copy

import numpy as np
import torch

from qff.circuits import build_circuit
from qff.engines import build_engine
from qff.models.architecture import one_of
from qff.models.behler_parrinello import BehlerParrinello


class AtomicCircuits(BehlerParrinello):
    """E = Σ_atoms b + Σ_h s_h ⟨O⟩(W_h G + c_h): H circuits for every element, fed with linear maps of the descriptor.

    All angles of the circuit ``reuploading`` are data: what is trained are W, c, s and b, per element. The number of
    parameters and the body order of the features do not depend on the circuit, so that the twin ``core: tanh``, the mean
    of tanh over the same angles, differs in nothing but the circuit, and ``entangling: false`` in nothing but its gates.
    ``core: cosine`` is its surrogate, a Fourier series with the frequencies of single angles alone: every angle of this
    circuit has no other frequency than 1, and products of several are left out.

    The descriptor has the settings of :class:`BehlerParrinello`.

    Settings:
        heads: H.
        n_qubits: of every circuit.
        layers: of the circuit.
        core: circuit, tanh or cosine.
        entangling: false leaves the gates between qubits out.
        initial_spread: of the angles over atoms, at the start (rad).
    """

    atomic_settings = frozenset({"heads", "n_qubits", "layers", "core", "entangling", "initial_spread"})

    def _build(self, widths):
        settings = self.settings
        self._widths, self._heads = widths, int(settings["heads"])
        self._spread = float(settings.get("initial_spread", 1.0))
        core = one_of("core", settings.get("core", "circuit"), ("circuit", "tanh", "cosine"))
        circuit = build_circuit(
            "reuploading",
            n_qubits=settings["n_qubits"],
            layers=settings["layers"],
            entangling=settings.get("entangling", True),
        )
        self._n_angles = circuit.n_features
        self.circuit = circuit if core == "circuit" else None
        classical = {"tanh": mean_tanh, "cosine": mean_cosine}
        self._core = classical.get(core) or without_parameters(build_engine("batched", circuit))

    def _network_size(self, element):
        return self._heads * (self._n_angles * (self._widths[element] + 1) + 1) + 1

    @property
    def n_parameters(self):
        return sum(map(self._network_size, self._widths))

    @property
    def readout_parameters(self) -> np.ndarray:
        """Places of the parameters in which the energy is linear: weights s and constants b of every element."""
        ends = np.cumsum([self._network_size(element) for element in self._widths])
        return np.concatenate([np.arange(end - self._heads - 1, end) for end in ends])

    def initial_parameters(self, rng):
        """Normal weights that give the angles a spread of their own, uniform offsets, small readout weights."""
        parts = []
        for width in self._widths.values():
            shape = (self._heads, self._n_angles)
            # Normalised features span 1: their spread is about a quarter of it.
            parts.append(rng.normal(0, 4 * self._spread / np.sqrt(width), (*shape, width)).ravel())
            parts.append(rng.uniform(-np.pi, np.pi, shape).ravel())
            parts += [rng.normal(0, 0.1, self._heads), np.zeros(1)]
        return np.concatenate(parts)

    def networks(self, theta):
        """Element → W (S, H, F, n), c (S, H, F), s (S, H), b (S, 1)."""
        found, place = {}, 0
        for element, width in self._widths.items():
            shape = (self._heads, self._n_angles)
            sizes = [np.prod(shape) * width, np.prod(shape), self._heads, 1]
            parts = theta[:, place : place + sum(sizes)].split([int(n) for n in sizes], 1)
            place += sum(sizes)
            found[element] = (
                parts[0].unflatten(1, (*shape, width)),
                parts[1].unflatten(1, shape),
                parts[2],
                parts[3],
            )
        return found

    def evaluate(self, theta, inputs):
        networks = self.networks(theta)
        total, slopes = 0.0, []
        for element, block in self._blocks(inputs.values.expand(len(theta), -1, -1)):
            if not block.shape[2]:  # an element of other molecules
                slopes.append(block.flatten(2))
                continue
            weight, offset, scale, bias = networks[element]
            rows = block.flatten(1, 2)  # (S, n, width)
            angles = torch.einsum("snw,shfw->snhf", rows, weight) + offset[:, None]
            f, slope = (x.unflatten(1, angles.shape[1:3]) for x in self._core(angles.flatten(1, 2)))
            output = (f * scale[:, None]).sum(2) + bias
            gradient = torch.einsum("snhf,shfw->snw", slope * scale[:, None, :, None], weight)
            total = total + output.unflatten(1, block.shape[1:3]).sum(2)
            slopes.append(gradient.unflatten(1, block.shape[1:3]).flatten(2))
        gradient = torch.cat(slopes, -1)  # (S, B, F)
        return total, (inputs.tangents @ gradient[..., None])[..., 0]

    def with_circuits(self, run) -> AtomicCircuits:
        """The same model, its circuits run by a function of their angles (S, B, F) → values (S, B), slopes (S, B, F)."""
        found = copy.copy(self)
        found._core = run
        return found

    def linearise(self, theta, inputs):
        return super(BehlerParrinello, self).linearise(theta, inputs)


def mean_tanh(angles: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean of tanh over the angles (S, B, F), (S, B), and its slopes."""
    t = torch.tanh(angles)
    return t.mean(-1), (1 - t * t) / angles.shape[-1]


def mean_cosine(angles: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean of the cosines of the angles (S, B, F), (S, B), and its slopes."""
    return angles.cos().mean(-1), -angles.sin() / angles.shape[-1]


def without_parameters(engine):
    """Values (S, B) and slopes (S, B, F) of a circuit whose angles (S, B, F) are all data."""
    return lambda angles: engine.value_and_slope(angles.new_zeros(len(angles), 0), angles)

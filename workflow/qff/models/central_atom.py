"""Equivariant QNN of a molecule with one central atom, as Le et al. 2025 apply it to H2O."""

from __future__ import annotations

import numpy as np
import torch

from qff.circuits import build_circuit
from qff.engines import build_engine
from qff.errors import ConfigError
from qff.models.architecture import Inputs
from qff.models.qnn import CircuitArchitecture
from qff.units import BOHR_IN_ANG


class CentralAtom(CircuitArchitecture):
    """E = shift + scale ⟨O⟩(x_1 … x_N), x_k the vectors in bohr from the first atom to the others.

    The invariance under rotations is that of the circuit; the number of its qubits grows with the molecule, and its
    parameters belong to this molecule. They start as the circuit states.

    Settings, beside the keyword arguments of the circuit:
        circuit: its name.
    """

    def __init__(self, system, settings):
        super().__init__(system, settings)
        options = dict(settings)
        options.pop("output_range", None)
        engine = options.pop("engine", "batched")
        self.circuit = build_circuit(options.pop("circuit"), **options)
        if self.circuit.start is None:
            raise ConfigError(f"circuit '{self.circuit.name}' states no initial parameters; use 'equivariant'")
        neighbours = len(system.symbols) - 1
        if self.circuit.n_features != 3 * neighbours:
            raise ConfigError(
                f"circuit '{self.circuit.name}' takes {self.circuit.n_features} features; {system.name} has the "
                f"{3 * neighbours} components of {neighbours} vectors: change n_qubits or repetitions"
            )
        self.engine = build_engine(engine, self.circuit)

    @property
    def n_parameters(self):
        return self.circuit.n_parameters

    def inside(self, positions):
        return np.ones(len(positions), dtype=bool)

    def initial_parameters(self, rng):
        return np.array(self.circuit.start(rng))

    def inputs(self, positions):
        vectors = (positions.detach()[:, 1:] - positions.detach()[:, :1]) / BOHR_IN_ANG
        n = vectors[0].numel()
        axes = torch.eye(n, dtype=positions.dtype).unflatten(1, (-1, 3))  # (K, N, 3)
        directions = torch.cat([-axes.sum(1, keepdim=True), axes], 1)
        tangents = torch.eye(n, dtype=positions.dtype) / BOHR_IN_ANG
        frames = len(positions)
        return Inputs(vectors.flatten(1), tangents.expand(frames, -1, -1), directions.expand(frames, -1, -1, -1))

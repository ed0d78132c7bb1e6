"""A circuit that is not trained: random angles, and a readout of many observables whose weights are fitted."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import torch

from qff.circuits import build_circuit
from qff.engines.compiled import CompiledProgram
from qff.engines.program import capture
from qff.errors import ConfigError
from qff.models.architecture import Inputs
from qff.models.linear import LinearArchitecture
from qff.models.qnn import QNN
from qff.randomness import generator


class RandomCircuit(LinearArchitecture):
    """f = c_0 + Σ_w c_w ⟨P_w⟩ of circuits with random angles, coefficients by least squares (a quantum extreme learning
    machine; Mujal et al., Adv. Quantum Technol. 4, 2100027, 2021).

    The Pauli words P_w are the shortest ones, at random among those of equal length. One circuit of n qubits has 4^n - 1;
    when they are used up, another random circuit goes on.

    Settings:
        functions: number of observables, the constant included.
        draw: number of the random stream; another one, other angles and words.
        others: as of :class:`qff.models.qnn.QNN`; its initial parameters are the random angles.
    """

    def __init__(self, system, settings):
        super().__init__(system, settings)
        options = dict(settings)
        count, draw = options.pop("functions"), options.pop("draw", 0)
        if not isinstance(count, int) or count < 2:
            raise ConfigError(f"functions = {count}: must be an integer of at least 2")
        self._quantum = QNN(system, options)
        circuit = {"circuit": self._quantum.circuit_name, **self._quantum.circuit_settings}
        n = self._quantum.circuit.n_qubits
        self._parts = []
        for number in range(-(-(count - 1) // (4**n - 1))):
            rng = generator(draw, "random_circuit", system.name, number)
            theta = torch.tensor(self._quantum.initial_parameters(rng))[None]
            left = count - 1 - sum(len(words) for _, words in self._parts)
            self._parts.append((theta, shortest_words(n, left, rng)))
        self._programs = [_programs(json.dumps(circuit, sort_keys=True), words) for _, words in self._parts]

    @property
    def n_coefficients(self):
        return 1 + sum(len(words) for _, words in self._parts)

    @property
    def n_parameters(self):
        return self.n_coefficients

    def inputs(self, positions):
        """Every expectation value, after the constant 1."""
        angles = self._quantum.inputs(positions)
        frames, directions = angles.tangents.shape[:2]
        values = [angles.values.new_ones(frames)]
        tangents = [angles.values.new_zeros(frames, directions)]
        for (theta, _), programs in zip(self._parts, self._programs, strict=True):
            for program in programs:
                f, slope = program.value_and_slope(theta, angles.values[None])
                values.append(f[0])
                tangents.append((angles.tangents @ slope[0, :, :, None])[..., 0])
        return Inputs(torch.stack(values, -1), torch.stack(tangents, -1), angles.directions)

    def basis(self, fixed, inputs):
        return inputs.values, inputs.tangents


def shortest_words(n_qubits: int, count: int, rng: np.random.Generator) -> tuple[str, ...]:
    """At most ``count`` Pauli words but the identity, one letter per qubit, fewest letters first, else at random."""
    found: list[str] = []
    for length in range(1, n_qubits + 1):
        words = []
        for wires in combinations(range(n_qubits), length):
            for letters in product("XYZ", repeat=length):
                chosen = dict(zip(wires, letters, strict=True))
                words.append("".join(chosen.get(q, "I") for q in range(n_qubits)))
        found += [words[k] for k in rng.permutation(len(words))]
        if len(found) >= count:
            break
    return tuple(found[:count])


@functools.lru_cache(maxsize=4)
def _programs(circuit: str, words: tuple[str, ...]) -> list[CompiledProgram]:
    """The circuit once for every word; kept, since the potentials of all seeds are of one architecture."""
    options = json.loads(circuit)
    captured = capture(build_circuit(options.pop("circuit"), **options))
    return [CompiledProgram(replace(captured, terms=[(word, 1.0)])) for word in words]

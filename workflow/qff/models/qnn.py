"""Quantum neural network: classical feature map W, circuit, affine energy (Kiss et al. 2022)."""

from __future__ import annotations

import numpy as np
import torch

from qff.circuits import build_circuit
from qff.engines import build_engine
from qff.errors import ConfigError
from qff.models.architecture import Architecture, Inputs


def _arcsin(x):
    return x.arcsin(), 1 / (1 - x * x).sqrt()


def _arccos(x):
    return x.arccos(), -1 / (1 - x * x).sqrt()


def _pi_arcsin_arccos(x):
    """W of the LiH slide: r ↦ (πr, arcsin r, arccos r)."""
    slope = 1 / (1 - x * x).sqrt()
    return (
        torch.cat([torch.pi * x, x.arcsin(), x.arccos()], -1),
        torch.cat([torch.full_like(x, torch.pi), slope, -slope], -1),
    )


def _identity(x):
    return x, torch.ones_like(x)


# Name → function: scaled coordinates x (B, K) → features (B, F) and dfeature/dx of the coordinate each comes from.
FEATURE_MAPS = {"identity": _identity, "arcsin": _arcsin, "arccos": _arccos, "pi_arcsin_arccos": _pi_arcsin_arccos}


class CircuitArchitecture(Architecture):
    """f = expectation value of a circuit of the inputs; ``engine`` evaluates and differentiates it."""

    def evaluate(self, theta, inputs):
        return self.engine.evaluate(theta, inputs.values, inputs.tangents)

    def values(self, theta, values):
        return self.engine.evaluate(theta, values, None)[0]

    def jacobian(self, theta, values):
        return self.engine.jacobian(theta, values)

    def linearise(self, theta, inputs):
        if hasattr(self.engine, "linearise"):
            return self.engine.linearise(theta, inputs.values, inputs.tangents)
        return super().linearise(theta, inputs)


class QNN(CircuitArchitecture):
    """E = shift + scale ⟨O⟩ of a circuit whose encoding angles are W(x) of the scaled internal coordinates.

    Deviations from the source: gates, initialisation and energy scale are our choice (the slides state none);
    the output has no trained weight, so the parameter count is that of the circuit.
    """

    def __init__(self, system, settings):
        super().__init__(system, settings)
        options = dict(settings)
        options.pop("output_range", None)
        engine = options.pop("engine", "batched")
        self._spread = options.pop("initial_spread", 0.1)
        self._center = options.pop("initial_center", "zero")
        name = options.pop("feature_map")
        if name not in FEATURE_MAPS:
            raise ConfigError(f"unknown feature_map '{name}'; known: {', '.join(FEATURE_MAPS)}")
        self._map = FEATURE_MAPS[name]
        self._input_scale = float(options.pop("input_scale", 1.0))
        self.circuit_name = options.pop("circuit")
        self.circuit_settings = options
        self.circuit = build_circuit(self.circuit_name, **options)
        self.engine = build_engine(engine, self.circuit)
        if self._center not in ("zero", "echo") or (self._center == "echo" and self.circuit.echo is None):
            raise ConfigError(
                f"initial_center '{self._center}' of circuit '{self.circuit.name}': 'zero', or 'echo' if the circuit "
                "states its echo angles"
            )
        probe, _ = self._map(torch.zeros(1, system.n_coordinates, dtype=torch.float64))
        if probe.shape[1] != self.circuit.n_features:
            raise ConfigError(
                f"circuit '{self.circuit.name}' takes {self.circuit.n_features} features, but feature_map '{name}' "
                f"gives {probe.shape[1]} for {system.name}; change n_qubits or feature_map"
            )

    @property
    def n_parameters(self):
        return self.circuit.n_parameters

    def initial_parameters(self, rng):
        """Angles normal around zero or around the circuit's echo, or uniform in 0 … 2π."""
        if self._spread == "uniform":
            return rng.uniform(0, 2 * np.pi, self.n_parameters)
        center = self.circuit.echo if self._center == "echo" else 0.0
        return rng.normal(center, self._spread, self.n_parameters)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Encoding angles (B, F) of scaled coordinates (B, K)."""
        return self._map(self._input_scale * x)[0]

    def inputs(self, positions):
        x, gradient = self.system.scaled_coordinates(positions)
        features, slopes = self._map(self._input_scale * x)
        n_coordinates = x.shape[1]
        owner = torch.arange(features.shape[1]) % n_coordinates  # feature f comes from coordinate f mod K
        tangents = self._input_scale * slopes[:, None, :] * (owner == torch.arange(n_coordinates)[:, None])
        return Inputs(features, tangents, gradient)

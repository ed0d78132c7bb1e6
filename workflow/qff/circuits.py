"""Circuits, written once as ordinary PennyLane functions.

A circuit is a function ``f(theta, phi)`` that applies gates and returns ``qml.expval(observable)``:
``theta`` holds the trainable angles (indexed along the first axis), ``phi`` the encoded features. Register a
builder with :func:`circuit`; its keyword arguments are the entries of the model's config.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from qff.errors import ConfigError

BUILDERS: dict[str, Callable[..., Circuit]] = {}


@dataclass(frozen=True)
class Circuit:
    """A quantum function with its shape: ``function(theta, phi)`` returns one PennyLane expectation value.

    Attributes:
        n_qubits: width; wires are 0 … n_qubits-1.
        n_parameters: length of ``theta`` (rad).
        n_features: length of ``phi`` (rad).
    """

    name: str
    n_qubits: int
    n_parameters: int
    n_features: int
    function: Callable[[Any, Any], Any]


def circuit(builder: Callable[..., Circuit]) -> Callable[..., Circuit]:
    """Register a circuit builder under its function name."""
    BUILDERS[builder.__name__] = builder
    return builder


def build_circuit(name: str, **settings: Any) -> Circuit:
    """Build a registered circuit, or ``path/to/file.py:builder`` from a user's file."""
    if ":" in name:
        path, _, attribute = name.partition(":")
        if not Path(path).is_file():
            raise ConfigError(f"circuit '{name}': no such file '{path}'; give a path relative to the study's root")
        spec = importlib.util.spec_from_file_location(Path(path).stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if not hasattr(module, attribute):
            raise ConfigError(f"circuit '{name}': '{path}' defines no '{attribute}'")
        builder = getattr(module, attribute)
    elif name in BUILDERS:
        builder = BUILDERS[name]
    else:
        raise ConfigError(f"unknown circuit '{name}'; known: {', '.join(BUILDERS)}, or 'file.py:function'")
    try:
        return builder(**settings)
    except TypeError as error:
        raise ConfigError(f"circuit '{name}': {error}") from error


@circuit
def kiss(
    n_qubits: int, layers: int, connectivity: str = "linear", triples: bool = False, initial_block: bool = False
) -> Circuit:
    """Declared circuit for Kiss et al. 2022 (doi 10.1088/2632-2153/ac7d3c): alternating encodings and layers.

    An optional RXX block on the pairs; Φ = RX(φ_q) on every qubit; then ``layers`` times RY(θ_q) on every
    qubit, RZZ on the pairs, RZZZ on disjoint triples, and Φ again (D layers, D+1 encodings); readout σ_Z on
    the first qubit. The sources state qubits, layers and parameter counts only: the gates are our choice, made
    so that the counts come out exactly (LiH 50, H2O 87, H3O+ 135).
    """
    import pennylane as qml

    if n_qubits < 1 or layers < 1:
        raise ConfigError(f"circuit 'kiss': n_qubits={n_qubits}, layers={layers}: both must be at least 1")
    wires = range(n_qubits)
    if connectivity == "linear":
        pairs = [(i, i + 1) for i in wires[:-1]]
    elif connectivity == "full":
        pairs = list(combinations(wires, 2))
    else:
        raise ConfigError(f"circuit 'kiss': connectivity '{connectivity}' is neither 'linear' nor 'full'")
    blocks = [tuple(range(i, i + 3)) for i in range(0, n_qubits - 2, 3)] if triples else []
    n_parameters = layers * (n_qubits + len(pairs) + len(blocks)) + (len(pairs) if initial_block else 0)

    def function(theta, phi):
        angles = iter(theta)

        def encode():
            for q in wires:
                qml.RX(phi[q], wires=q)

        if initial_block:
            for pair in pairs:
                qml.IsingXX(next(angles), wires=pair)
        encode()
        for _ in range(layers):
            for q in wires:
                qml.RY(next(angles), wires=q)
            for pair in pairs:
                qml.IsingZZ(next(angles), wires=pair)
            for block in blocks:
                qml.MultiRZ(next(angles), wires=block)
            encode()
        return qml.expval(qml.PauliZ(0))

    return Circuit("kiss", n_qubits, n_parameters, n_qubits, function)

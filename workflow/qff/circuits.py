"""Circuits, written once as ordinary PennyLane functions.

A circuit is a function ``f(theta, phi)`` that applies gates and returns ``qml.expval(observable)``:
``theta`` holds the trainable angles (indexed along the first axis), ``phi`` the encoded features. Register a
builder with :func:`circuit`; its keyword arguments are the entries of the model's config.
"""

from __future__ import annotations

import importlib.util
import math
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
        echo: angles (P,) at which every encoding undoes the one before, as refocusing pulses do in a spin echo, or
            None. Near them f starts as a slow function of the data, and training adds the frequencies it needs; near
            zero it starts with all encodings in line, as the fastest function the circuit can express.
        start: published initial parameters (P,) from a random generator, or None.
    """

    name: str
    n_qubits: int
    n_parameters: int
    n_features: int
    function: Callable[[Any, Any], Any]
    echo: tuple[float, ...] | None = None
    start: Callable[[Any], list[float]] | None = None


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
    n_qubits: int,
    layers: int,
    connectivity: str = "linear",
    triples: bool = False,
    initial_block: bool = False,
    entangling: bool = True,
    encoding: str = "rx",
) -> Circuit:
    """Declared circuit for Kiss et al. 2022 (doi 10.1088/2632-2153/ac7d3c): alternating encodings and layers.

    An optional RXX block on the pairs; Φ = RX(φ_q) on every qubit; then ``layers`` times RY(θ_q) on every
    qubit, RZZ on the pairs, RZZZ on disjoint triples, and Φ again (D layers, D+1 encodings); readout σ_Z on
    the first qubit. The sources state qubits, layers and parameter counts only: the gates are our choice, made
    so that the counts come out exactly (LiH 50, H2O 87, H3O+ 135).

    ``entangling: false`` is the separable twin: no RXX, RZZ, RZZZ. The qubits then know nothing of each other, and the
    readout is the mean of σ_Z over all of them (the first alone would see one feature): f is an average of functions
    of one feature each, D·N parameters. Each is even: complex conjugation turns RX(φ) into RX(-φ) and leaves RY and σ_Z
    as they are (a sum of cos nφ, n ≤ D+1). Choose a feature map that can do with even functions. ``encoding: rz``
    encodes with RZ instead; on |0⟩ the first one is then idle.
    """
    import pennylane as qml

    if encoding not in ("rx", "rz"):
        raise ConfigError(f"circuit 'kiss': encoding '{encoding}' is neither 'rx' nor 'rz'")
    if n_qubits < 1 or layers < 1:
        raise ConfigError(f"circuit 'kiss': n_qubits={n_qubits}, layers={layers}: both must be at least 1")
    if not entangling and (triples or initial_block):
        raise ConfigError("circuit 'kiss': entangling: false leaves no place for triples or initial_block")
    wires = range(n_qubits)
    if connectivity == "linear":
        pairs = [(i, i + 1) for i in wires[:-1]]
    elif connectivity == "full":
        pairs = list(combinations(wires, 2))
    else:
        raise ConfigError(f"circuit 'kiss': connectivity '{connectivity}' is neither 'linear' nor 'full'")
    if not entangling:
        pairs = []
    blocks = [tuple(range(i, i + 3)) for i in range(0, n_qubits - 2, 3)] if triples else []
    n_parameters = layers * (n_qubits + len(pairs) + len(blocks)) + (len(pairs) if initial_block else 0)

    encoder = {"rx": qml.RX, "rz": qml.RZ}[encoding]

    def function(theta, phi):
        angles = iter(theta)

        def encode():
            for q in wires:
                encoder(phi[q], wires=q)

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
        if entangling:
            return qml.expval(qml.PauliZ(0))
        return qml.expval(qml.dot([1 / n_qubits] * n_qubits, [qml.PauliZ(q) for q in wires]))

    # RY(π) turns RX(φ) into RX(-φ), and RZ likewise: Φ RY(π) Φ = RY(π).
    layer = [math.pi] * n_qubits + [0.0] * (len(pairs) + len(blocks))
    echo = [0.0] * (n_parameters - layers * len(layer)) + layers * layer
    return Circuit("kiss", n_qubits, n_parameters, n_qubits, function, tuple(echo))


@circuit
def equivariant(
    n_qubits: int, layers: int, repetitions: int = 1, tied: bool = True, repeat_last: bool = False
) -> Circuit:
    """SU(2)-invariant circuit of an atom's neighbours (Le et al., New J. Phys. 27, 023015, 2025).

    Qubit q carries neighbour q mod N of N = n_qubits/repetitions, with vector x = φ[3(q mod N) …]. Start: singlets on
    pairs of qubits. Encoding: exp(-i α x·σ/2). Layers: exchange gates on a ring, (0,1), (2,3) … and then (1,2), (3,4) …;
    D layers, D+1 encodings. A rotation of all x leaves the result unchanged.

    Tied (a deviation from the source): one α and two couplings for a layer, readout the mean of σ_j·σ_k over all pairs,
    3D+1 parameters. Else, as in the authors' public demonstration for H2O, an α for every qubit and encoding and a
    coupling for every gate, readout σ_0·σ_1: 2 n D + n parameters, and no invariance under permutations once trained.
    ``repeat_last`` gives the last layer the couplings of the one before: the demonstration numbers its layers from 1 in
    arrays that end at D - 1, and JAX takes the last entry in place of one that is not there.

    Initial parameters are the demonstration's: α = 1, and all couplings 0 but the first of every layer, one random
    angle in 0 … 2π for all of them.
    """
    import pennylane as qml

    from qff.gates import VectorRotation, heisenberg, singlet

    if n_qubits < 2 or n_qubits % 2:
        raise ConfigError(f"circuit 'equivariant': n_qubits={n_qubits}: singlets need an even number of qubits")
    if repetitions < 1 or n_qubits % repetitions:
        raise ConfigError(f"circuit 'equivariant': repetitions={repetitions} does not divide n_qubits={n_qubits}")
    if repeat_last and layers < 2:
        raise ConfigError(f"circuit 'equivariant': repeat_last: layers={layers} leave no layer before the last")
    neighbours = n_qubits // repetitions
    even = [(q, q + 1) for q in range(0, n_qubits, 2)]
    odd = [(q, (q + 1) % n_qubits) for q in range(1, n_qubits, 2)] if n_qubits > 2 else []
    n_alphas = (layers + 1) * (1 if tied else n_qubits)
    n_couplings = 2 if tied else len(even) + len(odd)  # of a layer
    own_layers = layers - repeat_last

    def function(theta, phi):
        for pair in even:
            singlet(pair)
        for d in range(layers + 1):
            couplings = theta[n_alphas + n_couplings * (min(d, own_layers) - 1) :] if d else ()
            for k, pair in enumerate(even + odd if d else ()):
                heisenberg(couplings[k // len(even) if tied else k], pair)
            for q in range(n_qubits):
                alpha, first = theta[d if tied else n_qubits * d + q], 3 * (q % neighbours)
                VectorRotation(*(alpha * phi[first + k] for k in range(3)), wires=q)
        pairs = list(combinations(range(n_qubits), 2)) if tied else [(0, 1)]
        words = [p(i) @ p(j) for i, j in pairs for p in (qml.PauliX, qml.PauliY, qml.PauliZ)]
        return qml.expval(qml.dot([1 / len(pairs)] * len(words), words))

    def start(rng):
        return [1.0] * n_alphas + own_layers * [rng.uniform(0, 2 * math.pi), *[0.0] * (n_couplings - 1)]

    n_parameters = n_alphas + own_layers * n_couplings
    return Circuit("equivariant", n_qubits, n_parameters, 3 * neighbours, function, start=start)


@circuit
def amplitude(n_qubits: int, layers: int) -> Circuit:
    """Features as the 2^n real amplitudes of the start state, then a shallow circuit: RY, RZ on every qubit and a ring
    of CZ, ``layers`` times, and a last RY on every qubit; readout σ_Z on the first qubit.

    The features must have length one: the feature map normalises them.
    """
    import pennylane as qml

    wires = range(n_qubits)
    ring = [(q, (q + 1) % n_qubits) for q in wires][: n_qubits if n_qubits > 2 else n_qubits - 1]

    def function(theta, phi):
        angles = iter(theta)
        qml.StatePrep(qml.math.transpose(phi), wires=wires, validate_norm=False)
        for _ in range(layers):
            for q in wires:
                qml.RY(next(angles), wires=q)
                qml.RZ(next(angles), wires=q)
            for pair in ring:
                qml.CZ(wires=pair)
        for q in wires:
            qml.RY(next(angles), wires=q)
        return qml.expval(qml.PauliZ(0))

    return Circuit("amplitude", n_qubits, (2 * layers + 1) * n_qubits, 2**n_qubits, function)


@circuit
def neighbour_pair(layers: int, entangling: bool = True) -> Circuit:
    """SU(2)-invariant circuit of two neighbours, each on two qubits (Le et al. 2025, their layer for AB2 molecules).

    Qubits 0 and 2 carry neighbour j, 1 and 3 neighbour k; start: singlets on (0, 1) and (2, 3). Encoding: exp(-i x·σ/2)
    with a vector of either neighbour. Layer: exchange gates on the two qubits of j, on those of k, on the pairs of the
    start, and on (1, 2) and (0, 3). D layers, D+1 encodings; readout: mean of σ_a·σ_b over all pairs of qubits.

    There are no parameters: what is trained decides the angles outside. φ = for every encoding x_j (3) and x_k (3), then
    for every layer the angles of its four kinds of gates. Exchanging j and k leaves the result unchanged. Without
    ``entangling`` gates every qubit carries one rotation; the features are then those of the encodings alone.
    """
    import pennylane as qml

    from qff.gates import VectorRotation, heisenberg, singlet

    if layers < 1:
        raise ConfigError(f"circuit 'neighbour_pair': layers={layers}: at least one")
    exchanged = (((0, 2),), ((1, 3),), ((0, 1), (2, 3)), ((1, 2), (0, 3)))
    first = 6 * (layers + 1)

    def function(_, phi):
        for pair in ((0, 1), (2, 3)):
            singlet(pair)
        for d in range(layers + 1):
            if d and entangling:
                for k, pairs in enumerate(exchanged):
                    for pair in pairs:
                        heisenberg(phi[first + 4 * (d - 1) + k], pair)
            for q in range(4):
                VectorRotation(*(phi[6 * d + 3 * (q % 2) + k] for k in range(3)), wires=q)
        words = [p(a) @ p(b) for a, b in combinations(range(4), 2) for p in (qml.PauliX, qml.PauliY, qml.PauliZ)]
        return qml.expval(qml.dot([1 / 6] * len(words), words))

    return Circuit("neighbour_pair", 4, 0, first + (4 * layers if entangling else 0), function)


@circuit
def reuploading(n_qubits: int, layers: int, entangling: bool = True) -> Circuit:
    """Data re-uploading with an angle of its own for every gate (Pérez-Salinas et al., Quantum 4, 226, 2020).

    ``layers`` times RY and RZ on every qubit and a ring of CZ, then RY on every qubit; readout: mean of σ_Z. There are
    no parameters: every angle is a feature, that a model makes of its data with weights and a bias. Without
    ``entangling`` gates the qubits are independent, and the readout is a sum of functions of each.
    """
    import pennylane as qml

    wires = range(n_qubits)
    ring = [(q, (q + 1) % n_qubits) for q in wires][: n_qubits if n_qubits > 2 else n_qubits - 1]

    def function(_, phi):
        angles = iter(phi)
        for _ in range(layers):
            for q in wires:
                qml.RY(next(angles), wires=q)
                qml.RZ(next(angles), wires=q)
            for pair in ring if entangling else ():
                qml.CZ(wires=pair)
        for q in wires:
            qml.RY(next(angles), wires=q)
        return qml.expval(qml.dot([1 / n_qubits] * n_qubits, [qml.PauliZ(q) for q in wires]))

    return Circuit("reuploading", n_qubits, 0, (2 * layers + 1) * n_qubits, function)

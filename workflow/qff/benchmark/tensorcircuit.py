"""A captured program as a TensorCircuit function."""

from __future__ import annotations

import numpy as np
import tensorcircuit as tc

from qff.circuits import Circuit
from qff.engines.program import PAULI, Rotation, VectorGate, capture, kron


def expectation(circuit: Circuit):
    """f(θ, φ) for one parameter set and one frame, differentiable by TensorCircuit's backend."""
    program = capture(circuit)
    import jax.numpy as jnp

    def angle(a, theta, phi):
        found = a.constant
        if np.any(a.theta):
            found = found + jnp.asarray(a.theta) @ theta
        if np.any(a.phi):
            found = found + jnp.asarray(a.phi) @ phi
        if np.any(a.product):
            found = found + theta @ jnp.asarray(a.product) @ phi
        return found

    def run(theta, phi):
        c = tc.Circuit(program.n_qubits)
        for gate in program.gates:
            if isinstance(gate, Rotation):
                wires = [q for q, letter in enumerate(gate.word) if letter != "I"]
                matrix = kron(PAULI[gate.word[q]] for q in wires)
                # TensorCircuit: exp(-i θ P)
                c.exp1(*wires, unitary=matrix, theta=angle(gate.angle, theta, phi) / 2)
            elif isinstance(gate, VectorGate):
                x = jnp.stack([angle(a, theta, phi) for a in gate.vector])
                r = jnp.sqrt((x * x).sum() + 1e-30)
                s = jnp.sin(r / 2) / r
                matrix = jnp.cos(r / 2) * PAULI["I"] - 1j * s * (
                    x[0] * PAULI["X"] + x[1] * PAULI["Y"] + x[2] * PAULI["Z"]
                )
                c.any(gate.wire, unitary=matrix)
            else:
                c.any(*gate.wires, unitary=gate.matrix.reshape([2] * (2 * len(gate.wires))))
        state = c.state()
        total = 0.0
        for word, coefficient in program.terms:
            image = state.reshape([2] * program.n_qubits)
            for q, letter in enumerate(word):
                if letter != "I":
                    image = jnp.moveaxis(jnp.tensordot(PAULI[letter], image, (1, q)), 0, q)
            total = total + coefficient * jnp.real(jnp.vdot(state, image.reshape(-1)))
        return total

    return run

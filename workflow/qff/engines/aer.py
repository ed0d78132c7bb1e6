"""The circuit on Qiskit-Aer, through OpenQASM: exact statevector, finite shots, noise.

Slow and independent: every value is one circuit execution; derivatives come from the parameter-shift rule on the
encoding gates, as on a device. Gradients in ``theta`` are not available.
"""

from __future__ import annotations

import re

import numpy as np
import pennylane as qml
import torch

from qff.circuits import Circuit
from qff.engines.program import record
from qff.errors import ConfigError, UnsupportedOperation

_SHIFTABLE = {"RX", "RY", "RZ", "IsingXX", "IsingYY", "IsingZZ", "MultiRZ", "PauliRot"}
_BASIS_GATES = ["rz", "sx", "x", "cx"]  # of the noisy device
_NOISE = ("one_qubit", "two_qubit", "readout")


class AerEngine:
    """Same ``evaluate`` as the batched engine, without gradients in ``theta``.

    Args:
        shots: measurements per Pauli word of the observable; None for exact expectation values.
        noise: error probabilities ``one_qubit`` and ``two_qubit`` (depolarising, on every gate after compilation to
            rz, sx, x, cx; rz is free) and ``readout`` (bit flip, seen with shots only).
        seed: of the simulated measurements.

    Raises:
        ConfigError: a kind of noise that is not one of these, or a probability outside [0, 1].
    """

    def __init__(
        self, circuit: Circuit, shots: int | None = None, noise: dict[str, float] | None = None, seed: int = 0
    ):
        from qiskit_aer import AerSimulator

        self.circuit = circuit
        self.shots = shots
        self._noise = _noise_model(noise) if noise else None
        self._seed = np.random.SeedSequence(seed)
        method = "density_matrix" if noise and not shots else "statevector"
        self._simulator = AerSimulator(method=method, noise_model=self._noise)

    def evaluate(
        self, theta: torch.Tensor, phi: torch.Tensor, dphi: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """See :meth:`qff.engines.batched.BatchedEngine.evaluate`.

        Raises:
            UnsupportedOperation: features enter a gate without a two-term parameter-shift rule.
        """
        tapes, weights = [], []  # weights: (member, frame, direction or -1, factor)
        for s in range(len(theta)):
            for b in range(phi.shape[1]):
                angles = phi[s % len(phi), b].detach().clone().requires_grad_(True)
                tape = record(self.circuit, theta[s].detach(), angles)
                tapes.append(_detached(tape))
                weights.append((s, b, -1, 1.0))
                if dphi is not None:
                    for shifted, factor, slope in self._shifts(tape, angles):
                        for k, rate in enumerate((dphi[s % len(dphi), b] @ slope).tolist()):
                            if rate != 0.0:
                                tapes.append(shifted)
                                weights.append((s, b, k, factor * rate))
        values = self._run(tapes)
        f = torch.zeros(len(theta), phi.shape[1], dtype=torch.float64)
        df = None if dphi is None else torch.zeros(*f.shape, dphi.shape[2], dtype=torch.float64)
        for (s, b, k, weight), value in zip(weights, values, strict=True):
            target = f[s] if k < 0 else df[s, :, k]
            target[b] += weight * value
        return f, df

    def _shifts(self, tape, angles):
        """(shifted tape, ±½, dα/dφ) for every gate whose angle α depends on the features."""
        for index, operation in enumerate(tape.operations):
            if not any(getattr(p, "requires_grad", False) for p in operation.parameters):
                continue
            if operation.name not in _SHIFTABLE:
                raise UnsupportedOperation(
                    f"circuit '{self.circuit.name}': features enter '{operation.name}', which has no two-term "
                    "parameter-shift rule; encode with Pauli rotations"
                )
            (slope,) = torch.autograd.grad(operation.parameters[0], angles, retain_graph=True)
            for sign in (1, -1):
                operations = list(tape.operations)
                moved = operation.parameters[0].detach() + sign * np.pi / 2
                operations[index] = qml.ops.functions.bind_new_parameters(operation, [moved])
                yield _detached(qml.tape.QuantumScript(operations, tape.measurements)), 0.5 * sign, slope

    def _run(self, tapes) -> np.ndarray:
        """Expectation value of the observable for every tape."""
        from qiskit import transpile
        from qiskit.quantum_info import SparsePauliOp

        terms = self._terms(tapes[0])
        gates = {"basis_gates": _BASIS_GATES, "optimization_level": 1} if self._noise else {"optimization_level": 0}
        circuits = transpile([self._circuit(t) for t in tapes], seed_transpiler=0, **gates)
        if self.shots is None:
            for circuit in circuits:
                circuit.save_expectation_value(SparsePauliOp.from_list(terms), circuit.qubits, label="value")
        else:
            measured = [_measured(circuit, word) for circuit in circuits for word, _ in terms]
            circuits = transpile(measured, seed_transpiler=0, **gates)
        seed = int(self._seed.spawn(1)[0].generate_state(1)[0])
        result = self._simulator.run(circuits, shots=self.shots, seed_simulator=seed).result()
        if self.shots is None:
            return np.array([result.data(i)["value"] for i in range(len(circuits))])
        means = [_parity(result.get_counts(i), terms[i % len(terms)][0]) for i in range(len(circuits))]
        return np.array(means).reshape(-1, len(terms)) @ np.array([np.real(c) for _, c in terms])

    def _terms(self, tape) -> list[tuple[str, complex]]:
        """The observable in Qiskit's order: the last letter is the first qubit."""
        found = []
        for word, coefficient in qml.pauli.pauli_sentence(tape.measurements[0].obs).items():
            letters = "".join(word.get(wire, "I") for wire in range(self.circuit.n_qubits))
            found.append((letters[::-1], complex(coefficient)))
        return found

    def _circuit(self, tape):
        from qiskit import qasm2

        unmeasured = qml.tape.QuantumScript(tape.operations)
        text = qml.to_openqasm(unmeasured, wires=range(self.circuit.n_qubits), measure_all=False, rotations=False)
        text = re.sub(r"^gphase.*\n", "", text, flags=re.MULTILINE)  # no such gate in OpenQASM 2, and not observable
        return qasm2.loads(text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)


def _measured(circuit, word: str):
    """The circuit with every qubit measured in the basis of a Pauli word."""
    found = circuit.copy()
    found.remove_final_measurements()
    for qubit, letter in enumerate(reversed(word)):
        if letter == "Y":
            found.sdg(qubit)
        if letter in "XY":
            found.h(qubit)
    found.measure_all()
    return found


def _parity(counts: dict[str, int], word: str) -> float:
    """Mean of the product of ±1 outcomes on the qubits of a word."""
    total = sum(
        n * (-1) ** sum(bit == "1" for bit, letter in zip(bits, word, strict=True) if letter != "I")
        for bits, n in counts.items()
    )
    return total / sum(counts.values())


def _noise_model(noise: dict[str, float]):
    from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error

    for name, probability in noise.items():
        if name not in _NOISE:
            raise ConfigError(f"noise '{name}' is unknown; known: {', '.join(_NOISE)}")
        if not 0 <= probability <= 1:
            raise ConfigError(f"noise '{name}': {probability} is no probability")
    model = NoiseModel(basis_gates=_BASIS_GATES)
    if p := noise.get("one_qubit", 0.0):
        model.add_all_qubit_quantum_error(depolarizing_error(p, 1), ["sx", "x"])
    if p := noise.get("two_qubit", 0.0):
        model.add_all_qubit_quantum_error(depolarizing_error(p, 2), ["cx"])
    if p := noise.get("readout", 0.0):
        model.add_all_qubit_readout_error(ReadoutError([[1 - p, p], [p, 1 - p]]))
    return model


def _detached(tape):
    """Tape with plain floats as angles."""
    operations = [
        qml.ops.functions.bind_new_parameters(o, [torch.as_tensor(p).detach().numpy() for p in o.parameters])
        if o.num_params
        else o
        for o in tape.operations
    ]
    return qml.tape.QuantumScript(operations, tape.measurements)

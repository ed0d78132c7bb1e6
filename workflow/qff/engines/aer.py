"""The circuit on Qiskit-Aer's exact statevector, through OpenQASM.

Slow and independent: every value is one circuit execution; derivatives come from the parameter-shift rule on the
encoding gates, as on a device. Gradients in ``theta`` are not available.
"""

from __future__ import annotations

import numpy as np
import pennylane as qml
import torch

from qff.circuits import Circuit
from qff.engines.program import record
from qff.errors import UnsupportedOperation

_SHIFTABLE = {"RX", "RY", "RZ", "IsingXX", "IsingYY", "IsingZZ", "MultiRZ", "PauliRot"}


class AerEngine:
    """Same ``evaluate`` as the batched engine, without gradients in ``theta``."""

    def __init__(self, circuit: Circuit):
        from qiskit_aer import AerSimulator

        self.circuit = circuit
        self._simulator = AerSimulator(method="statevector")

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
            if not (operation.num_params and getattr(operation.parameters[0], "requires_grad", False)):
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
        from qiskit import qasm2, transpile
        from qiskit.quantum_info import SparsePauliOp

        observable = qml.pauli.pauli_sentence(tapes[0].measurements[0].obs)
        terms = []
        for word, coefficient in observable.items():
            letters = ["I"] * self.circuit.n_qubits
            for wire, letter in word.items():
                letters[self.circuit.n_qubits - 1 - wire] = letter  # Qiskit counts qubits from the right
            terms.append(("".join(letters), complex(coefficient)))
        operator = SparsePauliOp.from_list(terms)
        circuits = []
        for tape in tapes:
            unmeasured = qml.tape.QuantumScript(tape.operations)
            text = qml.to_openqasm(unmeasured, wires=range(self.circuit.n_qubits), measure_all=False, rotations=False)
            circuit = qasm2.loads(text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
            circuit.save_expectation_value(operator, range(self.circuit.n_qubits), label="value")
            circuits.append(circuit)
        result = self._simulator.run(transpile(circuits, self._simulator, optimization_level=0)).result()
        return np.array([result.data(i)["value"] for i in range(len(circuits))])


def _detached(tape):
    """Tape with plain floats as angles."""
    operations = [
        qml.ops.functions.bind_new_parameters(o, [float(torch.as_tensor(p).detach()) for p in o.parameters])
        if o.num_params
        else o
        for o in tape.operations
    ]
    return qml.tape.QuantumScript(operations, tape.measurements)

"""What is timed: the circuits, sizes and derivatives of the study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qff.circuits import Circuit, build_circuit

H2O = {"name": "kiss", "n_qubits": 3, "layers": 12, "connectivity": "full", "triples": True, "initial_block": True}
H3O = {"name": "kiss", "n_qubits": 6, "layers": 10, "triples": True, "initial_block": True}
ETHANOL = {"name": "equivariant", "n_qubits": 8, "layers": 6}


@dataclass(frozen=True)
class Workload:
    """``task``: ``loss`` (gradient in θ of Σ f² + Σ (∂f/∂φ)²), ``jacobian`` (∂f/∂θ of every frame) or ``force``
    (f and ∂f/∂φ)."""

    name: str
    text: str
    circuit: dict
    frames: int
    members: int = 1
    task: str = "loss"
    threads: int = 1
    peers: tuple[str, ...] = ()
    circuits: int = 0  # that Qiskit-Aer runs in one call

    def build(self) -> Circuit:
        return build_circuit(**self.circuit)

    def arguments(self, circuit: Circuit) -> tuple[np.ndarray, np.ndarray]:
        """θ (S, P) and φ (B, F), the same for every engine."""
        rng = np.random.default_rng(0)
        theta = rng.uniform(0, 2 * np.pi, (self.members, circuit.n_parameters))
        return theta, rng.uniform(-1, 1, (self.frames, circuit.n_features))


EXACT = ("pennylane-torch", "pennylane-jax", "tensorcircuit-jax")
FIRST = ("pennylane-lightning", "qiskit-aer")
WORKLOADS = {
    w.name: w
    for w in (
        Workload("W1", "H2O: 3 qubits, 12 layers, 300 frames", H2O, 300, peers=EXACT + FIRST, circuits=300),
        Workload("W2", "H3O+: 6 qubits, 10 layers, 500 frames", H3O, 500, peers=EXACT + FIRST, circuits=500),
        Workload("W3", "ethanol: 8 neighbour qubits, 9 environments × 10 frames", ETHANOL, 90, peers=EXACT + FIRST, circuits=90),
        Workload("W4", "W1 for 10 seeds at once", H2O, 300, members=10, peers=EXACT[:2]),
        Workload(
            "W5-87", "∂f/∂θ of 100 × 100 pairs, d = 87", H2O, 100, members=100, task="jacobian",
            peers=("pennylane-jax", "qiskit-machine-learning"),
        ),
        Workload(
            "W5-135", "∂f/∂θ of 100 × 100 pairs, d = 135", H3O, 100, members=100, task="jacobian",
            peers=("pennylane-jax", "qiskit-machine-learning"),
        ),
        Workload("W6-h2o", "one MD force call, H2O", H2O, 1, task="force", peers=(*EXACT[:2], FIRST[0])),
        Workload("W6-ethanol", "one MD force call, ethanol", ETHANOL, 9, task="force", peers=(*EXACT[:2], FIRST[0])),
        Workload(
            "W8", "energies and forces of 10 frames of H2O: 790 circuits by parameter shift", H2O, 10, task="force",
            peers=FIRST[1:], circuits=790,
        ),
        Workload("W7-W1", "W1 on two threads", H2O, 300, threads=2, peers=EXACT[:1]),
        Workload("W7-W2", "W2 on two threads", H3O, 500, threads=2, peers=EXACT[:1]),
        Workload("W7-W3", "W3 on two threads", ETHANOL, 90, threads=2, peers=EXACT[:1]),
    )
}  # fmt: skip

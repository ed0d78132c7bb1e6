"""Every engine as a function without arguments that does one workload and returns its result.

What an engine cannot do is stated in ``LIMITS`` and shown with its numbers; where the whole workload would take hours,
a share of it is done and the time scaled up (``share``).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qff.benchmark.workloads import Workload

LIMITS = {
    "pennylane-lightning": "first derivatives only (adjoint), frame by frame",
    "qiskit-aer": "values only, but W8: forces by parameter shift; one transpiled circuit, angles bound for all frames",
    "qiskit-machine-learning": "a share of the pairs, time scaled up",
}
QISKIT_PAIRS = 2


def prepare(engine: str, workload: Workload) -> tuple[Callable[[], np.ndarray], float]:
    """The function, and the share of the workload that one call does.

    Raises:
        ModuleNotFoundError: the engine is not installed (``pip install qff[bench]``).
    """
    circuit = workload.build()
    theta, phi = workload.arguments(circuit)
    share = 1.0
    if engine == "qiskit-machine-learning":
        share = QISKIT_PAIRS / (len(theta) * len(phi))
    return _PREPARE[engine](circuit, theta, phi, workload.task), share


def _torch(engine):
    """Ours and PennyLane's default.qubit share the interface."""

    def build(circuit, theta, phi, task):
        import torch

        from qff.engines import build_engine

        model = build_engine(engine, circuit)
        theta, phi = torch.tensor(theta), torch.tensor(phi[None])
        dphi = torch.eye(phi.shape[2], dtype=phi.dtype).expand(1, phi.shape[1], -1, -1)

        def loss():
            leaf = theta.clone().requires_grad_(True)
            f, df = model.evaluate(leaf, phi, dphi)
            (gradient,) = torch.autograd.grad((f**2).sum() + (df**2).sum(), leaf)
            return gradient.numpy()

        def force():
            return np.concatenate([x.reshape(-1).numpy() for x in model.evaluate(theta, phi, dphi)])

        def jacobian():
            return model.jacobian(theta, phi)[1].numpy()

        return {"loss": loss, "force": force, "jacobian": jacobian}[task]

    return build


def _jax(node_of):
    """jit and vmap around a differentiable function of one parameter set and one frame."""

    def build(circuit, theta, phi, task):
        import jax

        jax.config.update("jax_enable_x64", True)
        import jax.numpy as jnp

        node = node_of(circuit)
        theta, phi = jnp.array(theta), jnp.array(phi)

        def one(parameters, x):
            value, slope = jax.value_and_grad(node, 1)(parameters, x)
            return value**2 + (slope**2).sum()

        def loss(parameters):
            frames = jax.vmap(jax.vmap(one, (None, 0)), (0, None))
            return frames(parameters, phi).sum()

        pairs = {
            "force": jax.value_and_grad(node, 1),
            "jacobian": jax.grad(node),
        }
        if task == "loss":
            run = jax.jit(jax.grad(loss))
            return lambda: np.asarray(run(theta))
        run = jax.jit(jax.vmap(jax.vmap(pairs[task], (None, 0)), (0, None)))
        return lambda: np.concatenate([np.asarray(x).reshape(-1) for x in jax.tree.leaves(run(theta, phi))])

    return build


def _pennylane_node(circuit):
    import pennylane as qml

    device = qml.device("default.qubit", wires=circuit.n_qubits)
    return qml.QNode(circuit.function, device, interface="jax", diff_method="backprop")


def _tensorcircuit_node(circuit):
    import tensorcircuit

    from qff.benchmark.tensorcircuit import expectation

    tensorcircuit.set_backend("jax")
    tensorcircuit.set_dtype("complex128")
    return expectation(circuit)


def _lightning(circuit, theta, phi, task):
    import pennylane as qml
    from pennylane import numpy as pnp

    device = qml.device("lightning.qubit", wires=circuit.n_qubits)
    node = qml.QNode(circuit.function, device, diff_method="adjoint")
    slopes = qml.grad(node, argnums=[1] if task == "force" else [0, 1])
    parameters = pnp.array(theta[0], requires_grad=True)

    def run():
        return np.concatenate(
            [np.ravel(s) for x in phi for s in slopes(parameters, pnp.array(x, requires_grad=True))]
        )

    return run


def _aer(circuit, theta, phi, task):
    import torch

    from qff.engines import build_engine

    model = build_engine("aer", circuit)
    given = [torch.tensor(theta), torch.tensor(phi[None])]
    if task == "force":
        given.append(torch.eye(phi.shape[1], dtype=torch.float64).expand(1, len(phi), -1, -1))
    return lambda: np.concatenate([x.reshape(-1).numpy() for x in model.evaluate(*given) if x is not None])


def _qiskit_machine_learning(circuit, theta, phi, task):
    """Its effective-dimension route: forward and backward of an EstimatorQNN, exact estimator, parameter shift."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector
    from qiskit.primitives import StatevectorEstimator
    from qiskit.quantum_info import SparsePauliOp
    from qiskit_machine_learning.gradients import ParamShiftEstimatorGradient
    from qiskit_machine_learning.neural_networks import EffectiveDimension, EstimatorQNN

    inputs, weights = ParameterVector("x", circuit.n_features), ParameterVector("w", circuit.n_parameters)
    quantum = QuantumCircuit(circuit.n_qubits)
    _to_qiskit(quantum, circuit, weights, inputs)
    readout = SparsePauliOp.from_list([("I" * (circuit.n_qubits - 1) + "Z", 1.0)])
    estimator = StatevectorEstimator()
    network = EstimatorQNN(
        circuit=quantum, observables=readout, input_params=list(inputs), weight_params=list(weights),
        estimator=estimator, gradient=ParamShiftEstimatorGradient(estimator), default_precision=0.0,
    )  # fmt: skip

    def run():
        estimate = EffectiveDimension(network, weight_samples=theta[:1], input_samples=phi[:QISKIT_PAIRS])
        return estimate.run_monte_carlo()[0].reshape(-1)

    return run


def _to_qiskit(quantum, circuit, weights, inputs) -> None:
    """The rotations of a captured program with symbolic angles."""
    from qff.engines.program import capture

    gates = {"X": quantum.rx, "Y": quantum.ry, "Z": quantum.rz, "XX": quantum.rxx, "ZZ": quantum.rzz}
    for gate in capture(circuit).gates:
        wires = [q for q, letter in enumerate(gate.word) if letter != "I"]
        word = "".join(gate.word[q] for q in wires)
        angle = gate.angle.constant
        for vector, slopes in ((weights, gate.angle.theta), (inputs, gate.angle.phi)):
            angle = sum((float(slopes[k]) * vector[k] for k in np.flatnonzero(slopes)), start=angle)
        if word == "ZZZ":
            quantum.cx(wires[0], wires[1])
            quantum.cx(wires[1], wires[2])
            quantum.rz(angle, wires[2])
            quantum.cx(wires[1], wires[2])
            quantum.cx(wires[0], wires[1])
        else:
            gates[word](angle, *wires)


_PREPARE = {
    "ours": _torch("batched"),
    "pennylane-torch": _torch("pennylane"),
    "pennylane-jax": _jax(_pennylane_node),
    "tensorcircuit-jax": _jax(_tensorcircuit_node),
    "pennylane-lightning": _lightning,
    "qiskit-aer": _aer,
    "qiskit-machine-learning": _qiskit_machine_learning,
}

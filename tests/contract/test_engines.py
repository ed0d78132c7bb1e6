"""The engines agree, on the circuits of the study and on random ones."""

import numpy as np
import pennylane as qml
import pytest
import torch
from engine_cases import CIRCUITS, arguments
from qff.circuits import Circuit, build_circuit
from qff.engines import build_engine
from qff.errors import ConfigError, UnsupportedOperation


@pytest.mark.parametrize("name", CIRCUITS)
def test_batched_equals_pennylane(name):
    """Values, input derivatives and parameter gradients of a loss of both."""
    circuit = CIRCUITS[name]
    theta, phi, dphi = arguments(circuit)
    results = []
    for engine in ("batched", "pennylane"):
        leaf = theta.clone().requires_grad_(True)
        f, df = build_engine(engine, circuit).evaluate(leaf, phi, dphi)
        (gradient,) = torch.autograd.grad((f**2).sum() + (df**3).sum(), leaf)
        values, none = build_engine(engine, circuit).evaluate(theta, phi)
        assert none is None
        results.append((f.detach(), df.detach(), gradient, values))
    for ours, theirs, tolerance in zip(*results, (1e-10, 1e-10, 1e-9, 1e-10), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance)


def derivatives(evaluate, theta, phi, dphi):
    """Values, input derivatives, and gradients of a loss of both in everything."""
    leaves = [x.clone().requires_grad_(True) for x in (theta, phi, dphi)]
    f, df = evaluate(*leaves)
    return f.detach(), df.detach(), *torch.autograd.grad((f**2).sum() + (df**3).sum(), leaves)


@pytest.mark.parametrize("name", CIRCUITS)
def test_all_ways_of_the_batched_engine_agree(name, monkeypatch):
    """Compiled kernels on one thread and on two, torch operations (what an accelerator runs), and PennyLane."""
    from qff.engines import compiled

    circuit = CIRCUITS[name]
    engine = build_engine("batched", circuit)
    theta, phi, dphi = arguments(circuit, members=3, frames=7)
    monkeypatch.setattr(compiled, "TILES_PER_TASK", 1)
    monkeypatch.setattr(compiled, "COST_PER_THREAD", 1)
    before = torch.get_num_threads()
    results = [derivatives(engine.torch.evaluate, theta, phi, dphi)]
    for threads in (1, 2):
        torch.set_num_threads(threads)
        try:
            results.append(derivatives(engine.evaluate, theta, phi, dphi))
        finally:
            torch.set_num_threads(before)
    assert all(torch.equal(one, two) for one, two in zip(results[1], results[2], strict=True))
    results.append(derivatives(build_engine("pennylane", circuit).evaluate, theta, phi, dphi))
    for other in results[1:]:
        for ours, theirs in zip(results[0], other, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("name", CIRCUITS)
def test_jacobian_is_the_gradient_of_every_frame(name):
    circuit = CIRCUITS[name]
    engine = build_engine("batched", circuit)
    theta, phi, _ = arguments(circuit)
    f, jacobian = engine.jacobian(theta, phi)
    leaf = theta.clone().requires_grad_(True)
    values, _ = engine.evaluate(leaf, phi)
    for frame in range(phi.shape[1]):
        (gradient,) = torch.autograd.grad(values[:, frame].sum(), leaf, retain_graph=True)
        torch.testing.assert_close(jacobian[:, frame], gradient, rtol=0, atol=1e-12)
    torch.testing.assert_close(f, values.detach(), rtol=0, atol=1e-14)
    for ours, plain in zip((f, jacobian), engine.torch.jacobian(theta, phi), strict=True):
        torch.testing.assert_close(plain, ours, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", CIRCUITS)
def test_linearisation_is_the_gradient_of_every_frame_and_direction(name):
    """Jacobians of values and directional derivatives, also where an angle is a product of parameter and feature."""
    circuit = CIRCUITS[name]
    engine = build_engine("batched", circuit)
    theta, phi, dphi = arguments(circuit)
    f, df, jacobian, along = engine.linearise(theta, phi, dphi)
    leaf = theta.clone().requires_grad_(True)
    values, slopes = engine.evaluate(leaf, phi, dphi)
    torch.testing.assert_close(f, values.detach(), rtol=0, atol=1e-12)
    torch.testing.assert_close(df, slopes.detach(), rtol=0, atol=1e-12)
    outputs, mine = torch.cat([values[..., None], slopes], 2), torch.cat([jacobian[:, :, None], along], 2)
    for frame in range(outputs.shape[1]):
        for k in range(outputs.shape[2]):
            (gradient,) = torch.autograd.grad(outputs[:, frame, k].sum(), leaf, retain_graph=True)
            torch.testing.assert_close(mine[:, frame, k], gradient, rtol=1e-10, atol=1e-10)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator")
@pytest.mark.parametrize("name", CIRCUITS)
def test_an_accelerator_gives_the_same(name):
    engine = build_engine("batched", CIRCUITS[name])
    given = arguments(CIRCUITS[name])
    ours = derivatives(engine.evaluate, *given)
    theirs = derivatives(engine.evaluate, *(x.cuda() for x in given))
    for one, two in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, two.cpu(), rtol=1e-10, atol=1e-9)


def test_members_may_have_their_own_inputs():
    """Ensembles of seeds see different frames; a shared input is the same as a repeated one."""
    circuit = CIRCUITS["equivariant"]
    engine = build_engine("batched", circuit)
    theta, phi, dphi = arguments(circuit, members=3)
    shared = derivatives(engine.evaluate, theta, phi, dphi)
    repeated = derivatives(engine.evaluate, theta, phi.repeat(3, 1, 1), dphi.repeat(3, 1, 1, 1))
    for index in range(3):
        torch.testing.assert_close(shared[index], repeated[index], rtol=0, atol=1e-14)
    torch.testing.assert_close(shared[3], repeated[3].sum(0, keepdim=True), rtol=0, atol=1e-12)


@pytest.mark.parametrize("frames", [1, 4, 8, 9, 16])
def test_numbers_of_frames_and_strides_do_not_matter(frames):
    """Full and partial tiles; gradients that torch hands over as expanded views; inputs that are transposed views."""
    circuit = CIRCUITS["equivariant"]
    engine = build_engine("batched", circuit)
    theta, phi, dphi = arguments(circuit, members=2, frames=frames)
    leaf = theta.clone().requires_grad_(True)
    f, df = engine.evaluate(leaf, phi, dphi)
    (ours,) = torch.autograd.grad(f.sum() + df.sum(), leaf)  # weights of stride 0
    again = theta.T.contiguous().T.requires_grad_(True)
    view = phi.transpose(1, 2).contiguous().transpose(1, 2)
    g, dg = engine.evaluate(again, view, dphi.expand(2, -1, -1, -1))
    (theirs,) = torch.autograd.grad((g * torch.ones_like(g)).sum() + (dg * torch.ones_like(dg)).sum(), again)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    for b in range(frames):
        one, done = engine.evaluate(theta, phi[:, b : b + 1], dphi[:, b : b + 1])
        torch.testing.assert_close(one[:, 0], f[:, b].detach(), rtol=0, atol=1e-14)
        torch.testing.assert_close(done[:, 0], df[:, b].detach(), rtol=0, atol=1e-13)
    values = theta.clone().requires_grad_(True)
    (energy_only,) = torch.autograd.grad(engine.evaluate(values, phi)[0].sum(), values)
    (all_of_it,) = torch.autograd.grad(engine.evaluate(leaf, phi, dphi)[0].sum(), leaf)
    torch.testing.assert_close(energy_only, all_of_it, rtol=0, atol=1e-12)


def test_vectors_of_any_length_are_differentiable():
    """At zero, around the switch to the series, and far out, against PennyLane's matrix and finite differences."""
    circuit = build_circuit("equivariant", n_qubits=2, layers=1)
    engine = build_engine("batched", circuit)
    theta = torch.tensor([[1.0, 1.0, 0.7, 0.3]], dtype=torch.float64)[:, : circuit.n_parameters]
    rng = np.random.default_rng(0)
    for length in (0.0, 1e-9, 1e-3, 0.0099, 0.0101, 0.2999, 0.3001, 2.0, 2 * np.pi, 9.0):
        x = rng.normal(size=(2, 3))
        x *= length / np.linalg.norm(x, axis=1, keepdims=True)
        phi = torch.tensor(x.reshape(1, 1, 6))
        dphi = torch.tensor(rng.normal(size=(1, 1, 2, 6)))
        ours, torchs = (derivatives(e.evaluate, theta, phi, dphi) for e in (engine, engine.torch))
        for one, two in zip(ours, torchs, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-8, atol=1e-9)
        step = 1e-4
        moved = [engine.evaluate(theta, phi + sign * step * dphi[:, :, 0])[0] for sign in (1, -1)]
        torch.testing.assert_close((moved[0] - moved[1]) / (2 * step), ours[1][..., 0], rtol=1e-6, atol=1e-7)


def test_the_equivariant_circuit_is_invariant_under_rotation():
    from scipy.spatial.transform import Rotation

    circuit = build_circuit("equivariant", n_qubits=6, layers=3)
    engine = build_engine("batched", circuit)
    theta, phi, _ = arguments(circuit, frames=4)
    rotation = torch.tensor(Rotation.random(random_state=0).as_matrix())
    turned = (phi.reshape(1, 4, 6, 3) @ rotation.T).reshape(1, 4, 18)
    torch.testing.assert_close(engine.evaluate(theta, phi)[0], engine.evaluate(theta, turned)[0], rtol=0, atol=1e-13)


def test_two_qubits_without_layers_have_a_closed_form():
    """A singlet turned by exp(-i x_k·σ/2): ⟨σ1·σ2⟩ = -tr(R1ᵀ R2) of the rotations by α x_k (closed form)."""
    from scipy.spatial.transform import Rotation

    circuit = build_circuit("equivariant", n_qubits=2, layers=0)
    theta, phi, _ = arguments(circuit, frames=5)
    ours, _ = build_engine("batched", circuit).evaluate(theta, phi)
    # the readout is the mean over the three words of one pair, times three: σ1·σ2
    for s in range(len(theta)):
        for b in range(5):
            first, second = (
                Rotation.from_rotvec(float(theta[s, 0]) * phi[0, b, 3 * q : 3 * q + 3].numpy()).as_matrix()
                for q in range(2)
            )
            assert float(ours[s, b]) == pytest.approx(-np.trace(first.T @ second), abs=1e-12)


def test_amplitudes_are_the_start_state():
    circuit = build_circuit("amplitude", n_qubits=2, layers=0)
    theta = torch.zeros(1, circuit.n_parameters, dtype=torch.float64)
    phi = torch.tensor([[[0.6, 0.0, 0.8, 0.0], [0.5, 0.5, 0.5, -0.5]]], dtype=torch.float64)
    f, _ = build_engine("batched", circuit).evaluate(theta, phi)
    torch.testing.assert_close(f, torch.tensor([[0.36 - 0.64, 0.0]], dtype=torch.float64), rtol=0, atol=1e-15)


def test_gradients_in_the_inputs_agree():
    """Whoever trains what feeds the circuit gets gradients in its features and directions."""
    circuit = CIRCUITS["full"]
    theta, phi, dphi = arguments(circuit, members=1)
    results = []
    for engine in ("batched", "pennylane"):
        leaf = phi.clone().requires_grad_(True)
        f, df = build_engine(engine, circuit).evaluate(theta.clone().requires_grad_(True), leaf, dphi)
        (gradient,) = torch.autograd.grad((f**2).sum() + (df**2).sum(), leaf)
        results.append(gradient)
    torch.testing.assert_close(*results, rtol=0, atol=1e-9)


def test_a_circuit_without_data_has_no_slope():
    def function(theta, phi):
        qml.RX(theta[0], wires=0)
        return qml.expval(qml.PauliZ(0))

    theta, phi, dphi = arguments(circuit := Circuit("blind", 1, 1, 2, function))
    f, df, gradient, *others = derivatives(build_engine("batched", circuit).evaluate, theta, phi, dphi)
    torch.testing.assert_close(f, torch.cos(theta).expand(-1, 3))
    torch.testing.assert_close(gradient, -6 * torch.cos(theta) * torch.sin(theta))
    assert not df.any()
    assert not any(g.any() for g in others)


def test_third_derivatives_are_refused_not_wrong():
    circuit = CIRCUITS["full"]
    theta, phi, dphi = arguments(circuit)
    leaf = theta.requires_grad_(True)
    f, _ = build_engine("batched", circuit).evaluate(leaf, phi, dphi)
    (gradient,) = torch.autograd.grad((f**2).sum(), leaf, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_unsupported_angle_is_named():
    def function(theta, phi):
        qml.RX(theta[0] * phi[0] ** 2, wires=0)
        return qml.expval(qml.PauliZ(0))

    circuit = Circuit("square", 1, 1, 1, function)
    with pytest.raises(UnsupportedOperation, match=r"'square'.*'RX' is not of the form.*engine: pennylane"):
        build_engine("batched", circuit)
    theta, phi, dphi = arguments(circuit)
    f, df = build_engine("pennylane", circuit).evaluate(theta, phi, dphi)
    angle = theta[:, :, None] * phi[..., 0][:, None] ** 2
    torch.testing.assert_close(f, torch.cos(angle[:, 0]), rtol=0, atol=1e-12)
    slope = -torch.sin(angle[:, 0])[..., None] * theta[:, :, None] * 2 * phi[..., :1] * dphi[..., 0]
    torch.testing.assert_close(df, slope, rtol=0, atol=1e-12)


def test_unsupported_operation_is_named():
    def function(theta, phi):
        qml.RX(theta[0], wires=0)
        qml.AmplitudeDamping(0.1, wires=0)  # no unitary
        return qml.expval(qml.PauliZ(0))

    with pytest.raises(UnsupportedOperation, match="AmplitudeDamping"):
        build_engine("batched", Circuit("custom", 1, 1, 1, function))


def test_measurement_must_be_one_expectation_value():
    def function(theta, phi):
        qml.RX(theta[0], wires=0)
        return qml.probs(wires=0)

    with pytest.raises(UnsupportedOperation, match="exactly one"):
        build_engine("batched", Circuit("probs", 1, 1, 1, function))


def test_a_user_adds_a_circuit_in_a_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import pennylane as qml\n"
        "from qff.circuits import Circuit\n\n"
        "def mine(layers):\n"
        "    def function(theta, phi):\n"
        "        for d in range(layers):\n"
        "            qml.RX(phi[0], wires=0)\n"
        "            qml.RY(theta[d], wires=0)\n"
        "        return qml.expval(qml.PauliZ(0))\n"
        "    return Circuit('mine', 1, layers, 1, function)\n"
    )
    circuit = build_circuit(f"{path}:mine", layers=4)
    theta, phi, dphi = arguments(circuit)
    ours, theirs = (build_engine(e, circuit).evaluate(theta, phi, dphi) for e in ("batched", "pennylane"))
    torch.testing.assert_close(ours[1], theirs[1], rtol=0, atol=1e-10)
    with pytest.raises(ConfigError, match="defines no 'other'"):
        build_circuit(f"{path}:other")
    with pytest.raises(ConfigError, match="no such file"):
        build_circuit("nowhere.py:mine")
    with pytest.raises(ConfigError, match="unknown circuit 'kis'"):
        build_circuit("kis")


def test_counts_and_dead_parameters_of_the_declared_circuits():
    """P = 50, 87, 135, with 2, 1 and 14 parameters outside the light cone of the readout."""
    from qff.capacity import dead_parameters

    cases = [
        ({"n_qubits": 3, "layers": 10}, 50, 2),
        ({"n_qubits": 3, "layers": 12, "connectivity": "full", "triples": True, "initial_block": True}, 87, 1),
        ({"n_qubits": 6, "layers": 10, "triples": True, "initial_block": True}, 135, 14),
    ]
    for settings, count, dead in cases:
        circuit = build_circuit("kiss", **settings)
        assert circuit.n_parameters == count
        rng = np.random.default_rng(0)
        theta = rng.uniform(0, 2 * np.pi, (2, count))
        phi = torch.tensor(rng.uniform(-1, 1, (4, circuit.n_features)))
        _, jacobian = build_engine("batched", circuit).jacobian(torch.tensor(theta), phi[None])
        assert dead_parameters(jacobian.numpy()) == dead


@pytest.mark.parametrize(
    "circuit",
    [
        build_circuit("reuploading", n_qubits=3, layers=1),
        build_circuit("reuploading", n_qubits=2, layers=2, entangling=False),
        build_circuit("neighbour_pair", layers=2),
    ],
    ids=lambda c: c.name,
)
def test_circuits_without_parameters_are_twice_differentiable_in_their_angles(circuit):
    assert circuit.n_parameters == 0
    engine = build_engine("batched", circuit)
    phi = torch.tensor(np.random.default_rng(4).normal(size=(1, 2, circuit.n_features)), requires_grad=True)
    expected, _ = build_engine("pennylane", circuit).evaluate(phi.new_zeros(1, 0), phi.detach())
    torch.testing.assert_close(engine.expectation(phi).detach(), expected, rtol=0, atol=1e-10)
    assert torch.autograd.gradcheck(engine.expectation, phi)
    assert torch.autograd.gradgradcheck(engine.expectation, phi)


@pytest.mark.parametrize("name", ["lih", "equivariant", "amplitude"])
def test_values_and_slopes_agree_with_directional_derivatives(name):
    """Both outputs, and gradients of a loss of both, against a derivative along every axis; compiled and in torch."""
    circuit = CIRCUITS[name]
    engine = build_engine("batched", circuit)
    theta, phi, _ = arguments(circuit)
    axes = torch.eye(circuit.n_features, dtype=phi.dtype).expand(1, phi.shape[1], -1, -1)
    expected = None
    for evaluate in (lambda t, p: engine.evaluate(t, p, axes), engine.value_and_slope, engine.torch.value_and_slope):
        leaves = [x.clone().requires_grad_(True) for x in (theta, phi)]
        f, slope = evaluate(*leaves)
        found = [f.detach(), slope.detach(), *torch.autograd.grad((f**2).sum() + (slope**3).sum(), leaves)]
        expected = expected or found
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)


def test_a_neighbour_pair_without_gates_has_a_closed_form():
    """Two turned singlets: Σ ⟨σ·σ⟩ = -2 tr(R_jᵀ R_k), R the product of a neighbour's rotations; other pairs give 0."""
    from scipy.spatial.transform import Rotation

    circuit = build_circuit("neighbour_pair", layers=1, entangling=False)
    phi = torch.tensor(np.random.default_rng(5).normal(size=(1, 3, 12)))
    f = build_engine("batched", circuit).expectation(phi)[0]
    for value, row in zip(f, phi[0].numpy(), strict=True):
        vectors = row.reshape(2, 2, 3)  # encoding, neighbour
        j, k = (
            (Rotation.from_rotvec(vectors[1, n]) * Rotation.from_rotvec(vectors[0, n])).as_matrix() for n in (0, 1)
        )
        assert float(value) == pytest.approx(-2 * np.trace(j.T @ k) / 6, abs=1e-12)


def test_exchanging_the_neighbours_of_a_pair_changes_nothing():
    circuit = build_circuit("neighbour_pair", layers=3)
    phi = torch.tensor(np.random.default_rng(6).normal(size=(1, 4, circuit.n_features)))
    swapped = phi.clone()
    vectors = swapped[..., :24].unflatten(-1, (4, 2, 3))
    couplings = swapped[..., 24:].unflatten(-1, (3, 4))
    vectors[:] = vectors.flip(-2).clone()
    couplings[..., :2] = couplings[..., :2].flip(-1).clone()
    engine = build_engine("batched", circuit)
    torch.testing.assert_close(engine.expectation(phi), engine.expectation(swapped), rtol=0, atol=1e-13)
    assert (engine.expectation(phi) - engine.expectation(phi.flip(-1))).abs().max() > 1e-3

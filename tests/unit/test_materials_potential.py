"""Periodic materials: neighbours, descriptors, circuits on amplitudes, potentials, fits."""

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from lithium_chloride import DESCRIPTOR, WEIGHTS, labelled, rattled, some_potential
from qff.config.materials import MaterialsConfig
from qff.errors import ModelFileError
from qff.materials.baselines import fit_references
from qff.materials.circuit import AmplitudeCircuit
from qff.materials.compression import LEAST_SPREAD, Compression, features_of, principal_components, roughness
from qff.materials.descriptor import Descriptor
from qff.materials.equations import linear_matrix, normal_equations, quadratic_matrix, rows_of, solve
from qff.materials.fits import _network_matrix, fit_circuit, fit_regression, levenberg_marquardt, predicted
from qff.materials.heads import NetworkHead, QuadraticHead, linear_head, quadratic_head
from qff.materials.neighbours import neighbour_list
from qff.materials.potential import load
from qff.materials.study import errors, fit_all, mean_errors, potential_of, prepare


@pytest.fixture(scope="module")
def frames():
    return labelled(30, some_potential())


# Neighbours and descriptors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("cutoff", [3.0, 6.5, 11.0])
def test_neighbours_are_those_of_ase(cutoff):
    atoms = rattled(3)
    atoms.positions += 20 * np.random.default_rng(0).normal(size=atoms.positions.shape).round()  # outside the cell
    pairs = neighbour_list(atoms.positions, atoms.cell.array, cutoff)
    i, j, vectors = neighbor_list("ijD", atoms, cutoff)
    real = pairs.index >= 0
    found = pairs.vectors(atoms.positions, atoms.cell.array)[real]
    ours = np.column_stack([np.nonzero(real)[0], pairs.index[real], found])
    theirs = np.column_stack([i, j, vectors])
    assert len(ours) == len(theirs)
    order = [np.lexsort(np.round(x, 6).T) for x in (ours, theirs)]
    np.testing.assert_allclose(ours[order[0]], theirs[order[1]], atol=1e-9)


def features(atoms: Atoms) -> np.ndarray:
    return DESCRIPTOR.features(
        DESCRIPTOR.moments(DESCRIPTOR.environment(atoms.numbers, atoms.positions, atoms.cell.array))
    )


def test_features_do_not_change_with_rotation_translation_or_order():
    atoms = rattled(4)
    expected = features(atoms)
    turned = atoms.copy()
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    turned.positions += [0.3, -7.0, 2.0]
    np.testing.assert_allclose(features(turned), expected, atol=1e-10)
    order = np.random.default_rng(0).permutation(len(atoms))
    np.testing.assert_allclose(features(atoms[order]), expected[order], atol=1e-12)


def test_the_power_spectrum_is_that_of_two_neighbours():
    """p of l = 1 and one pair of channels is R(r1) R(r2) cos θ and the like: checked by hand on three atoms."""
    d = Descriptor((1, 8), 4.0, 1, 1)
    angle, r1, r2 = 1.1, 1.0, 1.3
    positions = np.array([[0, 0, 0], [r1, 0, 0], [r2 * np.cos(angle), r2 * np.sin(angle), 0]]) + 10.0
    e = d.environment(np.array([8, 1, 1]), positions, 20.0 * np.eye(3))
    p = d.features(d.moments(e))[0]

    def radial(r):
        x = r / 4.0
        return np.sqrt(0.5) * np.sin(np.pi * r / 4.0) / r * (1 - 28 * x**6 + 48 * x**7 - 21 * x**8)

    f, g = radial(r1), radial(r2)
    expected = [f + g, 0, (f + g) ** 2, 0, 0, f * f + g * g + 2 * f * g * np.cos(angle), 0, 0]
    np.testing.assert_allclose(p, expected, atol=1e-12)


# Circuits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_qubits", "layers"), [(2, 2), (3, 3), (4, 2)])
def test_the_matrix_is_the_circuit_of_pennylane(n_qubits, layers):
    """|x̃|² Σ_b d_b p(b) after AmplitudeEmbedding, rotations and CZ gates."""
    import pennylane as qml

    circuit = AmplitudeCircuit(n_qubits, layers, 2)
    rng = np.random.default_rng(0)
    theta = rng.normal(size=circuit.n_parameters)
    x = rng.normal(size=(2, 2**n_qubits - 1))
    ring = sorted({tuple(sorted((q, (q + 1) % n_qubits))) for q in range(n_qubits)})

    @qml.qnode(qml.device("default.qubit", wires=n_qubits))
    def probabilities(amplitudes):
        qml.AmplitudeEmbedding(amplitudes, wires=range(n_qubits), normalize=True)
        for layer, angles in enumerate(theta[: circuit.n_angles].reshape(layers, n_qubits)):
            if layer:
                for pair in ring:
                    qml.CZ(wires=pair)
            for q, angle in enumerate(angles):
                qml.RY(angle, wires=q)
        return qml.probs(wires=range(n_qubits))

    kinds = np.array([0, 1])
    energies, _ = QuadraticHead(circuit.matrices(theta)).energies(x, kinds)
    weights = theta[circuit.n_angles :].reshape(2, -1)
    for value, kind, energy in zip(x, kinds, energies, strict=True):
        extended = np.append(1.0, value)
        expected = extended @ extended * (weights[kind] @ probabilities(extended))
        assert energy == pytest.approx(expected, abs=1e-10)


def test_the_derivatives_of_the_matrix_are_its_differences():
    circuit = AmplitudeCircuit(3, 3, 2)
    theta = np.random.default_rng(1).normal(size=circuit.n_parameters)
    found = circuit.jacobian(theta)
    for k in range(len(theta)):
        step = np.zeros(len(theta))
        step[k] = 1e-5
        expected = (circuit.matrices(theta + step) - circuit.matrices(theta - step)) / 2e-5
        np.testing.assert_allclose(found[k], expected, atol=1e-8)


def test_a_circuit_can_be_any_multiple_of_the_first_number():
    """Where training starts: linear regression on x₁ lies in the class of the circuit."""
    circuit = AmplitudeCircuit(3, 2, 1)
    theta = np.zeros(circuit.n_parameters)
    theta[2] = np.pi / 2
    theta[circuit.n_angles :][:2] = [-0.35, 0.35]
    x = np.random.default_rng(0).normal(size=(5, 7))
    energies, _ = QuadraticHead(circuit.matrices(theta)).energies(x, np.zeros(5, int))
    np.testing.assert_allclose(np.abs(energies), np.abs(0.7 * x[:, 0]), atol=1e-12)


@pytest.mark.parametrize(
    ("elements", "qubits", "layers"),
    [(2, 4, 8), (4, 4, 8), (5, 4, 4), (6, 3, 8), (7, 3, 8), (12, 3, 1), (13, 2, 8), (20, 2, 8)],
)
def test_the_standard_circuit_has_fewer_than_100_parameters(elements, qubits, layers):
    """The number knows of elements, not of atoms; six elements are too many for four qubits."""
    options = MaterialsConfig().circuit
    circuit = AmplitudeCircuit.within_limit(options.n_qubits, options.layers, elements)
    assert (circuit.n_qubits, circuit.layers) == (qubits, layers)
    assert circuit.n_parameters < 100


# Potentials -------------------------------------------------------------------------------------------------------


def network_head() -> NetworkHead:
    rng = np.random.default_rng(5)
    return NetworkHead(rng.normal(size=(2, 3)), rng.normal(size=2), rng.normal(size=(2, 2)), rng.normal(size=2))


@pytest.mark.parametrize(
    "potential",
    [some_potential(), some_potential(wall=20.0), some_potential(head=network_head()), some_potential(limit=0.1)],
)
def test_forces_and_stress_are_derivatives(potential):
    atoms = rattled(6, 0.2)
    numbers, positions, cell = atoms.numbers, atoms.positions, atoms.cell.array
    _, forces, stress = potential.evaluate(numbers, positions, cell)
    step = 1e-4

    def energy(moved, strain):
        deform = np.eye(3) + strain
        return potential.evaluate(numbers, moved @ deform, cell @ deform)[0]

    for i, a in ((0, 0), (1, 2), (3, 1)):
        move = np.zeros_like(positions)
        move[i, a] = step
        expected = -(energy(positions + move, 0.0) - energy(positions - move, 0.0)) / (2 * step)
        assert forces[i, a] == pytest.approx(expected, abs=1e-6)
    for a, b in ((0, 0), (1, 2)):
        strain = np.zeros((3, 3))
        strain[a, b] = strain[b, a] = step
        expected = (energy(positions, strain) - energy(positions, -strain)) / (2 * step) / atoms.get_volume()
        assert (1 if a == b else 2) * stress[a, b] == pytest.approx(expected, abs=1e-6)


def test_supercells_have_the_same_energy_per_atom_and_forces():
    potential, small = some_potential(wall=5.0), rattled(7)
    large = small.repeat((2, 3, 1))
    one, two = (potential.evaluate(a.numbers, a.positions, a.cell.array) for a in (small, large))
    assert two[0] == pytest.approx(6 * one[0], abs=1e-9)
    np.testing.assert_allclose(two[1], np.tile(one[1], (6, 1)), atol=1e-10)
    np.testing.assert_allclose(two[2], one[2], atol=1e-12)


def test_energy_and_forces_are_smooth_where_a_neighbour_enters():
    """Two atoms at the cutoff: no jump of the energy, of the force or of its slope."""
    potential, cell = some_potential(), 30.0 * np.eye(3)

    def force(r):
        return potential.evaluate(np.array([3, 17]), np.array([[5.0, 5, 5], [5 + r, 5, 5]]), cell)[1][1, 0]

    alone = sum(potential.evaluate(np.array([z]), np.full((1, 3), 5.0), cell)[0] for z in (3, 17))
    inside = potential.evaluate(np.array([3, 17]), np.array([[5.0, 5, 5], [5 + 3.9999, 5, 5]]), cell)[0]
    assert inside == pytest.approx(alone, abs=1e-10)
    assert abs(force(3.9999)) < 1e-6
    assert abs(force(3.999) - force(3.9999)) / 0.0009 < 1e-2
    assert force(4.0001) == 0.0


def test_potentials_survive_their_file(tmp_path):
    for potential in (some_potential(wall=3.0), some_potential(head=network_head())):
        potential.save(tmp_path / "p.safetensors")
        atoms = rattled(2)
        one, two = (
            p.evaluate(atoms.numbers, atoms.positions, atoms.cell.array)
            for p in (potential, load(tmp_path / "p.safetensors"))
        )
        assert one[0] == two[0]
        np.testing.assert_array_equal(one[1], two[1])
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match=r"bad\.safetensors: not a potential"):
        load(tmp_path / "bad.safetensors")


def test_numbers_saturate_beyond_those_of_training_only():
    rng = np.random.default_rng(0)
    features, kinds = rng.normal(size=(40, 5)), np.repeat([0, 1], 20)
    free = Compression(np.zeros((2, 5)), rng.normal(size=(2, 5, 3)), np.full((2, 3), np.inf))
    bounded = free.limited(features, kinds)
    np.testing.assert_array_equal(bounded.apply(features, kinds)[0], free.apply(features, kinds)[0])
    far, slopes = bounded.apply(1e3 * features, kinds)
    assert (np.abs(far) <= bounded.limits[kinds] + 1).all()
    assert slopes.max() == pytest.approx(0.0, abs=1e-6)


# Fits -------------------------------------------------------------------------------------------------------------


def rows_for(frames, potential):
    e0 = fit_references(frames)
    energies = np.array([f.energy for f in frames]) - e0.of(frames)
    c = potential.compression
    return [rows_of(f, e, DESCRIPTOR, c, WEIGHTS) for f, e in zip(frames, energies, strict=True)]


def test_columns_predict_what_heads_do(frames):
    """The three ways to see a frame agree: columns times coefficients, head on rows, potential."""
    potential, rng = some_potential(), np.random.default_rng(0)
    rows = rows_for(frames[:2], potential)
    linear, quadratic = rng.normal(size=2 * 4), rng.normal(size=2 * 10)
    for row in rows:
        np.testing.assert_allclose(linear_matrix(row, 2) @ linear, predicted(linear_head(linear, 2), row), atol=1e-9)
        np.testing.assert_allclose(
            quadratic_matrix(row, 2) @ quadratic, predicted(quadratic_head(quadratic, 2), row), atol=1e-9
        )
    own = predicted(potential.head, rows[0])
    np.testing.assert_allclose(own[1:13], frames[0].forces.ravel(), atol=1e-9)
    np.testing.assert_allclose(own[13:16], np.diag(frames[0].stress) * frames[0].volume, atol=1e-9)


def test_quadratic_regression_finds_the_potential_that_made_the_labels(frames):
    potential = some_potential()
    rows = rows_for(frames, potential)
    equations = normal_equations(rows, quadratic_matrix, 2)
    assert equations.loss(solve(equations, 1e-14)) < 1e-10 * equations.constant
    found = fit_regression(equations, equations, 2, "quadratic")
    assert found.n_parameters == 20
    assert found.validation_loss < 1e-6 * equations.constant


def test_the_penalty_of_components_is_the_squared_slope_by_features(frames):
    rng = np.random.default_rng(0)
    values, kinds = features_of(frames, DESCRIPTOR)
    components, variances = principal_components(values, kinds, 2, 12)
    slopes = rng.normal(size=(2, 12))
    penalty = roughness(variances).reshape(2, 13)
    assert (penalty[:, 0] == 0.0).all()
    for s in range(2):
        spread = values[kinds == s].std(0)
        by_features = components.projections[s] @ slopes[s] * np.maximum(spread, LEAST_SPREAD * spread.max())
        assert penalty[s, 1:] @ slopes[s] ** 2 == pytest.approx(by_features @ by_features)


def test_a_pair_at_the_edge_of_the_cutoff_leaves_the_training_range_slowly():
    """Training has it at 3.9 Å and beyond, as LGPS its phosphorus; at 3.7 Å its features are a hundred times as large."""
    cell, rng = 30.0 * np.eye(3), np.random.default_rng(0)

    def features(far: float, near: float) -> np.ndarray:
        e = DESCRIPTOR.environment(np.array([3, 3, 17]), 5.0 + np.diag([0.0, far, near]), cell)
        return DESCRIPTOR.features(DESCRIPTOR.moments(e))[:1]

    seen = np.concatenate([features(3.9 + 0.1 * rng.random(), 2.0 + 0.2 * rng.random()) for _ in range(40)])
    found, _ = principal_components(seen, np.zeros(40, int), 1, 2)
    closer = found.apply(features(3.7, 2.1), np.zeros(1, int))[0]
    assert np.abs(closer).max() < 10 * np.abs(found.apply(seen, np.zeros(40, int))[0]).max()


def test_a_penalty_is_part_of_what_is_minimised(frames):
    rows = rows_for(frames, some_potential())
    equations = normal_equations(rows, linear_matrix, 2)
    penalty = np.array([0.0, 1.0, 2.0, 3.0, 0.0, 1.0, 2.0, 3.0])
    found = solve(equations, 0.1, penalty)
    np.testing.assert_allclose((equations.gram + np.diag(0.1 * penalty)) @ found, equations.right, atol=1e-9)
    assert np.linalg.norm(found) < np.linalg.norm(solve(equations, 0.0))


def test_a_circuit_lies_between_nothing_and_its_surrogate(frames):
    """It is a quadratic form: no better in training than the best one, no worse than what it starts from."""
    rows = rows_for(frames, some_potential())
    equations = normal_equations(rows, quadratic_matrix, 2)
    circuit = AmplitudeCircuit(2, 3, 2)
    rng = np.random.default_rng(3)
    best = equations.loss(solve(equations, 1e-14))
    found = fit_circuit(circuit, equations, equations, 2, 60, rng)
    start = circuit.initial(np.random.default_rng(3), equations)
    upper = np.triu_indices(4)
    begun = equations.loss(circuit.matrices(start)[:, upper[0], upper[1]].ravel())
    assert best <= found.validation_loss < begun < equations.constant


def test_the_columns_of_the_network_are_its_differences(frames):
    row, head = rows_for(frames[:1], some_potential())[0], network_head()
    flat = np.concatenate([v.ravel() for v in (head.u, head.b, head.v, head.c)])
    shapes = [v.shape for v in (head.u, head.b, head.v, head.c)]

    def labels(theta):
        parts = np.split(theta, np.cumsum([int(np.prod(s)) for s in shapes])[:-1])
        return predicted(NetworkHead(*(p.reshape(s) for p, s in zip(parts, shapes, strict=True))), row)

    steps = 1e-5 * np.eye(len(flat))
    expected = np.array([(labels(flat + s) - labels(flat - s)) / 2e-5 for s in steps]).T
    np.testing.assert_allclose(_network_matrix(head, row), expected, atol=1e-6 * np.abs(expected).max())


def test_levenberg_marquardt_solves_rosenbrock():
    def residual(t):
        return np.array([10 * (t[1] - t[0] ** 2), 1 - t[0]])

    def slopes(t):
        j = np.array([[-20 * t[0], 10.0], [-1.0, 0.0]])
        return 2 * j.T @ residual(t), 2 * j.T @ j

    found = levenberg_marquardt(np.array([-1.2, 1.0]), lambda t: float(residual(t) @ residual(t)), slopes, 100)
    np.testing.assert_allclose(found, [1.0, 1.0], atol=1e-6)


@pytest.mark.parametrize("method", ["pca", "regression"])
def test_a_seed_of_the_comparison(frames, method):
    """All models on toy frames: every one of them beats the mean, and both columns of parameters are counted."""
    options = MaterialsConfig.model_validate(
        {
            "descriptor": {"cutoff_ang": 4.0, "n_radial": 2, "l_max": 2},
            "compression": {"method": method, "regression_components": 6},
            "circuit": {"n_qubits": 2, "layers": 2, "starts": 2, "steps": 30},
            "network": {"hidden": 2, "steps": 10},
        }
    )
    prepared = prepare(frames[:20], options, WEIGHTS, 3)
    models = fit_all(
        prepared, frames[:20], frames[20:25], options, WEIGHTS, 2, options.models, np.random.default_rng(0)
    )
    mean = mean_errors(frames[:20], frames[25:], prepared.references)
    assert models["amplitude_hybrid"].n_parameters == 2 * 2 + 2 * 4
    assert prepared.n_fixed(models["linear"]) == 2 + 2 * DESCRIPTOR.n_features * 4 + 2 * 3
    for name, fitted in models.items():
        found = errors(potential_of(prepared, fitted, 10.0), frames[25:])
        assert found["force_rmse"][1] < mean["force_rmse"][1], name

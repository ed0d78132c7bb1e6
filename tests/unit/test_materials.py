"""Periodic materials: import and its refusals, descriptors, circuits on amplitudes, potentials, dynamics."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list
from qff.config.materials import MaterialsConfig
from qff.errors import DataError, ModelFileError
from qff.materials.baselines import composition_means, fit_references, split_frames
from qff.materials.calculator import MaterialCalculator
from qff.materials.circuit import AmplitudeCircuit
from qff.materials.compression import Compression
from qff.materials.cost import exponent, measure
from qff.materials.descriptor import Descriptor
from qff.materials.dynamics import Criterion, radial_distribution, simulate, supercell
from qff.materials.equations import Weights, linear_matrix, normal_equations, quadratic_matrix, rows_of, solve
from qff.materials.fits import _network_matrix, fit_circuit, fit_regression, levenberg_marquardt, predicted
from qff.materials.frames import Frame, read_frames, work_ratio
from qff.materials.heads import NetworkHead, QuadraticHead, linear_head, quadratic_head
from qff.materials.labelling import distorted, write_frames
from qff.materials.neighbours import neighbour_list
from qff.materials.potential import MaterialPotential, load, shortest_distances
from qff.materials.study import errors, fit_all, mean_errors, potential_of, prepare

DESCRIPTOR = Descriptor((3, 17), 4.0, 2, 2)
WEIGHTS = Weights(30.0, 1.0)


def rattled(seed: int, size: float = 0.1, repeat=(1, 1, 1)) -> Atoms:
    """Rock salt LiCl, primitive cell doubled, strained and displaced."""
    atoms = bulk("LiCl", "rocksalt", a=5.13).repeat((2, 1, 1))
    rng = np.random.default_rng(seed)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(scale=0.02, size=(3, 3))), scale_atoms=True)
    atoms.positions += rng.normal(scale=size, size=(len(atoms), 3))
    return atoms.repeat(repeat)


def some_potential(seed: int = 0, wall: float = 0.0, head=None, limit: float = np.inf) -> MaterialPotential:
    """Any potential: random projections, random symmetric matrices."""
    rng = np.random.default_rng(seed)
    n, size = DESCRIPTOR.n_features, 3
    a = rng.normal(scale=0.1, size=(2, size + 1, size + 1))
    projections = rng.normal(scale=n**-0.5, size=(2, n, size))
    compression = Compression(rng.normal(size=(2, n)), projections, np.full((2, size), limit))
    head = head or QuadraticHead(a + a.transpose(0, 2, 1))
    return MaterialPotential(DESCRIPTOR, np.array([-1.0, -2.0]), compression, head, np.full((2, 2), 2.6), wall)


def labelled(count: int, potential: MaterialPotential) -> list[Frame]:
    """Frames with the labels of a potential."""
    found = []
    for seed in range(count):
        atoms = rattled(seed)
        labels = potential.evaluate(atoms.numbers, atoms.positions, atoms.cell.array)
        found.append(Frame(atoms.numbers, atoms.positions, atoms.cell.array, *labels))
    return found


@pytest.fixture(scope="module")
def frames():
    return labelled(30, some_potential())


# Import -----------------------------------------------------------------------------------------------------------


def test_frames_survive_their_file(tmp_path, frames):
    write_frames(tmp_path / "set.extxyz", frames, method="none")
    back = read_frames(tmp_path / "set.extxyz")
    assert len(back) == len(frames)
    for one, two in zip(frames, back, strict=True):
        assert one.composition == two.composition == "Li2Cl2"
        for name in ("positions", "cell", "energy", "forces", "stress"):
            np.testing.assert_allclose(getattr(two, name), getattr(one, name), atol=1e-7)


def test_compositions_may_vary(tmp_path, frames):
    larger = supercell(frames[0], (2, 1, 1))
    other = Frame(larger.numbers, larger.positions, larger.cell.array, -1.0, 0.0 * larger.positions)
    write_frames(tmp_path / "set.extxyz", [frames[0], other])
    assert [f.composition for f in read_frames(tmp_path / "set.extxyz")] == ["Li2Cl2", "Li4Cl4"]


def edited(path, frames, edit):
    """The file of three frames after a change of its lines."""
    write_frames(path, frames[:3])
    path.write_text(edit(path.read_text()))
    return path


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: "", "no frame|not a readable"),
        (lambda t: t[: len(t) // 2], "not a readable|no energy|no frame"),
        (lambda t: t.replace('pbc="T T T"', 'pbc="F F F"', 1), "frame 0: no cell that is periodic"),
        (lambda t: t.replace("energy=", "other=", 1), "frame 0: no energy"),
        (lambda t: t.replace(":forces:R:3", ":velocity:R:3", 1), "frame 0: an energy without forces"),
        (lambda t: t + t, "frame 3 is frame 0 again"),
    ],
)
def test_bad_files_are_refused_with_the_frame(tmp_path, frames, edit, message):
    with pytest.raises(DataError, match=message):
        read_frames(edited(tmp_path / "bad.extxyz", frames, edit))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.extxyz: no such file"):
        read_frames(tmp_path / "nothing.extxyz")


def test_values_that_are_not_finite_are_refused(tmp_path, frames):
    forces = frames[0].forces.copy()
    forces[0, 0] = np.nan
    write_frames(tmp_path / "bad.extxyz", [replace(frames[0], forces=forces)])
    with pytest.raises(DataError, match="frame 0: values that are not finite"):
        read_frames(tmp_path / "bad.extxyz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: replace(f, energy=f.energy / 27.2114), "Hartree"),
        (lambda f: replace(f, energy=f.energy * 23.0605), "kcal/mol"),
        (lambda f: replace(f, cell=f.cell / 0.529177, positions=f.positions / 0.529177), "bohr"),
    ],
)
def test_mixed_units_are_detected(tmp_path, frames, change, message):
    shifted = [replace(f, energy=f.energy - 500.0) for f in frames[:6]]
    write_frames(tmp_path / "bad.extxyz", [*shifted[:5], change(shifted[5])])
    with pytest.raises(DataError, match=rf"frame 5.*{message}.*mixed units"):
        read_frames(tmp_path / "bad.extxyz")


def test_forces_in_other_units_than_energies_are_detected_on_a_trajectory(tmp_path):
    potential, start = some_potential(), rattled(1)
    path, rng = [], np.random.default_rng(0)
    for _ in range(8):
        start.positions += rng.normal(scale=0.01, size=start.positions.shape)
        cell = start.cell.array
        path.append(
            Frame(
                start.numbers, start.positions.copy(), cell, *potential.evaluate(start.numbers, start.positions, cell)
            )
        )
    assert work_ratio(path) == pytest.approx(1.0, abs=0.05)
    write_frames(tmp_path / "bad.extxyz", [replace(f, forces=f.forces / 51.4221) for f in path])
    with pytest.raises(DataError, match="the work that the energies differ by"):
        read_frames(tmp_path / "bad.extxyz")


# Baselines and splits ---------------------------------------------------------------------------------------------


def cells_of(*counts: tuple[int, int], energies) -> list[Frame]:
    return [
        Frame(np.array([3] * a + [17] * b), np.zeros((a + b, 3)), np.eye(3), e, np.zeros((a + b, 3)))
        for (a, b), e in zip(counts, energies, strict=True)
    ]


def test_reference_energies_are_those_of_the_elements_or_the_mean():
    several = fit_references(cells_of((1, 1), (2, 1), (1, 3), energies=[-5.0, -6.0, -13.0]))
    np.testing.assert_allclose(several.per_atom, [-1.0, -4.0])
    one = fit_references(cells_of((1, 1), (1, 1), energies=[-5.0, -7.0]))
    np.testing.assert_allclose(one.per_atom, [-3.0, -3.0])


def test_the_mean_is_that_of_the_same_composition_in_training():
    training = cells_of((1, 1), (1, 1), (2, 1), energies=[-5.0, -7.0, -8.0])
    found = composition_means(training, cells_of((1, 1), (2, 1), energies=[0.0, 0.0]), fit_references(training))
    np.testing.assert_allclose(found, [-6.0, -8.0])


def test_an_element_that_training_lacks_is_refused(frames):
    references = fit_references(frames)
    odd = replace(frames[0], numbers=np.where(frames[0].numbers == 3, 11, 17))
    with pytest.raises(DataError, match="atomic number 11 is in no training frame"):
        references.of([odd])
    with pytest.raises(DataError, match=r"holds Na, which no training frame has \(they have Li, Cl\)"):
        some_potential().evaluate(odd.numbers, odd.positions, odd.cell)


@pytest.mark.parametrize("by", ["blocks", "random"])
def test_parts_are_disjoint_and_differ_by_seed(by):
    parts = [split_frames(200, by, s, 90, 20, np.random.default_rng(s)) for s in range(3)]
    for part in parts:
        assert (len(part["train"]), len(part["validation"])) == (90, 20)
        together = np.concatenate(list(part.values()))
        assert len(set(together.tolist())) == len(together)
    assert len({tuple(p["test"].tolist()) for p in parts}) == 3


def test_blocks_keep_their_distance():
    part = split_frames(200, "blocks", 1, 90, 20, np.random.default_rng(0))
    used = np.concatenate([part["train"], part["validation"]])
    assert np.abs(used[:, None] - part["test"]).min() > 2
    assert (np.diff(part["test"]) > 1).sum() == 1  # two runs of consecutive frames


def test_too_few_frames_are_refused():
    with pytest.raises(DataError, match="20 frames are too few"):
        split_frames(20, "blocks", 0, 18, 2, np.random.default_rng(0))


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


@pytest.mark.parametrize(("elements", "layers"), [(2, 8), (4, 8), (5, 4), (7, 1)])
def test_the_standard_circuit_has_fewer_than_100_parameters_where_it_can(elements, layers):
    """The number knows of elements, not of atoms; seven elements on four qubits are too many."""
    options = MaterialsConfig().circuit
    circuit = AmplitudeCircuit.within_limit(options.n_qubits, options.layers, elements)
    assert circuit.layers == layers
    assert (circuit.n_parameters < 100) == (elements < 7)


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
    assert prepared.n_fixed == 2 + 2 * DESCRIPTOR.n_features * 4 + 2 * 3
    for name, fitted in models.items():
        found = errors(potential_of(prepared, fitted, 10.0), frames[25:])
        assert found["force_rmse"][1] < mean["force_rmse"][1], name


# Dynamics and cost ------------------------------------------------------------------------------------------------


def test_a_wall_stops_pairs_closer_than_any_in_training(frames):
    closest = shortest_distances(frames, DESCRIPTOR)
    pair = closest[0, 1]
    e = neighbour_list(frames[0].positions, frames[0].cell, 4.0)
    real = e.index >= 0
    assert np.linalg.norm(e.vectors(frames[0].positions, frames[0].cell)[real], axis=1).min() >= closest.min() - 1e-12
    base, walled = some_potential(), replace(some_potential(wall=50.0), closest=closest)
    cell, numbers = 30.0 * np.eye(3), np.array([3, 17])
    for r, expected in ((pair + 0.01, 0.0), (pair - 0.1, 50.0 * 0.1**3)):
        positions = np.array([[5.0, 5, 5], [5 + r, 5, 5]])
        difference = walled.evaluate(numbers, positions, cell)[0] - base.evaluate(numbers, positions, cell)[0]
        assert difference == pytest.approx(expected, abs=1e-9)


class Springs:
    """A stand-in with the interface of a potential: every atom is bound to its site."""

    descriptor = DESCRIPTOR
    closest = np.full((2, 2), 2.0)

    def __init__(self, sites, strength=2.0):
        self.sites, self.strength = sites, strength

    def evaluate(self, numbers, positions, cell, pairs=None):
        away = positions - self.sites
        return 0.5 * self.strength * float((away**2).sum()), -self.strength * away, np.zeros((3, 3))


def calculator_of(monkeypatch, potential):
    """Let the dynamics run on any object that evaluates."""
    monkeypatch.setattr("qff.materials.calculator.load", lambda p: p)
    return potential


def test_langevin_reaches_its_temperature_and_constant_energy_keeps_it(monkeypatch):
    atoms = rattled(0, 0.0, (2, 2, 2))
    springs = calculator_of(monkeypatch, Springs(atoms.positions.copy()))
    criterion = Criterion(0.5 * springs.closest, 900.0, 1.0)
    rng = np.random.default_rng(0)
    run = simulate(springs, atoms, 300.0, 6000.0, 2.0, 0.02, criterion, rng)
    assert run.failure == ""
    assert run.temperatures[len(run.times) // 2 :].mean() == pytest.approx(300.0, rel=0.15)
    free = simulate(springs, atoms, 300.0, 1000.0, 2.0, None, criterion, rng)
    assert abs(free.drift_mev_per_atom_per_ps) < 0.1


@pytest.mark.parametrize(
    ("criterion", "failure"),
    [
        (Criterion(np.full((2, 2), 3.5), 900.0, 1.0), "close pair"),
        (Criterion(np.full((2, 2), 1.0), 50.0, 1.0), "temperature"),
        (Criterion(np.full((2, 2), 1.0), 900.0, 1e-4), "potential energy"),
    ],
)
def test_a_run_that_leaves_physics_stops_and_says_why(monkeypatch, criterion, failure):
    atoms = rattled(0, 0.0, (2, 1, 1))
    springs = calculator_of(monkeypatch, Springs(atoms.positions.copy()))
    run = simulate(springs, atoms, 300.0, 1000.0, 2.0, 0.02, criterion, np.random.default_rng(0))
    assert run.failure == failure
    assert run.length_fs < 1000.0


def test_the_calculator_keeps_its_list_only_while_it_holds():
    potential, atoms = some_potential(), rattled(8)
    atoms.calc = MaterialCalculator(potential)
    rng = np.random.default_rng(0)
    for scale in (0.05, 0.05, 0.4, 1.0):
        atoms.positions += rng.normal(scale=scale, size=atoms.positions.shape)
        expected = potential.evaluate(atoms.numbers, atoms.positions, atoms.cell.array)
        assert atoms.get_potential_energy() == pytest.approx(expected[0], abs=1e-9)
        np.testing.assert_allclose(atoms.get_forces(), expected[1], atol=1e-9)


def test_the_distribution_of_an_ideal_gas_is_one():
    rng, cell = np.random.default_rng(0), 12.0 * np.eye(3)
    positions = 12.0 * rng.random((20, 100, 3))
    numbers = np.repeat([3, 17], 50)
    r, g = radial_distribution(positions, numbers, cell, (3, 17), 5.0, 10)
    np.testing.assert_allclose(g[3:], 1.0, atol=0.1)
    assert r[0] == 0.25


def test_cost_is_measured_and_its_exponent_fitted(frames):
    costs = measure(some_potential(), frames[0], [1, 2], 1)
    assert [c.n_atoms for c in costs] == [4, 32]
    assert all(c.memory_mib > 0 and c.search_seconds >= 0 for c in costs)
    assert exponent([1, 10, 100], [2.0, 20.0, 200.0]) == pytest.approx((1.0, 1.0, 1.0))
    value, low, high = exponent([1, 10, 100], [2.0, 25.0, 200.0])
    assert low < value < high


def test_distorted_cells_differ_and_follow_their_seed():
    atoms = rattled(0)
    one, again, other = (distorted(atoms, np.random.default_rng(k)) for k in (1, 1, 2))
    np.testing.assert_array_equal(one.positions, again.positions)
    assert np.abs(one.positions - other.positions).max() > 1e-3

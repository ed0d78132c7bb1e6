"""Symmetry functions: cutoff functions, definitions, derivatives, and two ways to the same numbers."""

import ase
import numpy as np
import pytest
import torch
from ase.data import atomic_numbers
from qff.errors import ConfigError, DataError
from qff.symmetry import Cutoff, SymmetryFunction, by_centre, parse_function
from qff.symmetry.molecule import MoleculeDescriptor
from qff.symmetry.structure import Neighbours, StructureDescriptor, pull_back
from scipy.special import betainc

LINES = [
    "H 2 H 0.001 0.0 12.0",
    "H 2 O 0.3 0.9 12.0",
    "H 2 O 0.05 0.0 4.0",
    "H 3 O H 0.07 1.0 1.0 12.0",
    "H 3 O H 0.01 -1.0 4.0 5.0",
    "H 9 O H 0.02 -1.0 2.5 8.0 1.2",
    "H 3 H H 0.04 1.0 2.0 12.0",
    "O 2 H 0.02 0.0 12.0",
    "O 3 H H 0.03 1.0 16.0 12.0",
    "O 3 H H 0.03 -1.0 2.0 12.0 0.7",
    "O 9 H H 0.01 -1.0 4.0 6.0",
]
SYMBOLS = ["O", "H", "H", "H"]
RADIUS = torch.tensor(6.0, dtype=torch.float64)


def functions():
    return [parse_function(line) for line in LINES]


def geometries(n=4, seed=0):
    equilibrium = np.array([[0.0, 0, 0], [1.9, 0, 0.1], [-0.9, 1.6, 0], [-0.8, -1.7, 0.2]])
    return torch.tensor(equilibrium + np.random.default_rng(seed).normal(0, 0.3, (n, 4, 3)))


# --- cutoff functions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", range(9))
@pytest.mark.parametrize("inner", [0.0, 0.3])
def test_cutoff_slope_is_the_derivative(kind, inner):
    r = torch.linspace(0.05, 7.0, 300, dtype=torch.float64).requires_grad_(True)
    value, slope = Cutoff(kind, inner)(r, RADIUS)
    if value.requires_grad:
        (expected,) = torch.autograd.grad(value.sum(), r)
        torch.testing.assert_close(slope, expected, rtol=1e-10, atol=1e-12)
    else:
        assert not slope.any()  # the hard step
    assert not value[r >= 6.0].any()
    assert not slope[r >= 6.0].any()


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("inner", [0.0, 0.3])
def test_polynomial_cutoffs_are_the_incomplete_beta_function(order, inner):
    """The polynomial with k vanishing derivatives at both ends is I_{1-x}(k+1, k+1)."""
    r = torch.linspace(0.0, 6.0, 101, dtype=torch.float64)
    value, slope = Cutoff(4 + order, inner)(r, RADIUS)
    x = ((r / 6.0 - inner) / (1 - inner)).clamp(0, 1).numpy()
    np.testing.assert_allclose(value.numpy(), betainc(order + 1, order + 1, 1 - x), atol=1e-13)
    near = torch.tensor([6.0 * inner, 6.0], dtype=torch.float64) + torch.tensor([1e-3, -1e-3])
    slope = Cutoff(4 + order, inner)(near, RADIUS)[1]
    width = 6.0 * (1 - inner)
    assert slope.abs().max() < 700 * (1e-3 / width) ** order / width  # the slope vanishes to order k


@pytest.mark.parametrize(
    ("kind", "inner", "x", "value"),
    [
        (0, 0.0, 0.999, 1.0),
        (1, 0.0, 0.0, 1.0),
        (1, 0.0, 0.5, 0.5),
        (1, 0.5, 0.75, 0.5),
        (2, 0.0, 0.0, 0.441744),
        (3, 0.0, 0.0, 1.0),
        (3, 0.4, 0.5, 0.223401),  # tanh³(½)/tanh³(1): α has no say
        (4, 0.0, 0.5, 0.716531),
        (4, 0.25, 0.25, 1.0),
    ],
)
def test_known_values_of_cutoffs(kind, inner, x, value):
    r = torch.tensor([6.0 * x], dtype=torch.float64)
    assert float(Cutoff(kind, inner)(r, RADIUS)[0]) == pytest.approx(value, abs=1e-6)


def test_bad_cutoffs():
    with pytest.raises(ConfigError, match="unknown cutoff type 9; known: 0 hard"):
        Cutoff(9)
    with pytest.raises(ConfigError, match=r"α = 1.0: must lie in \[0, 1\)"):
        Cutoff(1, 1.0)


# --- definitions --------------------------------------------------------------------------------------------


def by_definition(function: SymmetryFunction, positions: np.ndarray, symbols, i: int, cutoff: Cutoff) -> float:
    """The sums as they are printed, over atoms."""

    def radial(r):
        fc = float(
            cutoff(torch.tensor([r], dtype=torch.float64), torch.tensor(function.cutoff, dtype=torch.float64))[0]
        )
        return np.exp(-function.eta * (r - function.shift) ** 2) * fc

    def distance(a, b):
        return float(np.linalg.norm(positions[a] - positions[b]))

    others = [j for j in range(len(symbols)) if j != i]
    if function.kind == 2:
        return sum(radial(distance(i, j)) for j in others if symbols[j] == function.neighbours[0])
    total = 0.0
    for j in others:
        for k in others:
            if j >= k or sorted([symbols[j], symbols[k]]) != sorted(function.neighbours):
                continue
            cosine = (positions[j] - positions[i]) @ (positions[k] - positions[i]) / (distance(i, j) * distance(i, k))
            term = (1 + function.lam * cosine) ** function.zeta * radial(distance(i, j)) * radial(distance(i, k))
            total += term * (radial(distance(j, k)) if function.kind == 3 else 1.0)
    return 2 ** (1 - function.zeta) * total


@pytest.mark.parametrize("cutoff", [Cutoff(1), Cutoff(2), Cutoff(7, 0.2)], ids=str)
def test_both_paths_follow_the_definition(cutoff):
    positions = geometries()
    descriptor = MoleculeDescriptor(SYMBOLS, functions(), cutoff)
    values, _, _ = descriptor(positions)
    place = 0
    for element in descriptor.elements:
        chosen = by_centre(functions())[element]
        for i in descriptor.atoms[element]:
            expected = [[by_definition(f, p.numpy(), SYMBOLS, i, cutoff) for f in chosen] for p in positions]
            np.testing.assert_allclose(values[:, place : place + len(chosen)], expected, rtol=1e-12)
            for b, p in enumerate(positions):
                neighbours = Neighbours.of(ase.Atoms(SYMBOLS, p.numpy()), 12.0)
                found, _ = StructureDescriptor(chosen, cutoff)(neighbours, np.array([i]))
                np.testing.assert_allclose(found[0], expected[b], rtol=1e-12)
            place += len(chosen)
    assert place == descriptor.n_features == values.shape[1]


@pytest.mark.parametrize("kind", [1, 2, 4, 5, 8])
def test_derivatives_along_distances(kind):
    """Analytic ∂G/∂r · ∂r/∂R against central differences in the positions."""
    positions = geometries(2)
    descriptor = MoleculeDescriptor(SYMBOLS, functions(), Cutoff(kind))
    _, slopes, directions = descriptor(positions)
    analytic = torch.einsum("bkf,bkax->baxf", slopes, directions)
    for atom in range(4):
        for axis in range(3):
            step = torch.zeros(4, 3, dtype=torch.float64)
            step[atom, axis] = 1e-5
            numeric = (descriptor(positions + step)[0] - descriptor(positions - step)[0]) / 2e-5
            torch.testing.assert_close(analytic[:, atom, axis], numeric, rtol=0, atol=2e-10)


def test_collinear_and_distant_atoms_have_finite_derivatives():
    positions = torch.tensor([[[0.0, 0, 0], [2.0, 0, 0], [-2.0, 0, 0], [4.0, 0, 0]]], dtype=torch.float64)
    for scale in (1.0, 30.0):
        for part in MoleculeDescriptor(SYMBOLS, functions(), Cutoff(2))(scale * positions):
            assert torch.isfinite(part).all()


# --- structures ---------------------------------------------------------------------------------------------


def total_and_forces(atoms, cutoff):
    """Σ_i Σ_f c_f G_if with arbitrary coefficients, and its forces."""
    neighbours = Neighbours.of(atoms, 12.0)
    forces = torch.zeros(len(atoms), 3, dtype=torch.float64)
    total = 0.0
    for element, chosen in by_centre(functions()).items():
        coefficients = torch.tensor(np.random.default_rng(atomic_numbers[element]).normal(size=len(chosen)))
        for chunk in neighbours.chunks():
            centres = chunk[neighbours.symbols[chunk] == element]
            values, response = StructureDescriptor(chosen, cutoff)(neighbours, centres)
            total += float((values @ coefficients).sum())
            pull_back(neighbours, response, coefficients.expand(len(centres), -1), forces)
    return total, forces.numpy()


@pytest.fixture
def crystal():
    """Eight atoms in a skewed cell so small that atoms see their own images."""
    rng = np.random.default_rng(3)
    cell = np.array([[7.0, 0, 0], [1.0, 6.5, 0], [0.5, -1.0, 8.0]])
    grid = np.array([[a, b, c] for a in (0, 0.5) for b in (0, 0.5) for c in (0, 0.5)]) + 0.02 * rng.normal(
        size=(8, 3)
    )
    return ase.Atoms("OHHOHHHH", grid @ cell, cell=cell, pbc=True)


def test_forces_of_a_periodic_structure(crystal):
    cutoff = Cutoff(2)
    _, forces = total_and_forces(crystal, cutoff)
    np.testing.assert_allclose(forces.sum(0), 0, atol=1e-9)
    for atom, axis in ((0, 0), (1, 2), (5, 1)):
        sums = []
        for sign in (1, -1):
            moved = crystal.copy()
            moved.positions[atom, axis] += sign * 1e-4
            sums.append(total_and_forces(moved, cutoff)[0])
        assert forces[atom, axis] == pytest.approx(-(sums[0] - sums[1]) / 2e-4, abs=1e-5)


def test_a_supercell_has_the_energy_of_its_cells(crystal):
    single, forces = total_and_forces(crystal, Cutoff(6, 0.1))
    double, twice = total_and_forces(crystal.repeat((2, 1, 1)), Cutoff(6, 0.1))
    assert double == pytest.approx(2 * single, rel=1e-12)
    np.testing.assert_allclose(twice, np.concatenate([forces, forces]), atol=1e-10)


def test_atoms_at_one_place_are_refused():
    with pytest.raises(DataError, match="atoms 0 and 1 are at the same place"):
        Neighbours.of(ase.Atoms("HH", np.zeros((2, 3))), 5.0)


# --- notation -----------------------------------------------------------------------------------------------


def test_lines_round_trip_and_sort_as_n2p2():
    shuffled = [parse_function(LINES[k]) for k in np.random.default_rng(0).permutation(len(LINES))]
    assert [parse_function(f.line()) for f in shuffled] == shuffled
    ordered = by_centre(shuffled)
    assert list(ordered) == ["H", "O"]
    assert [f.line() for f in ordered["H"]] == [
        "H 2 O 0.05 0.0 4.0",
        "H 2 H 0.001 0.0 12.0",
        "H 2 O 0.3 0.9 12.0",
        "H 3 H O 0.01 -1.0 4.0 5.0",
        "H 3 H H 0.04 1.0 2.0 12.0",
        "H 3 H O 0.07 1.0 1.0 12.0",
        "H 9 H O 0.02 -1.0 2.5 8.0 1.2",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("H 12 0.01 0.0 12.0", "type 12 is not implemented"),
        ("H 2 O 0.01 0.0", "type 2 takes η r_s r_c"),
        ("H 3 O H 0.01 1.0 4.0", "type 3 takes η λ ζ r_c"),
        ("H 2 Xy 0.01 0.0 12.0", "'Xy' is not a chemical element"),
        ("H 2 O 0.01 zero 12.0", "not 'centre type neighbours numbers'"),
        ("H 2 O 0.01 0.0 -12.0", "must be positive"),
        ("H", "not 'centre type"),
    ],
)
def test_malformed_functions(line, message):
    with pytest.raises(ConfigError, match=message):
        parse_function(line)


def test_functions_that_cannot_act_are_refused():
    with pytest.raises(ConfigError, match="symmetry functions of H with neighbours O vanish in HH; leave them out"):
        MoleculeDescriptor(["H", "H"], [parse_function(LINES[1])], Cutoff(1))
    with pytest.raises(ConfigError, match="no symmetry function has a centre O"):
        MoleculeDescriptor(SYMBOLS, functions()[:3], Cutoff(1))

"""Permutation-symmetric polynomials."""

import numpy as np
import pytest
from qff import polynomial


@pytest.mark.parametrize(
    ("symbols", "degree", "monomials", "symmetric"),
    # Of H2O with r1, r2 exchanged: pairs of monomials but those with equal powers; H3O+ counted with Molien's series.
    [("OHH", 2, 10, 7), ("OHH", 8, 165, 95), ("OHHH", 2, 28, 9), ("OHHH", 6, 924, 196)],
)
def test_counts(symbols, degree, monomials, symmetric):
    permuted = polynomial.pair_permutations(list(symbols))
    basis = polynomial.Monomials(len(polynomial.pairs(len(symbols))), degree)
    assert len(basis.exponents) == monomials
    assert basis.orbits(permuted).max() + 1 == symmetric


def test_values_and_gradients():
    rng = np.random.default_rng(3)
    basis = polynomial.Monomials(3, 5)
    y = rng.uniform(-1, 1, (4, 3))
    np.testing.assert_allclose(basis(y), (y[:, None] ** basis.exponents).prod(-1), rtol=1e-13)
    coefficients = rng.normal(size=len(basis.exponents))
    gradient = basis(y) @ basis.derivatives(coefficients)
    step = 1e-6 * np.eye(3)
    for v in range(3):
        slope = (basis(y + step[v]) - basis(y - step[v])) @ coefficients / 2e-6
        np.testing.assert_allclose(gradient[:, v], slope, rtol=1e-7, atol=1e-8)


def test_molien():
    """Symmetric polynomials of six distances of AB3: number of each degree from Molien's formula."""
    permuted = polynomial.pair_permutations(list("OHHH"))
    t = np.linspace(0.05, 0.2, 12)
    series = np.zeros_like(t)
    for p in permuted:
        matrix = np.eye(6)[p]
        series += [1 / np.linalg.det(np.eye(6) - x * matrix) for x in t]
    series /= len(permuted)
    basis = polynomial.Monomials(6, 12)
    orbits = basis.orbits(permuted)
    found = [len(set(orbits[basis.exponents.sum(1) == d])) for d in range(13)]
    np.testing.assert_allclose(np.polyval(found[::-1], t), series, rtol=1e-4)


def test_variables_move_with_the_atoms():
    rng = np.random.default_rng(5)
    positions = rng.normal(size=(2, 4, 3))
    pairs, centre = polynomial.pairs(4), np.full(6, 1.3)
    _, slope = polynomial.variables(positions, pairs, centre, 1.7)
    for atom in range(4):
        for axis in range(3):
            move = np.zeros((4, 3))
            move[atom, axis] = 1e-6
            ahead, behind = (polynomial.variables(positions + s * move, pairs, centre, 1.7)[0] for s in (1, -1))
            np.testing.assert_allclose(slope[:, :, atom, axis], (ahead - behind) / 2e-6, atol=1e-8)

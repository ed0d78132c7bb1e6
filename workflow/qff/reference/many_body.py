"""Many-body expansion of the energy of a cluster: sums over its monomers, pairs and triples of them.

E ≈ Σ_i E_i + Σ_{i<j} ΔE_ij + Σ_{i<j<k} ΔE_ijk …, with ΔE of a group its energy less all ΔE of its parts; exact at the order
of the number of monomers. Forces follow with the same coefficients, since the expansion is linear in energies.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import comb

import numpy as np

from qff.errors import DataError

Calculation = Callable[[list[int]], tuple[float, np.ndarray]]


def coefficients(monomers: int, order: int) -> dict[int, int]:
    """Size of a group → factor of its energy: Σ over larger orders m of (-1)^(m-k) C(n-k, m-k).

    Raises:
        DataError: the order is not between 1 and the number of monomers.
    """
    if not 1 <= order <= monomers:
        raise DataError(f"many-body expansion of order {order} for {monomers} monomers: choose 1 … {monomers}")
    return {
        k: sum((-1) ** (m - k) * comb(monomers - k, m - k) for m in range(k, order + 1)) for k in range(1, order + 1)
    }


def expand(monomers: list[list[int]], order: int, calculate: Calculation) -> tuple[float, np.ndarray]:
    """Energy and forces (A, 3) of a cluster to an order, in the units of ``calculate``.

    Args:
        monomers: atoms of each. calculate: energy and forces (n, 3) of a group from its atoms, in their order.
    """
    n_atoms, energy = sum(map(len, monomers)), 0.0
    forces = np.zeros((n_atoms, 3))
    for size, factor in coefficients(len(monomers), order).items():
        for group in combinations(monomers, size) if factor else ():
            atoms = [atom for monomer in group for atom in monomer]
            part, pull = calculate(atoms)
            energy += factor * part
            forces[atoms] += factor * pull
    return energy, forces


def layered(monomers: list[list[int]], order: int, high: Calculation, low: Calculation) -> tuple[float, np.ndarray]:
    """Energy and forces (A, 3) of a cluster: all of it by ``low``, what ``high`` adds to that by its expansion.

    Terms beyond the order are those of ``low`` instead of none. They count: in a ring of four water molecules four-body
    terms are some tenths of kcal/mol.
    """

    def added(atoms: list[int]) -> tuple[float, np.ndarray]:
        (better, pull), (energy, forces) = high(atoms), low(atoms)
        return better - energy, pull - forces

    energy, forces = expand(monomers, order, added)
    whole, pull = low([atom for monomer in monomers for atom in monomer])
    forces[[atom for monomer in monomers for atom in monomer]] += pull
    return energy + whole, forces

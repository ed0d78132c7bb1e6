"""GAFF of ethane, written out: two bonded types, so that the force field of AMBER is a page and needs no program.

    python -m qff.hybrid.gaff results/published/reference/ethane.extxyz

prints the record of ``config/table_one.yaml``. Types c3 and hc of the general AMBER force field (Wang et al., J. Comput.
Chem. 25, 1157 (2004)), parameters of its version 1.81 (gaff.dat of May 2017); AMBER's functional form (Cornell et al., J. Am.
Chem. Soc. 117, 5179 (1995), eq. 1). All pairs that are not bonded to each other or to one atom are hydrogens three bonds
apart, which AMBER scales down. Charges: one number, fitted to the potential that GAFF is made for (:func:`potential_charge`).
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import combinations, product
from pathlib import Path

import numpy as np
import torch

from qff.command import reported
from qff.data import read_frames
from qff.errors import DataError
from qff.hybrid.functional import errors_of
from qff.units import BOHR_IN_ANG, HARTREE_IN_EV, KCAL_PER_MOL_IN_EV

BOND = {"CC": (300.9, 1.5375), "CH": (330.6, 1.0969)}  # kcal/mol/Å², Å; no factor 1/2
ANGLE = {"CCH": (46.3, 109.80), "HCH": (39.4, 107.58)}  # kcal/mol/rad², degrees; no factor 1/2
TORSION = 0.15  # kcal/mol, threefold, of every H–C–C–H
RADIUS, DEPTH = 1.4870, 0.0157  # of hc: half the distance of the minimum (Å), its depth (kcal/mol)
SCALED_DOWN = {"dispersion": 2.0, "charges": 1.2}  # three bonds apart
CHARGE = 0.0030  # e, of a hydrogen, by potential_charge; a carbon has −3 of it
SHELLS, POINTS = (1.4, 1.6, 1.8, 2.0), 80  # of Merz and Kollman, in van der Waals radii; points on each
VAN_DER_WAALS = {"C": 1.5, "H": 1.2}  # Å


def topology(symbols: list[str], positions: np.ndarray, where: str) -> tuple[list[int], list[list[int]]]:
    """The two carbons, and the three hydrogens of each, of positions (8, 3) in Å.

    Raises:
        DataError: not ethane.
    """
    carbons = [i for i, s in enumerate(symbols) if s == "C"]
    of_carbon: dict[int, list[int]] = {c: [] for c in carbons}
    for h in (i for i, s in enumerate(symbols) if s == "H"):
        nearest = min(carbons, key=lambda c: np.linalg.norm(positions[c] - positions[h]), default=None)
        of_carbon.setdefault(nearest, []).append(h)
    if len(symbols) != 8 or len(carbons) != 2 or any(len(h) != 3 for h in of_carbon.values()):
        raise DataError(f"{where}: not ethane, but {''.join(symbols)}; only its force field is written out here")
    return carbons, list(of_carbon.values())


def energies_and_forces(symbols: list[str], positions: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Energies (B,) in eV and forces (B, 8, 3) in eV/Å of frames of ethane, positions (B, 8, 3) in Å.

    Raises:
        DataError: not ethane.
    """
    carbons, hydrogens = topology(symbols, positions[0], where)
    x = torch.tensor(positions, dtype=torch.float64, requires_grad=True)
    energy = _bonded(x, carbons, hydrogens) + _three_bonds_apart(x, hydrogens)
    (gradient,) = torch.autograd.grad(energy.sum(), x)
    return energy.detach().numpy() * KCAL_PER_MOL_IN_EV, -gradient.numpy() * KCAL_PER_MOL_IN_EV


def _bonded(x: torch.Tensor, carbons: list[int], hydrogens: list[list[int]]) -> torch.Tensor:
    """Bonds, angles and torsions in kcal/mol, (B,)."""
    first, second = carbons
    energy = _harmonic((x[:, first] - x[:, second]).norm(dim=-1), *BOND["CC"])
    for own, other, bound in ((first, second, hydrogens[0]), (second, first, hydrogens[1])):
        for h in bound:
            energy = energy + _harmonic((x[:, h] - x[:, own]).norm(dim=-1), *BOND["CH"])
            energy = energy + _bend(x, other, own, h, *ANGLE["CCH"])
        for h, k in combinations(bound, 2):
            energy = energy + _bend(x, h, own, k, *ANGLE["HCH"])
    for h, k in product(*hydrogens):
        axis = x[:, second] - x[:, first]
        planes = [torch.linalg.cross(x[:, h] - x[:, first], axis), torch.linalg.cross(x[:, k] - x[:, second], axis)]
        cosine = (planes[0] * planes[1]).sum(-1) / (planes[0].norm(dim=-1) * planes[1].norm(dim=-1))
        energy = energy + TORSION * (1 + 4 * cosine**3 - 3 * cosine)  # cos 3φ, without the singularity of φ
    return energy


def _harmonic(value: torch.Tensor, constant: float, centre: float) -> torch.Tensor:
    return constant * (value - centre) ** 2


def _bend(x: torch.Tensor, a: int, vertex: int, b: int, constant: float, degrees: float) -> torch.Tensor:
    one, two = x[:, a] - x[:, vertex], x[:, b] - x[:, vertex]
    cosine = (one * two).sum(-1) / (one.norm(dim=-1) * two.norm(dim=-1))
    return _harmonic(torch.arccos(cosine), constant, float(np.radians(degrees)))


def _three_bonds_apart(x: torch.Tensor, hydrogens: list[list[int]]) -> torch.Tensor:
    """Lennard-Jones and Coulomb energies of the hydrogens of different carbons in kcal/mol, (B,)."""
    r = torch.stack([(x[:, h] - x[:, k]).norm(dim=-1) for h, k in product(*hydrogens)], -1)
    power = (2 * RADIUS / r) ** 6
    dispersion = DEPTH * (power**2 - 2 * power) / SCALED_DOWN["dispersion"]
    coulomb = HARTREE_IN_EV * BOHR_IN_ANG / KCAL_PER_MOL_IN_EV * CHARGE**2 / r / SCALED_DOWN["charges"]
    return (dispersion + coulomb).sum(-1)


def potential_charge(symbols: list[str], positions: np.ndarray) -> float:
    """Charge (e) of a hydrogen that best gives the HF/6-31G* electrostatic potential around ethane, (8, 3) in Å.

    Least squares on the shells of Merz and Kollman (Singh & Kollman, J. Comput. Chem. 5, 129 (1984)), equal atoms
    having equal charges, as in the fits GAFF was made with.

    Raises:
        DataError: not ethane.
    """
    from pyscf import gto, scf

    carbons, hydrogens = topology(symbols, positions, "potential")
    mol = gto.M(atom=list(zip(symbols, positions.tolist(), strict=True)), basis="6-31g*", unit="Angstrom", verbose=0)
    density = scf.RHF(mol).run(conv_tol=1e-10).make_rdm1()
    points = _shells(symbols, positions)
    inverse = BOHR_IN_ANG / np.linalg.norm(points[:, None] - positions[None], axis=-1)
    electrons = np.einsum("gij,ij->g", mol.intor("int1e_grids", grids=points / BOHR_IN_ANG), density)
    potential = inverse @ mol.atom_charges() - electrons
    shape = inverse[:, hydrogens].sum((1, 2)) - 3 * inverse[:, carbons].sum(1)
    return float(shape @ potential / (shape @ shape))


def _shells(symbols: list[str], positions: np.ndarray) -> np.ndarray:
    """Points (n, 3) in Å on spheres about every atom, those inside the sphere of another left out."""
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(POINTS)
    height = 1 - (2 * np.arange(POINTS) + 1) / POINTS
    sphere = np.stack([np.sqrt(1 - height**2) * np.cos(turn), np.sqrt(1 - height**2) * np.sin(turn), height], -1)
    radii, kept = np.array([VAN_DER_WAALS[s] for s in symbols]), []
    for factor in SHELLS:
        points = (positions[:, None] + factor * radii[:, None, None] * sphere).reshape(-1, 3)
        distance = np.linalg.norm(points[:, None] - positions[None], axis=-1)
        kept.append(points[(distance > factor * radii - 1e-9).all(1)])
    return np.concatenate(kept)


def record(path: Path) -> dict:
    """Errors (:func:`qff.hybrid.functional.errors_of`) of GAFF on a labelled set of ethane.

    Raises:
        DataError: unreadable, or not ethane.
    """
    frames = read_frames(path)
    found = energies_and_forces(frames.symbols, frames.positions, str(path))
    return {**errors_of(*found, frames), "n_frames": len(frames)}


@reported
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path, help="labelled frames of ethane (a frozen set of this repository)")
    options = parser.parse_args(arguments)
    print(json.dumps(record(options.set), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""GAFF of hydrocarbons, written out: four types of atoms, so that the force field of AMBER is a page and needs no program.

    python -m qff.hybrid.gaff results/published/reference/ethane.extxyz

prints the record of ``config/table_one.yaml``. Types c3 and hc (sp³), ca and ha (aromatic) of the general AMBER force field
(Wang et al., J. Comput. Chem. 25, 1157 (2004)), parameters of its version 1.81 (gaff.dat of May 2017); AMBER's functional
form (Cornell et al., J. Am. Chem. Soc. 117, 5179 (1995), eq. 1). Charges are fitted to the potential that GAFF is made for
(:func:`potential_charges`), as AM1-BCC would, whose program this study does without.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from qff.command import reported
from qff.data import read_frames
from qff.errors import DataError
from qff.hybrid.functional import errors_of
from qff.units import BOHR_IN_ANG, HARTREE_IN_EV, KCAL_PER_MOL_IN_EV

# kcal/mol/Å², Å; kcal/mol/rad², degrees; no factor 1/2
BOND = {"c3-c3": (300.9, 1.5375), "c3-hc": (330.6, 1.0969), "ca-ca": (461.1, 1.3984), "ca-ha": (345.8, 1.0860)}
ANGLE = {
    "c3-c3-hc": (46.3, 109.80), "hc-c3-hc": (39.4, 107.58), "ca-ca-ca": (66.6, 120.02), "ca-ca-ha": (48.2, 119.88),
}  # fmt: skip
# kcal/mol of every torsion about a bond, and its period: V (1 + cos 3φ), V (1 - cos 2φ).
TORSION = {"c3-c3": (0.15, 3), "ca-ca": (14.5 / 4, 2)}
IMPROPER = 1.1  # kcal/mol, V (1 - cos 2φ), of every ca
# Half the distance of the minimum (Å), its depth (kcal/mol).
NEAR = {"c3": (1.9080, 0.1094), "hc": (1.4870, 0.0157), "ca": (1.9080, 0.0860), "ha": (1.4590, 0.0150)}
SCALED_DOWN = {"dispersion": 2.0, "charges": 1.2}  # three bonds apart
# e, by potential_charges: of equal atoms in the order of :attr:`Topology.classes`.
CHARGES = {
    "C2H6": (0.0030, -0.0090),
    "C6H6": (0.1333, -0.1333),
    "C10H8": (0.1443, 0.1721, -0.1308, -0.3038, 0.2363),  # H on β and α, C: β, α, in both rings
}
SHELLS, POINTS = (1.4, 1.6, 1.8, 2.0), 80  # of Merz and Kollman, in van der Waals radii; points on each
VAN_DER_WAALS = {"C": 1.5, "H": 1.2}  # Å
LONGEST = {"CC": 1.9, "CH": 1.5, "HH": 0.0}  # Å, of a bond, stretched by heat


@dataclass(frozen=True)
class Topology:
    """Terms of a molecule: types and classes of equal atoms (A,), atoms of every bond, angle, torsion and improper torsion
    (its centre the third), pairs three bonds apart and further."""

    types: list[str]
    classes: np.ndarray
    bonds: np.ndarray
    angles: np.ndarray
    torsions: np.ndarray
    impropers: np.ndarray
    near: np.ndarray
    far: np.ndarray


def topology(symbols: list[str], positions: np.ndarray, where: str) -> Topology:
    """Terms from the bonds at positions (A, 3) in Å.

    Raises:
        DataError: no hydrocarbon of sp³ or aromatic carbons alone.
    """
    n = len(symbols)
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    reach = np.array([[LONGEST.get("".join(sorted(a + b)), 0.0) for b in symbols] for a in symbols])
    bound = (distance < reach) & ~np.eye(n, dtype=bool)
    kinds = {("C", 4): "c3", ("C", 3): "ca"}
    types = [kinds.get((s, int(b.sum())), "") for s, b in zip(symbols, bound, strict=True)]
    for h in range(n):
        if symbols[h] == "H" and bound[h].sum() == 1:
            types[h] = {"c3": "hc", "ca": "ha"}.get(types[int(bound[h].argmax())], "")
    neighbours = [np.flatnonzero(b).tolist() for b in bound]
    bonds = [(i, j) for i in range(n) for j in neighbours[i] if i < j]
    if "" in types or any(_name(types, b) not in BOND for b in bonds):
        formula = "".join(sorted(symbols))
        raise DataError(
            f"{where}: {formula} is no hydrocarbon of sp³ or of aromatic carbons; others are not written out"
        )
    angles = [(i, j, k) for j in range(n) for i, k in combinations(neighbours[j], 2)]
    torsions = [
        (i, j, k, m) for j, k in bonds for i in neighbours[j] if i != k for m in neighbours[k] if m not in (i, j)
    ]
    impropers = [
        (*others[:2], j, others[2])
        for j in range(n)
        if types[j] == "ca"
        for others in [sorted(neighbours[j], key=lambda k: (symbols[k], k))]
    ]
    steps = _bonds_apart(bound)
    rows = {"bonds": bonds, "angles": angles, "torsions": torsions, "impropers": impropers}
    rows |= {"near": np.argwhere(np.triu(steps == 3)), "far": np.argwhere(np.triu(steps > 3))}
    width = {"bonds": 2, "angles": 3, "torsions": 4, "impropers": 4, "near": 2, "far": 2}
    indexed = {k: np.array(v, dtype=int).reshape(-1, width[k]) for k, v in rows.items()}
    return Topology(types, _classes(types, neighbours), **indexed)


def _name(types: list[str], atoms) -> str:
    """Types joined, from the end that comes first in the alphabet."""
    found = [types[k] for k in atoms]
    return "-".join(min(found, found[::-1]))


def _bonds_apart(bound: np.ndarray) -> np.ndarray:
    """Number of bonds (A, A) between atoms."""
    steps, reached = np.where(np.eye(len(bound), dtype=bool), 0, 99), np.eye(len(bound), dtype=bool)
    for count in range(1, len(bound)):
        further = (reached @ bound) & (steps == 99)
        steps[further] = count
        reached = further
    return steps


def _classes(types: list[str], neighbours: list[list[int]]) -> np.ndarray:
    """Number (A,) of the class of equal atoms of each, whatever the order of atoms: colours refined by those of neighbours."""
    found = [(t,) for t in types]
    for _ in types:
        found = [(found[k], tuple(sorted(found[j] for j in neighbours[k]))) for k in range(len(types))]
        order = {colour: k for k, colour in enumerate(sorted(set(found)))}
        found = [(order[colour],) for colour in found]
    return len(set(found)) - 1 - np.array([colour for (colour,) in found])


def energies_and_forces(symbols: list[str], positions: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Energies (B,) in eV and forces (B, A, 3) in eV/Å of frames of one molecule, positions (B, A, 3) in Å.

    Raises:
        DataError: no hydrocarbon that is written out, or one without charges.
    """
    terms = topology(symbols, positions[0], where)
    formula = _formula(symbols)
    if formula not in CHARGES:
        raise DataError(f"{where}: no charges for {formula}; fit them by potential_charges and add them to CHARGES")
    charges = torch.tensor(np.array(CHARGES[formula])[terms.classes])
    x = torch.tensor(positions, dtype=torch.float64, requires_grad=True)
    energy = _bonded(x, terms) + _not_bonded(x, terms, charges)
    (gradient,) = torch.autograd.grad(energy.sum(), x)
    return energy.detach().numpy() * KCAL_PER_MOL_IN_EV, -gradient.numpy() * KCAL_PER_MOL_IN_EV


def _formula(symbols: list[str]) -> str:
    return f"C{symbols.count('C')}H{symbols.count('H')}"


def _parameters(table: dict, names: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    found = np.array([table[name] for name in names], dtype=float).reshape(-1, 2)
    return torch.tensor(found[:, 0]), torch.tensor(found[:, 1])


def _bonded(x: torch.Tensor, terms: Topology) -> torch.Tensor:
    """Bonds, angles, torsions and improper torsions in kcal/mol, (B,)."""
    first, second = terms.bonds.T
    constant, centre = _parameters(BOND, [_name(terms.types, b) for b in terms.bonds])
    energy = (constant * ((x[:, first] - x[:, second]).norm(dim=-1) - centre) ** 2).sum(-1)
    one, vertex, two = terms.angles.T
    constant, centre = _parameters(ANGLE, [_name(terms.types, a) for a in terms.angles])
    arms = x[:, one] - x[:, vertex], x[:, two] - x[:, vertex]
    cosine = (arms[0] * arms[1]).sum(-1) / (arms[0].norm(dim=-1) * arms[1].norm(dim=-1))
    energy = energy + (constant * (torch.arccos(cosine) - torch.deg2rad(centre)) ** 2).sum(-1)
    height, period = _parameters(TORSION, [_name(terms.types, t[1:3]) for t in terms.torsions])
    cosine = _dihedral(x, terms.torsions)
    # cos 3φ and cos 2φ as polynomials, without the singularity of φ
    shape = torch.where(period == 3, 1 + 4 * cosine**3 - 3 * cosine, 2 - 2 * cosine**2)
    flat = 2 - 2 * _dihedral(x, terms.impropers) ** 2
    return energy + (height * shape).sum(-1) + IMPROPER * flat.sum(-1)


def _dihedral(x: torch.Tensor, atoms: np.ndarray) -> torch.Tensor:
    """Cosines (B, T) of torsions (T, 4)."""
    a, b, c, d = (x[:, k] for k in atoms.T)
    planes = torch.linalg.cross(a - b, c - b), torch.linalg.cross(d - c, c - b)
    return (planes[0] * planes[1]).sum(-1) / (planes[0].norm(dim=-1) * planes[1].norm(dim=-1))


def _not_bonded(x: torch.Tensor, terms: Topology, charges: torch.Tensor) -> torch.Tensor:
    """Lennard-Jones and Coulomb energies in kcal/mol, (B,), of pairs three bonds apart and more."""
    radius, depth = (torch.tensor([NEAR[t][k] for t in terms.types]) for k in (0, 1))
    coulomb = HARTREE_IN_EV * BOHR_IN_ANG / KCAL_PER_MOL_IN_EV
    energy = x.new_zeros(len(x))
    for pairs, scale in ((terms.near, SCALED_DOWN), (terms.far, {"dispersion": 1.0, "charges": 1.0})):
        i, j = pairs.T
        r = (x[:, i] - x[:, j]).norm(dim=-1)
        power = ((radius[i] + radius[j]) / r) ** 6
        dispersion = (depth[i] * depth[j]).sqrt() * (power**2 - 2 * power) / scale["dispersion"]
        energy = energy + (dispersion + coulomb * charges[i] * charges[j] / r / scale["charges"]).sum(-1)
    return energy


def potential_charges(symbols: list[str], positions: np.ndarray) -> np.ndarray:
    """Charges (e) of the classes of equal atoms that best give the HF/6-31G* electrostatic potential at positions (A, 3) in Å.

    Least squares on the shells of Merz and Kollman (Singh & Kollman, J. Comput. Chem. 5, 129 (1984)), equal atoms
    having equal charges and the molecule none, as in the fits GAFF was made with.

    Raises:
        DataError: no hydrocarbon that is written out.
    """
    from pyscf import gto, scf

    classes = topology(symbols, positions, "potential").classes
    mol = gto.M(atom=list(zip(symbols, positions.tolist(), strict=True)), basis="6-31g*", unit="Angstrom", verbose=0)
    density = scf.RHF(mol).run(conv_tol=1e-10).make_rdm1()
    points = _shells(symbols, positions)
    inverse = BOHR_IN_ANG / np.linalg.norm(points[:, None] - positions[None], axis=-1)
    electrons = np.einsum("gij,ij->g", mol.intor("int1e_grids", grids=points / BOHR_IN_ANG), density)
    potential = inverse @ mol.atom_charges() - electrons
    members = np.eye(classes.max() + 1)[classes]  # (A, classes)
    shape, sizes = inverse @ members, members.sum(0)
    # The multiplier of a neutral molecule is one more unknown.
    matrix = np.block([[shape.T @ shape, sizes[:, None]], [sizes[None], np.zeros((1, 1))]])
    return np.linalg.solve(matrix, np.append(shape.T @ potential, 0.0))[:-1]


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
    """Errors (:func:`qff.hybrid.functional.errors_of`) of GAFF on a labelled set of a hydrocarbon.

    Raises:
        DataError: unreadable, or no molecule that is written out.
    """
    frames = read_frames(path)
    found = energies_and_forces(frames.symbols, frames.positions, str(path))
    return {**errors_of(*found, frames), "n_frames": len(frames)}


@reported
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path, help="labelled frames of a hydrocarbon (a frozen set of this repository)")
    options = parser.parse_args(arguments)
    print(json.dumps(record(options.set), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

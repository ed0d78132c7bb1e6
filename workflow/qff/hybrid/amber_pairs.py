"""AMBER's interaction of two rigid molecules, written out: charges and Lennard-Jones terms between their atoms.

Of a rigid molecule nothing else changes. Charges and types: ff14SB (Maier et al., J. Chem. Theory Comput. 11, 3696 (2015)),
which took them from Cornell et al., J. Am. Chem. Soc. 117, 5179 (1995); eq. 1 there. Side chains are cut at the α carbon; the
hydrogen that closes them has the type of the hydrogens beside it and the charge that makes the molecule neutral
(0.019, 0.008 and 0.005 e). A test holds the page against the force field that OpenMM ships.
"""

from __future__ import annotations

import numpy as np

from qff.errors import DataError
from qff.hybrid.cluster import CAP, Cluster
from qff.units import KCAL_PER_MOL_IN_EV

COULOMB = 332.0637  # kcal/mol·Å/e²
LENNARD_JONES = {  # type → half the distance of the minimum (Å), its depth (kcal/mol)
    "C": (1.9080, 0.0860),
    "CT": (1.9080, 0.1094),
    "O": (1.6612, 0.2100),
    "N": (1.8240, 0.1700),
    "S": (2.0000, 0.2500),
    "H": (0.6000, 0.0157),
    "HC": (1.4870, 0.0157),
    "H1": (1.3870, 0.0157),
    "H4": (1.4090, 0.0150),
    "H5": (1.3590, 0.0150),
}
SIDE_CHAINS = {  # residue → atom → type (of those with equal terms, one name), charge (e)
    "CYS": {
        "CB": ("CT", -0.1231), "HB2": ("H1", 0.1112), "HB3": ("H1", 0.1112), "SG": ("S", -0.3119), "HG": ("H", 0.1933),
    },
    "HID": {
        "CB": ("CT", -0.0462), "HB2": ("HC", 0.0402), "HB3": ("HC", 0.0402), "CG": ("C", -0.0266), "ND1": ("N", -0.3811),
        "HD1": ("H", 0.3649), "CE1": ("C", 0.2057), "HE1": ("H5", 0.1392), "NE2": ("N", -0.5727), "CD2": ("C", 0.1292),
        "HD2": ("H4", 0.1147),
    },
    "HIE": {
        "CB": ("CT", -0.0074), "HB2": ("HC", 0.0367), "HB3": ("HC", 0.0367), "CG": ("C", 0.1868), "ND1": ("N", -0.5432),
        "CE1": ("C", 0.1635), "HE1": ("H5", 0.1435), "NE2": ("N", -0.2795), "HE2": ("H", 0.3339), "CD2": ("C", -0.2207),
        "HD2": ("H4", 0.1862),
    },
    "ASN": {
        "CB": ("CT", -0.2041), "HB2": ("HC", 0.0797), "HB3": ("HC", 0.0797), "CG": ("C", 0.7130), "OD1": ("O", -0.5931),
        "ND2": ("N", -0.9191), "HD21": ("H", 0.4196), "HD22": ("H", 0.4196),
    },
}  # fmt: skip


def parameters(cluster: Cluster, where: str) -> np.ndarray:
    """Charge (e), half the distance of the minimum (Å) and depth (kcal/mol) of every atom, (A, 3).

    Raises:
        DataError: a residue or an atom of which the page has no parameters.
    """
    rows = []
    for residue, name in zip(cluster.residues, cluster.names, strict=True):
        atoms = SIDE_CHAINS.get(residue)
        if atoms is None or name not in {*atoms, CAP}:
            raise DataError(
                f"{where}: AMBER has no parameters here for atom {name} of {residue}; known are side chains of "
                f"{', '.join(SIDE_CHAINS)}"
            )
        kind, charge = atoms[name] if name != CAP else (atoms["HB2"][0], -sum(q for _, q in atoms.values()))
        rows.append((charge, *LENNARD_JONES[kind]))
    return np.array(rows)


def interaction(cluster: Cluster, positions: np.ndarray, where: str) -> float:
    """Interaction energy (eV) of dyad and ligand at positions (A, 3) in Å.

    Raises:
        DataError: a residue or an atom without parameters.
    """
    return between(parameters(cluster, where), cluster.ligand, positions)


def between(terms: np.ndarray, ligand: np.ndarray, positions: np.ndarray) -> float:
    """Interaction energy (eV) of the atoms of a ``ligand``, (A,) of bool, with all others at positions (A, 3) in Å.

    Args:
        terms: (A, 3) as of :func:`parameters`.
    """
    distance = np.linalg.norm(positions[ligand][:, None] - positions[~ligand][None], axis=-1)
    (q, radius, depth), (q_rest, radius_rest, depth_rest) = terms[ligand].T[:, :, None], terms[~ligand].T[:, None, :]
    ratio = ((radius + radius_rest) / distance) ** 6
    energy = np.sqrt(depth * depth_rest) * (ratio**2 - 2 * ratio) + COULOMB * q * q_rest / distance
    return float(energy.sum()) * KCAL_PER_MOL_IN_EV

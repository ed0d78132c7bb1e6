"""A ligand beside the catalytic dyad of a cysteine protease: the part of the draft's binding case that can be calculated.

The side chains of cysteine and histidine, cut at their α carbon and closed by a hydrogen, and a ligand or a fragment of one.
Kept as extended XYZ: columns ``residue`` and ``atom`` (names of the PDB; ``CAP`` is a closing hydrogen), ``ligand`` (T or F),
and in the comment ``axis``: the atom of the dyad and the atom of the ligand whose distance is the separation.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qff.errors import DataError
from qff.provenance import write_text

CAP = "CAP"
CLOSEST_ANG = 0.6  # atoms nearer than this are the same one, or wrong
COLUMNS = ("residue", "atom", "ligand")


@dataclass(frozen=True)
class Cluster:
    """Atoms of both molecules.

    positions: (A, 3) in Å. residues, names: (A,) names of residue and atom. ligand: (A,) bool. axis: index of an atom of
    the dyad, index of an atom of the ligand.
    """

    symbols: list[str]
    positions: np.ndarray
    residues: list[str]
    names: list[str]
    ligand: np.ndarray
    axis: tuple[int, int]

    @property
    def separation(self) -> float:
        """Distance (Å) of the two atoms of the axis."""
        return float(np.linalg.norm(self._along()))

    def at(self, separation: float) -> np.ndarray:
        """Positions (A, 3) in Å with the ligand moved along the axis, both molecules rigid."""
        unit = self._along() / self.separation
        return self.positions + self.ligand[:, None] * unit * (separation - self.separation)

    def _along(self) -> np.ndarray:
        first, second = self.axis
        return self.positions[second] - self.positions[first]


def read_cluster(path: str | Path) -> Cluster:
    """A cluster.

    Raises:
        DataError: unreadable, without one of the columns, atoms too close, or not two molecules with an axis between them.
    """
    import ase.io

    try:
        atoms = ase.io.read(path, format="extxyz")
        axis = tuple(int(k) for k in atoms.info["axis"])
        residues, names, ligand = (atoms.arrays[c] for c in COLUMNS)
        found = Cluster(
            atoms.get_chemical_symbols(),
            atoms.positions,
            residues.tolist(),
            names.tolist(),
            ligand.astype(bool),
            axis,
        )
    except Exception as error:  # whatever the reader makes of another file
        raise DataError(
            f"{path}: no cluster of a dyad and a ligand ({error}); python -m qff.hybrid.pocket cuts one out of a PDB file"
        ) from error
    _check(found, str(path))
    return found


def _check(cluster: Cluster, where: str) -> None:
    count = len(cluster.symbols)
    if cluster.ligand.all() or not cluster.ligand.any():
        raise DataError(
            f"{where}: column 'ligand' names {cluster.ligand.sum()} of {count} atoms; a dyad and a ligand needed"
        )
    ends = [k for k in cluster.axis if 0 <= k < count]
    if len(ends) != 2 or cluster.ligand[ends].tolist() != [False, True]:
        raise DataError(f"{where}: axis {cluster.axis} is not an atom of the dyad and one of the ligand")
    distance = np.linalg.norm(cluster.positions[:, None] - cluster.positions[None], axis=-1) + 9 * np.eye(count)
    if distance.min() < CLOSEST_ANG:
        i, j = np.unravel_index(distance.argmin(), distance.shape)
        raise DataError(f"{where}: atoms {i} and {j} are {distance.min():.2f} Å apart")


def write_cluster(path: str | Path, cluster: Cluster, source: str) -> None:
    """Write a cluster; ``source`` says in its comment where it comes from."""
    import ase
    import ase.io

    atoms = ase.Atoms(cluster.symbols, cluster.positions, info={"axis": list(cluster.axis), "source": source})
    for column, values in zip(COLUMNS, (cluster.residues, cluster.names, cluster.ligand), strict=True):
        atoms.arrays[column] = np.array(values)
    text = io.StringIO()
    ase.io.write(text, atoms, format="extxyz", columns=["symbols", "positions", *COLUMNS])
    write_text(path, text.getvalue())

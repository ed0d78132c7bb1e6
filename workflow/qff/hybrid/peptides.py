"""AMBER's ff14SB by OpenMM on published energies and forces of capped peptides.

    python -m qff.hybrid.peptides "$QFF_DATA/peptides/spice_dipep_polar_train.extxyz"

prints the record of ``config/table_one.yaml``. Such files name no residues: bonds follow from distances, and residues from
cutting the bonds between them; OpenMM finds out which they are. One energy per molecule is taken off. OpenMM is not part of
the study's environment.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from qff.command import reported
from qff.errors import DataError
from qff.hybrid.force_field import evaluated, root_means
from qff.jobs import progress

PROTEIN = "amber14/protein.ff14SB.xml"
BONDED = 1.25  # of the sum of covalent radii
FEWEST = 10  # frames of a molecule; of few its offset would explain too much


def bonds(symbols: list[str], positions: np.ndarray) -> frozenset[tuple[int, int]]:
    """Pairs (i < j) of bound atoms at positions (A, 3) in Å."""
    from ase.data import atomic_numbers, covalent_radii

    radii = np.array([covalent_radii[atomic_numbers[s]] for s in symbols])
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    near = np.triu(distance < BONDED * (radii[:, None] + radii[None]), 1)
    return frozenset((int(i), int(j)) for i, j in np.argwhere(near))


def residues(symbols: list[str], bound: frozenset[tuple[int, int]]) -> list[list[int]]:
    """Atoms of every residue: what is left in one piece when peptide bonds are cut.

    A peptide bond joins a carbon that has an oxygen with no other neighbour to a nitrogen with at least two neighbours
    that are no hydrogens; those of side chains' amides have one.
    """
    near: dict[int, set[int]] = {k: set() for k in range(len(symbols))}
    for i, j in bound:
        near[i].add(j)
        near[j].add(i)

    def peptide(c: int, n: int) -> bool:
        carbonyl = any(symbols[o] == "O" and len(near[o]) == 1 for o in near[c])
        heavy = sum(symbols[k] != "H" for k in near[n])
        return symbols[c] == "C" and symbols[n] == "N" and carbonyl and heavy >= 2

    kept = [(i, j) for i, j in bound if not (peptide(i, j) or peptide(j, i))]
    piece = list(range(len(symbols)))
    for _ in symbols:  # neighbours take the smaller number until nothing changes
        for i, j in kept:
            piece[i] = piece[j] = min(piece[i], piece[j])
    return [[k for k, p in enumerate(piece) if p == first] for first in sorted(set(piece))]


class Peptide:
    """A molecule in OpenMM."""

    def __init__(self, symbols: list[str], bound: frozenset[tuple[int, int]], where: str):
        try:
            import openmm
            from openmm import app
        except ImportError as error:
            raise DataError(
                "force fields are evaluated by OpenMM, which is not installed: pip install openmm"
            ) from error

        topology = app.Topology()
        chain, atoms = topology.addChain(), {}
        for number, own in enumerate(residues(symbols, bound)):
            residue = topology.addResidue(f"R{number}", chain)
            for k in own:
                atoms[k] = topology.addAtom(f"{symbols[k]}{k}", app.Element.getBySymbol(symbols[k]), residue)
        for i, j in bound:
            topology.addBond(atoms[i], atoms[j])
        self.order = list(atoms)  # of OpenMM's atoms
        try:
            system = app.ForceField(PROTEIN).createSystem(topology, nonbondedMethod=app.NoCutoff, rigidWater=False)
        except ValueError as error:
            raise DataError(f"{where}: not a peptide that AMBER knows ({error})") from error
        platform = openmm.Platform.getPlatformByName("Reference")
        self.context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)

    def energy_and_forces(self, positions: np.ndarray) -> tuple[float, np.ndarray]:
        """eV and eV/Å (A, 3) at positions (A, 3) in Å."""
        return evaluated(self.context, positions, self.order)


def record(path: Path) -> dict:
    """Errors of ff14SB on published peptides, after one energy per molecule is taken off.

    Returns:
        ``energy_rmse`` (kcal/mol) and ``force_rmse`` (kcal/mol/Å): value and the ends of a 95 % bootstrap interval over
        frames; ``n_frames``, ``n_molecules``.

    Raises:
        DataError: unreadable, not peptides, or few frames of a molecule.
    """
    import ase.io

    try:
        frames = ase.io.read(path, index=":", format="extxyz")
        labels = [(atoms.get_potential_energy(), atoms.get_forces()) for atoms in frames]
    except Exception as error:  # whatever the reader makes of another file
        raise DataError(f"{path}: no labelled peptides in extended XYZ ({error})") from error
    known: dict[tuple, Peptide] = {}
    groups, energies, squares = [], [], []
    for number, (atoms, (energy, forces)) in enumerate(zip(progress(frames, "ff14SB"), labels, strict=True)):
        symbols = atoms.get_chemical_symbols()
        key = tuple(symbols), bonds(symbols, atoms.positions)
        if key not in known:
            known[key] = Peptide(*key, f"{path}, frame {number}")
        found = known[key].energy_and_forces(atoms.positions)
        groups.append(list(known).index(key))
        energies.append(found[0] - energy)
        squares.append(((found[1] - forces) ** 2).mean())
    group, difference = np.array(groups), np.array(energies)
    counts = np.bincount(group)
    if counts.min() < FEWEST:
        raise DataError(
            f"{path}: {counts.min()} frames of a molecule; at least {FEWEST} are needed to take an energy off"
        )
    left = difference - (np.bincount(group, difference) / counts)[group]
    found = root_means({"energy_rmse": left**2, "force_rmse": np.array(squares)}, "peptides")
    return {**found, "n_frames": len(left), "n_molecules": len(counts)}


@reported
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peptides", type=Path, help="extended XYZ of capped peptides with energy (eV) and forces")
    options = parser.parse_args(arguments)
    print(json.dumps(record(options.peptides), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

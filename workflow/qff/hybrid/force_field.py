"""AMBER's force fields by OpenMM: water as flexible TIP3P, held against published energies and forces of clusters.

    python -m qff.hybrid.force_field "$QFF_DATA/water/spice_water_clusters.extxyz"

prints the record of ``config/table_one.yaml``. OpenMM is not part of the study's environment: a trained model needs none.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from qff.command import reported
from qff.errors import DataError
from qff.randomness import generator
from qff.units import KCAL_PER_MOL_IN_EV

WATER = "amber14/tip3p.xml"
BOOTSTRAP_SAMPLES = 2000
BOND_ANG = 1.4  # a hydrogen farther from any oxygen belongs to no molecule


def molecules(symbols: list[str], positions: np.ndarray, where: str) -> list[list[int]]:
    """Atoms (oxygen, hydrogen, hydrogen) of every water molecule of positions (A, 3) in Å.

    Raises:
        DataError: the atoms are not those of whole water molecules.
    """
    found = {i: [i] for i, s in enumerate(symbols) if s == "O"}
    for h in (i for i, s in enumerate(symbols) if s == "H"):
        oxygen = min(found, key=lambda o: np.linalg.norm(positions[o] - positions[h]), default=None)
        if oxygen is None or np.linalg.norm(positions[oxygen] - positions[h]) > BOND_ANG:
            raise DataError(f"{where}: hydrogen {h} is not within {BOND_ANG} Å of an oxygen: not a cluster of water")
        found[oxygen].append(h)
    if set(symbols) != {"O", "H"} or any(len(atoms) != 3 for atoms in found.values()):
        raise DataError(f"{where}: not whole water molecules: {''.join(symbols)}")
    return list(found.values())


def water_energy_and_forces(symbols: list[str], positions: np.ndarray, where: str) -> tuple[float, np.ndarray]:
    """Energy (eV) and forces (A, 3) in eV/Å of a water cluster by flexible TIP3P, without cutoff.

    Raises:
        DataError: not a cluster of water, or OpenMM is not installed.
    """
    try:
        import openmm
        from openmm import app
    except ImportError as error:
        raise DataError("force fields are evaluated by OpenMM, which is not installed: pip install openmm") from error

    order = [i for atoms in molecules(symbols, positions, where) for i in atoms]
    topology, chain = app.Topology(), None
    chain = topology.addChain()
    for _ in range(len(order) // 3):
        residue = topology.addResidue("HOH", chain)
        atoms = [topology.addAtom(n, app.Element.getBySymbol(n[0]), residue) for n in ("O", "H1", "H2")]
        topology.addBond(atoms[0], atoms[1])
        topology.addBond(atoms[0], atoms[2])
    system = app.ForceField(WATER).createSystem(topology, nonbondedMethod=app.NoCutoff, rigidWater=False)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    return evaluated(context, positions, order)


def evaluated(context, positions: np.ndarray, order: list[int]) -> tuple[float, np.ndarray]:
    """Energy (eV) and forces (A, 3) in eV/Å of an OpenMM context whose atoms are ``order`` of positions (A, 3) in Å."""
    from openmm import unit

    context.setPositions(positions[order] * 0.1)
    state = context.getState(getEnergy=True, getForces=True)
    kcal, forces = unit.kilocalories_per_mole, np.zeros_like(positions)
    found = state.getForces(asNumpy=True).value_in_unit(kcal / unit.angstrom)
    forces[order] = np.asarray(found) * KCAL_PER_MOL_IN_EV
    return state.getPotentialEnergy().value_in_unit(kcal) * KCAL_PER_MOL_IN_EV, forces


def root_means(squares: dict[str, np.ndarray], stream: str) -> dict[str, list[float]]:
    """Root mean squares of frames, from eV or eV/Å to kcal/mol, with the ends of a 95 % bootstrap interval over frames."""
    n = len(next(iter(squares.values())))
    draws = generator(0, stream).integers(0, n, (BOOTSTRAP_SAMPLES, n))
    found = {}
    for quantity, values in squares.items():
        ends = np.quantile(np.sqrt(values[draws].mean(1)), [0.025, 0.975])
        found[quantity] = [float(x / KCAL_PER_MOL_IN_EV) for x in (np.sqrt(values.mean()), *ends)]
    return found


def record(path: Path) -> dict:
    """Errors of flexible TIP3P on published clusters, after one energy per molecule is taken off.

    Returns:
        ``energy_rmse`` (kcal/mol), ``energy_rmse_per_molecule`` (kcal/mol) and ``force_rmse`` (kcal/mol/Å): value and the
        ends of a 95 % bootstrap interval over frames; ``n_frames``.
    """
    import ase.io

    energies, forces, counts = [], [], []
    for number, atoms in enumerate(ase.io.read(path, index=":", format="extxyz")):
        found = water_energy_and_forces(atoms.get_chemical_symbols(), atoms.positions, f"{path}, frame {number}")
        energies.append(found[0] - atoms.get_potential_energy())
        forces.append(((found[1] - atoms.get_forces()) ** 2).mean())
        counts.append(len(atoms) / 3)
    difference, n, squares = (np.array(x) for x in (energies, counts, forces))
    left = difference - n * (n @ difference) / (n @ n)
    parts = {"energy_rmse": left**2, "energy_rmse_per_molecule": (left / n) ** 2, "force_rmse": squares}
    return {**root_means(parts, "force_field"), "n_frames": len(n)}


@reported
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clusters", type=Path, help="extended XYZ of water clusters with energy (eV) and forces")
    options = parser.parse_args(arguments)
    print(json.dumps(record(options.clusters), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

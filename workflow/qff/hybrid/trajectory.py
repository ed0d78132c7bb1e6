"""A protein with its ligand under AMBER, by OpenMM: the classical baseline of the binding case, short by default.

    python -m qff.hybrid.trajectory protease.pdb --ligand A:401 --parameters ligand.xml --folder results/protease

The structure is the user's. Hydrogens are added (and, where PDBFixer is installed, missing atoms), energies minimised, and
Langevin dynamics run in implicit water (ff14SB and OBC, Onufriev, Bashford & Case, Proteins 55, 383 (2004)). ``--parameters``
names OpenMM XML files for residues that ff14SB does not know, as those of a drug are; a ligand of amino acids needs none. What it
shows is whether a force field of this kind keeps the ligand where the structure has it: a trajectory is one sample, and no free
energy of binding. Written to the folder: ``trajectory.csv``, ``last.pdb`` and ``run.json``.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from qff.command import reported
from qff.errors import DataError
from qff.hybrid.amber_pairs import between
from qff.provenance import file_digest, git_state, versions, write_csv, write_json

FORCE_FIELDS = ("amber14-all.xml", "implicit/obc2.xml")
NM_IN_ANG = 10.0
FRICTION_PER_PS, STEP_PS = 1.0, 0.002
PH = 7.0
COLUMNS = [
    "time_ps", "potential_kcal_per_mol", "temperature_k", "protein_rmsd_ang", "ligand_rmsd_ang", "closest_ang",
    "interaction_ev",
]  # fmt: skip


@dataclass(frozen=True)
class Parts:
    """Indices of atoms: all and the heavy ones of the ligand, heavy ones of the rest, α carbons (of a short peptide, the same)."""

    ligand: np.ndarray
    ligand_heavy: np.ndarray
    protein_heavy: np.ndarray
    alpha: np.ndarray


def prepared(path: Path):
    """OpenMM's Modeller of a structure with all hydrogens, its water left out.

    Raises:
        DataError: unreadable, or OpenMM is not installed.
    """
    try:
        from openmm import app
    except ImportError as error:
        raise DataError("trajectories are run by OpenMM, which is not installed: pip install openmm") from error
    try:
        found = _repaired(path) or app.PDBFile(str(path))
        modeller = app.Modeller(found.topology, found.positions)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise DataError(f"{path}: not a structure in PDB format that can be read ({error})") from error
    modeller.deleteWater()
    return modeller


def _repaired(path: Path):
    """The structure with the atoms that PDBFixer adds, or None where it is not installed."""
    try:
        from pdbfixer import PDBFixer
    except ImportError:
        return None
    fixer = PDBFixer(filename=str(path))
    fixer.findMissingResidues()
    fixer.missingResidues = {}  # loops that were not seen stay open
    fixer.findMissingAtoms()
    fixer.addMissingAtoms()
    return fixer


def parts_of(topology, ligand: list[str], where: str) -> Parts:
    """Atoms of the ligand, residues ``chain:number``, and of the rest.

    Raises:
        DataError: a residue that the structure does not have, or nothing beside the ligand.
    """
    places = {f"{r.chain.id.strip() or '_'}:{r.id.strip()}": r for r in topology.residues()}
    if unknown := [name for name in ligand if name not in places]:
        raise DataError(f"{where}: no residue {unknown[0]}; there are {', '.join(list(places)[:12])} …")
    own = {a.index for name in ligand for a in places[name].atoms()}
    heavy = [a for a in topology.atoms() if a.element is not None and a.element.symbol != "H"]
    rest = [a for a in heavy if a.index not in own]
    if not rest:
        raise DataError(f"{where}: nothing is left beside the ligand {', '.join(ligand)}")
    alpha = [a.index for a in rest if a.name == "CA"]
    if len(alpha) < 3:  # of a short peptide they fix no orientation
        alpha = [a.index for a in rest]
    return Parts(
        np.array(sorted(own)), np.array([a.index for a in heavy if a.index in own]), np.array([a.index for a in rest]),
        np.array(alpha),
    )  # fmt: skip


def superposed(positions: np.ndarray, start: np.ndarray, on: np.ndarray) -> np.ndarray:
    """Positions (A, 3) turned and moved such that atoms ``on`` lie on those of the start (Kabsch, Acta Cryst. A 32, 922, 1976)."""
    a, b = positions[on] - positions[on].mean(0), start[on] - start[on].mean(0)
    u, _, v = np.linalg.svd(a.T @ b)
    turn = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ v))]) @ v
    return (positions - positions[on].mean(0)) @ turn + start[on].mean(0)


def observed(positions: np.ndarray, start: np.ndarray, parts: Parts) -> tuple[float, float, float]:
    """RMSD (Å) of the α carbons, of the ligand where those are superposed, and its closest distance to the protein."""
    moved = superposed(positions, start, parts.alpha)
    shift = np.linalg.norm(moved - start, axis=1)
    rmsd = [float(np.sqrt((shift[index] ** 2).mean())) for index in (parts.alpha, parts.ligand_heavy)]
    between = positions[parts.ligand_heavy][:, None] - positions[parts.protein_heavy][None]
    return (*rmsd, float(np.linalg.norm(between, axis=2).min()))


def run(
    path: Path, ligand: list[str], parameters: list[Path], length_ps: float, every_ps: float, temperature_k: float,
    seed: int, folder: Path,
) -> pd.DataFrame:  # fmt: skip
    """Table of :data:`COLUMNS`, one row for every ``every_ps``, written to the folder with the last frame.

    Raises:
        DataError: the structure cannot be read or has residues without parameters; OpenMM is not installed.
    """
    modeller = prepared(path)
    from openmm import LangevinMiddleIntegrator, app, unit

    try:
        field = app.ForceField(*FORCE_FIELDS, *map(str, parameters))
        modeller.addHydrogens(field, pH=PH)
        system = field.createSystem(modeller.topology, nonbondedMethod=app.NoCutoff, constraints=app.HBonds)
    except Exception as error:  # OpenMM raises what its parts raise; its words name the residue or the file
        raise DataError(f"{path}: {error}; --parameters names OpenMM XML files for what ff14SB lacks") from error
    parts = parts_of(modeller.topology, ligand, str(path))
    integrator = LangevinMiddleIntegrator(temperature_k, FRICTION_PER_PS, STEP_PS)
    integrator.setRandomNumberSeed(seed)
    simulation = app.Simulation(modeller.topology, system, integrator)
    simulation.context.setPositions(modeller.positions)
    simulation.minimizeEnergy()
    simulation.context.setVelocitiesToTemperature(temperature_k, seed)
    terms, ligand_atoms = pair_terms(system), np.isin(np.arange(system.getNumParticles()), parts.ligand)
    degrees = 3 * system.getNumParticles() - system.getNumConstraints()
    start, rows = None, []
    for step in range(round(length_ps / every_ps) + 1):
        if step:
            simulation.step(max(1, round(every_ps / STEP_PS)))
        state = simulation.context.getState(getPositions=True, getEnergy=True)
        x = NM_IN_ANG * np.asarray(state.getPositions(asNumpy=True).value_in_unit(unit.nanometer))
        start = x if start is None else start
        energy = state.getPotentialEnergy().value_in_unit(unit.kilocalories_per_mole)
        kinetic = state.getKineticEnergy()
        temperature = (2 * kinetic / (degrees * unit.MOLAR_GAS_CONSTANT_R)).value_in_unit(unit.kelvin)
        if not np.isfinite(energy):
            raise DataError(f"{path}: the energy is not finite after {step * every_ps:g} ps; atoms overlap")
        interaction = between(terms, ligand_atoms, x)
        rows.append((step * every_ps, energy, temperature, *observed(x, start, parts), interaction))
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(rows, columns=COLUMNS)
    write_csv(folder / "trajectory.csv", table)
    with (folder / "last.pdb").open("w", encoding="utf-8") as stream:
        app.PDBFile.writeFile(modeller.topology, state.getPositions(), stream)
    write_json(
        folder / "run.json",
        {
            "structure": file_digest(path), "ligand": ligand, "parameters": {str(p): file_digest(p) for p in parameters},
            "force_fields": FORCE_FIELDS, "temperature_k": temperature_k, "length_ps": length_ps, "seed": seed, "ph": PH,
            "n_atoms": system.getNumParticles(), "versions": versions(), "git": git_state(),
        },
    )  # fmt: skip
    return table


def pair_terms(system) -> np.ndarray:
    """Charge (e), half the distance of the minimum (Å) and depth (kcal/mol) of every atom of OpenMM's system, (A, 3)."""
    import openmm
    from openmm import unit

    (force,) = [f for f in system.getForces() if isinstance(f, openmm.NonbondedForce)]
    units = unit.elementary_charge, unit.angstrom, unit.kilocalories_per_mole
    found = [
        [x.value_in_unit(u) for x, u in zip(force.getParticleParameters(k), units, strict=True)]
        for k in range(system.getNumParticles())
    ]
    return np.array(found) * [1.0, 2 ** (1 / 6) / 2, 1.0]  # from where the energy is zero to half the minimum


@reported
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("structure", type=Path, help="PDB file")
    parser.add_argument("--ligand", nargs="+", required=True, help="its residues, chain:number")
    parser.add_argument("--parameters", nargs="*", type=Path, default=[], help="OpenMM XML files of other residues")
    parser.add_argument("--length-ps", type=float, default=10.0)
    parser.add_argument("--every-ps", type=float, default=0.1)
    parser.add_argument("--temperature-k", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, required=True)
    o = parser.parse_args(arguments)
    for name in ("length_ps", "every_ps", "temperature_k"):
        if getattr(o, name) <= 0:
            raise DataError(f"--{name.replace('_', '-')} {getattr(o, name):g}: must be positive")
    table = run(o.structure, o.ligand, o.parameters, o.length_ps, o.every_ps, o.temperature_k, o.seed, o.folder)
    print(table.describe().loc[["mean", "std"]].to_string(float_format="{:.3g}".format))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A peptide and a ligand under AMBER, where OpenMM is installed; geometry and refusals without it."""

import json

import numpy as np
import pandas as pd
import pytest
from qff.errors import DataError
from qff.hybrid import trajectory
from qff.units import KCAL_PER_MOL_IN_EV

# Heavy atoms of alanine between its caps, stretched out, in the geometry of AMBER's residues (Å).
PEPTIDE = {
    ("ACE", 1): {"CH3": (2.000, 2.090, 0.0), "C": (3.427, 2.641, 0.0), "O": (4.391, 1.877, 0.0)},
    ("ALA", 2): {
        "N": (3.555, 3.970, 0.0), "CA": (4.853, 4.614, 0.0), "CB": (5.661, 4.221, -1.232), "C": (4.713, 6.129, 0.0),
        "O": (3.601, 6.653, 0.0),
    },
    ("NME", 3): {"N": (5.846, 6.835, 0.0), "C": (5.846, 8.284, 0.0)},
}  # fmt: skip


def structure(path, chains: str = "AB", missing: str = ""):
    """Chain A: the peptide. Chain B: its caps alone, N-methylacetamide, 5 Å away: a ligand that AMBER knows."""
    lines, number = [], 0
    for chain in chains:
        for (residue, place), atoms in PEPTIDE.items():
            if chain == "B" and residue == "ALA":
                continue
            for name, position in atoms.items():
                x = np.array(position) + (chain == "B") * np.array([0.0, 0.0, 5.0])
                if chain == "B" and residue == "NME":
                    x = x - (np.array(PEPTIDE["NME", 3]["N"]) - np.array(PEPTIDE["ALA", 2]["N"]))
                if name == missing:
                    continue
                number += 1
                lines.append(
                    f"ATOM  {number:5d}  {name:<3} {residue} {chain}{place:4d}    {x[0]:8.3f}{x[1]:8.3f}{x[2]:8.3f}"
                    f"  1.00  0.00           {name[0]}"
                )
        lines.append("TER")
    path.write_text("\n".join([*lines, "END"]) + "\n")
    return path


def test_superposition_undoes_a_rigid_motion():
    rng = np.random.default_rng(0)
    start = rng.normal(size=(9, 3))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    moved = start @ turn + [1.0, -2.0, 3.0]
    np.testing.assert_allclose(trajectory.superposed(moved, start, np.arange(5)), start, atol=1e-12)
    mirrored = start * [1, 1, -1]
    assert np.abs(trajectory.superposed(mirrored, start, np.arange(9)) - start).max() > 0.1, (
        "no mirror image is a turn"
    )


def test_what_is_observed():
    start = np.array([[0, 0, 0], [3, 0, 0], [0, 3, 0], [0, 0, 4], [0, 0, 5.0]])
    parts = trajectory.Parts(np.array([3, 4]), np.array([3, 4]), np.array([0, 1, 2]), np.array([0, 1, 2]))
    moved = start + np.outer([0, 0, 0, 1, 1], [0, 0, 2.0])
    assert trajectory.observed(moved, start, parts) == pytest.approx((0.0, 2.0, 6.0))


def test_refusals(tmp_path, capsys):
    path = structure(tmp_path / "a.pdb")
    common = ["--folder", str(tmp_path / "out")]
    assert trajectory.main([str(path), "--ligand", "B:1", "--length-ps", "0", *common]) == 1
    assert "--length-ps 0: must be positive" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def openmm():
    return pytest.importorskip("openmm", reason="OpenMM is not part of the environment")


def test_a_short_trajectory_of_a_peptide_and_a_ligand(openmm, tmp_path):
    path = structure(tmp_path / "complex.pdb")
    folder = tmp_path / "out"
    arguments = [
        str(path),
        "--ligand",
        "B:1",
        "B:3",
        "--length-ps",
        "1.0",
        "--every-ps",
        "0.05",
        "--folder",
        str(folder),
    ]
    assert trajectory.main(arguments) == 0
    table = pd.read_csv(folder / "trajectory.csv")
    assert list(table) == trajectory.COLUMNS
    assert len(table) == 21
    assert table.iloc[0][["protein_rmsd_ang", "ligand_rmsd_ang"]].to_numpy() == pytest.approx(0.0, abs=1e-9)
    assert (table.iloc[1:][["protein_rmsd_ang", "ligand_rmsd_ang"]] > 1e-3).all().all()
    assert table.closest_ang.between(2.0, 15.0).all()
    assert 150 < table.temperature_k[10:].mean() < 450
    run = json.loads((folder / "run.json").read_text())
    assert run["n_atoms"] == 22 + 12
    assert run["ligand"] == ["B:1", "B:3"]
    atoms = [x for x in (folder / "last.pdb").read_text().splitlines() if x.startswith(("ATOM", "HETATM"))]
    assert len(atoms) == 34


def test_the_interaction_is_the_difference_of_energies(openmm, tmp_path):
    """Of the two together and each alone, in vacuum, by OpenMM itself."""
    from openmm import app, unit

    def energy(chains, positions):
        found = app.PDBFile(str(structure(tmp_path / f"{chains}.pdb", chains)))
        modeller = app.Modeller(found.topology, found.positions)
        field = app.ForceField("amber14-all.xml")
        modeller.addHydrogens(field)
        system = field.createSystem(modeller.topology, nonbondedMethod=app.NoCutoff)
        context = openmm.Context(
            system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
        )
        context.setPositions(modeller.positions if positions is None else positions)
        state = context.getState(getEnergy=True, getPositions=True)
        return state.getPotentialEnergy().value_in_unit(unit.kilocalories_per_mole), state.getPositions(), system

    whole, positions, system = energy("AB", None)
    protein, _, _ = energy("A", positions[:22])
    ligand, _, _ = energy("B", positions[22:])
    x = 10 * np.asarray(positions.value_in_unit(unit.nanometer))
    found = trajectory.between(trajectory.pair_terms(system), np.arange(34) >= 22, x)
    assert found / KCAL_PER_MOL_IN_EV == pytest.approx(whole - protein - ligand, abs=1e-3)


def test_residues_without_parameters_are_named(openmm, tmp_path):
    path = structure(tmp_path / "a.pdb")
    strange = "HETATM   99  C1  XYZ C   1       9.000   9.000   9.000  1.00  0.00           C\n"
    path.write_text(path.read_text().replace("END\n", strange + "END\n"))
    with pytest.raises(DataError, match=r"XYZ.*--parameters"):
        trajectory.run(path, ["B:3"], [], 0.1, 0.1, 300.0, 1, tmp_path / "out")
    with pytest.raises(DataError, match="no residue C:1; there are A:1"):
        trajectory.run(structure(path), ["C:1"], [], 0.1, 0.1, 300.0, 1, tmp_path / "out")
    (tmp_path / "b.pdb").write_text("not a structure")
    with pytest.raises(DataError, match=r"b\.pdb"):
        trajectory.run(tmp_path / "b.pdb", ["A:1"], [], 0.1, 0.1, 300.0, 1, tmp_path / "out")

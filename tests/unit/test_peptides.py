"""AMBER on peptides without names: bonds, residues, and the energy of OpenMM where it is installed."""

import numpy as np
import pytest
from qff.errors import DataError
from qff.hybrid import peptides
from qff.units import KCAL_PER_MOL_IN_EV

# N-methylacetamide: the caps ACE and NME and nothing between them. Positions in Å, planar, bond lengths of ff14SB.
NAMES = ["CH3", "C", "O", "N", "H", "CH3'", "HA1", "HA2", "HA3", "HN1", "HN2", "HN3"]
SYMBOLS = ["C", "C", "O", "N", "H", "C", "H", "H", "H", "H", "H", "H"]


def methylacetamide() -> np.ndarray:
    heavy = {
        "C": [0.0, 0.0, 0.0], "O": [0.0, 1.229, 0.0], "N": [1.15, -0.68, 0.0], "CH3": [-1.32, -0.77, 0.0],
        "H": [1.10, -1.69, 0.0], "CH3'": [2.46, -0.05, 0.0],
    }  # fmt: skip
    positions = {k: np.array(x) for k, x in heavy.items()}
    for end, other, stem in (("CH3", "C", "HA"), ("CH3'", "N", "HN")):
        along = positions[end] - positions[other]
        along /= np.linalg.norm(along)
        side = np.cross(along, [0, 0, 1.0])
        for k in range(3):
            a = 2 * np.pi * k / 3 + 0.2
            positions[f"{stem}{k + 1}"] = positions[end] + 1.09 * (
                along / 3 + np.sqrt(8) / 3 * (np.cos(a) * side + np.sin(a) * np.array([0, 0, 1.0]))
            )
    return np.array([positions[n] for n in NAMES])


def test_bonds_follow_from_distances_and_residues_from_peptide_bonds():
    bound = peptides.bonds(SYMBOLS, methylacetamide())
    assert len(bound) == 11
    assert (1, 2) in bound
    pieces = peptides.residues(SYMBOLS, bound)
    assert sorted(sorted(NAMES[k] for k in own) for own in pieces) == [
        ["C", "CH3", "HA1", "HA2", "HA3", "O"], ["CH3'", "H", "HN1", "HN2", "HN3", "N"]
    ]  # fmt: skip


def test_the_amide_of_a_side_chain_stays():
    """Acetamide: its nitrogen has one heavy neighbour."""
    symbols = ["C", "C", "O", "N", "H", "H", "H", "H", "H"]
    bound = frozenset({(0, 1), (1, 2), (1, 3), (3, 4), (3, 5), (0, 6), (0, 7), (0, 8)})
    assert peptides.residues(symbols, bound) == [list(range(9))]


@pytest.fixture
def frames(tmp_path):
    """Shaken copies in another order of atoms, labelled by the force field itself and a constant."""
    pytest.importorskip("openmm", reason="OpenMM is not part of the environment")
    import ase
    import ase.io
    from ase.calculators.singlepoint import SinglePointCalculator

    rng, images = np.random.default_rng(0), []
    order = rng.permutation(12)
    symbols = [SYMBOLS[k] for k in order]
    start = methylacetamide()[order]
    molecule = peptides.Peptide(symbols, peptides.bonds(symbols, start), "x")
    for k in range(12):
        atoms = ase.Atoms(symbols, start + 0.03 * rng.normal(size=start.shape))
        energy, forces = molecule.energy_and_forces(atoms.positions)
        energy += 0.5 * (-1) ** k * KCAL_PER_MOL_IN_EV - 248.0
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces + 2 * KCAL_PER_MOL_IN_EV)
        images.append(atoms)
    path = tmp_path / "set.extxyz"
    ase.io.write(path, images)
    return path, molecule, images


def test_the_record_is_the_error_after_one_offset(frames):
    found = peptides.record(frames[0])
    assert found["energy_rmse"] == pytest.approx([0.5] * 3, abs=1e-5)
    assert found["force_rmse"] == pytest.approx([2.0] * 3, abs=1e-5)
    assert (found["n_frames"], found["n_molecules"]) == (12, 1)


def test_forces_are_the_slope(frames):
    _, molecule, images = frames
    positions, h = images[0].positions, 1e-4
    forces = molecule.energy_and_forces(positions)[1]
    for atom, axis in ((0, 0), (4, 1), (9, 2)):
        moved = [positions.copy(), positions.copy()]
        for sign, x in zip((1, -1), moved, strict=True):
            x[atom, axis] += sign * h
        up, down = (molecule.energy_and_forces(x)[0] for x in moved)
        assert forces[atom, axis] == pytest.approx(-(up - down) / (2 * h), abs=1e-4)


def test_what_is_no_peptide_is_said(frames, tmp_path, capsys):
    with pytest.raises(DataError, match=r"here: not a peptide that AMBER knows"):
        peptides.Peptide(["C", "H", "H", "H", "H"], frozenset({(0, k) for k in range(1, 5)}), "here")
    assert peptides.main([str(tmp_path / "none.extxyz")]) == 1
    assert "no labelled peptides" in capsys.readouterr().err
    import ase.io

    ase.io.write(tmp_path / "few.extxyz", frames[2][:3])
    with pytest.raises(DataError, match="3 frames of a molecule"):
        peptides.record(tmp_path / "few.extxyz")

"""Periodic materials: import and its refusals, baselines, splits."""

from dataclasses import replace

import ase.io
import numpy as np
import pytest
from ase import Atoms
from lithium_chloride import labelled, rattled, some_potential
from qff.errors import DataError
from qff.materials.baselines import check_elements, composition_means, fit_references, split_frames
from qff.materials.dynamics import supercell
from qff.materials.frames import Frame, read_frames, work_ratio
from qff.materials.labelling import distorted, write_frames


@pytest.fixture(scope="module")
def frames():
    return labelled(30, some_potential())


# Import -----------------------------------------------------------------------------------------------------------


def test_frames_survive_their_file(tmp_path, frames):
    write_frames(tmp_path / "set.extxyz", frames, method="none")
    back = read_frames(tmp_path / "set.extxyz")
    assert len(back) == len(frames)
    for one, two in zip(frames, back, strict=True):
        assert one.composition == two.composition == "Li2Cl2"
        for name in ("positions", "cell", "energy", "forces", "stress"):
            np.testing.assert_allclose(getattr(two, name), getattr(one, name), atol=1e-7)


def test_compositions_may_vary(tmp_path, frames):
    larger = supercell(frames[0], (2, 1, 1))
    other = Frame(larger.numbers, larger.positions, larger.cell.array, -1.0, 0.0 * larger.positions)
    write_frames(tmp_path / "set.extxyz", [frames[0], other])
    assert [f.composition for f in read_frames(tmp_path / "set.extxyz")] == ["Li2Cl2", "Li4Cl4"]


def edited(path, frames, edit):
    """The file of three frames after a change of its lines."""
    write_frames(path, frames[:3])
    path.write_text(edit(path.read_text()))
    return path


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: "", "no frame|not a readable"),
        (lambda t: t[: len(t) // 2], "not a readable|no energy|no frame"),
        (lambda t: t.replace('pbc="T T T"', 'pbc="F F F"', 1), "frame 0: no cell that is periodic"),
        (lambda t: t.replace("energy=", "other=", 1), "frame 0: no energy"),
        (lambda t: t.replace(":forces:R:3", ":velocity:R:3", 1), "frame 0: an energy without forces"),
        (lambda t: t.replace("species:S:1", "site:S:1", 1), "frame 0: atoms of no element"),
        (lambda t: t + t, "frame 3 is frame 0 again"),
    ],
)
def test_bad_files_are_refused_with_the_frame(tmp_path, frames, edit, message):
    with pytest.raises(DataError, match=message):
        read_frames(edited(tmp_path / "bad.extxyz", frames, edit))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.extxyz: no such file"):
        read_frames(tmp_path / "nothing.extxyz")


@pytest.mark.parametrize("what", ["positions", "forces", "stress"])
def test_values_that_are_not_finite_are_refused(tmp_path, frames, what):
    values = getattr(frames[0], what).copy()
    values[0, 0] = np.nan
    write_frames(tmp_path / "bad.extxyz", [replace(frames[0], **{what: values})])
    with pytest.raises(DataError, match="frame 0: values that are not finite"):
        read_frames(tmp_path / "bad.extxyz")


@pytest.mark.parametrize(
    ("energy", "forces", "stress"),
    [
        ("REF_energy", "REF_forces", "REF_stress"),
        ("free_energy", "force", "virial"),
        ("Energy", "DFT_forces", "virials"),
    ],
)
def test_labels_are_found_by_the_names_that_others_use(tmp_path, frames, energy, forces, stress):
    frame = frames[0]
    atoms = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=True)
    voigt = frame.stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    tensor = {
        "REF_stress": voigt,
        "virial": -frame.volume * frame.stress,
        "virials": -frame.volume * frame.stress.ravel(),
    }
    atoms.info |= {energy: frame.energy, stress: tensor[stress]}
    atoms.new_array(forces, frame.forces)
    ase.io.write(tmp_path / "set.extxyz", atoms, format="extxyz")
    (back,) = read_frames(tmp_path / "set.extxyz")
    for name in ("energy", "forces", "stress"):
        np.testing.assert_allclose(getattr(back, name), getattr(frame, name), atol=1e-7)


def test_a_stress_of_another_length_is_refused(tmp_path, frames):
    atoms = supercell(frames[0], (1, 1, 1))
    atoms.info |= {"REF_energy": 0.0, "REF_stress": np.ones(4)}
    atoms.new_array("REF_forces", frames[0].forces)
    ase.io.write(tmp_path / "bad.extxyz", atoms, format="extxyz")
    with pytest.raises(DataError, match="frame 0: a stress or virial of 4 numbers"):
        read_frames(tmp_path / "bad.extxyz")


def test_atoms_in_one_place_are_refused(tmp_path, frames):
    """The same atom on both sides of a cell, say."""
    positions = frames[0].positions.copy()
    positions[2] = positions[0] + frames[0].cell[1] + 0.01
    write_frames(tmp_path / "bad.extxyz", [replace(frames[0], positions=positions)])
    with pytest.raises(DataError, match=r"frame 0: atoms 0 and 2 are closer than 0\.4 Å"):
        read_frames(tmp_path / "bad.extxyz")


def test_energies_from_a_minimum_are_no_mixed_units(tmp_path, frames):
    """They may differ by any factor; 0.11 and the median 2.5 by that of kcal/mol."""
    energies = [0.0, 0.11, 2.0, 3.0, 4.0, 5.0]
    shifted = [replace(f, energy=e) for f, e in zip(frames, energies, strict=False)]
    write_frames(tmp_path / "set.extxyz", shifted)
    assert [f.energy for f in read_frames(tmp_path / "set.extxyz")] == energies


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: replace(f, energy=f.energy / 27.2114), "Hartree"),
        (lambda f: replace(f, energy=f.energy * 23.0605), "kcal/mol"),
        (lambda f: replace(f, cell=f.cell / 0.529177, positions=f.positions / 0.529177), "bohr"),
    ],
)
def test_mixed_units_are_detected(tmp_path, frames, change, message):
    shifted = [replace(f, energy=f.energy - 500.0) for f in frames[:6]]
    write_frames(tmp_path / "bad.extxyz", [*shifted[:5], change(shifted[5])])
    with pytest.raises(DataError, match=rf"frame 5.*{message}.*mixed units"):
        read_frames(tmp_path / "bad.extxyz")


def test_forces_in_other_units_than_energies_are_detected_on_a_trajectory(tmp_path):
    potential, start = some_potential(), rattled(1)
    path, rng = [], np.random.default_rng(0)
    for _ in range(8):
        start.positions += rng.normal(scale=0.01, size=start.positions.shape)
        cell = start.cell.array
        path.append(
            Frame(
                start.numbers, start.positions.copy(), cell, *potential.evaluate(start.numbers, start.positions, cell)
            )
        )
    assert work_ratio(path) == pytest.approx(1.0, abs=0.05)
    write_frames(tmp_path / "bad.extxyz", [replace(f, forces=f.forces / 51.4221) for f in path])
    with pytest.raises(DataError, match="the work that the energies differ by"):
        read_frames(tmp_path / "bad.extxyz")


# Baselines and splits ---------------------------------------------------------------------------------------------


def cells_of(*counts: tuple[int, int], energies) -> list[Frame]:
    return [
        Frame(np.array([3] * a + [17] * b), np.zeros((a + b, 3)), np.eye(3), e, np.zeros((a + b, 3)))
        for (a, b), e in zip(counts, energies, strict=True)
    ]


def test_reference_energies_are_those_of_the_elements_or_the_mean():
    several = fit_references(cells_of((1, 1), (2, 1), (1, 3), energies=[-5.0, -6.0, -13.0]))
    np.testing.assert_allclose(several.per_atom, [-1.0, -4.0])
    one = fit_references(cells_of((1, 1), (1, 1), energies=[-5.0, -7.0]))
    np.testing.assert_allclose(one.per_atom, [-3.0, -3.0])


def test_the_mean_is_that_of_the_same_composition_in_training():
    training = cells_of((1, 1), (1, 1), (2, 1), energies=[-5.0, -7.0, -8.0])
    found = composition_means(training, cells_of((1, 1), (2, 1), energies=[0.0, 0.0]), fit_references(training))
    np.testing.assert_allclose(found, [-6.0, -8.0])


def test_an_element_that_training_lacks_is_refused(frames):
    references = fit_references(frames)
    odd = replace(frames[0], numbers=np.where(frames[0].numbers == 3, 11, 17))
    with pytest.raises(DataError, match="atomic number 11 is in no training frame"):
        references.of([odd])
    with pytest.raises(DataError, match=r"holds Na, which no training frame has \(they have Li, Cl\)"):
        some_potential().evaluate(odd.numbers, odd.positions, odd.cell)


def test_a_frame_with_an_element_that_training_lacks_is_named_by_its_place_in_the_file():
    frames = cells_of((1, 1), (2, 0), (1, 2), energies=[0.0, 0.0, 0.0])
    check_elements(frames, {"train": np.array([0]), "test": np.array([1, 2])}, "set")
    with pytest.raises(DataError, match=r"set: frame 2 \(LiCl2\), for test, holds Cl, which no training frame has"):
        check_elements(frames, {"train": np.array([1]), "test": np.array([2])}, "set")


@pytest.mark.parametrize("by", ["blocks", "random"])
def test_parts_are_disjoint_and_differ_by_seed(by):
    parts = [split_frames(200, by, s, 90, 20, np.random.default_rng(s)) for s in range(3)]
    for part in parts:
        assert (len(part["train"]), len(part["validation"])) == (90, 20)
        together = np.concatenate(list(part.values()))
        assert len(set(together.tolist())) == len(together)
    assert len({tuple(p["test"].tolist()) for p in parts}) == 3


def test_blocks_keep_their_distance():
    part = split_frames(200, "blocks", 1, 90, 20, np.random.default_rng(0))
    used = np.concatenate([part["train"], part["validation"]])
    assert np.abs(used[:, None] - part["test"]).min() > 2
    assert (np.diff(part["test"]) > 1).sum() == 1  # two runs of consecutive frames


def test_too_few_frames_are_refused():
    with pytest.raises(DataError, match="20 frames are too few"):
        split_frames(20, "blocks", 0, 18, 2, np.random.default_rng(0))


def test_distorted_cells_differ_and_follow_their_seed():
    atoms = rattled(0)
    one, again, other = (distorted(atoms, np.random.default_rng(k)) for k in (1, 1, 2))
    np.testing.assert_array_equal(one.positions, again.positions)
    assert np.abs(one.positions - other.positions).max() > 1e-3

"""Active learning: what a committee proposes, and labels that are kept frame by frame."""

import ase.io
import numpy as np
import pytest
from qff.config.materials import MaterialsConfig
from qff.errors import DataError, LabelError
from qff.materials import labelling
from qff.materials.active import committee, disagreement, propose
from qff.materials.active import main as propose_main
from qff.materials.frames import Frame, read_frames

LABELS, START = "results/published/reference/li2s.extxyz", "config/structures/li2s.extxyz"
QUICK = {
    "descriptor": {"n_radial": 2, "l_max": 2},
    "compression": {"regression_components": 8},
    "circuit": {"n_qubits": 2, "layers": 2, "starts": 1, "steps": 5},
}


@pytest.fixture(scope="module")
def options():
    return MaterialsConfig.model_validate(QUICK)


@pytest.fixture(scope="module")
def potentials(options):
    return committee(read_frames(LABELS)[:20], options, 2, 0)


def test_members_differ_and_the_most_disputed_cells_come_first(potentials, options):
    atoms = labelling.read_structure(START)
    cells = propose(potentials, atoms, [300.0], 200.0, 2.0, 4, options, 0)
    assert 1 <= len(cells) <= 4
    disputes = [disagreement(potentials, c.numbers, c.positions, c.cell.array) for c in cells]
    assert disputes == sorted(disputes, reverse=True)
    assert disputes[-1] > 0
    assert disagreement(potentials[:1] * 2, atoms.numbers, atoms.positions, atoms.cell.array) == 0


def test_too_few_labels_are_refused(options):
    with pytest.raises(DataError, match="5 labelled frames are too few"):
        committee(read_frames(LABELS)[:5], options, 2, 0)


def test_the_command_refuses_labels_that_are_not_there(tmp_path, capsys):
    words = [str(tmp_path / "none.extxyz"), "--start", START, "--out", str(tmp_path / "o.extxyz")]
    assert propose_main(words) == 1
    assert "none.extxyz: no such file" in capsys.readouterr().err


def test_labels_are_kept_and_not_computed_again(tmp_path, monkeypatch):
    calls = []

    def label(atoms, where):
        calls.append(where)
        if len(calls) == 2:
            raise LabelError(f"{where}: failed")
        return Frame(atoms.numbers, atoms.positions, atoms.cell.array, -1.0, 0 * atoms.positions, np.zeros((3, 3)))

    monkeypatch.setattr(labelling, "label", label)
    words = [START, "--frames", "3", "--workdir", str(tmp_path / "work"), "--collect", str(tmp_path / "set.extxyz")]
    assert labelling.main(words) == 0
    assert len(read_frames(tmp_path / "set.extxyz")) == 2  # the one that failed is left out
    assert labelling.main(words) == 0
    assert calls == ["frame 0", "frame 1", "frame 2", "frame 1"]
    assert len(read_frames(tmp_path / "set.extxyz")) == 3


def test_cells_of_another_file_are_labelled_too(tmp_path, monkeypatch):
    atoms = ase.io.read(START)
    atoms.positions[0, 0] += 0.1
    ase.io.write(tmp_path / "more.extxyz", atoms)
    monkeypatch.setattr(
        labelling, "label", lambda a, _: Frame(a.numbers, a.positions, a.cell.array, 0.0, 0 * a.positions, np.eye(3))
    )
    words = [START, "--frames", "1", "--workdir", str(tmp_path / "w"), "--collect", str(tmp_path / "set.extxyz")]
    assert labelling.main([*words, "--positions", str(tmp_path / "more.extxyz")]) == 0
    np.testing.assert_allclose(read_frames(tmp_path / "set.extxyz")[1].positions, atoms.positions, atol=1e-7)


def test_a_frozen_label_is_that_of_tblite_today():
    """One frame, computed again."""
    import ase.io

    frozen = read_frames(LABELS)[3]
    image = ase.io.read(LABELS, index=3)
    again = labelling.label(image, "frame 3")
    assert again.energy == pytest.approx(frozen.energy, abs=1e-4)
    np.testing.assert_allclose(again.forces, frozen.forces, atol=1e-3)

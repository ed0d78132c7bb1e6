"""Reference labels: right numbers, resumable work, and frozen sets that cannot be edited unnoticed."""

import json
from pathlib import Path

import numpy as np
import pytest
from qff.config import ReferenceConfig
from qff.data import read_frames, write_frames
from qff.errors import DataError, LabelError
from qff.reference import chunks, labels
from qff.reference.frozen import check_consistency, compare_with_fci, freeze, read_frozen, recheck
from qff.reference.scan import distances, geometries


@pytest.fixture
def frozen(small_system, tmp_path):
    """A real small frozen set; labelling it takes about two seconds."""
    positions = geometries(small_system)
    frames = chunks.label_frames(small_system, positions, list(range(len(positions))), tmp_path / "frames")
    path = tmp_path / "frozen.extxyz"
    freeze(frames, path, small_system)
    return path


def test_scan(study):
    scan = study.systems["lih"].reference.scan
    r = distances(scan)
    assert len(r) == scan.n_frames >= 120
    assert (r[0], r[-1]) == (scan.minimum, scan.maximum)
    gaps = np.diff(r)
    assert (gaps > 0).all()
    assert gaps.max() < 0.05
    assert gaps[np.abs(r[:-1] - scan.focus).argmin()] < 0.6 * gaps[-1]


@pytest.mark.parametrize("r", [1.2, 1.6, 3.2])
def test_forces_are_the_slope_of_the_ccsd_t_energy(small_system, r):
    """Guards against PySCF's fallback on the CCSD Λ equations, wrong by 1e-2 eV/Å at stretched bonds."""

    def at(distance):
        return labels.label(small_system, np.array([[0, 0, 0], [0, 0, distance]]), "test")

    step = 2e-3
    slope = (8 * (at(r + step).energy - at(r - step).energy) - at(r + 2 * step).energy + at(r - 2 * step).energy) / (
        12 * step
    )
    found = at(r).forces
    assert found[1, 2] == pytest.approx(-slope, abs=5e-6)
    np.testing.assert_allclose(found.sum(0), 0, atol=1e-8)
    np.testing.assert_allclose(found[:, :2], 0, atol=1e-10)


def test_fci_check(small_system, frozen):
    table = compare_with_fci(read_frames(frozen), small_system, 3, "small")
    assert len(table) == 3
    assert (table.frame.iloc[0], table.frame.iloc[-1]) == (0, 9)
    assert (table.error_mev.abs() < 0.1).all()
    assert (table.error_mev != 0).any()


def test_published_set_is_whole(study):
    system = study.systems["lih"]
    frames = read_frozen(Path(system.reference.frozen), system)
    assert len(frames) == system.reference.scan.n_frames
    assert {i["method"] for i in frames.info} == {"CCSD(T)"}
    assert {i["basis"] for i in frames.info} == {"cc-pvtz"}
    assert check_consistency(frames, "published") < 2e-5


def _edit(path, frame, row, old, new):
    lines = path.read_text().splitlines(keepends=True)
    before = lines[4 * frame + row]
    lines[4 * frame + row] = before.replace(old, new, 1)
    assert lines[4 * frame + row] != before
    path.write_text("".join(lines))


def test_edits_are_found_and_the_frame_named(small_system, frozen):
    original = frozen.read_text()
    info = read_frames(frozen)
    energy = f"{info.energies[4]:.4f}"[:-1]
    for frame, row, old, new in (
        (4, 1, energy, energy[:-1] + str((int(energy[-1]) + 1) % 10)),
        (6, 3, "0.00000000", "0.00100000"),
        (2, 2, "0.00000000", "0.00000001"),
    ):
        frozen.write_text(original)
        _edit(frozen, frame, row, old, new)
        with pytest.raises(DataError, match=f"frame {frame}: differs from its recorded digest"):
            read_frozen(frozen, small_system)
    frozen.write_text("".join(original.splitlines(keepends=True)[:-4]))
    with pytest.raises(DataError, match="9 frames, its provenance lists 10"):
        read_frozen(frozen, small_system)


def test_provenance_must_fit(small_system, frozen):
    provenance = frozen.with_suffix(".json")
    content = json.loads(provenance.read_text())
    other = small_system.model_copy(
        update={"reference": small_system.reference.model_copy(update={"basis": "sto-3g"})}
    )
    with pytest.raises(DataError, match="another scan or level of theory"):
        read_frozen(frozen, other)
    content["frame_digests"][3] = "0" * 16
    provenance.write_text(json.dumps(content))
    with pytest.raises(DataError, match="frame 3"):
        read_frozen(frozen, small_system)
    provenance.write_text("{")
    with pytest.raises(DataError, match=r"provenance of frozen\.extxyz is unreadable"):
        read_frozen(frozen, small_system)


def test_wrong_labels_with_regenerated_digests_are_found(small_system, frozen, tmp_path):
    """Who edits a label and its digest still contradicts the slope of the curve, or the recalculation."""
    frames = read_frames(frozen)
    frames.energies[5] += 0.05
    freeze(frames, frozen, small_system)
    with pytest.raises(DataError, match=r"frame \d .*force and slope of the energies differ"):
        read_frozen(frozen, small_system)
    frames.energies[5] -= 0.05
    frames.energies[:] += 2e-4  # consistent with the forces, and wrong
    freeze(frames, frozen, small_system)
    config = ReferenceConfig(recheck_frames=2)
    with pytest.raises(LabelError, match=r"frame \d+: recalculation differs by 0.2 meV"):
        recheck(read_frames(frozen), small_system, config, 1, "small")
    frames.energies[:] -= 2e-4
    table = recheck(frames, small_system, config, 1, "small")
    assert len(table) == 2
    assert table.energy_difference_mev.max() < 1e-4


def test_chunks_resume_frame_by_frame(small_system, tmp_path, monkeypatch):
    positions = geometries(small_system)
    computed = []
    real = chunks.label

    def counted(system, xyz, where):
        computed.append(where)
        if len(computed) == 3:
            raise KeyboardInterrupt
        return real(system, xyz, where)

    monkeypatch.setattr(chunks, "label", counted)
    with pytest.raises(KeyboardInterrupt):
        chunks.label_frames(small_system, positions, [0, 3, 6], tmp_path / "work")
    (tmp_path / "work/frame_0003.json").write_text('{"key": "half a fi')  # a torn file is not taken as done
    computed[:] = [None] * 10
    resumed = chunks.label_frames(small_system, positions, [0, 3, 6], tmp_path / "work")
    assert computed[10:] == ["frame 3", "frame 6"]
    assert [i["frame"] for i in resumed.info] == [0, 3, 6]
    assert resumed.energies[0] == real(small_system, positions[0], "again").energy
    # Work of another geometry is not taken for this one's.
    moved = positions + np.array([0, 0, 0.01]) * np.arange(2)[None, :, None]
    computed.clear()
    computed[:] = [None] * 10
    chunks.label_frames(small_system, moved, [0], tmp_path / "work")
    assert computed[10:] == ["frame 0"]


def test_what_does_not_converge_is_refused_by_name(small_system, monkeypatch):
    positions = geometries(small_system)[0]
    monkeypatch.setattr(labels, "SCF_TOLERANCE", 1e-40)
    monkeypatch.setattr(labels, "SCF_CYCLES", 2)
    with pytest.raises(LabelError, match=r"frame 7: RHF did not converge"):
        labels.label(small_system, positions, "frame 7")
    monkeypatch.undo()
    monkeypatch.setattr(labels, "CC_ATTEMPTS", ((0.0, 1), (0.2, 2)))
    with pytest.raises(LabelError, match=r"frame 7: CCSD did not converge"):
        labels.label(small_system, positions, "frame 7")


def test_frames_on_disk_are_the_ones_computed(small_system, tmp_path):
    positions = geometries(small_system)[:2]
    frames = chunks.label_frames(small_system, positions, [0, 1], tmp_path / "work")
    write_frames(tmp_path / "x.extxyz", frames)
    np.testing.assert_allclose(read_frames(tmp_path / "x.extxyz").forces, frames.forces, atol=1e-8)

"""Reference labels: right numbers, resumable work, and frozen sets that cannot be edited unnoticed."""

import json
from pathlib import Path

import numpy as np
import pytest
from qff.config import ReferenceConfig
from qff.data import LabelledFrames, read_frames, write_frames
from qff.errors import DataError, LabelError
from qff.reference import chunks, coupled_cluster, labels
from qff.reference.frozen import check_consistency, compare_with_fci, freeze, read_frozen, recheck
from qff.reference.geometries import geometries
from qff.reference.scan import distances

PUBLISHED = Path("results/published/reference/lih.extxyz")


@pytest.fixture(scope="module")
def small_frames(small_system, tmp_path_factory):
    """Real labels of the small system; they take about two seconds."""
    positions = geometries(small_system)
    return chunks.label_frames(small_system, positions, list(range(len(positions))), tmp_path_factory.mktemp("work"))


@pytest.fixture
def frozen(small_system, small_frames, tmp_path):
    """A small frozen set to damage."""
    path = tmp_path / "frozen.extxyz"
    freeze(small_frames, path, small_system)
    return path


@pytest.fixture
def published():
    """The published labels, as arrays to damage."""
    return read_frames(PUBLISHED)


def test_scan(study):
    scan = study.systems["lih"].reference.scan
    r = distances(scan)
    assert len(r) == scan.n_frames >= 120
    assert (r[0], r[-1]) == (scan.minimum, scan.maximum)
    gaps = np.diff(r)
    assert (gaps > 0).all()
    assert gaps.max() < 0.05
    assert gaps[np.abs(r[:-1] - scan.focus).argmin()] < 0.6 * gaps[-1]
    positions = geometries(study.systems["lih"])
    np.testing.assert_array_equal(np.linalg.norm(positions[:, 1] - positions[:, 0], axis=-1), r)


@pytest.mark.parametrize(("n_frames", "density"), [(8, 0.0), (9, 5.0), (300, 2.0)])
def test_scans_of_any_size(study, n_frames, density):
    scan = study.systems["lih"].reference.scan.model_copy(update={"n_frames": n_frames, "focus_density": density})
    r = distances(scan)
    assert (len(r), r[0], r[-1]) == (n_frames, scan.minimum, scan.maximum)
    gaps = np.diff(r)
    assert (gaps > 0).all()
    centre = gaps[np.abs(r[:-1] - scan.focus).argmin()]
    assert centre / gaps[-1] == pytest.approx(1 / (1 + density), rel=0.25)


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
    assert check_consistency(frames, "published", 2e-4) < 2e-5
    recorded = json.loads(PUBLISHED.with_suffix(".json").read_text())
    assert recorded["n_frames"] == len(frames)
    assert recorded["frozen_core"] is False


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
    force = f"{info.forces[7, 1, 2]:.8f}"
    for frame, row, old, new in (
        (4, 1, energy, energy[:-1] + str((int(energy[-1]) + 1) % 10)),
        (6, 3, "0.00000000", "0.00100000"),
        (2, 2, "0.00000000", "0.00000001"),
        (7, 3, force, force[:-1] + str((int(force[-1]) + 1) % 10)),
    ):
        frozen.write_text(original)
        _edit(frozen, frame, row, old, new)
        with pytest.raises(DataError, match=f"frame {frame}: differs from its recorded digest"):
            read_frozen(frozen, small_system)
    lines = original.splitlines(keepends=True)
    for kept in (lines[:-4], lines[:12] + lines[16:], lines[4:]):
        frozen.write_text("".join(kept))
        with pytest.raises(DataError, match="9 frames, its provenance lists 10"):
            read_frozen(frozen, small_system)
    frozen.write_text("".join(lines[:8] + lines[12:16] + lines[8:12] + lines[16:]))
    with pytest.raises(DataError, match="frame 2: differs from its recorded digest"):
        read_frozen(frozen, small_system)
    frozen.write_text(original.replace("basis=6-31g", "basis=cc-pvqz", 1))
    with pytest.raises(DataError, match=r"rest of the file \(sha256\) is not: a comment line was edited"):
        read_frozen(frozen, small_system)
    frozen.write_text(original)
    assert len(read_frozen(frozen, small_system)) == 10


def test_provenance_must_fit(small_system, frozen):
    provenance = frozen.with_suffix(".json")
    original = json.loads(provenance.read_text())
    other = small_system.model_copy(
        update={"reference": small_system.reference.model_copy(update={"basis": "sto-3g"})}
    )
    with pytest.raises(DataError, match="other geometries or another level of theory"):
        read_frozen(frozen, other)
    digests = original["frame_digests"]
    scan = {**original["level"]["scan"], "n_frames": 11}
    for edit, message in (
        ({"frame_digests": [*digests[:3], "0" * 16, *digests[4:]]}, "frame 3: differs from its recorded digest"),
        ({"frame_digests": digests[:9]}, "10 frames, its provenance lists 9"),
        ({"frame_digests": None}, "provenance of frozen.extxyz is unreadable"),
        ({"frame_digests": 5}, "provenance of frozen.extxyz is unreadable"),
        ({"level": {**original["level"], "basis": "cc-pvtz"}}, "other geometries or another level of theory"),
        ({"level": {**original["level"], "scan": scan}}, "other geometries or another level of theory"),
        ({"level": None}, "other geometries or another level of theory"),
        ({"sha256": "0" * 64}, "sha256"),
    ):
        provenance.write_text(json.dumps({**original, **edit}))
        with pytest.raises(DataError, match=message):
            read_frozen(frozen, small_system)
    for text in ("{", "[]", "null", "{}", "\udcff"):
        provenance.write_text(text, errors="surrogateescape")
        with pytest.raises(DataError, match=r"provenance of frozen\.extxyz is unreadable .*restore it with git"):
            read_frozen(frozen, small_system)
    provenance.unlink()
    with pytest.raises(DataError, match=r"provenance of frozen\.extxyz is unreadable"):
        read_frozen(frozen, small_system)


def test_a_set_made_for_other_geometries_is_refused(small_system, small_frames, tmp_path):
    """Also if every digest and the stated scan fit."""
    positions = small_frames.positions.copy()
    positions[:, 1, 2] += 0.01
    shifted = LabelledFrames(
        small_frames.symbols, positions, small_frames.energies, small_frames.forces, small_frames.info
    )
    freeze(shifted, tmp_path / "x.extxyz", small_system)
    with pytest.raises(DataError, match="geometries differ from those"):
        read_frozen(tmp_path / "x.extxyz", small_system)


@pytest.mark.parametrize("frame", [0, 1, 40, 81, 158, 159])
@pytest.mark.parametrize(
    "damage",
    [("energies", (), 0.05), ("energies", (), -2e-4), ("forces", (1, 2), 1e-3), ("forces", (0, 2), -1e-3), ("forces", (1, 0), 1e-3)],
    ids=["energy", "small_energy", "force", "force_of_the_other_atom", "force_across_the_bond"],
)  # fmt: skip
def test_the_wrong_label_is_found_without_digests(published, frame, damage):
    name, place, error = damage
    getattr(published, name)[(frame, *place)] += error
    with pytest.raises(DataError, match=rf"set, frame {frame} \(r = .*one of its labels is wrong"):
        check_consistency(published, "set", 2e-4)


def test_labels_that_are_all_wrong_are_found(published):
    published.forces[:, 0] *= 1.1
    with pytest.raises(DataError, match=r"set, frame 0 .*its neighbours' is wrong"):
        check_consistency(published, "set", 2e-4)


def test_wrong_labels_with_regenerated_digests_are_found(small_system, frozen, tmp_path):
    """Who edits a label and its digest still contradicts the slope of the curve, or the recalculation."""
    frames = read_frames(frozen)
    frames.energies[5] += 0.05
    freeze(frames, frozen, small_system)
    with pytest.raises(DataError, match=r"frame 5 .*force and slope of the energies differ"):
        read_frozen(frozen, small_system)
    frames.energies[5] -= 0.05
    frames.energies[:] += 2e-4  # consistent with the forces, and wrong
    freeze(frames, frozen, small_system)
    config = ReferenceConfig(recheck_frames=2)
    with pytest.raises(LabelError, match=r"frame \d+: recalculation differs by 0.2 meV"):
        recheck(read_frames(frozen), small_system, config, 1, "small")
    frames.energies[:] -= 2e-4
    worst = read_frames(frozen)
    worst.energies[:] = frames.energies
    worst.forces[:] += 2e-4  # above 1e-4, the tolerance of forces
    with pytest.raises(LabelError, match=r"frozen\.extxyz, frame \d+: recalculation differs by .* 0.0002 eV/Å"):
        recheck(worst, small_system, config, 1, "small")
    table = recheck(frames, small_system, config, 1, "small")
    assert len(table) == 2
    other = {s: tuple(recheck(frames, small_system, config, s, "small").frame) for s in (1, 2, 3)}
    assert other[1] == tuple(table.frame)
    assert len(set(other.values())) > 1, "the sample is random, and the same for the same seed"
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
    finished = json.loads((tmp_path / "work/frame_0000.json").read_text())
    for torn in ('{"key": "half a fi', "[]", "null", "", json.dumps({"key": finished["key"]})):
        (tmp_path / "work/torn.json").write_text(torn)
        assert chunks._read(tmp_path / "work/torn.json", finished["key"]) is None
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
    # Nor is work of another basis.
    level = small_system.reference.model_copy(update={"basis": "sto-3g"})
    computed[:] = [None] * 10
    other = chunks.label_frames(small_system.model_copy(update={"reference": level}), moved, [0], tmp_path / "work")
    assert computed[10:] == ["frame 0"]
    assert other.info[0]["basis"] == "sto-3g"


def test_what_does_not_converge_is_refused_by_name(small_system, monkeypatch):
    positions = geometries(small_system)[0]
    monkeypatch.setattr(coupled_cluster, "SCF_TOLERANCE", 1e-40)
    monkeypatch.setattr(coupled_cluster, "SCF_CYCLES", 2)
    with pytest.raises(LabelError, match=r"frame 7: RHF did not converge"):
        labels.label(small_system, positions, "frame 7")
    monkeypatch.undo()
    monkeypatch.setattr(coupled_cluster, "CC_ATTEMPTS", ((0.0, 1), (0.2, 2)))
    with pytest.raises(LabelError, match=r"frame 7: CCSD did not converge"):
        labels.label(small_system, positions, "frame 7")
    monkeypatch.undo()
    monkeypatch.setattr(coupled_cluster, "LAMBDA_TOLERANCE", 0.0)
    with pytest.raises(LabelError, match=r"frame 7: the Λ equations of CCSD\(T\) did not converge"):
        labels.label(small_system, positions, "frame 7")


@pytest.mark.parametrize("r", [1.4, 3.0])
@pytest.mark.parametrize(
    ("hook", "value", "counted"),
    [
        ("CC_ATTEMPTS", ((0.0, 1), (0.2, 300)), {"cc_retries": 1}),
        ("CC_ATTEMPTS", ((0.0, 1), (0.2, 1), (0.6, 1000)), {"cc_retries": 2}),
        ("SCF_CYCLES", 5, {"scf_retries": 2}),
    ],
    ids=["level_shift", "larger_level_shift", "second_order_scf"],
)
def test_a_retry_gives_the_same_label(small_system, monkeypatch, r, hook, value, counted):
    """Guards against PySCF's Λ of CCSD(T), whose (T) terms ignore the level shift of the amplitudes."""
    positions = np.array([[0, 0, 0], [0, 0, r]])
    plain = labels.label(small_system, positions, "x")
    assert (plain.info["scf_retries"], plain.info["cc_retries"]) == (0, 0)
    monkeypatch.setattr(coupled_cluster, hook, value)
    again = labels.label(small_system, positions, "x")
    assert {k: again.info[k] for k in counted} == counted
    assert again.energy == pytest.approx(plain.energy, abs=1e-6)
    np.testing.assert_allclose(again.forces, plain.forces, rtol=0, atol=1e-6)


def test_frames_on_disk_are_the_ones_computed(small_system, tmp_path):
    positions = geometries(small_system)[:2]
    frames = chunks.label_frames(small_system, positions, [0, 1], tmp_path / "work")
    write_frames(tmp_path / "x.extxyz", frames)
    np.testing.assert_allclose(read_frames(tmp_path / "x.extxyz").forces, frames.forces, atol=1e-8)

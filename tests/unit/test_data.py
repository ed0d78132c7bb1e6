"""Labelled frames: what is read, what is refused, how it is split."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from qff.config import SplitConfig
from qff.data import LabelledFrames, read_frames, split_frames, write_frames
from qff.errors import DataError, DomainError
from qff.models import build_architecture
from qff.systems import System
from qff.training.ensemble import build_ensemble

FROZEN = "results/published/reference/lih.extxyz"


@pytest.fixture
def content():
    with open(FROZEN, encoding="utf-8") as handle:
        return handle.read().splitlines(keepends=True)


def line(frame: int, row: int = 0) -> int:
    """Line of a frame of two atoms: 0 count, 1 comment, 2 and 3 atoms."""
    return 4 * frame + row


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c[: line(7, 3)], "not a complete extended XYZ file"),
        (lambda c: [*c[: line(7, 2)], c[line(7, 2)][:20]], "not a complete extended XYZ file|frame 7"),
        (lambda c: [], "holds no frame|not a complete"),
        (lambda c: ["\x00\x01 garbage"], "not a complete"),
        (lambda c: [x.replace("REF_energy=-21", "REF_energy=nan #") if i == line(5, 1) else x for i, x in enumerate(c)], "frame 5"),
        (lambda c: [x.replace("eV, eV/Ang", "Ha, Ha/bohr") if i == line(3, 1) else x for i, x in enumerate(c)], "frame 3: REF_units is 'Ha, Ha/bohr', expected 'eV, eV/Ang'"),
        (lambda c: [x.replace("REF_energy=", "energy_ev=") if i == line(2, 1) else x for i, x in enumerate(c)], "frame 2: 'REF_energy' is missing"),
        (lambda c: [x.replace("REF_forces", "my_forces") if i == line(2, 1) else x for i, x in enumerate(c)], "frame 2: 'REF_forces' is missing"),
        (lambda c: [x.replace("Li ", "Na ") if i == line(4, 2) else x for i, x in enumerate(c)], r"frame 4: atoms \['Na', 'H'\], expected \['Li', 'H'\]"),
        (lambda c: [x.replace(" 0.00000000", "        nan", 1) if i == line(6, 2) else x for i, x in enumerate(c)], "frame 6: .*not finite"),
    ],
    ids=["truncated", "truncated_line", "empty", "garbage", "nan_energy", "units", "no_energy", "no_forces", "atoms", "nan_position"],
)  # fmt: skip
def test_bad_files(tmp_path, content, edit, message):
    path = tmp_path / "labels.extxyz"
    path.write_text("".join(edit(content)))
    with pytest.raises(DataError, match=message):
        read_frames(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(DataError, match=r"nothing.extxyz: no such file; restore it"):
        read_frames(tmp_path / "nothing.extxyz")
    with pytest.raises(DataError, match="no such file"):
        read_frames(tmp_path)


def test_round_trip(tmp_path):
    frames = read_frames(FROZEN)
    write_frames(tmp_path / "copy.extxyz", frames)
    again = read_frames(tmp_path / "copy.extxyz", ["Li", "H"])
    assert np.array_equal(again.energies, frames.energies)
    assert np.array_equal(again.positions, frames.positions)
    assert np.array_equal(again.forces, frames.forces)
    assert again.info == frames.info
    assert (tmp_path / "copy.extxyz").read_bytes() == open(FROZEN, "rb").read()  # noqa: SIM115


@given(st.integers(0, 2**32), st.integers(0, 100), st.integers(1, 100), st.integers(1, 40), st.booleans())
@settings(max_examples=40, deadline=None)
def test_splits(study_seed, seed, n_train, n_validation, pin):
    frames = read_frames(FROZEN)
    config = SplitConfig(n_train=n_train, n_validation=n_validation, pin_extremes=pin)
    split = split_frames(frames, config, study_seed, "lih", seed)
    everything = [i for part in split.values() for i in part]
    assert sorted(everything) == list(range(len(frames)))
    assert (len(split["train"]), len(split["validation"])) == (n_train, n_validation)
    if pin and n_train >= 2:
        assert {0, len(frames) - 1} == set(split["train"][:2])
    assert split == split_frames(frames, config, study_seed, "lih", seed)
    assert split != split_frames(frames, config, study_seed, "lih", seed + 1)
    assert split != split_frames(frames, config, study_seed + 1, "lih", seed)


def test_too_few_frames():
    frames = read_frames(FROZEN)
    with pytest.raises(DataError, match="lih: 160 frames, the split needs at least 161"):
        split_frames(frames, SplitConfig(n_train=100, n_validation=60), 1, "lih", 0)


@pytest.mark.parametrize("model", ["qnn", "nn_biased", "behler_parrinello"])
def test_scalers_never_see_validation_or_test(study, model):
    frames = read_frames(FROZEN)
    architecture = build_architecture(System("lih", study.systems["lih"]), study.models[model])
    splits = [split_frames(frames, study.systems["lih"].split, 1, "lih", k) for k in range(2)]
    before = build_ensemble(architecture, frames, splits[:1])
    hidden = splits[0]["validation"] + splits[0]["test"]
    positions, energies, forces = frames.positions.copy(), frames.energies.copy(), frames.forces.copy()
    positions[hidden] *= 1.01
    energies[hidden] += 100.0
    forces[hidden] -= 10.0
    after = build_ensemble(
        architecture, LabelledFrames(frames.symbols, positions, energies, forces, frames.info), splits[:1]
    )
    for name in ("shift", "scale", "center", "width"):
        assert torch.equal(getattr(before, name), getattr(after, name))
    low, high = before.training.energies.min(), before.training.energies.max()
    scaled = (torch.stack([low, high]) - before.shift) / before.scale
    torch.testing.assert_close(scaled.abs(), torch.full((2,), architecture.output_range, dtype=torch.float64))


def test_frames_outside_the_bounds_are_named(study):
    system = System("lih", study.systems["lih"])
    positions = torch.zeros(3, 2, 3, dtype=torch.float64)
    positions[:, 1, 2] = torch.tensor([1.6, 0.5, 2.0])
    with pytest.raises(DomainError, match=r"frame 1 of lih: bond .* = 0\.5000 Å"):
        system.scaled_coordinates(positions)


def test_all_reference_frames_stay_inside(study):
    x, _ = System("lih", study.systems["lih"]).scaled_coordinates(torch.as_tensor(read_frames(FROZEN).positions))
    assert x.abs().max() < 0.95

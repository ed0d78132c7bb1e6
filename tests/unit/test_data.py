"""Labelled frames: what is read, what is refused, how it is split."""

import os

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


def replaced(content: list[str], number: int, old: str, new: str) -> list[str]:
    """The file with one piece of one line replaced."""
    assert old in content[number]
    return [x.replace(old, new, 1) if i == number else x for i, x in enumerate(content)]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c[: line(7, 3)], "not a complete extended XYZ file"),
        (lambda c: [*c[: line(7, 2)], c[line(7, 2)][:20]], "not a complete extended XYZ file|frame 7"),
        (lambda c: [], "holds no frame|not a complete"),
        (lambda c: ["\x00\x01 garbage"], "not a complete"),
        (lambda c: c[: line(7, 2)] + c[line(8) :], "not a complete extended XYZ file"),
        (lambda c: [*c, "left over\n"], "not a complete extended XYZ file"),
        (lambda c: replaced(c, line(5, 1), "REF_energy=-", "REF_energy=-inf other=-"), "frame 5: .*not finite"),
        (lambda c: replaced(c, line(5, 1), "REF_energy=-", "REF_energy=text other=-"), "frame 5: .*not finite"),
        (lambda c: replaced(c, line(5, 1), "REF_energy=-", "REF_energy=T other=-"), "frame 5: .*not finite"),
        (lambda c: replaced(c, line(5, 1), "REF_energy=-", 'REF_energy="1 2 3" other=-'), "frame 5: .*not finite"),
        (lambda c: replaced(c, line(6, 2), " -0.00000000", "         inf"), "frame 6: .*not finite"),
        (lambda c: replaced(c, line(6, 2), " -0.00000000", "         nan"), "frame 6: .*not finite"),
        (lambda c: replaced(c, line(2, 1), "forces:R:3", "forces:R:2"), r"frame 2: forces of shape \(2, 2\)"),
        (lambda c: replaced(c, line(2, 1), "forces:R:3", "forces:S:3"), "frame 2: .*not finite"),
        (lambda c: replaced(c, line(2, 1), "REF_units=", "units="), "frame 2: REF_units is None"),
        (lambda c: [*c[: line(3)], "3\n", c[line(3, 1)], *c[line(3, 2) : line(4)], c[line(3, 3)]], r"frame 3: atoms \['Li', 'H', 'H'\]"),
        (lambda c: [x.replace("REF_energy=-21", "REF_energy=nan #") if i == line(5, 1) else x for i, x in enumerate(c)], "frame 5"),
        (lambda c: [x.replace("eV, eV/Ang", "Ha, Ha/bohr") if i == line(3, 1) else x for i, x in enumerate(c)], "frame 3: REF_units is 'Ha, Ha/bohr', expected 'eV, eV/Ang'"),
        (lambda c: [x.replace("REF_energy=", "energy_ev=") if i == line(2, 1) else x for i, x in enumerate(c)], "frame 2: 'REF_energy' is missing"),
        (lambda c: [x.replace("REF_forces", "my_forces") if i == line(2, 1) else x for i, x in enumerate(c)], "frame 2: 'REF_forces' is missing"),
        (lambda c: [x.replace("Li ", "Na ") if i == line(4, 2) else x for i, x in enumerate(c)], r"frame 4: atoms \['Na', 'H'\], expected \['Li', 'H'\]"),
        (lambda c: [x.replace(" 0.00000000", "        nan", 1) if i == line(6, 2) else x for i, x in enumerate(c)], "frame 6: .*not finite"),
    ],
    ids=["truncated", "truncated_line", "empty", "garbage", "truncated_within", "left_over", "infinite_energy", "text_energy",
         "flag_energy", "three_energies", "infinite_force", "nan_force", "short_forces", "text_forces", "no_units", "more_atoms", "nan_energy", "units", "no_energy", "no_forces", "atoms", "nan_position"],
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


@pytest.mark.parametrize(
    "content", [bytes(range(256)), b"\x1f\x8b\x08\x00" + bytes(200), b"\x00" * 64], ids=["any", "gzip", "zeros"]
)
def test_binary_files(tmp_path, content):
    (tmp_path / "x.extxyz").write_bytes(content)
    with pytest.raises(DataError, match=r"x\.extxyz: not a complete extended XYZ file .*restore it"):
        read_frames(tmp_path / "x.extxyz")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_file_without_permission(tmp_path, content):
    path = tmp_path / "x.extxyz"
    path.write_text("".join(content))
    path.chmod(0)
    with pytest.raises(DataError, match="Permission denied"):
        read_frames(path)


def test_numbers_survive_to_eight_decimals(tmp_path):
    rng = np.random.default_rng(3)
    positions, forces = rng.uniform(-9, 9, (2, 5, 2, 3))
    frames = LabelledFrames(["Li", "H"], positions, rng.uniform(-300, 0, 5), forces, [{"frame": k} for k in range(5)])
    write_frames(tmp_path / "x.extxyz", frames)
    again = read_frames(tmp_path / "x.extxyz")
    assert np.array_equal(again.energies, frames.energies)
    np.testing.assert_allclose(again.positions, positions, rtol=0, atol=1e-8)
    np.testing.assert_allclose(again.forces, forces, rtol=0, atol=1e-8)
    assert [i["frame"] for i in again.info] == list(range(5))


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.extxyz"
    write_frames(path, read_frames(FROZEN))
    before = path.read_bytes()
    broken = LabelledFrames(["Li", "H"], np.zeros((2, 2, 3)), np.array([1.0, 2.0]), np.zeros((1, 2, 3)), [{}, {}])
    with pytest.raises(IndexError):
        write_frames(path, broken)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_round_trip(tmp_path):
    frames = read_frames(FROZEN)
    write_frames(tmp_path / "copy.extxyz", frames)
    again = read_frames(tmp_path / "copy.extxyz", ["Li", "H"])
    assert np.array_equal(again.energies, frames.energies)
    assert np.array_equal(again.positions, frames.positions)
    assert np.array_equal(again.forces, frames.forces)
    assert again.info == frames.info
    assert (tmp_path / "copy.extxyz").read_bytes() == open(FROZEN, "rb").read()  # noqa: SIM115


@given(st.integers(0, 2**32), st.integers(0, 100), st.integers(2, 100), st.integers(1, 40), st.booleans())
@settings(max_examples=40, deadline=None)
def test_splits(study_seed, seed, n_train, n_validation, pin):
    frames = read_frames(FROZEN)
    config = SplitConfig(n_train=n_train, n_validation=n_validation, pin_extremes=pin)
    split = split_frames(frames, config, study_seed, "lih", seed)
    everything = [i for part in split.values() for i in part]
    assert sorted(everything) == list(range(len(frames)))
    assert (len(split["train"]), len(split["validation"])) == (n_train, n_validation)
    if pin:
        assert {0, len(frames) - 1} == set(split["train"][:2])
    assert split == split_frames(frames, config, study_seed, "lih", seed)
    assert split != split_frames(frames, config, study_seed, "lih", seed + 1)
    assert split != split_frames(frames, config, study_seed + 1, "lih", seed)


def test_learning_curves_use_nested_training_sets(study):
    """Size n trains on the first n frames of the full training set, and scales with nothing else."""
    frames = read_frames(FROZEN)
    config = study.systems["lih"].split
    architecture = build_architecture(System("lih", study.systems["lih"]), study.models["nn_biased"])
    splits = [split_frames(frames, config, 1, "lih", k) for k in range(3)]
    full = build_ensemble(architecture, frames, splits)
    sizes = study.config.scaling.sizes["lih"]
    for n in sizes:
        part = build_ensemble(architecture, frames, splits, n)
        assert part.training.energies.shape == (3, n)
        assert torch.equal(part.training.energies, full.training.energies[:, :n])
        assert torch.equal(part.training.inputs.values, full.training.inputs.values[:, :n])
        assert torch.equal(part.validation.energies, full.validation.energies)
        expected = torch.stack([full.training.energies[:, :n].amin(1), full.training.energies[:, :n].amax(1)])
        torch.testing.assert_close(part.shift, expected.mean(0), rtol=0, atol=1e-12)
    assert len({tuple(s["test"]) for s in splits}) == 3


def test_a_split_depends_on_nothing_but_its_place(study):
    """The same split whatever the number of repetitions; another system, another split."""
    frames, config = read_frames(FROZEN), study.systems["lih"].split
    known = split_frames(frames, config, 2022, "lih", 0)
    assert known["train"][:2] == [0, len(frames) - 1]
    assert known != split_frames(frames, config, 2022, "h2o", 0)
    longer = split_frames(frames, config.model_copy(update={"n_train": 90}), 2022, "lih", 0)
    assert longer["train"][:80] == known["train"]  # more training frames extend the set


@given(st.integers(0, 2**32), st.integers(0, 20))
@settings(max_examples=10, deadline=None)
def test_parts_of_a_set_are_test_sets_of_their_own(study, study_seed, seed):
    """What is drawn is of the chosen part only; the rest is the same in every repetition."""
    for system, part, other in (("h2o", "thermal", "grid"), ("h3o", "thermal", "path")):
        frames, config = _published(study, system), study.systems[system].split
        assert config.part == part
        split = split_frames(frames, config, study_seed, system, seed)
        assert list(split) == ["train", "validation", "test", other]
        drawn = [i for name in ("train", "validation", "test") for i in split[name]]
        parts = [i["part"] for i in frames.info]
        assert sorted(drawn) == [k for k, name in enumerate(parts) if name == part]
        assert split[other] == [k for k, name in enumerate(parts) if name == other]
        assert (len(split["train"]), len(split["validation"])) == (config.n_train, config.n_validation)


_SETS: dict[str, LabelledFrames] = {}


def _published(study, system: str) -> LabelledFrames:
    if system not in _SETS:
        _SETS[system] = read_frames(study.systems[system].reference.frozen)
    return _SETS[system]


def test_parts_that_cannot_be_split(study):
    frames = _published(study, "h2o")
    config = study.systems["h2o"].split

    def split(frames, part, **change):
        return split_frames(frames, config.model_copy(update={"part": part, **change}), 1, "h2o", 0)

    def with_parts(*names):
        info = [{"part": name} if name else {} for name in np.resize(np.array(names, dtype=object), len(frames))]
        return LabelledFrames(frames.symbols, frames.positions, frames.energies, frames.forces, info)

    with pytest.raises(DataError, match=r"h2o: no frame of part 'termal' .*; the set has thermal, grid"):
        split(frames, "termal")
    with pytest.raises(DataError, match=r"h2o: no frame of part 'thermal' .*; the set has no parts"):
        split(with_parts(None), "thermal")
    with pytest.raises(DataError, match="h2o: 575 frames name no 'part'"):
        split(with_parts("thermal", None), "thermal")
    with pytest.raises(DataError, match="h2o: a part of the set is called 'test'"):
        split(with_parts("thermal", "test"), "thermal")
    with pytest.raises(DataError, match="h2o: 150 frames, the split needs at least 401"):
        split(frames, "grid")
    assert sorted(k for share in split(frames, None).values() for k in share) == list(range(len(frames)))


def test_ends_of_a_part_are_pinned_within_it(study):
    """The ends of the drawn part, not those of frames that are only tested on."""
    frames = read_frames(FROZEN)
    info = [{"part": "inner" if 10 <= k < 150 else "outer"} for k in range(len(frames))]
    marked = LabelledFrames(frames.symbols, frames.positions, frames.energies, frames.forces, info)
    split = split_frames(marked, study.systems["lih"].split.model_copy(update={"part": "inner"}), 1, "lih", 0)
    assert split["train"][:2] == [10, 149]
    assert split["outer"] == [*range(10), *range(150, 160)]


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
    assert torch.equal(before.training.inputs.values, after.training.inputs.values)
    seen = build_ensemble(architecture, frames, [{**splits[0], "train": splits[0]["train"][2:] + hidden}])
    moved = LabelledFrames(frames.symbols, positions, energies, forces, frames.info)
    leaky = build_ensemble(architecture, moved, [{**splits[0], "train": splits[0]["train"][2:] + hidden}])
    assert not torch.equal(seen.scale, leaky.scale), "the edits are large enough to be seen by a scaler that looks"
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

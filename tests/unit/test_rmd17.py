"""rMD17: its two forms, its published splits, and every way in which their rules can be broken."""

import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from qff.config import SystemConfig, validate
from qff.data import read_frames, split_frames
from qff.errors import ConfigError, DataError
from qff.provenance import file_digest
from qff.reference.fetch import fetch_rmd17, main, unpack_rmd17
from qff.reference.location import find_files, published_files
from qff.reference.rmd17 import read_rmd17
from qff.stages.data import split_data
from qff.stages.reference import import_set

DATA = os.environ.get("QFF_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="QFF_DATA does not name the folder of published sets")
CONTEXT = {"profile": "test", "seed": 0, "code_digest": "0"}
KCAL = 0.0433641042
N, WHOLE = 8, 20  # frames of a share and of the whole set
RNG = np.random.default_rng(5)
COORDS = np.array([[0.0, 0.0, 0.1], [0.0, 0.76, -0.5], [0.0, -0.76, -0.5]]) + 0.01 * RNG.normal(size=(WHOLE, 3, 3))
ENERGIES = -47000.0 + RNG.normal(size=WHOLE)
PULL = RNG.normal(size=WHOLE)
FIRST = {("train", 1): 0, ("test", 1): 8, ("train", 2): 12, ("test", 2): 4}  # splits overlap, as the published do


def forces() -> np.ndarray:
    """Along the bond of the first two atoms: neither net force nor torque."""
    along = PULL[:, None] * (COORDS[:, 1] - COORDS[:, 0])
    return np.stack([-along, along, 0 * along], 1)


def content(frames=slice(None), **change) -> dict:
    found = {
        "nuclear_charges": np.array([8, 1, 1], np.uint8),
        "coords": COORDS[frames],
        "energies": ENERGIES[frames],
        "forces": forces()[frames],
        "old_indices": np.arange(WHOLE)[frames],
        "old_energies": np.full(WHOLE, 1e9)[frames],
        "old_forces": np.full((WHOLE, 3, 3), 1e9)[frames],
    } | change
    return {k: v for k, v in found.items() if v is not None}


def indices(share: str, split: int) -> np.ndarray:
    return np.arange(FIRST[share, split], FIRST[share, split] + N)[::-1]


def write_splits(folder: Path, splits=(1, 2)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for k in splits:
        for share in ("train", "test"):
            np.savez(folder / f"rmd17_water_{share}_{k:02d}.npz", **content(indices(share, k)))
    return folder


def write_whole(folder: Path, data="npz_data", lists="splits") -> Path:
    for name in (data, lists):
        (folder / name).mkdir(parents=True, exist_ok=True)
    np.savez(folder / data / "rmd17_water.npz", **content())
    for k in (1, 2):
        for share in ("train", "test"):
            np.savetxt(folder / lists / f"index_{share}_{k:02d}.csv", indices(share, k), fmt="%d")
    return folder


def system(**change) -> SystemConfig:
    entry = {
        "label": "water",
        "atoms": ["H", "H", "O"],
        "reference": {
            "method": "PBE",
            "basis": "def2-svp",
            "rmd17": {"molecule": "water", "splits": [1, 2], **change},
        },
        "split": {"n_train": 5, "n_validation": 2},
    }
    return validate(SystemConfig, entry, "water")


def test_units_atoms_and_old_labels(tmp_path):
    """kcal/mol become eV, atoms come in the order of the system, and the noisy labels of MD17 are not looked at."""
    frames = read_rmd17(find_files(system().reference.rmd17, write_splits(tmp_path)), system())
    assert frames.symbols == ["H", "H", "O"]
    assert len(frames) == 4 * N
    chosen = indices("test", 2)
    mine = [k for k, i in enumerate(frames.info) if (i["split"], i["part"]) == (2, "test")]
    np.testing.assert_allclose(frames.energies[mine], KCAL * ENERGIES[chosen], rtol=1e-8)
    np.testing.assert_allclose(frames.positions[mine], COORDS[chosen][:, [1, 2, 0]], atol=1e-8)
    np.testing.assert_allclose(frames.forces[mine], KCAL * forces()[chosen][:, [1, 2, 0]], rtol=1e-7)
    assert {i["method"] for i in frames.info} == {"PBE"}


@pytest.mark.parametrize(("data", "lists"), [("npz_data", "splits"), (".", ".")])
def test_all_frames_with_indices_are_the_same_set(tmp_path, data, lists):
    config = system().reference.rmd17
    by_split = read_rmd17(find_files(config, write_splits(tmp_path / "a")), system())
    whole = read_rmd17(find_files(config, write_whole(tmp_path / "b", data, lists)), system())
    np.testing.assert_array_equal(by_split.positions, whole.positions)
    np.testing.assert_array_equal(by_split.forces, whole.forces)
    assert [(i["split"], i["part"]) for i in by_split.info] == [(i["split"], i["part"]) for i in whole.info]


def test_repetitions_take_the_published_splits_in_turn(tmp_path):
    frames = read_rmd17(find_files(system().reference.rmd17, write_splits(tmp_path)), system())
    found = [split_frames(frames, system().split, 7, "water", seed) for seed in range(4)]
    for seed, split in enumerate(found):
        assert {name: len(share) for name, share in split.items()} == {"train": 5, "validation": 2, "test": N}
        for name, share in split.items():
            part = "test" if name == "test" else "train"
            assert {(frames.info[k]["split"], frames.info[k]["part"]) for k in share} == {(seed % 2 + 1, part)}
        assert not set(split["train"]) & set(split["validation"])
    assert found[0]["test"] == found[2]["test"]
    assert found[0]["validation"] != found[2]["validation"]
    assert found[0] == split_frames(frames, system().split, 7, "water", 0)
    with pytest.raises(
        DataError, match=r"published split 1 has 8 training and 8 test frames; n_train 7 \+ n_validation 2"
    ):
        split_frames(frames, system().split.model_copy(update={"n_train": 7}), 7, "water", 0)


def test_shares_of_different_splits_are_refused(tmp_path):
    folder = write_splits(tmp_path)
    (folder / "rmd17_water_test_02.npz").replace(folder / "rmd17_water_test_01.npz")
    config = system(splits=[1])
    with pytest.raises(
        DataError, match=r"water, split 1 of rMD17: 4 test frames .* different splits, which must not"
    ):
        read_rmd17(find_files(config.reference.rmd17, folder), config)
    whole = write_whole(tmp_path / "whole")
    (whole / "splits/index_test_02.csv").replace(whole / "splits/index_test_01.csv")
    with pytest.raises(DataError, match="must not be mixed"):
        read_rmd17(find_files(config.reference.rmd17, whole), config)


def test_no_more_than_a_thousand_training_frames(study):
    entry = study.systems["ethanol_rmd17"].model_dump(mode="json", exclude_none=True)
    entry["split"] = {"n_train": 951, "n_validation": 50}
    with pytest.raises(ConfigError, match=r"n_train 951 \+ n_validation 50 exceed 1000: the authors of rMD17"):
        validate(SystemConfig, entry, "ethanol_rmd17")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"splits": [6]}, "splits"),
        ({"splits": []}, "splits"),
        ({"splits": [1, 1]}, "'1' is listed twice|1.* is listed twice"),
        ({"sha256": {"x.npz": "12"}}, "sha256"),
        ({"file": "x.npz"}, "unknown key"),
    ],
)
def test_bad_entries(change, message):
    with pytest.raises(ConfigError, match=message):
        system(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coords": None}, "no 'coords'; it holds nuclear_charges"),
        ({"forces": None}, "holds no forces"),
        ({"energies": np.zeros(3)}, r"energies \(3,\).*do not describe frames of 3 atoms"),
        ({"energies": np.full(N, np.nan)}, "frame 0: values that are not finite"),
        ({"nuclear_charges": np.array([16, 1, 1])}, r"atoms \['S', 'H', 'H'\], expected"),
    ],
)
def test_damaged_files(tmp_path, change, message):
    folder = write_splits(tmp_path)
    path = folder / "rmd17_water_test_02.npz"
    np.savez(path, **content(indices("test", 2), **change))
    with pytest.raises(DataError, match=message) as caught:
        read_rmd17(find_files(system().reference.rmd17, folder), system())
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n2\n20\n", "indices must lie within the 20 frames"),
        ("-1\n2\n", "indices must lie within"),
        ("", "indices must lie within"),
        ("1.5\n2\n", "not one whole number on each line"),
        ("1 2\n3 4\n", "not one whole number on each line"),
        ("index\n1\n", "not a readable file of indices"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_damaged_indices(tmp_path, text, message):
    folder = write_whole(tmp_path)
    path = folder / "splits/index_train_02.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read_rmd17(find_files(system().reference.rmd17, folder), system())
    assert str(path) in str(caught.value)


def test_missing_files_and_where_to_get_them(tmp_path, monkeypatch):
    config = system()
    monkeypatch.delenv("QFF_DATA", raising=False)
    with pytest.raises(DataError, match=r"QFF_DATA is not set.*'water'.*figshare.*qff\.reference\.fetch water"):
        published_files(config, "water")
    monkeypatch.setenv("QFF_DATA", str(tmp_path))
    folder = write_splits(tmp_path / "rmd17")
    assert len(published_files(config, "water")) == 4
    (folder / "rmd17_water_test_02.npz").unlink()
    with pytest.raises(DataError, match=r"rmd17_water_test_02\.npz: no such file, .*figshare.*fetch.*fewer splits"):
        published_files(config, "water")
    assert len(published_files(system(splits=[1]), "water")) == 2
    write_whole(folder)
    (folder / "splits/index_train_01.csv").unlink()
    with pytest.raises(DataError, match=r"index_train_01\.csv: no such file"):
        published_files(config, "water")


def test_another_version_is_refused(tmp_path):
    folder = write_splits(tmp_path)
    good = {p.name: file_digest(p) for p in folder.iterdir()}
    config = system(sha256=good)
    files = find_files(config.reference.rmd17, folder)
    assert len(read_rmd17(files, config)) == 4 * N
    np.savez(folder / "rmd17_water_train_01.npz", **content(indices("train", 1), energies=np.zeros(N)))
    with pytest.raises(DataError, match=rf"train_01\.npz: sha256 is .* expects {good['rmd17_water_train_01.npz']}"):
        read_rmd17(files, config)


def test_fetching_keeps_only_what_is_meant(tmp_path):
    origin, target = write_splits(tmp_path / "origin"), tmp_path / "target"
    good = {p.name: file_digest(p) for p in origin.iterdir()}
    config = system(sha256=good, url=origin.as_uri()).reference.rmd17
    assert [p.name for p in fetch_rmd17(config, target)] == sorted(
        good, key=lambda n: (n.split("_")[3], "train" not in n)
    )
    assert {p.name: file_digest(p) for p in target.iterdir()} == good
    assert fetch_rmd17(config, target) == [], "what is there is not fetched again"
    name = "rmd17_water_test_01.npz"
    (target / name).write_bytes(b"damaged")
    assert fetch_rmd17(config, target) == [target / name]
    (target / name).unlink()
    wrong = system(sha256=good | {name: "0" * 64}, url=origin.as_uri()).reference.rmd17
    with pytest.raises(DataError, match=rf"{name}: sha256 is .*expects 0000.*nothing was stored"):
        fetch_rmd17(wrong, target)
    unknown = system(sha256={k: v for k, v in good.items() if k != name}, url=origin.as_uri()).reference.rmd17
    with pytest.raises(DataError, match=rf"{name}: config/systems.yaml gives no sha256"):
        fetch_rmd17(unknown, target)
    absent = system(sha256=good, url=(tmp_path / "nowhere").as_uri()).reference.rmd17
    with pytest.raises(DataError, match=rf"nowhere/{name}: cannot be downloaded .*store it as {target / name}"):
        fetch_rmd17(absent, target)
    assert sorted(p.name for p in target.iterdir()) == sorted(set(good) - {name}), "nothing is left of a failure"


def write_archive(path: Path, folder: Path, *without: str) -> Path:
    with tarfile.open(path, "w:bz2") as tar:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            if file.name not in without:
                tar.add(file, f"rmd17/{file.relative_to(folder)}")
        tar.addfile(tarfile.TarInfo("../outside"), io.BytesIO())
    return path


def test_the_published_archive(tmp_path):
    archive = write_archive(tmp_path / "rmd17.tar.bz2", write_whole(tmp_path / "origin"))
    config, target = system().reference.rmd17, tmp_path / "data/rmd17"
    assert len(unpack_rmd17(archive, config, target)) == 5
    assert len(read_rmd17(find_files(config, target), system())) == 4 * N
    assert not (tmp_path / "data/outside").exists()
    short = write_archive(tmp_path / "short.tar.bz2", tmp_path / "origin", "index_test_02.csv")
    with pytest.raises(DataError, match=r"short\.tar\.bz2: holds no rmd17/splits/index_test_02\.csv"):
        unpack_rmd17(short, config, tmp_path / "other")
    archive.write_bytes(archive.read_bytes()[:200])
    with pytest.raises(DataError, match=r"rmd17\.tar\.bz2: not a readable archive"):
        unpack_rmd17(archive, config, tmp_path / "third")
    with pytest.raises(DataError, match=r"absent: not a readable archive"):
        unpack_rmd17(tmp_path / "absent", config, tmp_path / "third")


def test_the_command_says_what_is_wrong(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("QFF_DATA", str(tmp_path))
    assert main(["ethanol_rmd71"]) == 1
    assert "unknown system 'ethanol_rmd71'" in capsys.readouterr().err
    assert main(["ethanol"]) == 1
    assert "is not of rMD17" in capsys.readouterr().err
    assert main(["ethanol_rmd17", "--archive", str(tmp_path / "absent")]) == 1
    assert "not a readable archive" in capsys.readouterr().err
    monkeypatch.delenv("QFF_DATA")
    assert main(["ethanol_rmd17"]) == 1
    assert "QFF_DATA is not set" in capsys.readouterr().err


def test_from_files_to_splits_through_the_stages(tmp_path):
    """Labels, and a table without coordinates, of a system that has none."""
    folder = write_splits(tmp_path / "rmd17")
    config = system(splits=[1]).model_dump(mode="json")
    files = [str(p) for p in find_files(system(splits=[1]).reference.rmd17, folder)]
    out = {k: str(tmp_path / k) for k in ("labels", "recheck", "run", "splits", "coordinates", "run_of_data")}
    common = {"context": CONTEXT, "system": "water", "config": config, "labels_path": out["labels"]}
    import_set(**common, file_paths=files, recheck_path=out["recheck"], run_path=out["run"])
    record = json.loads(Path(out["run"]).read_text())
    assert record["runs"][0]["params"] == {
        "mode": "imported",
        "method": "PBE",
        "basis": "def2-svp",
        "program": "unknown",
    }
    assert set(record["inputs"]) == set(files)
    assert len(read_frames(out["labels"])) == 2 * N
    split_data(
        **common,
        n_seeds=3,
        splits_path=out["splits"],
        coordinates_path=out["coordinates"],
        run_path=out["run_of_data"],
    )
    splits = json.loads(Path(out["splits"]).read_text())["splits"]
    assert [s["test"] for s in splits] == [list(range(N, 2 * N))] * 3
    assert Path(out["coordinates"]).read_text().startswith("frame,energy_ev\n")


@needs_data
@pytest.mark.parametrize(
    ("name", "n_splits", "energy_mae", "force_mae"),
    [("ethanol_rmd17", 5, 145.2, 874.1), ("malonaldehyde_rmd17", 1, 142.5, 953.4), ("benzene_rmd17", 1, 82.0, 661.7), ("aspirin_rmd17", 1, 215.9, 947.9)],
)  # fmt: skip
def test_the_published_files_are_the_ones_described(study, name, n_splits, energy_mae, force_mae):
    """Errors (meV, meV/Å) of the mean energy and of no force, over all five splits, known before they were imported."""
    config = study.systems[name]
    frames = read_rmd17(published_files(config, name), config)
    assert len(frames) == 2000 * n_splits
    splits = [split_frames(frames, config.split, 1, name, k) for k in range(n_splits)]
    errors = [np.abs(frames.energies[s["test"]] - frames.energies[s["train"]].mean()).mean() for s in splits]
    tolerance = 0.02 if n_splits == 5 else 0.05  # one split of the five
    assert 1000 * np.mean(errors) == pytest.approx(energy_mae, rel=tolerance)
    assert 1000 * np.mean([np.abs(frames.forces[s["test"]]).mean() for s in splits]) == pytest.approx(
        force_mae, rel=0.01
    )

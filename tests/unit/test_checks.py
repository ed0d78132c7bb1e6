"""Frozen comparisons of labels: what they say, that they are right, and that nobody edits them unnoticed."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from qff.data import LabelledFrames, read_frames
from qff.errors import DataError, LabelError
from qff.reference import checks, compare
from qff.stages.checks import check_labels

DATA = os.environ.get("QFF_DATA")
SYSTEMS = ["h2o", "h3o"]


@pytest.fixture(scope="module")
def frames(study):
    return {name: read_frames(study.systems[name].reference.frozen) for name in SYSTEMS}


def published(study, frames, name: str) -> pd.DataFrame:
    system = study.systems[name]
    return checks.read_checks(Path(system.reference.checks), system, frames[name])


@pytest.fixture
def copied(study, frames, tmp_path):
    """A copy of the table of H2O to damage."""
    system = study.systems["h2o"]
    path = tmp_path / "h2o_checks.csv"
    table = published(study, frames, "h2o")
    checks.freeze_checks(table, path, system, Path(system.reference.frozen), {})
    return path


def test_numbers_of_a_small_table(study, frames):
    """Ten meV between bases up to a constant, a barrier of 0.15 and 0.1 eV, labels of others twice as steep."""
    h3o, system = frames["h3o"], study.systems["h3o"]
    path = checks.path_frames(h3o)
    lowest, planar = path[h3o.energies[path].argmin()], path[30]
    rows = [("basis", k, -1, float(k), k + 5.0 + d) for k, d in ((0, 0.01), (1, -0.01))]
    rows += [("basis", 0, k, 1.0, 1.0 + d) for k, d in enumerate((0.3, -0.4))]
    rows += [("path", lowest, -1, 1.0, 7.0), ("path", planar, -1, 1.15, 7.1)]
    rows += [("slope", 3, 0, 1.0, 1.002), ("slope", 3, 1, -1.0, -1.001)]
    rows += [("qm22", k, -1, 2 * e + 100, e) for k, e in enumerate((0.1, 0.2, 0.3, 1.4))]
    found = checks.summarise(pd.DataFrame(rows, columns=checks.COLUMNS), h3o, system)
    assert found[""]["basis_energy_rmse"] == ("meV", pytest.approx(10))
    assert found[""]["basis_force_rmse"] == ("eV/Ang", pytest.approx(np.sqrt(0.125)))
    assert found[""]["force_difference_max"] == ("eV/Ang", pytest.approx(0.002))
    assert found["cc-pvdz"]["inversion_barrier"] == ("meV", pytest.approx(150))
    assert found["aug-cc-pvtz"]["inversion_barrier"] == ("meV", pytest.approx(100))
    assert found[""]["qm22_slope"][1] == pytest.approx(2)
    assert found[""]["qm22_correlation"][1] == pytest.approx(1)
    assert found["below_0_5_ev"]["qm22_frames"][1] == 3
    assert found["below_0_5_ev"]["qm22_energy_rmse"] == ("meV", pytest.approx(1000 * np.sqrt(2 / 3 * 0.01)))
    assert found["below_0_5_ev"]["qm22_energy_mae"] == ("meV", pytest.approx(1000 * 0.2 / 3))


def test_what_is_not_compared_is_not_reported(study, frames):
    empty = pd.DataFrame(columns=checks.COLUMNS).astype({"check": str, "component": int, "other": float})
    assert checks.summarise(empty, frames["h2o"], study.systems["h2o"]) == {"": {}}


@pytest.mark.parametrize("name", SYSTEMS)
def test_published_tables(study, frames, name):
    """Analytic forces are slopes of energies; every part of the comparison is there."""
    table = published(study, frames, name)
    found = checks.summarise(table, frames[name], study.systems[name])
    assert found[""]["force_difference_max"][1] < 1e-4
    counts = table[table.component < 0].check.value_counts()
    assert counts["basis"] == 12
    slopes = table[table.check == "slope"]
    assert (slopes.frame.nunique(), len(slopes)) == (3, 24)
    if name == "h2o":
        assert (table.check == "basis").sum() == 12 * 10
        assert 0 < found[""]["basis_force_rmse"][1] < 0.5
    else:
        assert counts["qm22"] == 80
        assert found[""]["qm22_correlation"][1] > 0.99
        barriers = [found[b]["inversion_barrier"][1] for b in ("cc-pvdz", "aug-cc-pvtz")]
        assert barriers[0] == pytest.approx(152.8, abs=0.1)
        assert barriers[1] == pytest.approx(105.8, abs=0.1)  # the small basis favours the pyramid


def test_rows_are_what_is_calculated_now(study, frames):
    """One energy in the larger basis, one slope; a second or two each."""
    system, table = study.systems["h2o"], published(study, frames, "h2o")
    row = table[(table.check == "basis") & (table.component == -1)].iloc[0]
    ((_, _, _, ours, other),) = compare.compare_level(frames["h2o"], system, [row.frame], "basis", False)
    assert (ours, other) == pytest.approx((row.ours, row.other), abs=1e-6)
    row = table[(table.check == "slope") & (table.ours.abs() > 0.1)].iloc[0]
    direction = np.zeros(9)
    direction[row.component] = 1
    slope = compare.slope(system, frames["h2o"].positions[row.frame], direction.reshape(3, 3), "test")
    assert -slope == pytest.approx(row.other, abs=1e-5)


@pytest.mark.skipif(not DATA, reason="QFF_DATA does not name the folder of published sets")
def test_a_published_geometry_is_labelled_as_recorded(study, frames):
    """Its atoms come in another order in the file."""
    path = Path(DATA) / "qm22/hydronium_1000.extxyz"
    theirs = compare.read_raw(path, "extxyz").in_order_of(["O", "H", "H", "H"], str(path))
    table = published(study, frames, "h3o")
    row = table[table.check == "qm22"].iloc[0]
    assert theirs.energies[row.frame] == pytest.approx(row.other, abs=1e-9)
    found = compare.energy(study.systems["h3o"], theirs.positions[row.frame], "test")
    assert found == pytest.approx(row.ours, abs=1e-6)


def test_the_path_is_followed_to_its_minimum_in_the_other_basis(study, frames, monkeypatch):
    """Energies with a minimum five frames further on than that of the labels: it is found, and no frame twice."""
    system, own = study.systems["h3o"], frames["h3o"]
    path, seen = checks.path_frames(own), []
    number = {own.positions[k].tobytes(): step for step, k in enumerate(path)}

    def energy(system, positions, where):
        assert system.reference.basis == "aug-cc-pvtz"
        seen.append(number[positions.tobytes()])
        return -100.0 + 0.001 * (seen[-1] - 10) ** 2

    monkeypatch.setattr(compare, "energy", energy)
    rows = compare.compare_path(own, system)
    steps = [int(np.flatnonzero(path == frame)[0]) for _, frame, *_ in rows]
    assert sorted(seen) == steps == sorted(set(steps))
    assert {0, 4, 5, 9, 10, 11, 30} <= set(steps)
    found = checks.summarise(pd.DataFrame(rows, columns=checks.COLUMNS), own, system)
    assert found["aug-cc-pvtz"]["inversion_barrier"][1] == pytest.approx(400)
    assert found["cc-pvdz"]["inversion_barrier"][1] == pytest.approx(152.771, abs=0.001)


def test_samples_of_energies_come_from_every_window(study, tmp_path, monkeypatch):
    import ase
    import ase.io
    from ase.calculators.singlepoint import SinglePointCalculator

    energies = [0.1, 0.2, 0.3, 0.7, 0.8, 1.5, 3.0, 4.0, 5.0]
    images = []
    for k, value in enumerate(energies):
        atoms = ase.Atoms("HHHO", np.eye(4, 3) + k)
        atoms.calc = SinglePointCalculator(atoms, energy=value)
        images.append(atoms)
    ase.io.write(tmp_path / "set.extxyz", images)
    monkeypatch.setattr(compare, "energy", lambda system, positions, where: float(positions[0, 0]))
    rows = compare.compare_energies(tmp_path / "set.extxyz", study.systems["h3o"], 2, np.random.default_rng(0))
    assert np.bincount(np.digitize([r[4] for r in rows], checks.WINDOWS_EV)).tolist() == [2, 2, 1, 2]
    for _, index, component, ours, other in rows:
        assert (component, ours, other) == (-1, index, energies[index])  # oxygen, last in the file, comes first


def test_a_table_that_was_edited(study, frames, copied):
    system = study.systems["h2o"]
    text = copied.read_text()
    copied.write_text(text.replace("slope", "basis", 1))
    with pytest.raises(DataError, match="differs from its recorded sha256"):
        checks.read_checks(copied, system, frames["h2o"])
    copied.write_text(text)
    checks.read_checks(copied, system, frames["h2o"])
    copied.with_suffix(".json").unlink()
    with pytest.raises(DataError, match="provenance are unreadable"):
        checks.read_checks(copied, system, frames["h2o"])


def test_a_table_of_other_labels(study, frames, copied):
    system, own = study.systems["h2o"], frames["h2o"]
    with pytest.raises(DataError, match="made for another level of theory"):
        checks.read_checks(copied, checks.held_against(system, "basis"), own)
    table = pd.read_csv(copied)
    row = table[table.check == "slope"].iloc[0]
    forces = own.forces.copy()
    forces[row.frame, row.component // 3, row.component % 3] += 0.001
    other = LabelledFrames(own.symbols, own.positions, own.energies, forces, own.info)
    with pytest.raises(DataError, match=f"values for frame {row.frame} are not those of the labels"):
        checks.read_checks(copied, system, other)
    few = LabelledFrames(own.symbols, own.positions[:3], own.energies[:3], own.forces[:3], own.info[:3])
    with pytest.raises(DataError, match="the set has 3"):
        checks.read_checks(copied, system, few)


def test_the_study_recomputes_one_energy(study, frames, copied, tmp_path):
    """And refuses a table whose energies it cannot reproduce."""
    system = study.systems["h2o"]
    config = system.model_dump(mode="json")
    out = {f"{k}_path": str(tmp_path / k) for k in ("table", "metrics", "run")}

    def run():
        check_labels(
            context={"profile": "test", "seed": 0, "code_digest": "0"}, system="h2o", config=config, reference={},
            checks_path=str(copied), labels_path=system.reference.frozen, **out,
        )  # fmt: skip

    run()
    metrics = pd.read_csv(out["metrics_path"])
    assert set(metrics.model) == {"reference"}
    values = metrics.set_index("quantity").value
    assert values["basis_recheck_difference"] < 0.01
    (record,) = json.loads(Path(out["run_path"]).read_text())["runs"]
    assert record["metrics"]["basis_energy_rmse_mev"] == pytest.approx(values["basis_energy_rmse"])
    table = pd.read_csv(copied)
    table.loc[table.check == "basis", "other"] += 0.001
    checks.freeze_checks(table, copied, system, Path(system.reference.frozen), {})
    with pytest.raises(LabelError, match="in cc-pvtz: recalculation differs by 1 meV"):
        run()

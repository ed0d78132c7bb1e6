"""B3LYP beside published labels: errors, frames that are kept, and a number of PySCF."""

from pathlib import Path

import numpy as np
import pytest
from qff.data import read_frames
from qff.errors import DataError
from qff.hybrid import functional
from qff.reference.imported import RawSet
from qff.units import KCAL_PER_MOL_IN_EV


def reference(n: int = 200) -> RawSet:
    rng = np.random.default_rng(0)
    return RawSet(["H", "H"], rng.normal(size=(n, 2, 3)), rng.normal(size=n), rng.normal(size=(n, 2, 3)))


def test_errors_are_those_after_one_offset():
    truth, rng = reference(), np.random.default_rng(1)
    energies = truth.energies - 30.0 + 2 * KCAL_PER_MOL_IN_EV * rng.choice([-1, 1], len(truth.energies))
    found = functional.errors_of(energies, truth.forces + 0.5 * KCAL_PER_MOL_IN_EV, truth)
    assert found["energy_rmse"][0] == pytest.approx(2, abs=0.05)
    assert found["force_rmse"] == pytest.approx([0.5] * 3)
    assert found["energy_rmse"][1] <= found["energy_rmse"][0] <= found["energy_rmse"][2]


def test_finished_frames_are_kept(tmp_path, monkeypatch):
    calls = []

    def counted(symbols, positions, basis, where):
        calls.append(where)
        return {"energy_ev": 1.0, "forces_ev_per_ang": 0 * positions, "dispersion": None, "cpu_seconds": 1.0}

    monkeypatch.setattr(functional, "b3lyp", counted)
    for basis, expected in (("sto-3g", 2), ("sto-3g", 2), ("cc-pvdz", 4)):
        functional.calculate(reference(), [3, 7], basis, tmp_path)
        assert len(calls) == expected


def test_too_few_frames_are_said(tmp_path):
    import ase
    import ase.io
    from ase.calculators.singlepoint import SinglePointCalculator

    atoms = ase.Atoms("H2", [[0, 0, 0], [0, 0, 0.74]])
    atoms.calc = SinglePointCalculator(atoms, energy=-31.0, forces=np.zeros((2, 3)))
    ase.io.write(tmp_path / "set.extxyz", [atoms])
    with pytest.raises(DataError, match=r"set\.extxyz: 1 frames"):
        functional.records(tmp_path / "set.extxyz", 2, "sto-3g", tmp_path)


def test_a_frozen_set_of_ours_is_read_as_one_of_others():
    path = Path("results/published/reference/h2o.extxyz")
    ours, found = read_frames(path), functional.read_labels(path)
    np.testing.assert_array_equal(found.forces, ours.forces)
    assert (found.symbols, found.energies[3]) == (ours.symbols, ours.energies[3])
    thermal = [k for k, info in enumerate(ours.info) if info["part"] == "thermal"]
    np.testing.assert_array_equal(functional.read_labels(path, "thermal").energies, ours.energies[thermal])
    assert 0 < len(thermal) < len(ours)
    with pytest.raises(DataError, match=r"no frame of part 'hot'; there are grid, thermal"):
        functional.read_labels(path, "hot")


def test_forces_are_the_slope():
    positions = np.array([[0.0, 0.0, 0.0], [0.97, 0.0, 0.0], [-0.25, 0.94, 0.1]])
    moved = [positions.copy(), positions.copy()]
    h = 2e-3
    moved[0][1, 0] += h
    moved[1][1, 0] -= h
    force = functional.b3lyp(["O", "H", "H"], positions, "sto-3g", "x")["forces_ev_per_ang"][1, 0]
    up, down = (functional.b3lyp(["O", "H", "H"], x, "sto-3g", "x")["energy_ev"] for x in moved)
    assert force == pytest.approx(-(up - down) / (2 * h), abs=5e-3)  # the grid moves with the atoms

"""MP2 as the method of labels, and the published set of ethane that is labelled by it."""

from pathlib import Path

import numpy as np
import pytest
from qff.config import SystemConfig, validate
from qff.errors import ConfigError, LabelError
from qff.reference import checks, compare, coupled_cluster, fitted_perturbation, perturbation
from qff.reference.frozen import read_frozen
from qff.reference.labels import METHODS, energy, label, settings, slope
from qff.units import BOHR_IN_ANG, EV_IN_MEV, HARTREE_IN_EV, KCAL_PER_MOL_IN_EV

# Water of the programming projects of the Crawford group (Å from bohr): E(RHF) and E(MP2) in STO-3G are printed there.
WATER = BOHR_IN_ANG * np.array(
    [
        [0.0, -0.143225816552, 0.0],
        [1.638036840407, 1.136548822547, 0.0],
        [-1.638036840407, 1.136548822547, 0.0],
    ]
)
PRINTED = -74.942079928192 - 0.049149636120


def water(**level) -> SystemConfig:
    entry = {
        "label": "water",
        "atoms": ["O", "H", "H"],
        "reference": {
            "method": "MP2",
            "basis": "sto-3g",
            "sampled": {
                "stream": "w", "start": WATER.tolist(), "temperature_k": 300.0, "n_frames": 10, "trajectories": 1,
                "steps_between_frames": 1,
            },
            "frozen": "x.extxyz",
            **level,
        },
        "split": {"n_train": 2, "n_validation": 1},
    }  # fmt: skip
    return validate(SystemConfig, entry, "water")


def test_energy_is_the_printed_one_and_forces_its_slope():
    system = water()
    found = label(system, WATER, "here")
    assert found.energy / HARTREE_IN_EV == pytest.approx(PRINTED, abs=2e-8)
    direction = np.random.default_rng(2).normal(size=(3, 3))
    direction /= np.linalg.norm(direction)
    along = slope(system, WATER, direction, "here")
    assert abs(along) > 0.1
    assert (found.forces * direction).sum() == pytest.approx(-along, abs=1e-5)
    assert found.info["rhf_stable_towards_uhf"]


@pytest.mark.parametrize("basis", ["sto-3g", "6-31g*"])
def test_fitted_integrals_change_little_and_forces_are_slopes(basis):
    """Against MP2 without fitting; the gradient is our own, so that slopes along two directions are asked."""
    system, exact = water(method="DF-MP2", basis=basis), water(basis=basis)
    ours, theirs = label(system, WATER, "here"), label(exact, WATER, "here")
    assert abs(ours.energy - theirs.energy) < 3e-3
    assert np.abs(ours.forces - theirs.forces).max() < 3e-3
    np.testing.assert_allclose(ours.forces.sum(0), 0, atol=1e-9)
    rng = np.random.default_rng(3)
    for _ in range(2):
        direction = rng.normal(size=(3, 3))
        direction /= np.linalg.norm(direction)
        along = slope(system, WATER, direction, "here", step=0.004)
        assert (ours.forces * direction).sum() == pytest.approx(-along, abs=2e-6)
    assert energy(system, WATER, "here") == pytest.approx(ours.energy, abs=1e-9)
    assert settings(system)["density_fitting"]


def test_fitted_gradient_of_a_molecule_without_symmetry():
    """Formaldehyde, bent: two kinds of atoms in the plane and out of it, π and σ orbitals; integrals in several parts."""
    atoms = ["C", "O", "H", "H"]
    positions = np.array([[0.0, 0.02, -0.55], [0.03, 0.0, 0.66], [0.1, 0.95, -1.1], [-0.05, -0.9, -1.2]])
    entry = water(method="DF-MP2", basis="6-31g").model_copy(update={"atoms": atoms})
    whole = label(entry, positions, "here").forces
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitted_perturbation, "NUMBERS_AT_ONCE", 5000)
        np.testing.assert_allclose(label(entry, positions, "here").forces, whole, atol=1e-9)
    direction = np.random.default_rng(4).normal(size=(4, 3))
    direction /= np.linalg.norm(direction)
    along = slope(entry, positions, direction, "here")
    assert (whole * direction).sum() == pytest.approx(-along, abs=5e-6)


def test_core_electrons_are_correlated_and_the_record_says_so():
    """With 1s of oxygen left out the energy of the smallest basis is higher by 0.1 mHa."""
    from pyscf import gto, mp, scf

    atoms = [(s, tuple(x)) for s, x in zip("OHH", WATER, strict=True)]
    mf = scf.RHF(gto.M(atom=atoms, basis="sto-3g", unit="Angstrom", verbose=0)).run(conv_tol=1e-11)
    frozen = mp.MP2(mf, frozen=1).run().e_tot
    assert frozen - perturbation.energy(mf.mol, "here") > 1e-5
    assert settings(water()) == {
        "frozen_core": False, "density_fitting": None, "scf_tolerance_hartree": coupled_cluster.SCF_TOLERANCE
    }  # fmt: skip


def test_what_does_not_converge_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(coupled_cluster, "SCF_TOLERANCE", 1e-40)
    monkeypatch.setattr(coupled_cluster, "SCF_CYCLES", 2)
    with pytest.raises(LabelError, match=r"frame 7: RHF did not converge"):
        label(water(), WATER, "frame 7")
    with pytest.raises(LabelError, match=r"frame 8: RHF did not converge"):
        label(water(method="DF-MP2"), WATER, "frame 8")


def test_a_response_that_does_not_converge_is_refused(monkeypatch):
    monkeypatch.setattr(fitted_perturbation, "RESPONSE_TOLERANCE", 0.0)
    with pytest.raises(LabelError, match=r"frame 9: the response"):
        label(water(method="DF-MP2"), WATER, "frame 9")


def test_labels_are_checked_in_a_basis_or_by_a_method():
    assert water(checks="c.csv", check_method="CCSD(T)").reference.consistency_tolerance == 2e-4
    for change in ({}, {"check_method": "CCSD(T)", "check_basis": "cc-pvdz"}):
        with pytest.raises(ConfigError, match="'checks' needs either 'check_basis' or 'check_method'"):
            water(checks="c.csv", **change)
    level = checks.held_against(water(check_method="CCSD(T)"), "method").reference
    assert (level.method, level.basis) == ("CCSD(T)", "sto-3g")
    assert set(METHODS) == {"CCSD(T)", "MP2", "DF-MP2", "PBE"}


@pytest.fixture(scope="module")
def ethane(study):
    system = study.systems["ethane"]
    return system, read_frozen(Path(system.reference.frozen), system)


def test_the_published_set_of_ethane(ethane):
    """Four trajectories at 500 K; staggered and eclipsed frames are both there."""
    _, frames = ethane
    assert len(frames) >= 200
    assert {i["method"] for i in frames.info} == {"MP2"}
    assert all(i["rhf_stable_towards_uhf"] for i in frames.info)
    spread = (frames.energies - frames.energies.min()) / KCAL_PER_MOL_IN_EV
    assert 4 < spread.mean() < 15  # 18 vibrations with kT/2 each: 9 kcal/mol at 500 K, above the minimum
    carbons = np.linalg.norm(frames.positions[:, 0] - frames.positions[:, 1], axis=-1)
    assert carbons.mean() == pytest.approx(1.53, abs=0.03)


def test_relative_energies_are_close_to_those_of_ccsd_t(ethane):
    """The frozen comparison: MP2 as a stand-in for CCSD(T); a network is asked for 0.3 kcal/mol."""
    system, frames = ethane
    table = checks.read_checks(Path(system.reference.checks), system, frames)
    found = checks.summarise(table, frames, system)[""]
    assert (table.check == "method").sum() == 12
    assert found["force_difference_max"][1] < 1e-4
    assert 0 < found["method_energy_rmse"][1] / EV_IN_MEV / KCAL_PER_MOL_IN_EV < 0.6


def test_another_method_is_compared_like_another_basis(ethane, monkeypatch):
    system, frames = ethane
    asked = []

    def energy(system, positions, where):
        asked.append((system.reference.method, system.reference.basis, where))
        return -2000.0

    monkeypatch.setattr(compare, "energy", energy)
    rows = compare.compare_level(frames, system, [3, 5], "method", False)
    assert [r[:4] for r in rows] == [("method", k, -1, frames.energies[k]) for k in (3, 5)]
    assert asked == [("CCSD(T)", "cc-pvdz", f"method, frame {k}") for k in (3, 5)]

"""GAFF of ethane: single terms, forces, and OpenMM where it is installed."""

import json
from itertools import combinations, product

import numpy as np
import pytest
from qff.data import LabelledFrames, write_frames
from qff.errors import DataError
from qff.hybrid import gaff
from qff.units import KCAL_PER_MOL_IN_EV

SYMBOLS = ["C", "C", *"HHHHHH"]
SLANT = np.radians(180 - 109.80)


def ethane(twist: float = 60.0, carbons: float = 1.5375, hydrogens: float = 1.0969) -> np.ndarray:
    """Positions (8, 3) in Å with all C–C–H angles at their centre; twist of 60° is staggered."""
    half, rows = carbons / 2, [[0, 0, carbons / 2], [0, 0, -carbons / 2]]
    for sign, start in ((1, 0.0), (-1, twist)):
        for angle in np.radians(start + np.array([0, 120, 240])):
            around = np.array([np.cos(angle), np.sin(angle), 0]) * hydrogens * np.sin(SLANT)
            rows.append(around + np.array([0, 0, sign * (half + hydrogens * np.cos(SLANT))]))
    return np.array(rows)


def kcal(positions: np.ndarray) -> float:
    return gaff.energies_and_forces(SYMBOLS, positions[None], "x")[0][0] / KCAL_PER_MOL_IN_EV


def pairs(positions: np.ndarray) -> float:
    """Energy of the hydrogens of different carbons, kcal/mol."""
    found = 0.0
    for h, k in product(range(2, 5), range(5, 8)):
        r = np.linalg.norm(positions[h] - positions[k])
        found += 0.0157 / 2 * ((2.974 / r) ** 12 - 2 * (2.974 / r) ** 6) + 332.0637 * gaff.CHARGE**2 / (1.2 * r)
    return found


def test_the_barrier_is_that_of_the_torsions_and_pairs():
    """Nine torsions of 2·0.15 kcal/mol and the pairs; measured is 2.9 kcal/mol (Weiss & Leroi, J. Chem. Phys. 48, 962 (1968))."""
    low, high = ethane(60.0), ethane(0.0)
    barrier = kcal(high) - kcal(low)
    assert barrier == pytest.approx(9 * 0.30 + pairs(high) - pairs(low), abs=1e-6)
    assert barrier == pytest.approx(2.9, abs=0.3)


def test_stretches_and_bends():
    base = ethane()
    longer = ethane(carbons=1.6375)
    assert kcal(longer) - kcal(base) == pytest.approx(300.9 * 0.1**2 + pairs(longer) - pairs(base), abs=1e-6)
    longer = ethane(hydrogens=1.1969)
    assert kcal(longer) - kcal(base) == pytest.approx(6 * 330.6 * 0.1**2 + pairs(longer) - pairs(base), abs=1e-6)
    inner = np.degrees(np.arccos(1 - 1.5 * np.sin(SLANT) ** 2))  # H–C–H, if all C–C–H are equal
    bends = 6 * 39.4 * np.radians(inner - 107.58) ** 2
    assert kcal(base) == pytest.approx(bends + pairs(base), abs=1e-6)  # staggered torsions are at their zero


def test_forces_are_the_slope_in_any_order_of_atoms():
    rng = np.random.default_rng(1)
    positions = ethane(35.0) + 0.08 * rng.normal(size=(8, 3))
    order = rng.permutation(8)
    symbols = [SYMBOLS[k] for k in order]
    energies, forces = gaff.energies_and_forces(symbols, positions[order][None], "x")
    assert energies[0] / KCAL_PER_MOL_IN_EV == pytest.approx(kcal(positions))
    h = 1e-4
    for atom, axis in ((0, 0), (3, 1), (6, 2)):
        ends = [positions[order].copy(), positions[order].copy()]
        for sign, end in zip((1, -1), ends, strict=True):
            end[atom, axis] += sign * h
        up, down = gaff.energies_and_forces(symbols, np.array(ends), "x")[0]
        assert forces[0, atom, axis] == pytest.approx(-(up - down) / (2 * h), abs=1e-6)
    assert np.abs(forces[0].sum(0)).max() < 1e-10


def test_openmm_agrees():
    openmm = pytest.importorskip("openmm", reason="OpenMM is not part of the environment")
    from openmm import unit

    system, kj, nm = openmm.System(), 4.184, 0.1
    bonds, angles, torsions, near = (
        openmm.HarmonicBondForce(), openmm.HarmonicAngleForce(), openmm.PeriodicTorsionForce(), openmm.NonbondedForce()
    )  # fmt: skip
    sigma = 2 * 1.4870 / 2 ** (1 / 6) * nm
    for k in range(8):
        system.addParticle(12.0 if k < 2 else 1.0)
        near.addParticle(-3 * gaff.CHARGE if k < 2 else gaff.CHARGE, sigma, 0.0 if k < 2 else 0.0157 * kj)
    hydrogens = {0: (2, 3, 4), 1: (5, 6, 7)}
    bonds.addBond(0, 1, 1.5375 * nm, 2 * 300.9 * kj / nm**2)
    for own, bound in hydrogens.items():
        for h in bound:
            bonds.addBond(own, h, 1.0969 * nm, 2 * 330.6 * kj / nm**2)
            angles.addAngle(1 - own, own, h, np.radians(109.80), 2 * 46.3 * kj)
        for h, k in combinations(bound, 2):
            angles.addAngle(h, own, k, np.radians(107.58), 2 * 39.4 * kj)
    for h, k in product(*hydrogens.values()):
        torsions.addTorsion(h, 0, 1, k, 3, 0.0, 0.15 * kj)
    apart = set(product(*hydrogens.values()))
    for i, j in combinations(range(8), 2):
        if (i, j) in apart:
            near.addException(i, j, gaff.CHARGE**2 / 1.2, sigma, 0.0157 * kj / 2)
        else:
            near.addException(i, j, 0.0, sigma, 0.0)
    for force in (bonds, angles, torsions, near):
        system.addForce(force)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    positions = ethane(20.0) + 0.1 * np.random.default_rng(4).normal(size=(8, 3))
    context.setPositions(positions * nm)
    state = context.getState(getEnergy=True, getForces=True)
    energies, forces = gaff.energies_and_forces(SYMBOLS, positions[None], "x")
    theirs = state.getPotentialEnergy().value_in_unit(unit.kilocalories_per_mole)
    assert energies[0] / KCAL_PER_MOL_IN_EV == pytest.approx(theirs, abs=1e-4)
    pull = state.getForces(asNumpy=True).value_in_unit(unit.kilocalories_per_mole / unit.angstrom)
    np.testing.assert_allclose(forces[0] / KCAL_PER_MOL_IN_EV, pull, atol=1e-3)


def test_the_charge_is_the_fitted_one():
    assert gaff.potential_charge(SYMBOLS, ethane()) == pytest.approx(gaff.CHARGE, abs=5e-4)


def test_other_molecules_are_refused(tmp_path, capsys):
    with pytest.raises(DataError, match=r"frame 3: not ethane, but CHHHH"):
        gaff.energies_and_forces(["C", *"HHHH"], np.zeros((1, 5, 3)), "frame 3")
    with pytest.raises(DataError, match="not ethane"):
        gaff.energies_and_forces(["O", "O", *"HHHHHH"], np.zeros((1, 8, 3)), "frame 3")
    assert gaff.main([str(tmp_path / "none.extxyz")]) == 1
    assert "no such file" in capsys.readouterr().err


def test_the_record_is_the_error_after_one_offset(tmp_path, capsys):
    rng = np.random.default_rng(0)
    positions = np.array([ethane(60) + 0.05 * rng.normal(size=(8, 3)) for _ in range(40)]).round(8)
    energies, forces = gaff.energies_and_forces(SYMBOLS, positions, "x")
    wrong = energies - 2170.0 + 0.5 * KCAL_PER_MOL_IN_EV * np.tile([1, -1], 20)
    write_frames(
        tmp_path / "set.extxyz", LabelledFrames(SYMBOLS, positions, wrong, forces, [{"frame": k} for k in range(40)])
    )
    assert gaff.main([str(tmp_path / "set.extxyz")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["energy_rmse"][0] == pytest.approx(0.5)
    assert found["energy_rmse"][1] < 0.5 <= found["energy_rmse"][2]
    assert found["force_rmse"] == pytest.approx([0, 0, 0], abs=1e-5)
    assert found["n_frames"] == 40

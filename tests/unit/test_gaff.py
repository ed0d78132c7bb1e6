"""GAFF of hydrocarbons: single terms, forces, and OpenMM where it is installed."""

import json
from itertools import combinations, product

import numpy as np
import pytest
from qff.data import LabelledFrames, write_frames
from qff.errors import DataError
from qff.hybrid import gaff
from qff.units import KCAL_PER_MOL_IN_EV

SYMBOLS = ["C", "C", *"HHHHHH"]
CHARGE = gaff.CHARGES["C2H6"][0]
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
        found += 0.0157 / 2 * ((2.974 / r) ** 12 - 2 * (2.974 / r) ** 6) + 332.0637 * CHARGE**2 / (1.2 * r)
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
        near.addParticle(-3 * CHARGE if k < 2 else CHARGE, sigma, 0.0 if k < 2 else 0.0157 * kj)
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
            near.addException(i, j, CHARGE**2 / 1.2, sigma, 0.0157 * kj / 2)
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


RING = ["C"] * 6 + ["H"] * 6


def benzene(carbons: float = 1.3984, hydrogens: float = 1.0860) -> np.ndarray:
    """Positions (12, 3) in Å of a regular hexagon; hydrogen 6 + k on carbon k."""
    angles = np.radians(60 * np.arange(6))
    around = np.stack([np.cos(angles), np.sin(angles), 0 * angles], -1)
    return np.concatenate([carbons * around, (carbons + hydrogens) * around])


def written_out(x: np.ndarray) -> float:
    """Energy of benzene in kcal/mol, atom by atom."""

    def length(i, j):
        return np.linalg.norm(x[i] - x[j])

    def angle(i, j, k):
        a, b = x[i] - x[j], x[k] - x[j]
        return np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    def torsion(i, j, k, m):
        a, b = np.cross(x[j] - x[i], x[k] - x[j]), np.cross(x[k] - x[j], x[m] - x[k])
        return np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))

    found, degree = 0.0, np.radians(1)
    for k in range(6):
        before, after, h = (k - 1) % 6, (k + 1) % 6, 6 + k
        found += 461.1 * (length(k, after) - 1.3984) ** 2 + 345.8 * (length(k, h) - 1.0860) ** 2
        found += 66.6 * (angle(before, k, after) - 120.02 * degree) ** 2
        found += sum(48.2 * (angle(c, k, h) - 119.88 * degree) ** 2 for c in (before, after))
        for i in (before, h):
            for m in ((k + 2) % 6, 6 + after):
                found += 3.625 * (1 - np.cos(2 * torsion(i, k, after, m)))
        found += 1.1 * (1 - np.cos(2 * torsion(min(before, after), max(before, after), k, h)))
    charge, deep = gaff.CHARGES["C6H6"][0], {"C": (1.908, 0.086), "H": (1.459, 0.015)}
    for i, j in combinations(range(12), 2):
        apart = (i - j) % 6
        bonds = min(apart, 6 - apart) + (i > 5) + (j > 5)
        if bonds < 3:
            continue
        r, (radius, depth) = length(i, j), zip(deep[RING[i]], deep[RING[j]], strict=True)
        power = (sum(radius) / r) ** 6
        sign = 1 if RING[i] == RING[j] else -1
        scale = (2.0, 1.2) if bonds == 3 else (1.0, 1.0)
        found += np.sqrt(np.prod(depth)) * (power**2 - 2 * power) / scale[0]
        found += 332.0637 * sign * charge**2 / r / scale[1]
    return found


def test_benzene_is_the_sum_of_its_terms():
    rng = np.random.default_rng(5)
    for size in (0.0, 0.1):
        positions = benzene() + size * rng.normal(size=(12, 3))
        ours = gaff.energies_and_forces(RING, positions[None], "x")[0][0] / KCAL_PER_MOL_IN_EV
        assert ours == pytest.approx(written_out(positions), abs=2e-4)


def test_forces_of_benzene_are_the_slope():
    rng = np.random.default_rng(6)
    positions = benzene() + 0.08 * rng.normal(size=(12, 3))
    forces = gaff.energies_and_forces(RING, positions[None], "x")[1][0]
    direction = rng.normal(size=(12, 3))
    up, down = gaff.energies_and_forces(RING, np.stack([positions + s * 1e-4 * direction for s in (1, -1)]), "x")[0]
    assert (forces * direction).sum() == pytest.approx(-(up - down) / 2e-4, abs=1e-6)


def test_equal_atoms_share_a_class_whatever_their_order(study):
    system = study.systems["naphthalene"]
    positions, rng = np.array(system.reference.sampled.start), np.random.default_rng(7)
    found = gaff.topology(system.atoms, positions, "x")
    assert [len(getattr(found, k)) for k in ("bonds", "angles", "torsions", "impropers", "near", "far")] == [
        19, 30, 44, 10, 38, 66,
    ]  # fmt: skip
    assert np.bincount(found.classes).tolist() == [4, 4, 4, 4, 2]
    order = rng.permutation(18)
    turned = gaff.topology([system.atoms[k] for k in order], positions[order], "x")
    assert (turned.classes == found.classes[order]).all()
    energies = [
        gaff.energies_and_forces([system.atoms[k] for k in o], positions[o][None], "x")[0][0]
        for o in (np.arange(18), order)
    ]
    assert energies[0] == pytest.approx(energies[1], abs=1e-9)
    charges = np.array(gaff.CHARGES["C10H8"])[found.classes]
    assert charges.sum() == pytest.approx(0, abs=1e-3)


def test_charges_are_the_fitted_ones(study):
    """Of ethane, which has hardly any, at the lengths and angles of its own force field."""
    assert gaff.potential_charges(SYMBOLS, ethane()) == pytest.approx(gaff.CHARGES["C2H6"], abs=2e-3)
    start = study.systems["benzene"].reference.sampled.start
    assert gaff.potential_charges(RING, np.array(start)) == pytest.approx(gaff.CHARGES["C6H6"], abs=1e-3)


def test_other_molecules_are_refused(tmp_path, capsys):
    methane = 0.63 * np.array([[0, 0, 0], [1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]])
    with pytest.raises(DataError, match=r"frame 3: no charges for C1H4"):
        gaff.energies_and_forces(["C", *"HHHH"], methane[None], "frame 3")
    with pytest.raises(DataError, match="frame 3: HHHHHHOO is no hydrocarbon"):
        gaff.energies_and_forces(["O", "O", *"HHHHHH"], ethane()[None], "frame 3")
    ethylene = np.array([[0, 0, 0.66], [0, 0, -0.66], [0, 0.92, 1.23], [0, -0.92, 1.23]])
    with pytest.raises(DataError, match="no hydrocarbon of sp³"):
        gaff.energies_and_forces(["C", "C", "H", "H"], ethylene[None], "acetylene, bent")
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

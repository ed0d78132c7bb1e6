"""The hybrid: features of bonds, its branches, its start from a pre-trained network, the choice of a circuit, Table 1."""

import functools

import numpy as np
import pandas as pd
import pytest
import torch
from qff.config import load_study, read_yaml, validate
from qff.data import read_frames, split_frames
from qff.errors import ConfigError, DataError
from qff.hybrid.initialise import choose_circuit, explained_variance
from qff.hybrid.table_one import Cells, in_kcal, table_one
from qff.hybrid.timing import cluster, exponents
from qff.models import Potential, build_architecture, load
from qff.models.bond_features import BondFeatures
from qff.models.hybrid import Hybrid, transplant
from qff.reference.many_body import coefficients, expand, layered
from qff.systems import System
from qff.training.ensemble import build_ensemble

STUDY = load_study(read_yaml("config/config.yaml"))
R = [0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0]
TABLE = {
    "distance_ang": R,
    "amplitude": [-0.02 * r**2 for r in R],
    "correlation_energy_ev": [-0.2 - 0.3 * r for r in R],
}
BONDS = {"bonds": {"H-O": TABLE}, "bond_cutoff_ang": 2.6}
BRANCHES = ("circuit", "tanh", "random", "none")


def entry_of(branch: str, bonds: bool = True):
    entry = STUDY.models["hybrid"]
    settings = {**entry.systems["h2o"], "branch": branch, **(BONDS if bonds else {})}
    return entry.model_copy(update={"systems": {"h2o": settings}})


def hybrid(branch: str, bonds: bool = True) -> Hybrid:
    return build_architecture(System("h2o", STUDY.systems["h2o"]), entry_of(branch, bonds))


def frames():
    return read_frames(STUDY.systems["h2o"].reference.frozen)


def potential(branch: str) -> Potential:
    architecture, rng = hybrid(branch), np.random.default_rng(1)
    values = architecture.inputs(torch.as_tensor(frames().positions[:20])).values
    center, width = architecture.normalisation(values)
    theta = architecture.initial_parameters(rng) + rng.normal(0, 0.2, architecture.n_parameters)
    return Potential(architecture, entry_of(branch), theta, center.numpy(), width.numpy(), -2000.0, 2.0)


@pytest.mark.parametrize("branch", BRANCHES)
def test_forces_with_features_of_vqe_are_the_derivative(branch):
    model, positions, h = potential(branch), frames().positions[:2], 1e-4
    _, forces = model.energy_and_forces(positions)
    moves = h * np.eye(positions[0].size).reshape(-1, 1, *positions[0].shape)
    shifted = np.stack([positions + k * moves for k in (-2, -1, 1, 2)])
    e = model.energy_and_forces(shifted.reshape(-1, *positions[0].shape))[0].reshape(4, -1, len(positions))
    numeric = -(e[0] - 8 * e[1] + 8 * e[2] - e[3]).T.reshape(forces.shape) / (12 * h)
    assert np.abs(forces).max() > 1e-3
    np.testing.assert_allclose(forces, numeric, atol=2e-6)


@pytest.mark.parametrize("branch", BRANCHES)
def test_physical_constraints_are_exact(branch):
    """No net force, no net torque, equal atoms interchangeable, and no forces between separate atoms."""
    model, positions = potential(branch), frames().positions[:3]
    energies, forces = model.energy_and_forces(positions)
    np.testing.assert_allclose(forces.sum(1), 0, atol=1e-10)
    np.testing.assert_allclose(np.cross(positions, forces).sum(1), 0, atol=1e-10)
    np.testing.assert_allclose(model.energy_and_forces(positions[:, [0, 2, 1]])[0], energies, atol=1e-11)
    far = positions[:1] + 50.0 * np.arange(3)[:, None]
    assert np.array_equal(model.energy_and_forces(far)[1], np.zeros((1, 3, 3)))


def test_parameters_are_learnt_through_forces():
    """The gradient of a loss of energies and forces, of every branch, against differences."""
    rng = np.random.default_rng(2)
    for branch in BRANCHES:
        architecture = hybrid(branch)
        inputs = architecture.inputs(torch.as_tensor(frames().positions[:3])).select((None, ...))
        start = torch.as_tensor(architecture.initial_parameters(rng) + rng.normal(0, 0.2, architecture.n_parameters))

        def loss(theta, architecture=architecture, inputs=inputs):
            f, df = architecture.evaluate(theta[None], inputs)
            return (f**2).sum() + (df**2).sum()

        leaf = start.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(loss(leaf), leaf)
        direction = torch.as_tensor(rng.normal(size=len(start)))
        direction /= direction.norm()
        h = 1e-5
        with torch.no_grad():
            slope = (loss(start + h * direction) - loss(start - h * direction)) / (2 * h)
        assert float(gradient @ direction) == pytest.approx(float(slope), rel=1e-5)


def test_the_twin_has_as_many_parameters_and_the_random_circuit_trains_none():
    counts = {branch: hybrid(branch).n_parameters for branch in BRANCHES}
    assert counts["circuit"] == counts["tanh"] > counts["random"] > counts["none"]
    readouts = sum(np.prod(s) for k, s in hybrid("random").shapes.items() if k.endswith("mixing.circuit"))
    assert counts["random"] == counts["none"] + readouts


def test_training_starts_from_the_network_as_it_is():
    network, positions = potential("none"), torch.as_tensor(frames().positions[:5])
    for branch in ("circuit", "tanh", "random"):
        architecture = hybrid(branch)
        theta = transplant(
            network.architecture,
            network.parameters,
            architecture,
            architecture.initial_parameters(np.random.default_rng(3)),
        )
        inputs = architecture.inputs(positions)
        center, width = architecture.normalisation(inputs.values)
        plain = network.architecture.inputs(positions)
        plain = plain.normalised(*network.architecture.normalisation(plain.values))
        expected = network.architecture.evaluate(torch.as_tensor(network.parameters)[None], plain.select((None, ...)))
        found = architecture.evaluate(
            torch.as_tensor(theta)[None], inputs.normalised(center, width).select((None, ...))
        )
        for mine, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)


def test_a_saved_hybrid_holds_what_vqe_found(tmp_path):
    model, positions = potential("circuit"), frames().positions[:2]
    model.save(tmp_path / "model.safetensors")
    assert np.array_equal(
        load(tmp_path / "model.safetensors").energy_and_forces(positions)[1], model.energy_and_forces(positions)[1]
    )
    assert "bonds" not in model.describe()


def test_bond_features_are_smooth_and_end_at_the_cutoff():
    bonds = BondFeatures(["O", "H"], ["O", "H"], [(0, 1)], {"H-O": TABLE}, 2.6)
    r = np.concatenate([np.linspace(0.3, 2.9, 400), [0.6, 2.6]])
    value, slope = bonds.curve("H-O", r)
    h = 1e-6
    numeric = (bonds.curve("H-O", r + h)[0] - bonds.curve("H-O", r - h)[0]) / (2 * h)
    np.testing.assert_allclose(slope, numeric, atol=1e-6)
    assert np.array_equal(value[r >= 2.6], np.zeros_like(value[r >= 2.6]))
    np.testing.assert_allclose(bonds.curve("H-O", np.array([1.0]))[0][0] / value.dtype.type(1), [
        TABLE["amplitude"][2] * (1 - 28 / 2.6**6 + 48 / 2.6**7 - 21 / 2.6**8),
        TABLE["correlation_energy_ev"][2] * (1 - 28 / 2.6**6 + 48 / 2.6**7 - 21 / 2.6**8),
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bonds": {}}, "hold no 'bonds'"),
        ({"bond_cutoff_ang": 3.5}, "before bond_cutoff_ang 3.5"),
        ({"branch": "quantum"}, "known are circuit, separable, tanh, cosine, random, none"),
        ({"mixing": 0}, "at least one neuron"),
        ({"depth": 2}, "unknown settings of a Hybrid model: depth"),
    ],
)
def test_impossible_settings_are_refused(changes, message):
    entry = entry_of("circuit")
    entry = entry.model_copy(update={"systems": {"h2o": {**entry.systems["h2o"], **changes}}})
    with pytest.raises(ConfigError, match=message):
        build_architecture(System("h2o", STUDY.systems["h2o"]), entry)


def test_the_circuit_that_explains_the_errors_is_chosen():
    """Labels made of one candidate's readouts: that one is found, among others, and explains nearly all."""
    architecture, data = hybrid("circuit"), frames()
    split = split_frames(data, STUDY.systems["h2o"].split, 1, "h2o", 0)
    ensemble = build_ensemble(architecture, data, [split], n_train=60)
    rng = np.random.default_rng(0)
    draws = [architecture.initial_parameters(rng) for _ in range(3)]
    for part in (ensemble.training, ensemble.validation):
        values = part.inputs.values
        readouts = architecture.readouts(torch.as_tensor(draws[1])[None], values)[0]
        predicted = architecture.values(torch.as_tensor(draws[1])[None], values)[0]
        wanted = predicted + 0.1 * readouts[:, 0] - 0.3 * readouts[:, 5]
        part.energies[0] = ensemble.shift[0] + ensemble.scale[0] * wanted
    chosen, explained = choose_circuit(ensemble, 0, draws)
    assert chosen == 1
    assert explained > 0.8


def test_noise_explains_nothing():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 5)), rng.normal(size=400)
    assert abs(explained_variance(x[:200], y[:200], x[200:], y[200:])) < 0.1
    assert explained_variance(x[:200], x[:200, 1] * 2 + 1, x[200:], x[200:, 1] * 2 + 1) > 0.99


def cells(**row) -> Cells:
    row = {"label": "ethane", "system": "ethane", **row}
    return validate(
        Cells, {"methods": {"b3lyp": "B3LYP", "hybrid": "Hybrid"}, "printed": {}, "rows": {"ethane": row}}, "cells"
    )


def test_every_cell_of_table_one_has_a_number_or_a_reason():
    common = {"system": "ethane", "model": "hybrid", "split": "test", "variant": "", "n_train": 10}
    metrics = pd.DataFrame(
        [
            {**common, "seed": k, "quantity": q, "unit": u, "value": v * (1 + k)}
            for k in range(3)
            for q, u, v in (("energy_rmse", "meV", 43.3641), ("force_rmse", "eV/Ang", 0.0433641))
        ]
    )
    table = table_one(cells(reasons={"b3lyp": "not measured"}), metrics).set_index(["method", "quantity"])
    assert table.loc[("hybrid", "energy_rmse"), ["value", "low", "high"]].tolist() == pytest.approx(
        [2, 1, 3], rel=1e-5
    )
    assert table.loc[("hybrid", "force_rmse"), "value"] == pytest.approx(2, rel=1e-5)
    assert table.loc[("b3lyp", "force_rmse"), "reason"] == "not measured"
    assert in_kcal(metrics).groupby("quantity").value.max().tolist() == pytest.approx([3, 3], rel=1e-5)
    with pytest.raises(ConfigError, match=r"ethane: no number for 'b3lyp' in this study, and no reason"):
        table_one(cells(), metrics)


def test_the_file_of_table_one_is_complete():
    table = table_one(validate(Cells, read_yaml("config/table_one.yaml"), "table_one"), pd.DataFrame(
        columns=["system", "model", "quantity", "split", "value"]
    ))  # fmt: skip
    assert (table.value.notna() | table.reason.notna()).all()


def test_exponents_of_power_laws():
    atoms = np.array([3, 6, 12, 24])
    table = pd.DataFrame({"method": "x", "atoms": atoms, "seconds": 1e-3 * atoms**2.5})
    exponent, low, high = exponents(table)["x"]
    assert low - 1e-9 <= exponent <= high + 1e-9
    assert exponent == pytest.approx(2.5)
    assert exponents(table[:2]) == {}


def test_molecules_of_the_timing_do_not_touch():
    symbols, positions = cluster(7)
    assert symbols.count("O") == 7
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    molecule = np.arange(21) // 3
    assert distances[molecule[:, None] != molecule[None]].min() > 1.0


def test_many_body_expansion_is_exact_at_the_last_order_and_linear_in_pairs():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 3))
    monomers = [[0, 1], [2, 3], [4, 5], [6, 7]]

    def pairs(atoms):
        d = x[atoms][:, None] - x[atoms][None]
        energy = 0.5 * (d**2).sum()
        return float(energy), -2 * d.sum(1)

    def cubic(atoms):
        total = x[atoms].sum()
        return float(total**3), np.full((len(atoms), 3), -3 * total**2)

    for calculate, order in ((pairs, 2), (cubic, 3), (cubic, 4)):
        energy, forces = expand(monomers, order, calculate)
        expected, pull = calculate(list(range(8)))
        assert energy == pytest.approx(expected)
        np.testing.assert_allclose(forces, pull, atol=1e-9)
    energy, forces = layered(monomers, 3, cubic, pairs)
    assert energy == pytest.approx(cubic(list(range(8)))[0])
    np.testing.assert_allclose(forces, cubic(list(range(8)))[1], atol=1e-9)
    assert coefficients(4, 3) == {1: 1, 2: -1, 3: 1}
    with pytest.raises(DataError, match="order 5 for 4 monomers"):
        coefficients(4, 5)


def test_three_body_expansion_of_a_water_tetramer():
    """CCSD(T)/STO-3G on the hydrogen-bonded ring of four: within 0.1 kcal/mol of the direct calculation on top of MP2.

    Alone, the expansion leaves out the four-body terms of the ring, which is more than that.
    """
    from pyscf import cc, gto, scf
    from qff.units import HARTREE_IN_EV, KCAL_PER_MOL_IN_EV

    positions = []
    for k in range(4):  # each donates to the next, O–O 2.76 Å
        turn = np.pi / 2 * k
        rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
        oxygen = np.array([1.952, 0.0, 0.0])
        bonded = oxygen + 0.98 * np.array([-1, 1, 0]) / np.sqrt(2)
        free = oxygen + 0.96 * np.array([0.45, 0.2, 0.87 * (-1) ** k])
        positions += [rotation @ p for p in (oxygen, bonded, free)]
    symbols, monomers = ["O", "H", "H"] * 4, [[3 * k, 3 * k + 1, 3 * k + 2] for k in range(4)]

    @functools.cache
    def energies(*atoms):
        """MP2 and CCSD(T), kcal/mol."""
        mol = gto.M(atom=[(symbols[i], positions[i]) for i in atoms], basis="sto-3g", verbose=0)
        solver = cc.CCSD(scf.RHF(mol).run(conv_tol=1e-11)).run()
        found = solver.e_hf + solver.emp2, solver.e_tot + solver.ccsd_t()
        return [x * HARTREE_IN_EV / KCAL_PER_MOL_IN_EV for x in found]

    def mp2(atoms):
        return energies(*atoms)[0], np.zeros((len(atoms), 3))

    def ccsd_t(atoms):
        return energies(*atoms)[1], np.zeros((len(atoms), 3))

    direct = ccsd_t(list(range(12)))[0]
    alone = [abs(expand(monomers, order, ccsd_t)[0] - direct) for order in (1, 2, 3)]
    assert 0.1 < alone[2] < 1 < alone[1] < alone[0]
    assert abs(layered(monomers, 3, ccsd_t, mp2)[0] - direct) < 0.1

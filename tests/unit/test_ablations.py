"""The equivariant, atomic and hybrid models without their quantum part."""

import numpy as np
import pytest
import torch
from qff.config import ModelConfig
from qff.errors import ConfigError
from qff.materials.circuit import AmplitudeCircuit
from qff.models import build_architecture
from qff.models.neighbour_pairs import _Cosine
from qff.randomness import generator
from qff.systems import System
from scipy.spatial.transform import Rotation

POSITIONS = torch.tensor(
    [[[0, 0, 0], [0.97, 0, 0.1], [-0.25, 0.93, 0]], [[0, 0, 0], [1.05, 0.1, 0], [-0.3, 0.88, 0.1]]],
    dtype=torch.float64,
)
PAIRS = {"form": "original", "layers": 2}
REVISED = {"form": "revised", "layers": 1, "cutoff_ang": 3.0, "n_radial": 2}
ATOMS = {"cutoff_ang": 4.0, "radial": [[4.0, 0.8], [4.0, 1.4]], "heads": 2, "n_qubits": 2, "layers": 1}
HYBRID = {**ATOMS, "hidden": [3], "mixing": 2}


def built(study, kind, **settings):
    entry = ModelConfig(name="x", label="x", kind=kind, systems={"h2o": settings})
    return build_architecture(System("h2o", study.systems["h2o"]), entry)


def outputs(architecture, theta, positions=POSITIONS):
    inputs = architecture.inputs(positions).select((None, ...))
    return architecture.evaluate(theta, inputs)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("neighbour_pairs", {**PAIRS, "core": "cosine"}),
        ("neighbour_pairs", {**PAIRS, "core": "recurrent"}),
        ("neighbour_pairs", {**PAIRS, "entangling": False}),
        ("neighbour_pairs", {**REVISED, "core": "cosine"}),
        ("random_readout", {**PAIRS, "of": "neighbour_pairs", "draws": 2}),
        ("random_readout", {**REVISED, "of": "neighbour_pairs", "draws": 1}),
        ("random_readout", {**ATOMS, "of": "atomic_circuits", "draws": 2}),
        ("hybrid", {**HYBRID, "branch": "separable"}),
        ("hybrid", {**HYBRID, "branch": "cosine"}),
    ],
)
def test_what_is_left_has_exact_forces_and_can_be_trained(study, kind, settings):
    """Forces against central differences of the energy; a loss of both has gradients."""
    architecture = built(study, kind, **settings)
    theta = torch.tensor(np.random.default_rng(1).normal(0, 0.4, (1, architecture.n_parameters)))
    inputs = architecture.inputs(POSITIONS)
    f, df = outputs(architecture, theta)
    slope = torch.einsum("bk,bkax->bax", df[0], inputs.directions)
    step = 1e-5
    for atom, axis in ((1, 0), (2, 1)):
        moved = torch.zeros(3, 3, dtype=torch.float64)
        moved[atom, axis] = step
        ahead, behind = (outputs(architecture, theta, POSITIONS + sign * moved)[0][0] for sign in (1, -1))
        torch.testing.assert_close((ahead - behind) / (2 * step), slope[:, atom, axis], rtol=1e-6, atol=1e-8)
    leaf = theta.clone().requires_grad_(True)
    f, df = outputs(architecture, leaf)
    (gradient,) = torch.autograd.grad((f**2).sum() + (df**2).sum(), leaf)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().max() > 0


def test_the_cut_series_is_a_closed_form():
    """One layer, by rotation matrices: (tr(R₁ᵀR₂)/3 + tr(R₁'ᵀR₂')/3 (1 + Σ cos c)/5)/2; a lone neighbour has R₂ = 1."""
    rng = np.random.default_rng(2)
    phi = rng.normal(size=(1, 3, 16))
    phi[0, 2, [3, 4, 5, 9, 10, 11]] = 0
    for value, row in zip(_Cosine(1)(torch.tensor(phi))[0], phi[0], strict=True):
        vectors = row[:12].reshape(2, 2, 3)
        traces = [
            np.trace(Rotation.from_rotvec(a).as_matrix().T @ Rotation.from_rotvec(b).as_matrix()) / 3
            for a, b in vectors
        ]
        expected = (traces[0] + traces[1] * (1 + np.cos(row[12:]).sum()) / 5) / 2
        assert float(value) == pytest.approx(expected, abs=1e-12)
    assert torch.autograd.gradgradcheck(_Cosine(1), torch.tensor(phi, requires_grad=True))


def test_random_circuits_are_linear_in_what_is_trained_and_alike_for_all_seeds(study):
    quantum = built(study, "atomic_circuits", **ATOMS)
    random = built(study, "random_readout", **ATOMS, of="atomic_circuits", draws=1)
    again = built(study, "random_readout", **ATOMS, of="atomic_circuits", draws=1)
    assert random.n_parameters == len(quantum.readout_parameters) == 2 * (2 + 1)  # two elements: heads and a constant
    theta = torch.tensor(np.random.default_rng(3).normal(size=(2, random.n_parameters)))
    (first, second), joint = (outputs(random, theta)[0], outputs(again, theta.sum(0)[None])[0][0])
    torch.testing.assert_close(first + second, joint, rtol=0, atol=1e-12)
    both = built(study, "random_readout", **ATOMS, of="atomic_circuits", draws=2)
    half = torch.cat([theta[:1], 0 * theta[:1]], 1)
    torch.testing.assert_close(outputs(both, half)[0][0], first, rtol=0, atol=1e-12)


@pytest.mark.parametrize("settings", [PAIRS, REVISED])
def test_expectation_values_once_per_frame_give_the_models_that_are_added(study, settings):
    random = built(study, "random_readout", **settings, of="neighbour_pairs", draws=2)
    model = built(study, "neighbour_pairs", **settings)
    trained = model.readout_parameters
    assert random.n_parameters == 2 * len(trained)
    theta = np.random.default_rng(5).normal(size=(3, 2, len(trained)))
    added = []
    for r in range(2):
        full = np.tile(model.initial_parameters(generator(0, "random_readout", "h2o", r)), (3, 1))
        full[:, trained] = theta[:, r]
        added.append(outputs(model, torch.tensor(full)))
    for ours, first, second in zip(outputs(random, torch.tensor(theta.reshape(3, -1))), *added, strict=True):
        torch.testing.assert_close(ours, first + second, rtol=0, atol=1e-12)


def test_a_series_needs_the_couplings(study):
    with pytest.raises(ConfigError, match="core: cosine is a function of the couplings"):
        built(study, "neighbour_pairs", **PAIRS, core="cosine", entangling=False)
    with pytest.raises(ConfigError, match="draws = 0: must be an integer of at least 1"):
        built(study, "random_readout", **PAIRS, of="neighbour_pairs", draws=0)
    with pytest.raises(ConfigError, match="of 'qnn': known are"):
        built(study, "random_readout", **PAIRS, of="qnn", draws=1)


def test_amplitudes_without_entangling_gates_turn_qubit_by_qubit():
    """Without CZ all layers are one rotation of each qubit by the sum of its angles."""
    several = AmplitudeCircuit(2, 3, 1, entangling=False)
    one = AmplitudeCircuit(2, 1, 1, entangling=False)
    rng = np.random.default_rng(4)
    angles, weights = rng.normal(size=(3, 2)), rng.normal(size=4)
    expected = one.matrices(np.concatenate([angles.sum(0), weights]))
    theta = np.concatenate([angles.ravel(), weights])
    np.testing.assert_allclose(several.matrices(theta), expected, atol=1e-12)
    assert np.abs(AmplitudeCircuit(2, 3, 1).matrices(theta) - expected).max() > 1e-3

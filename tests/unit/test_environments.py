"""Models of atomic environments: what is particular to each, beside the contract of all potentials."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from qff.errors import ConfigError
from qff.models import cartesian
from qff.models.atomic_circuit import AtomicCircuits
from qff.models.behler_parrinello import BehlerParrinello
from qff.models.central_atom import CentralAtom
from qff.models.neighbour_pairs import NeighbourPairs
from qff.models.radial import bessel, polynomial_cutoff

ORGANIC = ["H", "C", "O"]
REVISED = {"form": "revised", "layers": 2, "cutoff_ang": 3.0, "n_radial": 4, "elements": ORGANIC}
ORIGINAL = {"form": "original", "layers": 2}
DESCRIPTOR = {"cutoff_ang": 3.0, "cutoff_type": 6, "radial": [[2.0, 1.0], [2.0, 2.0]], "angular": [[0.1, 1.0, 2.0]]}
CIRCUITS = {**DESCRIPTOR, "heads": 2, "n_qubits": 3, "layers": 1}
WATER = np.array([[0.0, 0.0, 0.1], [0.0, 0.8, -0.5], [0.0, -0.75, -0.5]])


def molecule(symbols: str) -> SimpleNamespace:
    return SimpleNamespace(name=symbols, symbols=list(symbols), config=None)


def energies(architecture, theta, positions) -> np.ndarray:
    inputs = architecture.inputs(torch.as_tensor(np.atleast_3d(positions)))
    if architecture.normalise_inputs:
        n = inputs.values.shape[1]
        inputs = inputs.normalised(torch.zeros(n), torch.ones(n))
    return architecture.evaluate(torch.as_tensor(theta)[None], inputs.select((None, ...)))[0][0].numpy()


def parameters(architecture, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=architecture.n_parameters)


def test_radial_functions_are_orthonormal_and_vanish_at_the_cutoff():
    r = torch.linspace(1e-6, 5.0, 20001, dtype=torch.float64)
    waves = bessel(r, 5.0, 4)
    overlap = torch.trapezoid(waves[:, :, None] * waves[:, None] * (r * r)[:, None, None], r, dim=0)
    torch.testing.assert_close(overlap, torch.eye(4, dtype=torch.float64), rtol=0, atol=1e-6)
    edge = torch.tensor([5.0, 5.1], dtype=torch.float64)
    assert (polynomial_cutoff(edge, 5.0) == 0).all()
    near = polynomial_cutoff(5.0 - torch.tensor([1e-2, 1e-3], dtype=torch.float64), 5.0)
    assert near[0] / near[1] == pytest.approx(1e3, rel=0.1)  # two vanishing derivatives: the third order is first


def test_the_original_form_is_periodic_in_the_distance():
    """A documented defect: all distances grown by 2π/α of every encoding give the same energy, up to a sign of spin."""
    model = NeighbourPairs(molecule("OHH"), ORIGINAL)
    theta = parameters(model)
    theta[: model._layers + 1] = 1.3  # α
    stretched = WATER.copy()
    for k in (1, 2):
        arm = WATER[k] - WATER[0]
        stretched[k] = WATER[0] + arm * (1 + 4 * np.pi / 1.3 / np.linalg.norm(arm))
    # of the oxygen's environment alone: the hydrogens see the third side
    model._triples = model._triples[:, :1]
    assert energies(model, theta, stretched[None]) == pytest.approx(energies(model, theta, WATER[None]), abs=1e-12)
    assert abs(energies(model, theta, (WATER * 1.1)[None]) - energies(model, theta, WATER[None])) > 1e-3


def test_parameters_of_the_revised_form_move_to_other_molecules():
    one, other = (NeighbourPairs(molecule(s), REVISED) for s in ("OHH", "CHHHH"))
    theta = parameters(one)
    assert one.n_parameters == other.n_parameters
    # Two molecules far apart are the sum of the two.
    both = NeighbourPairs(molecule("OHHOHH"), REVISED)
    far = np.concatenate([WATER, WATER + 50.0])
    assert energies(both, theta, far[None]) == pytest.approx(2 * energies(one, theta, WATER[None]), abs=1e-10)


@pytest.mark.parametrize("core", ["circuit", "recurrent"])
def test_the_revised_form_is_smooth_through_its_cutoff(core):
    model = NeighbourPairs(molecule("OHH"), {**REVISED, "core": core})
    theta = parameters(model)
    step = 1e-3
    place = 3.0 + step * np.arange(-3, 4)  # Å from O to the second H
    frames = np.stack([WATER] * 7)
    frames[:, 2] = WATER[0] - np.outer(place, [0.0, 0.8, 0.6])
    e = energies(model, theta, frames)
    assert np.abs(np.diff(e, 2)).max() < 1e-6
    assert np.ptp(e) < 1e-5


def test_species_matter_in_the_revised_form_only():
    for settings, differs in ((REVISED, True), (ORIGINAL, False)):
        models = [NeighbourPairs(molecule(s), settings) for s in ("OHH", "CHH")]
        theta = parameters(models[0])
        one, two = (float(energies(m, theta, WATER[None])[0]) for m in models)
        assert (abs(one - two) > 1e-3) == differs


def test_the_twin_of_the_revised_circuit_has_its_parameters():
    circuit, twin = (NeighbourPairs(molecule("OHH"), {**REVISED, "core": c}) for c in ("circuit", "recurrent"))
    theta = parameters(circuit)
    assert circuit.n_parameters == twin.n_parameters
    assert abs(energies(circuit, theta, WATER[None]) - energies(twin, theta, WATER[None])) > 1e-3


def test_atomic_circuits_and_their_twins_have_equal_parameters():
    variants = [{}, {"core": "tanh"}, {"core": "cosine"}, {"entangling": False}]
    models = [AtomicCircuits(molecule("OHH"), {**CIRCUITS, **v}) for v in variants]
    theta = parameters(models[0])
    found = [float(energies(m, theta, WATER[None])[0]) for m in models]
    assert len({m.n_parameters for m in models}) == 1
    assert min(abs(found[0] - other) for other in found[1:]) > 1e-4


@pytest.mark.parametrize("build", [lambda s: AtomicCircuits(s, {**CIRCUITS, "elements": ORGANIC}),
                                   lambda s: BehlerParrinello(s, {**DESCRIPTOR, "hidden": [3], "elements": ORGANIC})])  # fmt: skip
def test_given_elements_make_parameters_independent_of_the_molecule(build):
    one, both = build(molecule("OHH")), build(molecule("OHHOHH"))
    theta = parameters(one)
    far = np.concatenate([WATER, WATER + 50.0])
    assert energies(both, theta, far[None]) == pytest.approx(2 * energies(one, theta, WATER[None]), abs=1e-10)
    assert build(molecule("CHHHH")).n_parameters == one.n_parameters
    values = one.inputs(torch.tensor(np.stack([WATER, 1.1 * WATER]))).values
    center, width = one.normalisation(values)  # carbon is not there
    assert center.shape == width.shape == values.shape[1:]


@pytest.mark.parametrize(
    "build",
    [
        lambda s, e: NeighbourPairs(s, {**REVISED, "elements": e}),
        lambda s, e: AtomicCircuits(s, {**CIRCUITS, "elements": e}),
        lambda s, e: BehlerParrinello(s, {**DESCRIPTOR, "hidden": [3], "elements": e}),
    ],
)
def test_an_element_that_is_not_stated_has_parameters_of_its_own(build):
    """A molecule of nitrogen and a model for hydrogen, carbon and oxygen."""
    oxide, amine = (build(molecule(s), ORGANIC) for s in ("OHH", "NHH"))
    stated = build(molecule("NHH"), [*ORGANIC, "N"])
    assert amine.n_parameters == stated.n_parameters > oxide.n_parameters
    theta = parameters(stated)
    assert energies(amine, theta, WATER[None]) == energies(stated, theta, WATER[None])
    other = energies(build(molecule("OHH"), [*ORGANIC, "N"]), theta, WATER[None])
    assert np.abs(energies(amine, theta, WATER[None]) - other) > 1e-4
    far = np.concatenate([WATER, WATER + 50.0])
    both = energies(build(molecule("NHHNHH"), ORGANIC), theta, far[None])
    assert both == pytest.approx(2 * energies(amine, theta, WATER[None]), abs=1e-10)


def test_three_body_terms_are_evaluated_a_few_frames_at_a_time(monkeypatch):
    """Their number grows with the cube of the atoms, and memory with it."""
    model = NeighbourPairs(molecule("OHH"), ORIGINAL)
    theta, frames = parameters(model), np.stack([WATER * s for s in (0.9, 1.0, 1.1, 1.2, 1.3)])
    whole, sizes, energy = energies(model, theta, frames), [], model.energy
    monkeypatch.setattr(model, "energy", lambda t, x: sizes.append(x.shape[1]) or energy(t, x))
    monkeypatch.setattr(cartesian, "_TRIPLES_AT_ONCE", 2 * 3**3)
    np.testing.assert_allclose(energies(model, theta, frames), whole, rtol=1e-13)
    assert sizes == [2, 2, 1]


def test_the_axes_of_a_large_molecule_carry_the_forces_of_its_distances():
    symbols = "CCCOHHHHHHHHHH"
    model = BehlerParrinello(molecule(symbols), {**DESCRIPTOR, "hidden": [3], "elements": ORGANIC})
    rng = np.random.default_rng(3)
    positions = torch.as_tensor(1.5 * np.indices((2, 3, 3)).reshape(3, -1).T[:14] + rng.normal(0, 0.1, (60, 14, 3)))
    axes, distances = model.inputs(positions), model.along_distances(positions)
    assert (axes.tangents.shape[1], distances.tangents.shape[1]) == (42, 91)
    theta = torch.as_tensor(parameters(model))[None]
    found = []
    for inputs in (axes, distances):
        f, df = model.evaluate(theta, inputs.select((None, ...)))
        found.append((f, torch.einsum("sbk,bkax->sbax", df, inputs.directions)))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-11)
    assert found[0][1].abs().max() > 1e-2


def test_the_published_demonstration_has_its_parameters():
    settings = {"circuit": "equivariant", "n_qubits": 4, "layers": 6, "repetitions": 2, "tied": False}
    model = CentralAtom(molecule("OHH"), settings)
    assert model.n_parameters == 24 + 28
    assert CentralAtom(molecule("OHH"), {**settings, "repeat_last": True}).n_parameters == 20 + 28
    theta = parameters(model)
    swapped = energies(model, theta, WATER[[0, 2, 1]][None])
    assert abs(swapped - energies(model, theta, WATER[None])) > 1e-3  # untied: atoms have parameters of their own
    tied = CentralAtom(molecule("OHH"), {**settings, "tied": True})
    theta = parameters(tied)
    assert energies(tied, theta, WATER[[0, 2, 1]][None]) == pytest.approx(
        energies(tied, theta, WATER[None]), abs=1e-12
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: NeighbourPairs(molecule("OHH"), {**REVISED, "form": "new"}), "form 'new': known are original, revised"),
        (lambda: NeighbourPairs(molecule("OHH"), {**REVISED, "elements": ["H", "Oo"]}), "'Oo' is not a chemical element"),
        (lambda: NeighbourPairs(molecule("OHH"), {**REVISED, "depth": 1}), "unknown settings .* depth"),
        (lambda: NeighbourPairs(molecule("OHH"), {**REVISED, "core": "recurrent", "entangling": False}), "needs entangling"),
        (lambda: NeighbourPairs(molecule("OHH"), {**ORIGINAL, "n_radial": 4}), "n_radial: the original form has no"),
        (lambda: AtomicCircuits(molecule("OHH"), {**CIRCUITS, "core": "relu"}), "core 'relu': known are circuit, tanh"),
        (lambda: AtomicCircuits(molecule("OHH"), {**CIRCUITS, "hidden": [3]}), "unknown settings .* hidden"),
        (lambda: BehlerParrinello(molecule("OHH"), {**DESCRIPTOR, "hidden": [3], "elements": ["h"]}), "'h' is not a chemical"),
        (
            lambda: CentralAtom(molecule("OHHH"), {"circuit": "equivariant", "n_qubits": 4, "layers": 1}),
            "takes 12 features; OHHH has the 9 components",
        ),
        (lambda: CentralAtom(molecule("OHH"), {"circuit": "kiss", "n_qubits": 6, "layers": 1}), "states no initial parameters"),
        (
            lambda: CentralAtom(molecule("OHH"), {"circuit": "equivariant", "n_qubits": 2, "layers": 1, "repeat_last": True}),
            "leave no layer before the last",
        ),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(build, message):
    with pytest.raises(ConfigError, match=message):
        build()

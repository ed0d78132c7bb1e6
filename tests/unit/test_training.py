"""Least squares through the training loop: Gauss–Newton matrices, and how far Levenberg–Marquardt gets with them."""

import dataclasses
import functools

import numpy as np
import pytest
import torch
from qff.config import ModelConfig, TrainingConfig
from qff.data import read_frames, split_frames
from qff.models import build_architecture
from qff.models.architecture import Inputs
from qff.systems import System
from qff.training.descent import Descent
from qff.training.ensemble import Ensemble, build_ensemble, initial_ensemble
from qff.training.loss import gauss_newton, losses, predict

MODELS = {
    "nn": {"hidden": [4, 6, 5], "output_range": 0.2},
    "qnn": {"circuit": "kiss", "n_qubits": 3, "layers": 8, "feature_map": "arcsin", "output_range": 0.1},
}
ALL = torch.tensor([True, True])


def water_ensemble(study, kind: str, settings: dict, members: int, n_train: int) -> Ensemble:
    """Members with molecules of their own."""
    h2o = study.systems["h2o"]
    model = ModelConfig(name=kind, label="", kind=kind, systems={"h2o": settings})
    frames = read_frames(h2o.reference.frozen)
    splits = [split_frames(frames, h2o.split, 1, "h2o", seed) for seed in range(members)]
    return build_ensemble(build_architecture(System("h2o", h2o), model), frames, splits, n_train)


@pytest.fixture(scope="module", params=MODELS)
def ensemble(request, study) -> Ensemble:
    """A small network and a small circuit."""
    return water_ensemble(study, request.param, MODELS[request.param], members=2, n_train=30)


def parameters(ensemble: Ensemble) -> torch.Tensor:
    return torch.as_tensor(initial_ensemble(ensemble.architecture, 3, "small", 2)[:, 0])


def loss_of(ensemble: Ensemble, theta: torch.Tensor, config: TrainingConfig) -> torch.Tensor:
    data = ensemble.training
    return losses(*predict(ensemble.architecture, theta, data.inputs, ensemble.shift, ensemble.scale), data, config)


def residuals(ensemble: Ensemble, theta: torch.Tensor, config: TrainingConfig) -> torch.Tensor:
    """Weighted errors (S, B (1 + 3A)) of all energies and Cartesian force components: the loss is their square sum."""
    data = ensemble.training
    energies, forces = predict(ensemble.architecture, theta, data.inputs, ensemble.shift, ensemble.scale)
    frames, components = energies.shape[1], forces[0, 0].numel()
    weight = config.force_weight / components / (1 if config.printed_loss else frames)
    errors = (energies - data.energies) / frames**0.5, (forces - data.forces).flatten(1) * weight**0.5
    return torch.cat(errors, 1)


@pytest.mark.parametrize("config", [{}, {"force_weight": 0.3, "printed_loss": True}, {"force_weight": 0.0}], ids=str)
def test_gauss_newton_is_twice_the_squared_jacobian_of_the_residuals(ensemble, config):
    config = TrainingConfig(**config)
    theta = parameters(ensemble)
    curvature = functools.partial(
        gauss_newton, ensemble.architecture, theta, ensemble.training, ensemble.scale, config
    )
    found = curvature(ALL)
    for k in range(2):
        leaf = theta.clone().requires_grad_(True)
        errors = residuals(ensemble, leaf, config)[k]
        torch.testing.assert_close(errors @ errors, loss_of(ensemble, theta, config)[k])
        rows = [torch.autograd.grad(r, leaf, retain_graph=True)[0][k] for r in errors]
        jacobian = torch.stack(rows)
        torch.testing.assert_close(found[k], 2 * jacobian.T @ jacobian, rtol=1e-9, atol=1e-12)
        assert torch.equal(curvature(torch.arange(2) == k)[0], found[k])


def test_members_that_share_their_inputs_have_the_same_curvature(ensemble):
    """One set of features for all members is as good as a copy for each."""
    theta, config = parameters(ensemble), TrainingConfig()
    first = ensemble.training.inputs.select(slice(0, 1))
    matrices = [
        gauss_newton(
            ensemble.architecture,
            theta,
            dataclasses.replace(ensemble.training, inputs=inputs),
            ensemble.scale,
            config,
            ALL,
        )
        for inputs in (first, first.select(torch.tensor([0, 0])))
    ]
    assert torch.equal(*matrices)


def test_levenberg_marquardt_gets_further_than_bfgs(ensemble):
    """The loss is a sum of squares: as many evaluations from the same start end far below."""
    reached = {}
    for optimiser in ("bfgs", "levenberg_marquardt"):
        curves = ensemble.train(
            parameters(ensemble).numpy()[:, None], TrainingConfig(optimiser=optimiser, steps=60)
        ).curves
        reached[optimiser] = curves.query("step == 60").train_loss_ev2.to_numpy()
    assert (reached["levenberg_marquardt"] < 0.2 * reached["bfgs"]).all()


def test_levenberg_marquardt_keeps_out_of_saturation(study):
    """From every start: with little damping three of these eight end where all hidden neurons are saturated."""
    ensemble = water_ensemble(study, "nn", MODELS["nn"], members=8, n_train=40)
    initial = initial_ensemble(ensemble.architecture, 1, "nn_biased", 8)
    curves = ensemble.train(initial, TrainingConfig(optimiser="levenberg_marquardt", steps=60)).curves
    assert curves.query("step == 60").train_loss_ev2.max() < 1e-3


def test_levenberg_marquardt_ends_where_the_slope_is_zero(study):
    """Two neurons do not fit water: what is left is a stationary point, not a lack of steps."""
    ensemble = water_ensemble(study, "nn", {"hidden": [2]}, members=2, n_train=30)
    config = TrainingConfig(optimiser="levenberg_marquardt", steps=150)
    method = Descent(ensemble.architecture, ensemble.training, ensemble.shift, ensemble.scale, config)
    slopes, state = [], method.start(parameters(ensemble))
    for step in range(config.steps):
        state = method.advance(state, step)
        if step in (0, config.steps - 1):
            leaf = method.current(state).clone().requires_grad_(True)
            loss = loss_of(ensemble, leaf, config)
            (gradient,) = torch.autograd.grad(loss.sum(), leaf)
            slopes.append(gradient.norm(dim=1))
    assert (loss > 1e-4).all()
    assert (slopes[1] < 1e-6 * slopes[0]).all(), (slopes, loss)


@pytest.fixture
def atoms(study) -> functools.partial:
    """Makes two members of a network on symmetry functions, whose inputs are normalised."""
    settings = {"cutoff_ang": 4.0, "radial": [[4.0, 0.8], [4.0, 1.4]], "hidden": [3]}
    return functools.partial(water_ensemble, study, "behler_parrinello", settings, members=2, n_train=10)


def test_normalised_inputs_are_no_second_copy(atoms, study, monkeypatch):
    """Slopes of symmetry functions are gigabytes in larger molecules: they are held once for every member."""
    selected, select = [], Inputs.select
    monkeypatch.setattr(Inputs, "select", lambda self, index: selected.append(select(self, index)) or selected[-1])
    ensemble = atoms()
    data = (ensemble.training, ensemble.validation)
    assert [d.inputs.tangents.data_ptr() for d in data] == [s.tangents.data_ptr() for s in selected]
    frames = read_frames(study.systems["h2o"].reference.frozen)
    for seed in range(2):
        index = split_frames(frames, study.systems["h2o"].split, 1, "h2o", seed)["train"][:10]
        raw = ensemble.architecture.inputs(torch.as_tensor(frames.positions[index]))
        expected = raw.normalised(ensemble.center[seed], ensemble.width[seed])
        torch.testing.assert_close(ensemble.training.inputs.values[seed], expected.values, rtol=0, atol=1e-12)
        torch.testing.assert_close(ensemble.training.inputs.tangents[seed], expected.tangents, rtol=1e-10, atol=1e-14)


def test_many_frames_are_evaluated_a_few_at_a_time(atoms, study, monkeypatch):
    ensemble = atoms()
    model = ModelConfig(name="atoms", label="", kind="behler_parrinello", systems={"h2o": {}})
    initial = initial_ensemble(ensemble.architecture, 3, "atoms", 2)[:, 0]
    potential = ensemble.potentials(model, initial)[0]
    positions = read_frames(study.systems["h2o"].reference.frozen).positions[:7]
    whole, sizes, inputs = potential.energy_and_forces(positions), [], potential.architecture.inputs
    monkeypatch.setattr(potential.architecture, "frames_at_once", 3)
    monkeypatch.setattr(potential.architecture, "inputs", lambda x: sizes.append(len(x)) or inputs(x))
    for ours, expected in zip(potential.energy_and_forces(positions), whole, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-13, atol=1e-13)
    assert sizes == [3, 3, 1]

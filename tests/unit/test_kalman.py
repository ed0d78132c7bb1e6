"""The Kalman filter where its answer is known, and its training epochs."""

import numpy as np
import pytest
import torch
from qff.config import TrainingConfig, load_study, read_yaml
from qff.data import read_frames, split_frames
from qff.models import build_architecture
from qff.systems import System
from qff.training.ensemble import build_ensemble, initial_ensemble
from qff.training.kalman import KalmanFilter, KalmanTraining
from qff.training.loop import predict

STUDY = load_study(read_yaml("config/config.yaml"))


def linear_problem(members=2, observations=12, parameters=5, seed=0):
    rng = np.random.default_rng(seed)
    jacobian = torch.tensor(rng.normal(size=(members, observations, parameters)))
    return jacobian, torch.tensor(rng.normal(size=(members, observations)))


@pytest.mark.parametrize("block", [1, 4, 12])
def test_linear_observations_give_ridge_regression(block):
    """Without process noise: argmin η |y - Jw|² + ε |w - w₀|², in blocks of any size and for every member."""
    jacobian, target = linear_problem()
    kalman = KalmanFilter(epsilon=0.3, q0=0.0, eta0=2.0)
    state = kalman.start(torch.ones(2, 5, dtype=torch.float64))
    for j, y in zip(jacobian.split(block, 1), target.split(block, 1), strict=True):
        state = kalman.update(state, y - (j @ state["theta"][..., None])[..., 0], j)
    normal = 2.0 * jacobian.mT @ jacobian + 0.3 * torch.eye(5, dtype=torch.float64)
    right = 2.0 * (jacobian.mT @ target[..., None])[..., 0] + 0.3
    torch.testing.assert_close(state["theta"], torch.linalg.solve(normal, right))
    torch.testing.assert_close(state["covariance"], torch.linalg.inv(normal))


def test_schedules_and_process_noise():
    jacobian, target = linear_problem(1, 3)
    kalman = KalmanFilter(q0=0.5, q_min=0.2, q_decay=1.0, eta0=0.1, eta_max=0.2, eta_growth=0.5)
    state = kalman.start(torch.zeros(1, 5, dtype=torch.float64))
    before = state["covariance"].clone()
    state = kalman.update(state, target, 0 * jacobian)  # nothing learnt: the noise of three observations is added
    torch.testing.assert_close(state["covariance"] - before, 1.5 * torch.eye(5, dtype=torch.float64)[None])
    assert float(state["q"]) == pytest.approx(0.5 * np.exp(-1))
    assert float(state["eta"]) == pytest.approx(0.1 * np.exp(0.5))
    for _ in range(5):
        state = kalman.update(state, target, jacobian)
    assert 0.2 * np.exp(-1) < float(state["q"]) <= 0.2
    assert 0.2 <= float(state["eta"]) < 0.2 * np.exp(0.5)


def ensemble(model="nn_biased", n_train=30):
    architecture = build_architecture(System("lih", STUDY.systems["lih"]), STUDY.models[model])
    frames = read_frames(STUDY.systems["lih"].reference.frozen)
    splits = [split_frames(frames, STUDY.systems["lih"].split, 1, "lih", seed) for seed in range(2)]
    return build_ensemble(architecture, frames, splits, n_train)


@pytest.mark.parametrize("model", ["nn_biased", "qnn"])
def test_observations_are_weighted_errors_of_energies_and_forces(model):
    """Errors and Jacobians against predictions in eV and eV/Å and their derivatives."""
    data = ensemble(model, n_train=4)
    config = TrainingConfig(optimiser="kalman", force_weight=2.0, kalman_force_fraction=0.5)
    training = KalmanTraining(data.architecture, data.training, data.shift, data.scale, config)
    theta = torch.tensor(initial_ensemble(data.architecture, 1, model, 2)[:, 0])
    order = torch.arange(4 * 7).expand(2, -1)  # every energy and force component
    error, jacobian = training._observe(theta, order)
    tracked = theta.clone().requires_grad_(True)
    energies, forces = predict(data.architecture, tracked, data.training.inputs, data.shift, data.scale)
    weight = np.sqrt(2.0 / 6 / 0.5)
    targets = torch.cat([data.training.energies[..., None], weight * data.training.forces.flatten(2)], 2).flatten(1)
    outputs = torch.cat([energies[..., None], weight * forces.flatten(2)], 2).flatten(1)
    torch.testing.assert_close(error, (targets - outputs.detach()) / data.scale[:, None], rtol=0, atol=1e-10)
    for k in (0, 3, 7, 12, 27):
        (gradient,) = torch.autograd.grad(outputs[:, k].sum(), tracked, retain_graph=True)
        torch.testing.assert_close(jacobian[:, k], gradient / data.scale[:, None], rtol=0, atol=1e-10)


def test_an_epoch_sees_all_energies_and_a_part_of_the_forces():
    data = ensemble()
    config = TrainingConfig(optimiser="kalman", kalman_force_fraction=0.2)
    training = KalmanTraining(data.architecture, data.training, data.shift, data.scale, config)
    orders = [training._order(member, epoch) for member in range(2) for epoch in range(2)]
    for order in orders:
        assert len(set(order)) == len(order) == 30 + 36  # 0.2 · 30 frames · 6 components
        assert set(order[order % 7 == 0] // 7) == set(range(30))
    assert len({tuple(order) for order in orders}) == 4
    energies_only = config.model_copy(update={"force_weight": 0.0})
    order = KalmanTraining(data.architecture, data.training, data.shift, data.scale, energies_only)._order(0, 0)
    assert sorted(order) == list(range(0, 210, 7))


def test_training_learns_the_curve():
    data = ensemble(n_train=80)
    initial = initial_ensemble(data.architecture, 1, "nn_biased", 2)
    result = data.train(initial, TrainingConfig(optimiser="kalman", steps=60))
    first, last = (result.curves[result.curves.step == k].validation_loss_ev2.to_numpy() for k in (1, 60))
    best = result.curves.groupby("seed").validation_loss_ev2.min().to_numpy()
    assert (last < 1e-2 * first).all()
    for member, theta in enumerate(result.parameters):
        rows = result.curves[(result.curves.seed == member) & (result.curves.step == result.best_step[member])]
        assert rows.validation_loss_ev2.item() == best[member]
        assert np.isfinite(theta).all()

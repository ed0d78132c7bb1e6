"""Optimisers of an ensemble."""

import contextlib

import numpy as np
import pytest
import torch
from qff.training import linear_search
from qff.training.descent import OPTIMISERS
from safetensors.torch import load, save
from scipy.optimize import minimize


def rosenbrock(theta):
    x, y = theta[:, 0], theta[:, 1]
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def steep_wall(theta):
    """Not finite beyond a wall that the first steps run into."""
    return ((theta - 0.9) ** 2).sum(1) - 1e-3 * torch.log(1 - theta).sum(1)


def quadratics(theta):
    """One ill-conditioned parabola per member, each with its own minimum: k + 1 in every coordinate."""
    members, size = theta.shape
    curvature = torch.logspace(0, 3, size, dtype=torch.float64)
    minimum = torch.arange(1, members + 1, dtype=torch.float64)[:, None]
    return (curvature * (theta - minimum) ** 2).sum(1)


def hessian_of(function, theta):
    """Positive curvature matrices of the masked members: what Gauss–Newton matrices stand for."""

    def curvature(members):
        found = [torch.autograd.functional.hessian(lambda t: function(t[None])[0], row) for row in theta[members]]
        values, vectors = torch.linalg.eigh(torch.stack(found))
        return vectors @ torch.diag_embed(values.abs()) @ vectors.transpose(1, 2)

    return curvature


def advance(optimiser, state, function, steps):
    """State after some evaluations, and where they were asked for."""
    asked = []
    for _ in range(steps):
        theta = optimiser.ask(state).clone().requires_grad_(True)
        loss = function(theta)
        (gradient,) = torch.autograd.grad(loss.nan_to_num().sum(), theta)
        state = optimiser.tell(state, loss.detach(), gradient, hessian_of(function, theta.detach()))
        asked.append(theta.detach())
    return state, torch.stack(asked)


def minimise(name, function, start, steps, rate=0.05):
    optimiser = OPTIMISERS[name](steps, rate)
    state = optimiser.start(torch.as_tensor(start, dtype=torch.float64))
    return optimiser.current(advance(optimiser, state, function, steps)[0])


@pytest.mark.parametrize(
    ("name", "steps", "tolerance"),
    [("bfgs", 120, 1e-6), ("adam", 8000, 2e-2), ("levenberg_marquardt", 60, 1e-6)],
)
def test_minimises_a_curved_valley(name, steps, tolerance):
    start = np.random.default_rng(0).uniform(-1.5, 1.5, (6, 2))
    found = minimise(name, rosenbrock, start, steps)
    np.testing.assert_allclose(found.numpy(), 1.0, atol=tolerance)


@pytest.mark.parametrize(
    ("name", "steps", "tolerance"),
    [("bfgs", 150, 1e-6), ("adam", 4000, 1e-2), ("levenberg_marquardt", 30, 1e-6)],
)
def test_every_member_finds_its_own_minimum(name, steps, tolerance):
    start = np.random.default_rng(2).normal(0, 1, (4, 7))
    found = minimise(name, quadratics, start, steps)
    np.testing.assert_allclose(found.numpy(), np.arange(1, 5)[:, None] * np.ones(7), atol=tolerance)


def test_adam_without_decay_keeps_its_step():
    start, function = torch.zeros(1, 3, dtype=torch.float64), lambda theta: theta.sum(1)
    moved = {}
    for decay in ("cosine", "none"):
        optimiser = OPTIMISERS["adam"](50, 0.05, decay)
        moved[decay] = -advance(optimiser, optimiser.start(start), function, 50)[0]["theta"]
    torch.testing.assert_close(moved["none"], torch.full_like(start, 50 * 0.05), rtol=1e-6, atol=0)
    torch.testing.assert_close(moved["cosine"], torch.full_like(start, 24.5 * 0.05), rtol=1e-6, atol=0)


def test_cobyla_finds_the_bottom_of_a_bowl():
    start = np.random.default_rng(2).normal(0, 1, (2, 5))
    found = minimise("cobyla", lambda theta: ((theta - 1.0) ** 2).sum(1), start, 300)
    np.testing.assert_allclose(found.numpy(), 1.0, atol=1e-3)


def smooth(size: int, seed: int):
    """A nonlinear least-squares problem of some parameters and its start."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(2 * size, size)) / np.sqrt(size)
    return lambda x: float(((np.tanh(matrix @ x) - 0.3) ** 2).mean() + 0.01 * (x**2).mean()), rng.normal(size=size)


def points_of(function, start, count: int, final: float) -> np.ndarray:
    """Points that the search asks for, ``count`` at most."""
    points, steps = [], linear_search.search(start, 0.3, final)
    point = next(steps)
    with contextlib.suppress(StopIteration):
        while len(points) < count:
            points.append(point.copy())
            point = steps.send(function(point))
    return np.array(points)


@pytest.mark.parametrize("size", [20, 60])
def test_cobyla_asks_for_the_points_that_scipys_asks_for(size):
    """Trust-region and geometry steps, vertices that give way, all three factors of the radius."""
    function, start = smooth(size, size)
    ours, theirs = points_of(function, start, 400, 1e-6), []

    def recorded(x):
        theirs.append(x.copy())
        return function(x)

    minimize(recorded, start, method="COBYLA", options={"rhobeg": 0.3, "tol": 1e-6, "maxiter": 400})
    np.testing.assert_allclose(ours, np.array(theirs), rtol=0, atol=1e-9)


def test_cobyla_ends_at_its_resolution_where_the_minimum_is():
    function, start = smooth(4, 1)
    points = points_of(function, start, 5000, 1e-4)
    assert len(points) < 1000
    best = minimize(function, start, method="BFGS", options={"gtol": 1e-9})
    assert min(map(function, points)) - best.fun < 1e-6
    np.testing.assert_allclose(min(points, key=function), best.x, atol=0.01)


def test_cobyla_turns_back_from_values_that_are_no_numbers():
    function, start = smooth(6, 2)
    fence = start[0] + 0.1
    points = points_of(lambda x: float("nan") if x[0] > fence else function(x), start, 600, 1e-5)
    assert (points[:, 0] > fence).any()
    allowed = points[points[:, 0] <= fence]
    assert min(map(function, allowed)) < 0.5 * function(start)


def test_bfgs_survives_values_that_are_not_finite():
    found = minimise("bfgs", steep_wall, np.full((2, 3), -40.0), 60)
    assert torch.isfinite(steep_wall(found)).all()
    assert (steep_wall(found) < 0.05).all()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_members_are_independent(name):
    """A member of an ensemble does what it would do alone, whatever the others meet."""
    start = torch.as_tensor(np.random.default_rng(1).uniform(-2, 2, (5, 2)))
    optimiser = OPTIMISERS[name](40, 0.05)
    _, together = advance(optimiser, optimiser.start(start), rosenbrock, 40)
    for k in range(5):
        _, alone = advance(optimiser, optimiser.start(start[k : k + 1]), rosenbrock, 40)
        torch.testing.assert_close(alone[:, 0], together[:, k], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("pause", [0, 1, 17])
def test_a_stored_state_goes_on_bit_for_bit(name, pause):
    """The state is plain tensors: through a file and back, and nothing else is remembered."""
    start = torch.as_tensor(np.random.default_rng(4).uniform(-2, 2, (3, 2)))
    whole = OPTIMISERS[name](40, 0.05)
    final, asked = advance(whole, whole.start(start), rosenbrock, 40)
    first = OPTIMISERS[name](40, 0.05)
    paused = first.start(start)
    if pause:
        paused, _ = advance(first, paused, rosenbrock, pause)
    restored = load(save({k: v.contiguous() for k, v in paused.items()}))
    assert {k: (v.dtype, v.shape) for k, v in restored.items()} == {k: (v.dtype, v.shape) for k, v in paused.items()}
    resumed, rest = advance(OPTIMISERS[name](40, 0.05), restored, rosenbrock, 40 - pause)
    assert torch.equal(rest, asked[pause:])
    for key, value in final.items():
        assert torch.equal(resumed[key], value), key


@pytest.mark.parametrize("name", OPTIMISERS)
def test_states_are_never_changed_in_place(name):
    """A checkpoint written while the next step is computed holds what was told."""
    optimiser = OPTIMISERS[name](10, 0.05)
    state = optimiser.start(torch.full((2, 2), -1.5, dtype=torch.float64))
    for _ in range(8):
        before = {k: v.clone() for k, v in state.items()}
        new, _ = advance(optimiser, state, rosenbrock, 1)
        for key, value in before.items():
            assert torch.equal(torch.nan_to_num(state[key]), torch.nan_to_num(value)), key
        state = new


def test_bfgs_never_rises():
    optimiser = OPTIMISERS["bfgs"](60, 0.1)
    state = optimiser.start(torch.tensor([[-1.2, 1.0]], dtype=torch.float64))
    last = torch.inf
    for _ in range(60):
        theta = optimiser.ask(state).clone().requires_grad_(True)
        loss = rosenbrock(theta)
        (gradient,) = torch.autograd.grad(loss.sum(), theta)
        state = optimiser.tell(state, loss.detach(), gradient, None)
        now = float(rosenbrock(optimiser.current(state)))
        assert now <= last
        last = now

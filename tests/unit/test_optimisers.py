"""Optimisers of an ensemble."""

import numpy as np
import pytest
import torch
from qff.training.optimisers import OPTIMISERS


def rosenbrock(theta):
    x, y = theta[:, 0], theta[:, 1]
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def steep_wall(theta):
    """Not finite beyond a wall that the first steps run into."""
    return ((theta - 0.9) ** 2).sum(1) - 1e-3 * torch.log(1 - theta).sum(1)


def minimise(name, function, start, steps, rate=0.05):
    optimiser = OPTIMISERS[name](steps, rate)
    state = optimiser.start(torch.as_tensor(start, dtype=torch.float64))
    for _ in range(steps):
        theta = optimiser.ask(state).clone().requires_grad_(True)
        loss = function(theta)
        (gradient,) = torch.autograd.grad(loss.nan_to_num().sum(), theta)
        state = optimiser.tell(state, loss.detach(), gradient)
    return optimiser.current(state)


@pytest.mark.parametrize(("name", "steps", "tolerance"), [("bfgs", 120, 1e-6), ("adam", 8000, 2e-2)])
def test_minimises_a_curved_valley(name, steps, tolerance):
    start = np.random.default_rng(0).uniform(-1.5, 1.5, (6, 2))
    found = minimise(name, rosenbrock, start, steps)
    np.testing.assert_allclose(found.numpy(), 1.0, atol=tolerance)


def test_bfgs_survives_values_that_are_not_finite():
    found = minimise("bfgs", steep_wall, np.full((2, 3), -40.0), 60)
    assert torch.isfinite(steep_wall(found)).all()
    assert (steep_wall(found) < 0.05).all()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_members_are_independent(name):
    """A member of an ensemble does what it would do alone, whatever the others meet."""
    start = np.random.default_rng(1).uniform(-2, 2, (5, 2))
    together = minimise(name, rosenbrock, start, 40)
    for k in range(5):
        torch.testing.assert_close(
            minimise(name, rosenbrock, start[k : k + 1], 40)[0], together[k], rtol=1e-8, atol=1e-8
        )


def test_bfgs_never_rises():
    optimiser = OPTIMISERS["bfgs"](60, 0.1)
    state = optimiser.start(torch.tensor([[-1.2, 1.0]], dtype=torch.float64))
    last = torch.inf
    for _ in range(60):
        theta = optimiser.ask(state).clone().requires_grad_(True)
        loss = rosenbrock(theta)
        (gradient,) = torch.autograd.grad(loss.sum(), theta)
        state = optimiser.tell(state, loss.detach(), gradient)
        now = float(rosenbrock(optimiser.current(state)))
        assert now <= last
        last = now

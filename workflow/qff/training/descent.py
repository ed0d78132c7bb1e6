"""Full-batch minimisation of the loss by an optimiser of choice."""

from __future__ import annotations

import functools

import torch

from qff.training.cobyla import Cobyla
from qff.training.loss import gauss_newton, losses, predict
from qff.training.optimisers import BFGS, Adam, LevenbergMarquardt, Optimiser, State

OPTIMISERS: dict[str, type[Optimiser]] = {
    "adam": Adam,
    "bfgs": BFGS,
    "cobyla": Cobyla,
    "levenberg_marquardt": LevenbergMarquardt,
}


class Descent:
    """Full-batch minimisation of the loss: one step is one evaluation of loss and gradient."""

    def __init__(self, architecture, training, shift, scale, config):
        self._optimiser = OPTIMISERS[config.optimiser](config.steps, config.learning_rate)
        self.start, self.current = self._optimiser.start, self._optimiser.current
        self._architecture, self._training, self._config = architecture, training, config
        self._shift, self._scale = shift, scale

    def advance(self, state: State, step: int) -> State:
        theta = self._optimiser.ask(state).detach().requires_grad_(True)
        predicted = predict(self._architecture, theta, self._training.inputs, self._shift, self._scale)
        loss = losses(*predicted, self._training, self._config)
        (gradient,) = torch.autograd.grad(loss.sum(), theta)
        curvature = functools.partial(
            gauss_newton, self._architecture, theta.detach(), self._training, self._scale, self._config
        )
        return self._optimiser.tell(state, loss.detach(), gradient, curvature)

"""Minimisation of the loss by an optimiser of choice, on all frames or on batches of them."""

from __future__ import annotations

import functools

import torch

from qff.randomness import generator
from qff.training.cobyla import Cobyla
from qff.training.loss import EnsembleData, gauss_newton, losses, predict
from qff.training.optimisers import BFGS, Adam, LevenbergMarquardt, Optimiser, State

OPTIMISERS: dict[str, type[Optimiser]] = {
    "adam": Adam,
    "bfgs": BFGS,
    "cobyla": Cobyla,
    "levenberg_marquardt": LevenbergMarquardt,
}


class Descent:
    """Minimisation of the loss: one step is one evaluation of loss and gradient, on all frames or on the next batch."""

    def __init__(self, architecture, training, shift, scale, config):
        self._optimiser = OPTIMISERS[config.optimiser](config.steps, config.learning_rate, config.decay)
        self.start, self.current = self._optimiser.start, self._optimiser.current
        self._architecture, self._training, self._config = architecture, training, config
        self._shift, self._scale = shift, scale

    def advance(self, state: State, step: int) -> State:
        differentiated = self._optimiser.uses_gradient
        theta = self._optimiser.ask(state).detach().requires_grad_(differentiated)
        data = self._batch(step)
        with torch.set_grad_enabled(differentiated):
            predicted = predict(self._architecture, theta, data.inputs, self._shift, self._scale)
            loss = losses(*predicted, data, self._config)
        gradient = torch.autograd.grad(loss.sum(), theta)[0] if differentiated else None
        curvature = functools.partial(
            gauss_newton, self._architecture, theta.detach(), data, self._scale, self._config
        )
        return self._optimiser.tell(state, loss.detach(), gradient, curvature)

    def _batch(self, step: int) -> EnsembleData:
        """Frames of a step. Every epoch has an order of its own, the same in every training and when one is resumed."""
        count, size = self._training.energies.shape[1], self._config.batch
        if size is None or size >= count:
            return self._training
        epoch, place = divmod(step, count // size)
        order = generator(0, "batch", epoch).permutation(count)
        return self._training.frames(torch.as_tensor(order[place * size : (place + 1) * size]))

"""Optimisers for an ensemble of independent parameter vectors.

Each is a pair ask/tell around a state of plain tensors, so that a run can be stopped after any evaluation and
resumed bit for bit. One tell is one evaluation of loss and gradient: the currency in which models are compared.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch

State = dict[str, torch.Tensor]
Curvature = Callable[[torch.Tensor], torch.Tensor]


class Optimiser(ABC):
    """Minimises S independent functions of P parameters at once."""

    uses_gradient = True  # if not, ``tell`` gets None for it

    def __init__(self, steps: int, learning_rate: float, decay: str = "cosine"):
        self.steps, self.learning_rate, self.decay = steps, learning_rate, decay

    @abstractmethod
    def start(self, theta: torch.Tensor) -> State:
        """State at initial parameters (S, P)."""

    @abstractmethod
    def ask(self, state: State) -> torch.Tensor:
        """Parameters (S, P) at which loss and gradient are wanted."""

    @abstractmethod
    def tell(self, state: State, loss: torch.Tensor, gradient: torch.Tensor | None, curvature: Curvature) -> State:
        """New state from loss (S,) and gradient (S, P) at the asked parameters.

        ``curvature`` gives the Gauss–Newton matrices (n, P, P) there, for those members (a mask (S,)) that need them.
        """

    def current(self, state: State) -> torch.Tensor:
        """Best parameters so far in the optimiser's own eyes, (S, P)."""
        return state["theta"]


class Adam(Optimiser):
    """Adam (Kingma & Ba 2015) with cosine decay of the step to zero, or none."""

    def start(self, theta):
        zero = torch.zeros_like(theta)
        return {"theta": theta.clone(), "mean": zero, "square": zero.clone(), "step": torch.zeros(())}

    def ask(self, state):
        return state["theta"]

    def tell(self, state, loss, gradient, curvature):
        step = int(state["step"]) + 1
        gradient = torch.nan_to_num(gradient, nan=0.0, posinf=0.0, neginf=0.0)
        mean = 0.9 * state["mean"] + 0.1 * gradient
        square = 0.999 * state["square"] + 0.001 * gradient**2
        spent = step / self.steps if self.decay == "cosine" else 0.0
        rate = self.learning_rate * 0.5 * (1 + math.cos(math.pi * spent))
        move = (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
        return {
            "theta": state["theta"] - rate * move,
            "mean": mean,
            "square": square,
            "step": torch.tensor(float(step)),
        }


class BFGS(Optimiser):
    """Dense BFGS (Nocedal & Wright, ch. 6) with a weak-Wolfe bisection line search (Lewis & Overton 2013).

    Models here have tens to some thousand parameters: the full inverse Hessian is cheap, needs no memory
    length, and, unlike limited-memory variants, updates a whole ensemble in a few batched products. Members
    advance independently: in every evaluation each one is at its own stage of its own line search.
    """

    DECREASE, CURVATURE, MAX_TRIALS = 1e-4, 0.9, 30

    def start(self, theta):
        members, size = theta.shape
        nan = torch.full((members,), torch.nan, dtype=theta.dtype)
        return {
            "theta": theta.clone(),
            "loss": nan,
            "gradient": torch.zeros_like(theta),
            "inverse_hessian": torch.eye(size, dtype=theta.dtype).repeat(members, 1, 1),
            "fresh": torch.ones(members),  # no curvature known yet
            "direction": torch.zeros_like(theta),
            "length": torch.zeros(members, dtype=theta.dtype),
            "low": torch.zeros(members, dtype=theta.dtype),
            "high": torch.full((members,), torch.inf, dtype=theta.dtype),
            "trials": torch.zeros(members),
        }

    def ask(self, state):
        return state["theta"] + state["length"][:, None] * state["direction"]

    def tell(self, state, loss, gradient, curvature):
        first = state["loss"].isnan()
        slope = (state["gradient"] * state["direction"]).sum(1)
        new_slope = (gradient * state["direction"]).sum(1)
        finite = loss.isfinite() & gradient.isfinite().all(1)
        too_high = ~finite | (loss > state["loss"] + self.DECREASE * state["length"] * slope)
        too_steep = ~too_high & (new_slope < self.CURVATURE * slope)
        exhausted = state["trials"] + 1 >= self.MAX_TRIALS
        accept = first | (~too_high & (~too_steep | exhausted))
        give_up = ~accept & exhausted  # no decrease along this direction: forget the curvature, go downhill
        new = dict(state)

        # Line search: bracket and bisect. While the minimum is bracketed from above only, interpolate.
        length, low, high = state["length"], state["low"], state["high"]
        high = torch.where(too_high, length, high)
        low = torch.where(too_steep, length, low)
        excess = loss - state["loss"] - slope * length
        parabola = torch.where(finite & (excess > 0), -0.5 * slope * length**2 / excess, 0.5 * high)
        inside = torch.where(low > 0, 0.5 * (low + high), parabola.clamp(0.1 * high, 0.9 * high))
        new["low"], new["high"] = low, high
        new["length"] = torch.where(high.isinf(), 2 * length, inside)
        new["trials"] = state["trials"] + 1

        # Accepted: move, update the inverse Hessian, choose a new direction.
        step = torch.where(accept[:, None], state["length"][:, None] * state["direction"], 0.0)
        turn = torch.where(accept[:, None], torch.nan_to_num(gradient) - state["gradient"], 0.0)
        new["theta"] = state["theta"] + step
        new["loss"] = torch.where(accept, loss, state["loss"])
        new["gradient"] = torch.where(accept[:, None], gradient, state["gradient"])
        curved = accept & ~first & ((step * turn).sum(1) > 1e-14 * step.norm(dim=1) * turn.norm(dim=1))
        hessian = state["inverse_hessian"]
        if curved.any():
            hessian = torch.where(
                curved[:, None, None], self._update(hessian, step, turn, state["fresh"] > 0), hessian
            )
        new["fresh"] = torch.where(curved, 0.0, state["fresh"])
        if give_up.any():
            hessian = torch.where(give_up[:, None, None], torch.eye(hessian.shape[1], dtype=hessian.dtype), hessian)
            new["fresh"] = torch.where(give_up, 1.0, new["fresh"])
        new["inverse_hessian"] = hessian
        restart = accept | give_up
        direction = -(hessian @ new["gradient"][..., None])[..., 0]
        norm = new["gradient"].norm(dim=1).clamp(min=1e-300)
        unit = torch.where(new["fresh"] > 0, (1 / norm).clamp(max=1.0), 1.0)  # first step: at most length 1
        new["direction"] = torch.where(restart[:, None], direction, state["direction"])
        new["length"] = torch.where(restart, unit, new["length"])
        new["low"] = torch.where(restart, 0.0, new["low"])
        new["high"] = torch.where(restart, torch.inf, new["high"])
        new["trials"] = torch.where(restart, 0.0, new["trials"])
        return new

    @staticmethod
    def _update(hessian, step, turn, fresh):
        """BFGS update of inverse Hessians (S, P, P); a fresh one is scaled to the first curvature before."""
        product = (step * turn).sum(1).clamp(min=1e-300)
        scale = torch.where(fresh, product / (turn * turn).sum(1).clamp(min=1e-300), 1.0)
        hessian = hessian * scale[:, None, None]
        image = (hessian @ turn[..., None])[..., 0]
        factor = (1 + (turn * image).sum(1) / product) / product
        outer = step[:, :, None] * image[:, None, :]
        return (
            hessian
            - (outer + outer.transpose(1, 2)) / product[:, None, None]
            + factor[:, None, None] * step[:, :, None] * step[:, None, :]
        )


class LevenbergMarquardt(Optimiser):
    """Levenberg–Marquardt (Moré 1978) with Nielsen's rule for the damping (Madsen, Nielsen & Tingleff 2004).

    With Gaussian errors the Gauss–Newton matrix of the loss is the Fisher matrix of the labels, and a step is a damped
    natural-gradient step (Amari 1998). One tell costs about as much as 1 + K gradients, K input directions.
    """

    SMALLEST = 1e-12  # damping, and scale of a parameter that does nothing

    def start(self, theta):
        members, size = theta.shape
        return {
            "theta": theta.clone(),
            "trial": theta.clone(),
            "loss": torch.full((members,), torch.inf, dtype=theta.dtype),
            "gradient": torch.zeros_like(theta),
            "curvature": torch.zeros(members, size, size, dtype=theta.dtype),
            "scale": torch.full_like(theta, self.SMALLEST),
            "damping": torch.ones(members, dtype=theta.dtype),  # relative to the curvature
            "growth": torch.full((members,), 2.0, dtype=theta.dtype),
            "expected": torch.ones(members, dtype=theta.dtype),  # decrease that the quadratic model promised
        }

    def ask(self, state):
        return state["trial"]

    def tell(self, state, loss, gradient, curvature):
        new = dict(state)
        accept = loss.isfinite() & gradient.isfinite().all(1) & (loss < state["loss"])
        gain = torch.nan_to_num((state["loss"] - loss) / state["expected"], nan=0.0, posinf=1.0, neginf=0.0)
        shrink = (1 - (2 * gain - 1) ** 3).clamp(1 / 3, 2.0)
        damping = torch.where(accept, state["damping"] * shrink, state["damping"] * state["growth"])
        new["damping"] = damping.clamp(self.SMALLEST, 1e12)
        new["growth"] = torch.where(accept, 2.0, 2 * state["growth"]).clamp(max=1e6)
        new["theta"] = torch.where(accept[:, None], state["trial"], state["theta"])
        new["loss"] = torch.where(accept, loss, state["loss"])
        new["gradient"] = torch.where(accept[:, None], gradient, state["gradient"])
        if accept.any():
            new["curvature"] = state["curvature"].index_put((accept,), curvature(accept))
            new["scale"] = torch.maximum(state["scale"], new["curvature"].diagonal(dim1=1, dim2=2))
        damped = new["curvature"] + torch.diag_embed(new["damping"][:, None] * new["scale"])
        step = -torch.linalg.solve(damped, new["gradient"])
        promise = -(new["gradient"] * step).sum(1) - 0.5 * (step * (new["curvature"] @ step[..., None])[..., 0]).sum(
            1
        )
        new["expected"] = promise.clamp(min=1e-300)
        new["trial"] = new["theta"] + step
        return new

"""COBYLA (Powell 1994), the gradient-free optimiser that Kiss et al. 2022 state for H2O, asked one point at a time."""

from __future__ import annotations

import contextlib

import numpy as np
import torch

from qff.training import linear_search
from qff.training.optimisers import Optimiser

INITIAL_RADIUS = 0.3  # rad: the trust region at the start
FINAL_RADIUS = 1e-6


class Cobyla(Optimiser):
    """One independent search per member. It uses losses only and needs P + 1 of them to begin.

    A search is deterministic: the state keeps every loss told, and a resumed run replays them.
    """

    uses_gradient = False

    def __init__(self, *settings):
        super().__init__(*settings)
        self._searches: list[_Search] = []

    def start(self, theta):
        members, self._searches = len(theta), []
        return {
            "initial": theta.clone(),
            "losses": torch.full((members, self.steps), torch.nan, dtype=theta.dtype),
            "told": torch.zeros(()),
            "theta": theta.clone(),
            "best": torch.full((members,), torch.inf, dtype=theta.dtype),
        }

    def ask(self, state):
        if not self._searches:
            told = int(state["told"])
            self._searches = [
                _Search(start.numpy(), losses[:told].tolist())
                for start, losses in zip(state["initial"], state["losses"], strict=True)
            ]
        return torch.from_numpy(np.stack([search.point for search in self._searches]))

    def tell(self, state, loss, gradient, curvature):
        asked = self.ask(state)
        step = int(state["told"])
        new = {**state, "losses": state["losses"].clone(), "told": torch.tensor(float(step + 1))}
        new["losses"][:, step] = loss
        better = loss < state["best"]
        new["theta"] = torch.where(better[:, None], asked, state["theta"])
        new["best"] = torch.where(better, loss, state["best"])
        for search, value in zip(self._searches, loss.tolist(), strict=True):
            search.tell(value)
        return new


class _Search:
    """A search and the point at which it wants a value; one that has converged stays there."""

    def __init__(self, start: np.ndarray, told: list[float]):
        self._points = linear_search.search(start, INITIAL_RADIUS, FINAL_RADIUS)
        self.point = next(self._points)
        for value in told:
            self.tell(value)

    def tell(self, value: float) -> None:
        with contextlib.suppress(StopIteration, np.linalg.LinAlgError):  # converged; or a simplex without volume
            self.point = self._points.send(value)

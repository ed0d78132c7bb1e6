"""COBYLA (Powell 1994), the gradient-free optimiser that Kiss et al. 2022 state for H2O, asked one point at a time."""

from __future__ import annotations

import queue
import threading

import numpy as np
import torch
from scipy.optimize import minimize

from qff.training.optimisers import Optimiser

INITIAL_RADIUS = 0.3  # rad: the trust region at the start
FINAL_RADIUS = 1e-6


class Cobyla(Optimiser):
    """SciPy's COBYLA, one independent search per member. It uses losses only and needs P + 1 of them to begin.

    SciPy cannot be stopped and resumed, but it is deterministic: the state keeps every loss told, and a resumed run
    replays them.
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
                _Search(start.numpy(), self.steps, losses[:told].tolist())
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
    """One minimisation in a thread that waits for the value at every point it asks for."""

    def __init__(self, start: np.ndarray, steps: int, told: list[float]):
        self._values: queue.Queue[float] = queue.Queue()
        self._points: queue.Queue[np.ndarray | None] = queue.Queue()
        self.point = start
        threading.Thread(target=self._run, args=(start, steps), daemon=True).start()
        self._next()
        for value in told:
            self.tell(value)

    def tell(self, value: float) -> None:
        if not self._over:
            self._values.put(value)
            self._next()

    def _next(self) -> None:
        point = self._points.get()
        self._over = point is None  # converged: the last point stays
        if not self._over:
            self.point = point

    def _run(self, start, steps):
        def loss(x):
            self._points.put(np.array(x))
            return self._values.get()

        minimize(
            loss, start, method="COBYLA", options={"rhobeg": INITIAL_RADIUS, "tol": FINAL_RADIUS, "maxiter": steps}
        )
        self._points.put(None)

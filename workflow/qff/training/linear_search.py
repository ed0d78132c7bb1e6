"""COBYLA's search (Powell 1994) where nothing is constrained: linear interpolation on a simplex, in a trust region.

SciPy's COBYLA solves a linear programme with constraints at every step, in Python, which for 87 parameters takes longer
than the circuits do. Without constraints its solution is the step along the slope, and what is left is below: radii
and the choice of vertices are those of PRIMA (Zhang 2023, doi 10.5281/zenodo.8052654), which SciPy has; a test holds
the points of both against each other.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

POOR, GOOD = (
    0.1,
    0.7,
)  # actual over predicted decrease: up to the first the region shrinks, beyond the second it grows
LARGEST = 1e30  # stands for values that are larger, or no numbers
SAME = 1e-4  # of the final radius: closer points have one value

Points = Generator[np.ndarray, float, None]  # yields points (P,), is sent their values


@dataclass
class Simplex:
    """The best vertex, the edges (P, P) from there to the others, and their dual vectors (P, P): dual_i · edge_j = δ_ij."""

    best: np.ndarray
    lowest: float
    edges: np.ndarray
    dual: np.ndarray
    values: np.ndarray
    age: int = 0  # vertices replaced since the dual vectors were computed

    def slope(self) -> np.ndarray:
        """Of the linear function through all vertices."""
        return (self.values - self.lowest) @ self.dual

    def lengths(self) -> np.ndarray:
        """Squares of the lengths of all edges."""
        return (self.edges**2).sum(1)

    def value_near(self, step: np.ndarray, distance: float) -> float | None:
        """Of a vertex that lies where the step leads, if there is one."""
        apart = np.append(((self.edges - step) ** 2).sum(1), step @ step)
        k = int(apart.argmin())
        return None if apart[k] > distance**2 else float(np.append(self.values, self.lowest)[k])

    def dispensable(self, step: np.ndarray, improved: bool, radius: float) -> int | None:
        """Vertex that gives way to the step: one far away, without which the simplex keeps its volume. P: the best."""
        if improved:
            apart = np.append(((self.edges - step) ** 2).sum(1), step @ step)
        else:
            apart = np.append(self.lengths(), 0.0)
        parts = self.dual @ step
        score = np.maximum(1.0, apart / radius**2) * np.abs(np.append(parts, 1.0 - parts.sum()))
        if not improved:
            score[-1] = -1.0
        score[np.isnan(score)] = -1.0
        if score.max() > 0:
            return int(score.argmax())
        return int(apart.argmax()) if improved else None

    def replace(self, k: int, step: np.ndarray, value: float) -> None:
        """Put the point at the end of the step in the place of vertex k, and the best vertex in its own."""
        if k < len(self.edges):
            self.edges[k], self.values[k] = step, value
            fresh = self.dual[k] / (self.dual[k] @ step)
            self.dual -= np.outer(self.dual @ step, fresh)
            self.dual[k] = fresh
        else:
            self.best, self.lowest = self.best + step, value
            self.edges -= step
            parts = self.dual @ step
            self.dual += np.outer(parts, self.dual.sum(0) / (1.0 - parts.sum()))
        k = int(self.values.argmin())
        if self.values[k] < self.lowest:
            edge = self.edges[k].copy()
            self.best = self.best + edge
            self.edges[k] = 0.0
            self.edges -= edge
            self.dual[k] = -self.dual.sum(0)
            self.values[k], self.lowest = self.lowest, self.values[k]
        self.age += 1
        if self.age == len(self.edges):  # before rounding errors of the updates add up
            self.dual, self.age = np.linalg.inv(self.edges).T, 0


def search(start: np.ndarray, radius: float, final: float) -> Points:
    """Points at which the function is wanted, until the trust region has its final radius.

    Args:
        start: (P,). radius: of the trust region at first. final: at the end.
    """
    simplex = yield from _first(start, radius)
    resolution = region = radius  # the smallest that the region may be now, and what it is
    while True:
        slope = simplex.slope()
        steepness, length, failed = float(np.linalg.norm(slope)), 0.0, True
        compact = bool((simplex.lengths() <= 4 * region**2).all())
        if 0 < steepness < np.inf:
            step, length = -region / steepness * slope, region
            value = yield from _value(simplex, step, final)
            decrease = simplex.lowest - value
            ratio = decrease / (region * steepness)
            region *= 0.5 if ratio <= POOR else 1.0 if ratio <= GOOD else 2.0
        else:
            region *= 0.1
        if region <= 1.5 * resolution:
            region = resolution
        if length:
            k = simplex.dispensable(step, decrease > 0, max(resolution, region / 10))
            failed = ratio <= 0 or k is None
            if k is not None:
                simplex.replace(k, step, value)
        if failed and not compact:
            lengths = simplex.lengths()
            if lengths.max() > 4 * region**2:
                k = int(lengths.argmax())
                step = 0.5 * region * simplex.dual[k] / np.linalg.norm(simplex.dual[k])
                if step @ simplex.slope() > 0:
                    step = -step
                simplex.replace(k, step, (yield from _value(simplex, step, final)))
        elif failed and max(region, length) <= resolution:
            if resolution <= final:
                return
            region = max(0.5 * resolution, finer(resolution, final))
            resolution = finer(resolution, final)


def finer(resolution: float, final: float) -> float:
    """The next smaller radius."""
    if resolution > 250 * final:
        return 0.1 * resolution
    return final if resolution <= 16 * final else float(np.sqrt(resolution * final))


def _first(start: np.ndarray, radius: float) -> Generator[np.ndarray, float, Simplex]:
    """One step along each axis, always from the best point so far."""
    best, edges, values = start.copy(), radius * np.eye(len(start)), np.empty(len(start))
    lowest = _bounded((yield best))
    for k in range(len(start)):
        point = best.copy()
        point[k] += radius
        values[k] = _bounded((yield point))
        if values[k] < lowest:
            best, values[k], lowest = point, lowest, values[k]
            edges[: k + 1, k] = -radius
    return Simplex(best, lowest, edges, np.linalg.inv(edges).T, values)


def _value(simplex: Simplex, step: np.ndarray, final: float) -> Generator[np.ndarray, float, float]:
    known = simplex.value_near(step, SAME * final)
    return known if known is not None else _bounded((yield simplex.best + step))


def _bounded(value: float) -> float:
    return value if value < LARGEST else LARGEST

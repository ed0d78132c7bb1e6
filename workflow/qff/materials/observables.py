"""What a trajectory of a periodic cell shows: structure, motion, and how a run came to its end."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols

from qff.materials.dynamics import Run
from qff.materials.neighbours import neighbour_list
from qff.materials.potential import MaterialPotential

CARRIERS = (3, 11, 19, 47)  # Li, Na, K, Ag: the cations that solid electrolytes conduct, beside lighter atoms or not
# Columns of the table of runs that tell of the configuration in which a run stopped.
ENDING = ("temperature_at_end_k", "pair", "distance_ang", "part_of_shortest", "left_training_fs")


def radial_distribution(
    positions: np.ndarray, numbers: np.ndarray, cells: np.ndarray, pair: tuple[int, int], cutoff: float, bins: int
) -> tuple[np.ndarray, np.ndarray]:
    """Distances (bins,) in Å and g(r) of two elements, averaged over frames (T, A, 3) of one cell (3, 3) or of their own
    (T, 3, 3)."""
    edges = np.linspace(0, cutoff, bins + 1)
    found = np.zeros(bins)
    one, two = numbers == pair[0], numbers == pair[1]
    for frame, cell in zip(positions, np.broadcast_to(cells, (len(positions), 3, 3)), strict=True):
        pairs = neighbour_list(frame, cell, cutoff)
        distances = np.linalg.norm(pairs.vectors(frame, cell), axis=2)
        wanted = (pairs.index >= 0) & one[:, None] & two[pairs.index]
        found += np.histogram(distances[wanted], edges)[0] * abs(np.linalg.det(cell)) / two.sum()
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    return 0.5 * (edges[1:] + edges[:-1]), found / max(len(positions), 1) / one.sum() / shells


def mobile_element(numbers: np.ndarray) -> int:
    """Atomic number of the element whose motion is shown: the first of :data:`CARRIERS` that is there, else the lightest."""
    present = set(numbers.tolist())
    return next((z for z in CARRIERS if z in present), min(present))


def mean_squared_displacement(run: Run, atoms: np.ndarray) -> np.ndarray:
    """Of some atoms since the first stored frame, (T,) in Å², relative to the centre of all atoms."""
    moved = run.positions - run.positions[:1]
    moved = moved - moved.mean(1, keepdims=True)
    return (moved[:, atoms] ** 2).sum(2).mean(1)


def closest_pair(
    positions: np.ndarray, kinds: np.ndarray, cell: np.ndarray, shortest: np.ndarray
) -> tuple[int, int, float]:
    """Kinds and distance (Å) of the pair that is closest, measured by the shortest distance (S, S) of its elements.

    -1, -1 and NaN where there is none: no pair within those distances, or positions that are not finite.
    """
    if not np.isfinite(positions).all():
        return -1, -1, float("nan")
    pairs = neighbour_list(positions, cell, float(shortest.max()))
    centre, slot = np.nonzero(pairs.index >= 0)
    one, two = kinds[centre], kinds[pairs.index[centre, slot]]
    distances = np.linalg.norm(pairs.vectors(positions, cell)[centre, slot], axis=1)
    known = shortest[one, two]
    parts = np.where(known > 0, distances / np.where(known > 0, known, 1.0), np.inf)
    if not np.isfinite(parts).any():
        return -1, -1, float("nan")
    k = int(np.argmin(parts))
    return int(one[k]), int(two[k]), float(distances[k])


def outside_training(
    potential: MaterialPotential, numbers: np.ndarray, positions: np.ndarray, cell: np.ndarray
) -> bool:
    """Whether any compressed number of any atom lies beyond its largest value in training."""
    environment = potential.descriptor.environment(numbers, positions, cell)
    features = potential.descriptor.features(potential.descriptor.moments(environment))
    return bool((potential.compression.apply(features, environment.kinds)[1] < 1).any())


def ending(potential: MaterialPotential, run: Run, numbers: np.ndarray, cell: np.ndarray) -> dict[str, float | str]:
    """How a run came to its end; keys are :data:`ENDING`.

    The pair is the closest one at the end by the shortest distance of its elements in training; ``left_training_fs`` is
    the first stored time at which an atom's compressed numbers lay beyond those of training, if ever.
    """
    known = potential.descriptor.elements
    one, two, distance = closest_pair(run.last, potential.descriptor.kinds(numbers), cell, potential.closest)
    left = (
        float(t)
        for t, positions in zip(run.times, run.positions, strict=True)
        if outside_training(potential, numbers, positions, cell)
    )
    none = float("nan")
    found = one >= 0
    values = (
        run.last_temperature_k,
        f"{chemical_symbols[known[one]]}-{chemical_symbols[known[two]]}" if found else "",
        distance,
        distance / float(potential.closest[one, two]) if found else none,
        next(left, none),
    )
    return dict(zip(ENDING, values, strict=True))

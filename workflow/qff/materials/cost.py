"""Time and memory of energies and forces of growing cells."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import dataclass

import numpy as np
from scipy import stats

from qff.materials.frames import Frame
from qff.materials.neighbours import neighbour_list
from qff.materials.potential import MaterialPotential


@dataclass(frozen=True)
class Cost:
    """Of one cell: processor seconds of energy and forces with neighbours known, of the search for them, peak MiB."""

    n_atoms: int
    seconds: float
    search_seconds: float
    memory_mib: float


def measure(potential: MaterialPotential, frame: Frame, repeats: list[int], samples: int) -> list[Cost]:
    """Costs of k × k × k copies of a frame, the fastest of several repetitions."""
    from qff.materials.dynamics import supercell

    found = []
    for k in repeats:
        atoms = supercell(frame, (k, k, k))
        cell = atoms.cell.array
        searches, evaluations = [], []
        for _ in range(samples):
            began = time.process_time()
            pairs = neighbour_list(atoms.positions, cell, potential.descriptor.cutoff_ang)
            searches.append(time.process_time() - began)
            potential.evaluate(atoms.numbers, atoms.positions, cell, pairs)  # compiled, caches warm
            began = time.process_time()
            potential.evaluate(atoms.numbers, atoms.positions, cell, pairs)
            evaluations.append(time.process_time() - began)
        tracemalloc.start()
        potential.evaluate(
            atoms.numbers,
            atoms.positions,
            cell,
            neighbour_list(atoms.positions, cell, potential.descriptor.cutoff_ang),
        )
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        found.append(Cost(len(atoms), min(evaluations), min(searches), peak))
    return found


def exponent(sizes: list[float], values: list[float]) -> tuple[float, float, float]:
    """Slope of a straight line through logarithms, and the ends of its 95 % interval (unbounded for two sizes)."""
    found = stats.linregress(np.log(sizes), np.log(values))
    if len(sizes) < 3:
        return float(found.slope), -np.inf, np.inf
    half = float(stats.t.ppf(0.975, len(sizes) - 2) * found.stderr)
    return float(found.slope), float(found.slope) - half, float(found.slope) + half

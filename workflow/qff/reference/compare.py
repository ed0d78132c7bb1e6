"""Computes the comparisons that are frozen beside a reference set: ``python -m qff.reference.compare h2o --forces``.

Minutes: one CCSD(T)/aug-cc-pVTZ energy of H3O+ takes half a minute.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from qff.command import reported
from qff.config import SystemConfig, load_study, read_yaml
from qff.data import LabelledFrames
from qff.jobs import progress
from qff.randomness import generator
from qff.reference.checks import COLUMNS, WINDOWS_EV, freeze_checks, held_against, path_frames, summarise
from qff.reference.frozen import read_frozen
from qff.reference.imported import read_raw
from qff.reference.labels import energy, label, slope

STREAM = "compare"  # of the random samples: the same in every study
N_PATH = 7


def compare_level(
    frames: LabelledFrames, system: SystemConfig, indices: list[int], check: str, forces: bool
) -> list[tuple]:
    """Rows of frames labelled again in the check basis, or by the check method; without ``forces`` energies only."""
    other, rows = held_against(system, check), []
    for index in progress(indices, f"{check}: {other.reference.method} in {other.reference.basis}"):
        where, positions = f"{check}, frame {index}", frames.positions[index]
        if forces:
            found = label(other, positions, where)
            pairs = zip(frames.forces[index].ravel(), found.forces.ravel(), strict=True)
            rows += [(check, index, k, ours, theirs) for k, (ours, theirs) in enumerate(pairs)]
            value = found.energy
        else:
            value = energy(other, positions, where)
        rows.append((check, index, -1, frames.energies[index], value))
    return rows


def compare_path(frames: LabelledFrames, system: SystemConfig) -> list[tuple]:
    """Rows of frames of the symmetric path in the check basis, from one end to the planar form in the middle.

    From the minimum of the labels the path is followed downhill, so that the minimum in the check basis is there too.
    """
    path = path_frames(frames)
    middle = len(path) // 2
    rows: dict[int, tuple] = {}

    def at(step: int) -> float:
        if step not in rows:
            (rows[step],) = compare_level(frames, system, [int(path[step])], "path", False)
        return rows[step][-1]

    for step in np.linspace(0, middle, N_PATH - 1).astype(int).tolist():
        at(step)
    lowest = int(frames.energies[path[: middle + 1]].argmin())
    while (best := min(range(max(lowest - 1, 0), min(lowest + 1, middle) + 1), key=at)) != lowest:
        lowest = best
    return [rows[step] for step in sorted(rows)]


def compare_slopes(
    frames: LabelledFrames, system: SystemConfig, indices: list[int], n_components: int, rng: np.random.Generator
) -> list[tuple]:
    """Rows of random force components against central differences of energies."""
    rows = []
    for index in progress(indices, "slopes"):
        for component in sorted(rng.choice(frames.forces[index].size, n_components, replace=False).tolist()):
            direction = np.zeros(frames.forces[index].size)
            direction[component] = 1.0
            where = f"slope, frame {index}, component {component}"
            found = -slope(system, frames.positions[index], direction.reshape(-1, 3), where)
            rows.append(("slope", index, component, frames.forces[index].ravel()[component], found))
    return rows


def compare_energies(path: Path, system: SystemConfig, per_window: int, rng: np.random.Generator) -> list[tuple]:
    """Rows of geometries of others labelled at our level: as many from every window of their energy."""
    theirs = read_raw(path, "extxyz").in_order_of(system.atoms, str(path))
    window = np.digitize(theirs.energies, WINDOWS_EV)
    chosen = []
    for k in np.unique(window):
        inside = np.flatnonzero(window == k)
        chosen += rng.choice(inside, min(per_window, len(inside)), replace=False).tolist()
    return [
        ("qm22", index, -1, energy(system, theirs.positions[index], f"{path}, frame {index}"), theirs.energies[index])
        for index in progress(sorted(chosen), "other geometries")
    ]


def compare(
    name: str,
    frames: LabelledFrames,
    system: SystemConfig,
    n_frames: int,
    forces: bool,
    qm22: Path | None,
    n_components: int,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """All comparisons of a system, and how many seconds each took."""
    path = path_frames(frames)
    others = np.setdiff1d(np.arange(len(frames)), path)

    def draw(check: str, count: int) -> list[int]:
        return sorted(generator(0, STREAM, name, check).choice(others, count, replace=False).tolist())

    tasks = {
        "slope": lambda: compare_slopes(
            frames, system, draw("slope", 3), n_components, generator(0, STREAM, name, "components")
        ),
    }
    if system.reference.check_basis:
        tasks["basis"] = lambda: compare_level(frames, system, draw("basis", n_frames), "basis", forces)
    if system.reference.check_method:
        tasks["method"] = lambda: compare_level(frames, system, draw("method", n_frames), "method", False)
    if qm22:
        tasks["qm22"] = lambda: compare_energies(qm22, system, 20, generator(0, STREAM, name, "qm22"))
    if len(path):
        tasks["path"] = lambda: compare_path(frames, system)
    rows, seconds = [], {}
    for check, task in tasks.items():
        start = time.perf_counter()
        rows += task()
        seconds[check] = round(time.perf_counter() - start, 1)
    return pd.DataFrame(rows, columns=COLUMNS), seconds


@reported
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m qff.reference.compare", description=__doc__.splitlines()[0])
    parser.add_argument("system")
    parser.add_argument("--frames", type=int, default=12, help="size of the sample at the other level")
    parser.add_argument(
        "--components", type=int, default=8, help="force components of each frame held against slopes"
    )
    parser.add_argument("--forces", action="store_true", help="compare forces in the check basis too")
    parser.add_argument("--qm22", type=Path, help="extended XYZ of the QM-22 set: energies in eV")
    options = parser.parse_args(arguments)
    systems = load_study(read_yaml("config/config.yaml")).systems
    if options.system not in systems or not systems[options.system].reference.checks:
        parser.error(f"'{options.system}': no system of config/systems.yaml with reference.checks")
    system = systems[options.system]
    labels = Path(system.reference.frozen)
    frames = read_frozen(labels, system)
    table, seconds = compare(
        options.system, frames, system, options.frames, options.forces, options.qm22, options.components
    )
    freeze_checks(table, Path(system.reference.checks), system, labels, seconds, options.qm22)
    for variant, values in summarise(table, frames, system).items():
        for quantity, (unit, value) in values.items():
            print(f"{options.system}  {variant:16} {quantity:24} {value:12.6g} {unit}")
    print(f"seconds: {seconds}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

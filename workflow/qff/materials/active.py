"""Active learning: the fit's own dynamics proposes the cells that are labelled next.

``python -m qff.materials.active LABELS --start STRUCTURE --frames 40 --out proposals.extxyz`` fits a committee of circuits to
the labels at hand, runs Langevin dynamics with its first member, and keeps the cells where the members disagree most about
the forces. Label them with ``python -m qff.materials.labelling STRUCTURE --positions proposals.extxyz``, and go on: two to
four rounds.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import numpy as np

from qff.command import reported
from qff.config import read_yaml, validate
from qff.config.materials import MaterialsConfig
from qff.errors import ConfigError, DataError
from qff.jobs import progress
from qff.materials.dynamics import Criterion, simulate
from qff.materials.equations import Weights
from qff.materials.frames import Frame, read_frames
from qff.materials.labelling import read_structure
from qff.materials.potential import MaterialPotential
from qff.materials.study import fit_all, potential_of, prepare, qubits_for
from qff.provenance import write_text
from qff.randomness import generator


def committee(frames: list[Frame], options: MaterialsConfig, members: int, seed: int) -> list[MaterialPotential]:
    """Hybrids fitted to different nine tenths of the frames.

    Raises:
        DataError: fewer than ten frames.
    """
    if len(frames) < 10:
        raise DataError(f"{len(frames)} labelled frames are too few for a committee; label at least ten")
    weights, found = Weights(options.energy_weight, options.stress_weight), []
    for member in range(members):
        rng = generator(seed, "active", member)
        order = rng.permutation(len(frames))
        tenth = max(2, len(frames) // 10)
        training, validation = ([frames[k] for k in part] for part in (order[tenth:], order[:tenth]))
        n_qubits = qubits_for(frames, options)
        prepared = prepare(training, options, weights, 2**n_qubits - 1)
        fitted = fit_all(prepared, training, validation, options, weights, n_qubits, ["amplitude_hybrid"], rng)
        found.append(potential_of(prepared, fitted["amplitude_hybrid"], options.wall_ev_per_ang3))
    return found


def disagreement(potentials: list[MaterialPotential], numbers: np.ndarray, positions: np.ndarray, cell) -> float:
    """Largest standard deviation (eV/Å) of a force over the committee."""
    forces = np.array([p.evaluate(numbers, positions, cell)[1] for p in potentials])
    return float(np.sqrt(forces.var(0).sum(1)).max())


def propose(
    potentials: list[MaterialPotential], atoms, temperatures_k: list[float], length_fs: float, time_step_fs: float,
    frames: int, options: MaterialsConfig, seed: int,
) -> list:  # fmt: skip
    """Cells of trajectories, one per temperature, that the committee disagrees about most, ``frames`` in all.

    A trajectory ends where it becomes unphysical; the cells before are those that need labels.
    """
    d, found = options.dynamics, []
    for temperature in progress(temperatures_k, "trajectories"):
        criterion = Criterion(
            d.closest_factor * potentials[0].closest, d.temperature_factor * temperature, d.energy_window_ev
        )
        rng = generator(seed, "active_dynamics", f"{temperature:g}", len(atoms))
        run = simulate(potentials[0], atoms, temperature, length_fs, time_step_fs, d.friction_per_fs, criterion, rng)
        for positions in run.positions:
            copy = atoms.copy()
            copy.positions = positions
            found.append((disagreement(potentials, copy.numbers, positions, copy.cell.array), copy))
    found.sort(key=lambda pair: -pair[0])
    return [copy for _, copy in found[:frames]]


@reported
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m qff.materials.active", description=__doc__.splitlines()[0])
    parser.add_argument("labels", type=Path, help="extended XYZ file of the labels at hand")
    parser.add_argument("--start", type=Path, required=True, help="cell that the dynamics start from")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--temperatures", type=float, nargs="+", default=[300.0, 600.0, 1000.0], help="K")
    parser.add_argument("--length", type=float, default=1000.0, help="of each trajectory (fs)")
    parser.add_argument("--time-step", type=float, default=0.5, help="fs; 2 without hydrogen")
    parser.add_argument("--seed", type=int, default=2022)
    parser.add_argument("--config", type=Path, default=Path("config/config.yaml"), help="its section materials")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    import ase.io

    content = read_yaml(options.config)
    if not isinstance(content, dict):
        raise ConfigError(f"{options.config}: expected a mapping with the section 'materials'")
    settings = validate(MaterialsConfig, content.get("materials", {}), f"{options.config}, materials")
    potentials = committee(read_frames(options.labels), settings, options.members, options.seed)
    cells = propose(
        potentials, read_structure(options.start), options.temperatures, options.length, options.time_step,
        options.frames, settings, options.seed,
    )  # fmt: skip
    text = io.StringIO()
    ase.io.write(text, cells, format="extxyz")
    write_text(options.out, text.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main())

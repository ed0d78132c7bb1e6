"""Stage 8d: circuits on amplitudes, the hybrid force field of a periodic material, on a quantum computer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from qff.config import QuantumConfig, validate
from qff.engines.program import capture
from qff.hardware.amplitudes import MeasuredHead, Run, element_circuits
from qff.hardware.composed import Readout
from qff.materials.frames import read_frames
from qff.materials.potential import load
from qff.metrics import metric_table
from qff.provenance import write_csv
from qff.randomness import generator
from qff.stages.common import Context
from qff.stages.composed import NoisyCircuits, add_run, hardware_numbers
from qff.stages.materials import MAIN


def measure_material(
    *, context: dict, name: str, settings: dict, frames_path: str, model_path: str, metrics_path: str, run_path: str
) -> None:
    """Standard errors against shots, errors with noise, size and cost, of the first frame of a set.

    Its energy is that of all atoms. The atoms' reference energies and the wall between them are no circuits.
    """
    place, options = Context(**context), validate(QuantumConfig, settings, "quantum")
    frame, potential = read_frames(frames_path)[0], load(model_path)
    circuits = element_circuits(potential.head)
    record = place.record("quantum", [frames_path, model_path], system=name)

    def evaluated(head):
        model = replace(potential, head=head)
        energy, forces, _ = model.evaluate(frame.numbers, frame.positions, frame.cell)
        return np.array([energy]), forces[None]

    def predict(runs):
        if runs is None:
            return evaluated(potential.head)
        return evaluated(MeasuredHead([_noisy(run) for run in runs], slopes=runs[0].with_slopes))

    head = MeasuredHead([Readout(capture(c)) for c in circuits], generator(place.seed, "amplitudes", name))
    labels = {"system": name, "model": MAIN}
    rows, found = hardware_numbers(circuits, lambda _: evaluated(head), head, predict, [frame], options, labels)
    write_csv(metrics_path, metric_table(rows))
    add_run(record, f"{MAIN}-{name}-quantum", MAIN, found, options, metrics_path)
    record.write(run_path, [metrics_path])


def _noisy(circuits: NoisyCircuits) -> Run:
    """Its values alone, without noise of shots."""

    def run(angles):
        values = circuits.values(torch.from_numpy(angles)[None])[0].numpy()
        return values, np.zeros_like(values)

    return run

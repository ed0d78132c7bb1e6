"""Stage 5: effective dimension of every model, over parameter boxes and likelihoods."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from qff.capacity import Spectra, dead_parameters, spectra
from qff.config import CapacityConfig, validate
from qff.data import read_frames
from qff.metrics import metric_rows, metric_table
from qff.models import Potential, load
from qff.provenance import write_csv
from qff.randomness import generator
from qff.reference.internal import cartesian
from qff.stages.common import Context, read_splits, system_from
from qff.systems import System


def estimate_capacity(
    *, context: dict, system: str, config: dict, settings: dict, labels_path: str, splits_path: str, model_paths: list[str],
    metrics_path: str, spectrum_path: str, run_path: str,
) -> None:  # fmt: skip
    """d_n and d_n/d at n = number of training frames and at ``n_data`` (column n_train), from the training inputs
    of each seed.

    Every seed draws its own parameter vectors. Variants are named ``<likelihood>_<box>``; ``local`` is the trained
    parameters alone (arXiv 2112.04807). Two variants of the first likelihood tell what the inputs matter:
    ``<likelihood>_<box>_uniform`` draws as many, uniformly in the bounds of the coordinates, where the system states
    some; ``<likelihood>_<box>_half``, of the first box, takes half of the training inputs.
    """
    place, molecule = Context(**context), system_from(system, config)
    options = validate(CapacityConfig, settings, "capacity")
    frames = read_frames(labels_path, molecule.symbols)
    splits = read_splits(splits_path, len(frames))
    record = place.record("capacity", [labels_path, splits_path, *model_paths], system=system)
    rows, tables = [], []
    for seed, path in enumerate(model_paths):
        potential, train = load(path), splits[seed]["train"]
        name, size = potential.model.name, potential.n_parameters
        values = potential.inputs(frames.positions[train]).values
        boxes = {
            box: generator(place.seed, "capacity", system, name, box, seed).uniform(*bounds, (options.samples, size))
            for box, bounds in options.boxes.items()
        }
        uniform = None
        if molecule.config.coordinates:
            rng = generator(place.seed, "capacity", system, "inputs", seed)  # the same for all models
            uniform = potential.inputs(_uniform_positions(molecule, len(train), rng)).values
        found = _spectra(potential, values, uniform, boxes, options.likelihoods)
        labels = {"system": system, "model": name, "seed": seed}
        metrics = {}
        for n in dict.fromkeys([len(train), *options.n_data]):
            for variant, spectrum in found.items():
                value = spectrum.effective_dimension(n)
                both = {
                    "effective_dimension": ("1", value),
                    "normalised_effective_dimension": ("1", value / size),
                }
                rows += metric_rows(both, **labels, n_train=n, variant=variant)
                if n == len(train):
                    metrics |= {f"{q}_{variant}": v for q, (_, v) in both.items()}
        primary = next(iter(boxes))
        _, jacobian = potential.architecture.jacobian(torch.as_tensor(boxes[primary][:2]), values[None])
        structure = {
            "fisher_rank": found[f"{options.likelihoods[0]}_{primary}"].rank(),
            "dead_parameters": dead_parameters(jacobian.numpy()),
        }
        rows += metric_rows({q: ("1", v) for q, v in structure.items()}, **labels, n_train=len(train))
        tables += [
            {**labels, "variant": variant, "index": i, "eigenvalue": eigenvalue}
            for variant in (f"{options.likelihoods[0]}_{box}" for box in [*boxes, "local"])
            for i, eigenvalue in enumerate(found[variant].normalised.mean(0))
        ]
        record.add(
            f"{name}-{system}-s{seed}",
            params={
                "seed": seed,
                "samples": options.samples,
                "n_inputs": len(train),
                "n_parameters": size,
            },
            metrics=metrics | structure,
            artifacts=[Path(metrics_path).name],
            model=name,
            role=potential.model.role,
            seed=str(seed),
        )
    write_csv(metrics_path, metric_table(rows))
    write_csv(spectrum_path, pd.DataFrame(tables))
    record.write(run_path, [metrics_path, spectrum_path])


def _uniform_positions(system: System, n: int, rng: np.random.Generator) -> np.ndarray:
    """Geometries (n, A, 3) in Å whose internal coordinates are uniform in their bounds."""
    low, high = np.array([c.bounds for c in system.coordinates]).T
    return cartesian(rng.uniform(low, high, (n, len(low))))


def _spectra(
    potential: Potential,
    values: torch.Tensor,
    uniform: torch.Tensor | None,
    boxes: dict[str, np.ndarray],
    likelihoods: list[str],
) -> dict[str, Spectra]:
    """Fisher spectra by variant, from the features of training inputs and, if there are any, of uniform ones."""
    first, primary, found = likelihoods[:1], next(iter(boxes)), {}

    def add(theta, inputs, kinds, name):
        for likelihood, spectrum in spectra(potential.architecture, theta, inputs, kinds).items():
            found[f"{likelihood}_{name}"] = spectrum

    for box, theta in {**boxes, "local": potential.parameters[None]}.items():
        add(theta, values, likelihoods, box)
        if uniform is not None:
            add(theta, uniform, first, f"{box}_uniform")
    add(boxes[primary], values[: len(values) // 2], first, f"{primary}_half")
    return found

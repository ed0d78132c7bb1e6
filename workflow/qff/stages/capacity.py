"""Stage 5: effective dimension of every model, over parameter boxes and likelihoods."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch

from qff import capacity
from qff.config import CapacityConfig, validate
from qff.data import read_frames
from qff.metrics import metric_rows, metric_table
from qff.models import load
from qff.provenance import write_csv
from qff.randomness import generator
from qff.stages.common import Context, read_splits, system_from


def estimate_capacity(
    *, context: dict, system: str, config: dict, settings: dict, labels_path: str, splits_path: str, model_paths: list[str],
    metrics_path: str, spectrum_path: str, run_path: str,
) -> None:  # fmt: skip
    """d_n and d_n/d with n = number of training frames, inputs = the training inputs of each seed.

    Every seed draws its own parameter vectors. Variants are named ``<likelihood>_<box>``, and ``local`` for the
    trained parameters alone (arXiv 2112.04807).
    """
    place, molecule = Context(**context), system_from(system, config)
    options = validate(CapacityConfig, settings, "capacity")
    frames = read_frames(labels_path, molecule.symbols)
    splits = read_splits(splits_path, len(frames))
    record = place.record("capacity", [labels_path, splits_path, *model_paths], system=system)
    rows, spectra = [], []
    for seed, path in enumerate(model_paths):
        potential = load(path)
        architecture, name = potential.architecture, potential.model.name
        train = splits[seed]["train"]
        inputs = architecture.inputs(torch.as_tensor(frames.positions[train]))
        inputs = inputs.normalised(torch.as_tensor(potential.input_center), torch.as_tensor(potential.input_width))
        labels = {"system": system, "model": name, "n_train": len(train), "seed": seed}
        metrics = {}
        boxes = {
            box: generator(place.seed, "capacity", system, name, box, seed).uniform(
                *bounds, (options.samples, potential.n_parameters)
            )
            for box, bounds in options.boxes.items()
        }
        for box, theta in {**boxes, "local": potential.parameters[None]}.items():
            f, jacobian = capacity.jacobians(architecture, theta, inputs.values)
            for likelihood in options.likelihoods:
                fisher = capacity.fisher_matrices(f, jacobian, likelihood)
                value = capacity.effective_dimension(fisher, len(train))
                variant = f"{likelihood}_{box}"
                found = {
                    "effective_dimension": ("1", value),
                    "normalised_effective_dimension": ("1", value / potential.n_parameters),
                }
                rows += metric_rows(found, **labels, variant=variant)
                metrics |= {f"{q}_{variant}": v for q, (_, v) in found.items()}
                if likelihood == options.likelihoods[0]:
                    spectra += [
                        {**labels, "variant": variant, "index": i, "eigenvalue": v}
                        for i, v in enumerate(capacity.spectrum(fisher))
                    ]
            if box == next(iter(options.boxes)):
                structure = {
                    "jacobian_rank": ("1", capacity.rank(jacobian)),
                    "dead_parameters": ("1", capacity.dead_parameters(jacobian)),
                }
                rows += metric_rows(structure, **labels)
                metrics |= {q: v for q, (_, v) in structure.items()}
        record.add(
            f"{name}-{system}-s{seed}",
            params={
                "seed": seed,
                "samples": options.samples,
                "n_data": len(train),
                "n_parameters": potential.n_parameters,
            },
            metrics=metrics,
            artifacts=[Path(metrics_path).name],
            model=name,
            seed=str(seed),
        )
    write_csv(metrics_path, metric_table(rows))
    write_csv(spectrum_path, pd.DataFrame(spectra))
    record.write(run_path, [metrics_path, spectrum_path])

"""From labelled frames and splits to the tensors of an ensemble, with scalers fitted on training frames only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from qff.config import ModelConfig, TrainingConfig
from qff.data import LabelledFrames
from qff.models.architecture import Architecture
from qff.models.potential import Potential
from qff.randomness import generator
from qff.training.linear import solve
from qff.training.loop import TrainingResult, train
from qff.training.loss import EnsembleData


@dataclass(frozen=True)
class Ensemble:
    """S members: training and validation data, energy map and feature normalisation of each.

    Attributes:
        shift, scale: (S,) eV, so that training energies span ± ``architecture.output_range``.
        center, width: (S, F) of the features.
    """

    architecture: Architecture
    training: EnsembleData
    validation: EnsembleData
    shift: torch.Tensor
    scale: torch.Tensor
    center: torch.Tensor
    width: torch.Tensor

    def train(self, initial: np.ndarray, config: TrainingConfig, **options) -> TrainingResult:
        """Best-validation parameters and curves of all members, from ``initial`` (S, P).

        A linear architecture is solved: it needs no start, and a checkpoint is not worth its file.
        """
        data = (self.training, self.validation, self.shift, self.scale, config)
        if self.architecture.linear:
            return solve(self.architecture, *data, on_curve=options.get("on_curve"))
        return train(self.architecture, initial, *data, **options)

    def describe(self, config: TrainingConfig) -> dict[str, object]:
        """What trained it, for run records: keys of ``config``; a linear architecture knows nothing but the loss."""
        found = config.model_dump()
        if not self.architecture.linear:
            return found
        return {"optimiser": "least_squares", **{k: found[k] for k in ("force_weight", "printed_loss")}}

    def potentials(self, model: ModelConfig, parameters: np.ndarray) -> list[Potential]:
        """One potential per member from parameters (S, P)."""
        columns = (self.center.numpy(), self.width.numpy(), self.shift.tolist(), self.scale.tolist())
        return [
            Potential(self.architecture, model, theta, *member)
            for theta, *member in zip(parameters, *columns, strict=True)
        ]


def build_ensemble(
    architecture: Architecture, frames: LabelledFrames, splits: list[dict[str, list[int]]], n_train: int | None = None
) -> Ensemble:
    """Ensemble with one member per split; ``n_train`` keeps only the first training frames of each."""
    inputs = architecture.inputs(torch.as_tensor(frames.positions))
    energies, forces = torch.as_tensor(frames.energies), torch.as_tensor(frames.forces)

    def take(part: str, count: int | None = None) -> EnsembleData:
        index = torch.tensor([split[part][:count] for split in splits])
        return EnsembleData(inputs.select(index), energies[index], forces[index])

    training, validation = take("train", n_train), take("validation")
    low, high = training.energies.amin(1), training.energies.amax(1)
    shift, scale = (high + low) / 2, (high - low) / (2 * architecture.output_range)
    values = training.inputs.values
    center, width = torch.zeros_like(values[:, 0]), torch.ones_like(values[:, 0])
    if architecture.normalise_inputs:
        center, width = architecture.normalisation(values)
    training, validation = (part.normalised(center, width) for part in (training, validation))
    return Ensemble(architecture, training, validation, shift, scale, center, width)


def initial_ensemble(architecture: Architecture, study_seed: int, model: str, n_seeds: int) -> np.ndarray:
    """Initial parameters (S, P); member k is the same whatever the number of members."""
    return np.stack(
        [
            architecture.initial_parameters(generator(study_seed, "initial", architecture.system.name, model, seed))
            for seed in range(n_seeds)
        ]
    )

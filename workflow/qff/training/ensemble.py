"""From labelled frames and splits to the tensors of an ensemble, with scalers fitted on training frames only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
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
        """Best-validation parameters and curves of all members, from R starts each, ``initial`` (S, R, P).

        Of several starts the one that validates best is kept. A linear architecture is solved: it needs no start, and
        a checkpoint is not worth its file.
        """
        if self.architecture.linear:
            return solve(self.architecture, *self._task(config), on_curve=options.get("on_curve"))
        starts = initial.shape[1]
        if on_curve := options.get("on_curve"):
            options["on_curve"] = lambda curves: on_curve(_best_starts(curves, starts)[0])
        repeated = self  # copies of the data are the largest part of a job's memory
        if starts > 1:
            repeated = self._select(torch.arange(len(initial)).repeat_interleave(starts))
        result = train(self.architecture, initial.reshape(-1, initial.shape[2]), *repeated._task(config), **options)
        curves, chosen = _best_starts(result.curves, starts)
        return TrainingResult(result.parameters[chosen], result.best_step[chosen], curves, result.seconds)

    def _task(self, config: TrainingConfig) -> tuple:
        return self.training, self.validation, self.shift, self.scale, config

    def _select(self, members: torch.Tensor) -> Ensemble:
        parts = (self.shift, self.scale, self.center, self.width)
        return Ensemble(
            self.architecture, *(d.select(members) for d in (self.training, self.validation)), *(x[members] for x in parts)
        )  # fmt: skip

    def describe(self, config: TrainingConfig) -> dict[str, object]:
        """Keys of ``config`` that had a say, for run records: for a linear architecture those of the loss alone."""
        return config.model_dump(include={"force_weight", "printed_loss"} if self.architecture.linear else None)

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
    parts = {"train": n_train, "validation": None}
    chosen = {part: np.array([split[part][:count] for split in splits]) for part, count in parts.items()}
    # Test frames are left out: slopes of symmetry functions take megabytes each in larger molecules.
    used = np.unique(np.concatenate([index.ravel() for index in chosen.values()]))
    inputs = architecture.inputs(torch.as_tensor(frames.positions[used]))
    energies, forces = torch.as_tensor(frames.energies[used]), torch.as_tensor(frames.forces[used])

    def take(part: str) -> EnsembleData:
        index = torch.as_tensor(np.searchsorted(used, chosen[part]))
        return EnsembleData(inputs.select(index), energies[index], forces[index])

    training, validation = take("train"), take("validation")
    low, high = training.energies.amin(1), training.energies.amax(1)
    shift, scale = (high + low) / 2, (high - low) / (2 * architecture.output_range)
    values = training.inputs.values
    center, width = torch.zeros_like(values[:, 0]), torch.ones_like(values[:, 0])
    if architecture.normalise_inputs:
        center, width = architecture.normalisation(values)
    for part in (training, validation):  # what was selected is a copy already
        part.inputs.normalise_(center, width)
    return Ensemble(architecture, training, validation, shift, scale, center, width)


def initial_ensemble(
    architecture: Architecture, study_seed: int, model: str, n_seeds: int, starts: int = 1
) -> np.ndarray:
    """Initial parameters (S, R, P); those of a member are the same whatever the number of members and starts."""
    stream = (study_seed, "initial", architecture.system.name, model)
    return np.array(
        [
            [architecture.initial_parameters(generator(*stream, seed, *([k] if k else []))) for k in range(starts)]
            for seed in range(n_seeds)
        ]
    )


def _best_starts(curves: pd.DataFrame, starts: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Curves of the start of every seed that validates best, and its place among all of them (S,)."""
    lowest = curves.groupby("seed").validation_loss_ev2.min().fillna(np.inf).to_numpy().reshape(-1, starts)
    chosen = lowest.argmin(1) + starts * np.arange(len(lowest))
    kept = curves[curves.seed.isin(chosen)]
    return kept.assign(seed=kept.seed // starts), chosen

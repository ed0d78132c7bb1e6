"""Training in closed form: the least squares of the same loss, for models that are linear in their coefficients."""

from __future__ import annotations

import time
from collections.abc import Callable

import pandas as pd
import torch

from qff.config import TrainingConfig
from qff.jobs import progress
from qff.models.linear import RIDGES, LinearArchitecture
from qff.training.loop import TrainingResult, curves_table, nothing_yet, record
from qff.training.loss import EnsembleData


def solve(
    architecture: LinearArchitecture,
    training: EnsembleData,
    validation: EnsembleData,
    shift: torch.Tensor,
    scale: torch.Tensor,
    config: TrainingConfig,
    on_curve: Callable[[pd.DataFrame], None] | None = None,
) -> TrainingResult:
    """Minimise loss + λ θᵀRθ for every λ and every alternative of the fixed parameters; keep what validates best.

    The loss is :func:`qff.training.loss.losses` with the force weight of ``config``; its optimiser and steps have no
    say. A step of the curves is one λ with one alternative, in the order of ``architecture.ridges`` and of
    ``architecture.alternatives``.
    """
    began = time.monotonic()
    alternatives = architecture.alternatives(training.inputs)
    best, rows = nothing_yet(training.energies.new_zeros(len(shift), architecture.n_parameters)), []
    for number, fixed in enumerate(progress(alternatives, "least squares")):
        coefficients = torch.stack(
            [
                ridge_path(
                    *equations(architecture, fixed, training, shift, scale, config, member), architecture.ridges
                )
                for member in range(len(shift))
            ]
        )
        for k in range(len(architecture.ridges)):
            theta = torch.cat([coefficients[:, k], fixed], 1)
            step = number * len(architecture.ridges) + k + 1
            best = record(rows, step, theta, best, architecture, training, validation, shift, scale, config)
        if on_curve:
            on_curve(curves_table(rows))
    seconds = time.monotonic() - began
    return TrainingResult(best["theta"].numpy(), best["step"].numpy().astype(int), curves_table(rows), seconds)


def equations(
    architecture: LinearArchitecture,
    fixed: torch.Tensor,
    data: EnsembleData,
    shift: torch.Tensor,
    scale: torch.Tensor,
    config: TrainingConfig,
    member: int,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Matrix A (N, C), right-hand side b (N,) and penalty R of one member: its loss is |Aθ - b|² in eV²."""
    one = slice(member, member + 1)
    inputs = data.inputs.select(one)
    values, tangents = (part[0] for part in architecture.basis(fixed[one], inputs))
    frames, n_components = len(values), data.forces[0, 0].numel()
    energy_weight = frames**-0.5
    force_weight = (config.force_weight / n_components / (1 if config.printed_loss else frames)) ** 0.5
    slopes = -torch.einsum("bkc,bkax->baxc", tangents, inputs.directions[0])
    matrix = scale[member] * torch.cat([energy_weight * values, force_weight * slopes.flatten(0, 2)])
    target = torch.cat(
        [energy_weight * (data.energies[member] - shift[member]), force_weight * data.forces[member].flatten()]
    )
    penalty = architecture.penalty(fixed[one])
    return matrix, target, None if penalty is None else penalty[0]


def ridge_path(
    matrix: torch.Tensor, target: torch.Tensor, penalty: torch.Tensor | None, ridges: tuple[float, ...] = RIDGES
) -> torch.Tensor:
    """Coefficients (λ, C) that minimise |Aθ - b|² + λ s² θᵀRθ for all ``ridges``; s² is the largest eigenvalue of
    AᵀA in the variables whose penalty is the unit matrix.

    Without a penalty R is diagonal, the squared norms of the columns. Directions that neither A nor R sees beyond
    rounding get no weight.
    """
    eps = torch.finfo(matrix.dtype).eps
    if penalty is None:
        norms = matrix.norm(dim=0)
        to_unit = torch.diag(1 / torch.where(norms > 0, norms, 1.0))
    else:
        strength, vectors = torch.linalg.eigh(penalty)
        seen = strength > eps * len(strength) * strength[-1]
        to_unit = vectors[:, seen] / strength[seen].sqrt()
    left, singular, right = torch.linalg.svd(matrix @ to_unit, full_matrices=False)
    strengths = singular[0] ** 2 * matrix.new_tensor(ridges)[:, None]
    seen = singular > eps * max(matrix.shape) * singular[0]
    shrink = torch.where(seen, singular / (singular**2 + strengths).clamp(min=torch.finfo(matrix.dtype).tiny), 0.0)
    return (shrink * (left.T @ target)) @ right @ to_unit.T

"""What is minimised: squared errors of energies and forces."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from qff.config import TrainingConfig
from qff.models.architecture import Architecture, Inputs


@dataclass(frozen=True)
class EnsembleData:
    """Frames of S ensemble members (leading dimension), energies (S, B) in eV, forces (S, B, A, 3) in eV/Å."""

    inputs: Inputs
    energies: torch.Tensor
    forces: torch.Tensor

    def select(self, members: torch.Tensor) -> EnsembleData:
        return EnsembleData(self.inputs.select(members), self.energies[members], self.forces[members])

    def frames(self, index: torch.Tensor) -> EnsembleData:
        """Some frames of every member."""
        every = (slice(None), index)
        return EnsembleData(self.inputs.select(every), self.energies[every], self.forces[every])


def predict(
    architecture: Architecture, theta: torch.Tensor, inputs: Inputs, shift: torch.Tensor, scale: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Energies (S, B) in eV and forces (S, B, A, 3) in eV/Å of S members; shift and scale (S,) in eV."""
    f, df = architecture.evaluate(theta, inputs)
    energies = shift[:, None] + scale[:, None] * f
    forces = -torch.einsum("sbk,sbkax->sbax", df * scale[:, None, None], inputs.directions.expand(len(df), *[-1] * 4))
    return energies, forces


def losses(energies, forces, data: EnsembleData, config: TrainingConfig) -> torch.Tensor:
    """L = mean ΔE² + χ/(3A) mean Σ ΔF² in eV² for every member, (S,).

    Kiss et al. 2022 print the force sum without 1/N; ``printed_loss`` selects that form.
    """
    energy = ((energies - data.energies) ** 2).mean(1)
    per_frame = ((forces - data.forces) ** 2).mean((2, 3))  # Σ over components / 3A
    force = per_frame.sum(1) if config.printed_loss else per_frame.mean(1)
    return energy + config.force_weight * force


def gauss_newton(
    architecture: Architecture,
    theta: torch.Tensor,
    data: EnsembleData,
    scale: torch.Tensor,
    config: TrainingConfig,
    members: torch.Tensor,
) -> torch.Tensor:
    """Gauss–Newton matrices of :func:`losses` for the masked members (S,), (n, P, P): 2 JᵀJ of its residuals."""
    found = []
    for k in members.nonzero()[:, 0].tolist():
        inputs = data.inputs.select(slice(k, k + 1) if len(data.inputs.values) > 1 else slice(None))
        _, _, jf, jdf = architecture.linearise(theta[k : k + 1], inputs)
        frames, (atoms, _) = jf.shape[1], inputs.directions.shape[3:]
        rows = inputs.directions[0].flatten(2) @ inputs.directions[0].flatten(2).transpose(1, 2)  # (B, K, K)
        weight = config.force_weight / (3 * atoms) * (1 if config.printed_loss else 1 / frames)
        energy = jf[0].T @ jf[0] / frames
        force = (rows @ jdf[0]).flatten(0, 1).T @ jdf[0].flatten(0, 1) * weight
        found.append(2 * scale[k] ** 2 * (energy + force))
    return torch.stack(found)

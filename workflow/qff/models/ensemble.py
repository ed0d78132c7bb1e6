"""Potentials of one architecture evaluated together: dynamics of all seeds at the price of one batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from qff.errors import ModelFileError
from qff.models.architecture import Inputs
from qff.models.potential import Potential
from qff.systems import System


@dataclass(frozen=True)
class PotentialEnsemble:
    """S potentials that differ in their numbers only; frames of a batch are dealt out in S equal, consecutive shares.

    Raises:
        ModelFileError: the potentials are not of one model.
    """

    potentials: list[Potential]

    def __post_init__(self):
        first = self.potentials[0]
        if any(p.model != first.model or p.system.config != first.system.config for p in self.potentials):
            raise ModelFileError(f"potentials of different models beside '{first.model.name}': train them again")

    @property
    def system(self) -> System:
        return self.potentials[0].system

    def inside(self, positions) -> np.ndarray:
        """Whether the potentials are defined at geometries (B, A, 3), (B,) of bool."""
        return self.potentials[0].architecture.inside(positions)

    def energy_and_forces(self, positions) -> tuple[np.ndarray, np.ndarray]:
        """Energies (B,) in eV and forces (B, A, 3) in eV/Å of geometries (B, A, 3) in Å, B a multiple of S.

        Raises:
            DomainError: a geometry lies outside the bounds of the model.
        """
        architecture, members = self.potentials[0].architecture, len(self.potentials)

        def stack(name: str) -> torch.Tensor:
            return torch.as_tensor(np.stack([getattr(p, name) for p in self.potentials]))

        with torch.no_grad():
            flat = architecture.inputs(torch.as_tensor(np.asarray(positions), dtype=torch.float64))
            shares = (x.unflatten(0, (members, -1)) for x in (flat.values, flat.tangents, flat.directions))
            inputs = Inputs(*shares).normalised(stack("input_center"), stack("input_width"))
            f, df = architecture.evaluate(stack("parameters"), inputs)
            scale = stack("energy_scale")
            energies = stack("energy_shift")[:, None] + scale[:, None] * f
            forces = -scale[:, None, None, None] * torch.einsum("sbk,sbkax->sbax", df, inputs.directions)
        return energies.flatten().numpy(), forces.flatten(0, 1).numpy()

"""Potentials of one architecture evaluated together: dynamics of all seeds at the price of one batch."""

from __future__ import annotations

import numpy as np
import torch

from qff.errors import ModelFileError
from qff.models.architecture import Inputs
from qff.models.potential import Potential
from qff.systems import System


class PotentialEnsemble:
    """S potentials that differ in their numbers only; frames of a batch are dealt out in S equal, consecutive shares.

    Raises:
        ModelFileError: the potentials are not of one model.
    """

    def __init__(self, potentials: list[Potential]):
        first = potentials[0]
        if any(p.model != first.model or p.system.config != first.system.config for p in potentials):
            raise ModelFileError(f"potentials of different models beside '{first.model.name}': train them again")
        names = ("parameters", "input_center", "input_width", "energy_shift", "energy_scale")
        self.potentials = potentials
        self._numbers = {n: torch.as_tensor(np.stack([getattr(p, n) for p in potentials])) for n in names}

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
        architecture, members, numbers = self.potentials[0].architecture, len(self.potentials), self._numbers
        with torch.no_grad():
            flat = architecture.inputs(torch.as_tensor(np.asarray(positions), dtype=torch.float64))
            shares = (x.unflatten(0, (members, -1)) for x in (flat.values, flat.tangents, flat.directions))
            inputs = Inputs(*shares).normalised(numbers["input_center"], numbers["input_width"])
            f, df = architecture.evaluate(numbers["parameters"], inputs)
            scale = numbers["energy_scale"][:, None]
            energies = numbers["energy_shift"][:, None] + scale * f
            forces = torch.einsum("sbk,sbkax->sbax", -scale[..., None] * df, inputs.directions)
        return energies.flatten().numpy(), forces.flatten(0, 1).numpy()

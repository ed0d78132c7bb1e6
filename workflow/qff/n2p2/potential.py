"""A potential from n2p2's files, for any structure of its elements."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import ase
import numpy as np
import torch
from ase.data import atomic_numbers

from qff.errors import DataError
from qff.n2p2.network import Network, read_network
from qff.n2p2.scaling import affine, read_scaling, write_scaling
from qff.n2p2.settings import Settings, read_settings
from qff.symmetry.structure import Neighbours, StructureDescriptor, pull_back


@dataclass(frozen=True)
class Atomic:
    """Contributions of the atoms of a structure, in n2p2's units.

    Attributes:
        energies: (A,) outputs of the networks in Ha, without mean and atom energies.
        raw, scaled: symmetry functions of every atom, in n2p2's order, as they are and as the network sees them.
        gradients: derivatives of the energy (Ha) with respect to the scaled functions.
    """

    energies: np.ndarray
    raw: list[np.ndarray]
    scaled: list[np.ndarray]
    gradients: list[np.ndarray]


@dataclass(frozen=True)
class N2P2Potential:
    """Energy E = Σ network(G)/conv_energy + N mean_energy + Σ atom_energy in Ha, forces in Ha/bohr.

    Attributes:
        settings: content of ``input.nn``.
        scaling: element → (n, 4) min, max, mean, sigma of its functions.
        networks: element → network.
    """

    settings: Settings
    scaling: dict[str, np.ndarray]
    networks: dict[str, Network]

    @classmethod
    def read(cls, folder: str | Path) -> N2P2Potential:
        """Read ``input.nn``, ``scaling.data`` and ``weights.ZZZ.data`` (ZZZ the nuclear charge).

        Raises:
            DataError: a file is missing or malformed; it names file and line.
        """
        folder = Path(folder)
        settings = read_settings(folder / "input.nn")
        scaling = read_scaling(folder / "scaling.data", settings)
        networks = {
            e: read_network(
                folder / f"weights.{atomic_numbers[e]:03d}.data",
                [len(settings.functions[e]), *settings.hidden[e], 1],
                settings.activations,
                settings.normalise_nodes,
            )
            for e in settings.elements
        }
        return cls(settings, scaling, networks)

    def write(self, folder: str | Path) -> None:
        """Write the files of n2p2; reading them gives the same bits."""
        folder = Path(folder)
        self.settings.write(folder / "input.nn")
        write_scaling(folder / "scaling.data", self.scaling)
        for element, network in self.networks.items():
            network.write(folder / f"weights.{atomic_numbers[element]:03d}.data")

    def energy_and_forces(self, atoms: ase.Atoms) -> tuple[float, np.ndarray]:
        """Energy in Ha and forces (A, 3) in Ha/bohr of a structure whose positions and cell are in bohr.

        Raises:
            DataError: an element that the potential does not know, or two atoms at one place.
        """
        forces = torch.zeros(len(atoms), 3, dtype=torch.float64)
        energies = self._evaluate(atoms, forces).energies
        unit = self.settings.conv_energy or 1.0
        offsets = [self.settings.atom_energies.get(s, 0.0) for s in atoms.get_chemical_symbols()]
        energy = float(energies.sum()) + len(atoms) * (self.settings.mean_energy or 0.0) + sum(offsets)
        return energy, forces.numpy() / unit

    def atomic(self, atoms: ase.Atoms) -> Atomic:
        """Energies, symmetry functions and their gradients atom by atom."""
        return self._evaluate(atoms, None)

    def _evaluate(self, atoms: ase.Atoms, forces: torch.Tensor | None) -> Atomic:
        """Contributions of all atoms; forces (in Ha · conv_energy / bohr) are added if wanted."""
        symbols = np.array(atoms.get_chemical_symbols())
        if unknown := set(symbols) - set(self.settings.elements):
            raise DataError(
                f"{', '.join(sorted(unknown))}: not an element of this potential, which knows "
                f"{', '.join(self.settings.elements)}"
            )
        neighbours = Neighbours.of(atoms, self.settings.reach)
        unit = self.settings.conv_energy or 1.0
        energies = np.zeros(len(atoms))
        raw, scaled, gradients = ([np.empty(0)] * len(atoms) for _ in range(3))
        for element in self.settings.elements:
            center, width = affine(self.settings, self.scaling[element])
            descriptor = StructureDescriptor(self.settings.functions[element], self.settings.cutoff)
            for chunk in neighbours.chunks():
                centres = chunk[symbols[chunk] == element]
                if not len(centres):
                    continue
                values, response = descriptor(neighbours, centres)
                inputs = (values - center) / width
                outputs, gradient = self.networks[element].value_and_gradient(inputs)
                energies[centres] = outputs.numpy() / unit
                for k, atom in enumerate(centres):
                    raw[atom], scaled[atom] = values[k].numpy(), inputs[k].numpy()
                    gradients[atom] = gradient[k].numpy() / unit
                if forces is not None:
                    pull_back(neighbours, response, gradient / width, forces)
        return Atomic(energies, raw, scaled, gradients)

"""Internal coordinates that permutations of equal atoms only reorder, and that a mirror image leaves unchanged."""

from __future__ import annotations

from itertools import permutations, product

import torch

from qff.config import CoordinateConfig
from qff.errors import ConfigError
from qff.systems import System


class SymmetricCoordinates:
    """The bonds and angles of a system, and those that permutations of equal atoms make of them.

    A dihedral is left out: a mirror image changes its sign, and no permutation of the others replaces it. Bonds and
    angles are smooth where a pyramid turns inside out, and take the same values on both sides.

    Attributes:
        permutations: (G, K), row g: coordinate k of the permuted molecule is coordinate ``permutations[g, k]``.
    """

    def __init__(self, system: System):
        orders = _permutations_of_equal_atoms(system.symbols)
        bounds: dict[tuple, tuple[float, float]] = {}
        for coordinate in system.coordinates:
            if coordinate.kind == "dihedral":
                continue
            low, high = coordinate.bounds
            for order in orders:
                image = _image(coordinate.kind, coordinate.atoms, order)
                found = bounds.get(image, (low, high))
                bounds[image] = (min(low, found[0]), max(high, found[1]))
        if len(bounds) < system.n_coordinates:
            raise ConfigError(
                f"{system.name}: its bonds and angles make {len(bounds)} symmetric coordinates, fewer than its "
                f"{system.n_coordinates} coordinates; state more of them in place of dihedrals in config/systems.yaml"
            )
        coordinates = [
            CoordinateConfig(kind=kind, atoms=list(atoms), bounds=limits) for (kind, atoms), limits in bounds.items()
        ]
        self._system = System(system.name, system.config.model_copy(update={"coordinates": coordinates}))
        place = {key: k for k, key in enumerate(bounds)}
        self.permutations = torch.tensor([[place[_image(*key, order)] for key in bounds] for order in orders])

    def __len__(self) -> int:
        return self._system.n_coordinates

    def scaled(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As :meth:`qff.systems.System.scaled_coordinates`: x (B, K) and dx/dR (B, K, A, 3) in 1/Å."""
        return self._system.scaled_coordinates(positions)


def _permutations_of_equal_atoms(symbols: list[str]) -> list[list[int]]:
    """All orders of the atoms that leave the symbols in place; the first one changes nothing."""
    groups = [[i for i, s in enumerate(symbols) if s == element] for element in dict.fromkeys(symbols)]
    orders = []
    for images in product(*(permutations(group) for group in groups)):
        order = list(range(len(symbols)))
        for group, image in zip(groups, images, strict=True):
            for source, target in zip(group, image, strict=True):
                order[source] = target
        orders.append(order)
    return orders


def _image(kind: str, atoms, order: list[int]) -> tuple[str, tuple[int, ...]]:
    """A bond or angle after a permutation; read backwards it is the same one."""
    moved = tuple(order[a] for a in atoms)
    return kind, min(moved, moved[::-1])

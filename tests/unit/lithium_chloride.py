"""Toy frames of periodic tests: rock salt LiCl, strained and displaced, labelled by a drawn potential."""

import numpy as np
from ase import Atoms
from ase.build import bulk
from qff.materials.compression import Compression
from qff.materials.descriptor import Descriptor
from qff.materials.equations import Weights
from qff.materials.frames import Frame
from qff.materials.heads import QuadraticHead
from qff.materials.potential import MaterialPotential

DESCRIPTOR = Descriptor((3, 17), 4.0, 2, 2)
WEIGHTS = Weights(30.0, 1.0)


def rattled(seed: int, size: float = 0.1, repeat=(1, 1, 1)) -> Atoms:
    """Rock salt LiCl, primitive cell doubled, strained and displaced."""
    atoms = bulk("LiCl", "rocksalt", a=5.13).repeat((2, 1, 1))
    rng = np.random.default_rng(seed)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(scale=0.02, size=(3, 3))), scale_atoms=True)
    atoms.positions += rng.normal(scale=size, size=(len(atoms), 3))
    return atoms.repeat(repeat)


def some_potential(seed: int = 0, wall: float = 0.0, head=None, limit: float = np.inf) -> MaterialPotential:
    """Any potential: random projections, random symmetric matrices."""
    rng = np.random.default_rng(seed)
    n, size = DESCRIPTOR.n_features, 3
    a = rng.normal(scale=0.1, size=(2, size + 1, size + 1))
    projections = rng.normal(scale=n**-0.5, size=(2, n, size))
    compression = Compression(rng.normal(size=(2, n)), projections, np.full((2, size), limit))
    head = head or QuadraticHead(a + a.transpose(0, 2, 1))
    return MaterialPotential(DESCRIPTOR, np.array([-1.0, -2.0]), compression, head, np.full((2, 2), 2.6), wall)


def labelled(count: int, potential: MaterialPotential) -> list[Frame]:
    """Frames with the labels of a potential."""
    found = []
    for seed in range(count):
        atoms = rattled(seed)
        labels = potential.evaluate(atoms.numbers, atoms.positions, atoms.cell.array)
        found.append(Frame(atoms.numbers, atoms.positions, atoms.cell.array, *labels))
    return found

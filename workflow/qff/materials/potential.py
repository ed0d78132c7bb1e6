"""Potential of a periodic material: local descriptors, compressed, through a head; energies, forces and stress."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qff.errors import ModelFileError
from qff.materials.compression import Compression
from qff.materials.descriptor import Descriptor, Environment, forces_and_virial
from qff.materials.frames import Frame
from qff.materials.heads import CircuitHead, ElementNetworks, NetworkHead, QuadraticHead
from qff.materials.moments import compiled
from qff.materials.neighbours import NeighbourList
from qff.provenance import atomic_path

CHUNK = 512  # atoms whose descriptors are held at a time
# A circuit before what it is a case of: the first one that fits names the file.
HEADS = {
    "circuit": CircuitHead,
    "quadratic": QuadraticHead,
    "network": NetworkHead,
    "element_networks": ElementNetworks,
}


@compiled
def _wall(vectors, kinds, neighbour_kinds, closest, strength, slopes):
    """Energy of the wall; adds its slopes (A, M, 3) by the vectors. Each pair is seen from both ends."""
    energy = 0.0
    for i in range(vectors.shape[0]):
        for j in range(vectors.shape[1]):
            if neighbour_kinds[i, j] < 0:
                continue
            v = vectors[i, j]
            r = np.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])
            short = closest[kinds[i], neighbour_kinds[i, j]] - r
            if short > 0:
                energy += 0.5 * strength * short**3
                for a in range(3):
                    slopes[i, j, a] -= 1.5 * strength * short * short * v[a] / r
    return energy


@dataclass(frozen=True)
class MaterialPotential:
    """E = Σ_i ε_s(i) + head(x_i) + wall; see the modules of each part.

    Attributes:
        references: ε (S,) in eV per atom, in the order of the elements of the descriptor.
        closest: (S, S), shortest distance (Å) of each pair of elements in the training frames.
        wall: strength w (eV/Å³) of w (closest - r)³ for closer pairs. It is zero in all training frames: it holds where
            there are no data. 0: none.
    """

    descriptor: Descriptor
    references: np.ndarray
    compression: Compression
    head: QuadraticHead | NetworkHead | ElementNetworks
    closest: np.ndarray
    wall: float = 0.0

    def evaluate(
        self, numbers: np.ndarray, positions: np.ndarray, cell: np.ndarray, pairs: NeighbourList | None = None
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Energy (eV), forces (A, 3) in eV/Å and stress (3, 3) in eV/Å³ of a periodic cell.

        Args:
            pairs: neighbours, if they are known, up to the cutoff at least.

        Raises:
            DataError: an element that no training frame has.
        """
        whole = self.descriptor.environment(numbers, positions, cell, pairs)
        energy, slopes = float(self.references[whole.kinds].sum()), np.empty(whole.vectors.shape)
        for first in range(0, len(numbers), CHUNK):
            part = slice(first, first + CHUNK)
            some = Environment(whole.kinds[part], whole.index[part], whole.neighbour_kinds[part], whole.vectors[part])
            moments = self.descriptor.moments(some)
            values, steepness = self.compression.apply(self.descriptor.features(moments), some.kinds)
            energies, by_values = self.head.energies(values, some.kinds)
            energy += float(energies.sum())
            gradient = self.compression.gradient(by_values * steepness, some.kinds)
            slopes[part] = self.descriptor.pullback(some, moments, gradient)
            if self.wall:
                energy += _wall(some.vectors, some.kinds, some.neighbour_kinds, self.closest, self.wall, slopes[part])
        forces, virial = forces_and_virial(whole.index, whole.vectors, slopes)
        return energy, forces, 0.5 * (virial + virial.T) / abs(np.linalg.det(cell))

    def save(self, path: str | Path) -> None:
        """Write to a safetensors file."""
        from safetensors.numpy import save_file

        kind = next(name for name, head in HEADS.items() if isinstance(self.head, head))
        arrays = {
            "references": self.references,
            "mean": self.compression.mean,
            "projections": np.ascontiguousarray(self.compression.projections),
            "limits": self.compression.limits,
            "closest": self.closest,
            **{f"head.{name}": np.ascontiguousarray(value) for name, value in vars(self.head).items()},
        }
        d = self.descriptor
        metadata = {
            "format": "qff.material/1",
            "head": kind,
            "elements": ",".join(map(str, d.elements)),
            "cutoff_ang": repr(d.cutoff_ang),
            "n_radial": str(d.n_radial),
            "l_max": str(d.l_max),
            "wall": repr(self.wall),
        }
        with atomic_path(path) as temporary:
            save_file(arrays, temporary, metadata)


def load(path: str | Path) -> MaterialPotential:
    """Read a potential that :meth:`MaterialPotential.save` wrote.

    Raises:
        ModelFileError: missing, unreadable or of another kind.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, "numpy") as file:
            meta = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if meta.get("format") != "qff.material/1":
            raise ValueError(f"format {meta.get('format')!r}")
        descriptor = Descriptor(
            tuple(map(int, meta["elements"].split(","))),
            float(meta["cutoff_ang"]),
            int(meta["n_radial"]),
            int(meta["l_max"]),
        )
        head = {k.removeprefix("head."): v for k, v in arrays.items() if k.startswith("head.")}
        return MaterialPotential(
            descriptor,
            arrays["references"],
            Compression(arrays["mean"], arrays["projections"], arrays["limits"]),
            HEADS[meta["head"]](**head),
            arrays["closest"],
            float(meta["wall"]),
        )
    except Exception as error:  # whatever the reader makes of another file
        raise ModelFileError(f"{path}: not a potential of a material ({error}); train it again") from error


def shortest_distances(frames: list[Frame], descriptor: Descriptor) -> np.ndarray:
    """Shortest distance (S, S) in Å of each pair of elements in frames; 0 for pairs that never come within the cutoff."""
    n = len(descriptor.elements)
    found = np.full((n, n), np.inf)
    for frame in frames:
        e = descriptor.environment(frame.numbers, frame.positions, frame.cell)
        distances = np.where(e.index >= 0, np.linalg.norm(e.vectors, axis=2), np.inf)
        own = np.broadcast_to(e.kinds[:, None], e.index.shape)
        real = e.index >= 0
        np.minimum.at(found, (own[real], e.neighbour_kinds[real]), distances[real])
    return np.where(np.isfinite(found), found, 0.0)

"""Terms of symmetry functions as functions of interatomic distances, with their derivatives.

A term depends on the sides of a pair or a triangle only; everything else (which atoms, periodic or not, how
derivatives are needed) is the business of the callers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from qff.symmetry.cutoffs import Cutoff
from qff.symmetry.functions import NARROW, RADIAL, SymmetryFunction


@dataclass(frozen=True)
class Group:
    """Functions of one centre element that sum over the same neighbours: n columns evaluated at once.

    Attributes:
        columns: (n,) places among the functions of the centre.
        eta, shift, radius, lam, zeta: (n,) parameters in bohr.
    """

    kind: int
    neighbours: tuple[str, ...]
    cutoff: Cutoff
    columns: torch.Tensor
    eta: torch.Tensor
    shift: torch.Tensor
    radius: torch.Tensor
    lam: torch.Tensor
    zeta: torch.Tensor

    @property
    def reach(self) -> float:
        """Largest cutoff radius (bohr)."""
        return float(self.radius.max())

    def radial(self, r: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """exp(-η (r - r_s)²) f_c(r) and its slope: (…, n) at distances (…)."""
        r = r[..., None]
        value, slope = self.cutoff(r, self.radius)
        gauss = torch.exp(-self.eta * (r - self.shift) ** 2)
        return gauss * value, gauss * (slope - 2 * self.eta * (r - self.shift) * value)

    def angular(self, rij, rik, rjk, cosine, ij=None, ik=None):
        """Terms of type 3 or 9 and their derivatives with respect to the three sides: four (…, n).

        Args:
            rij, rik, rjk: (…) sides of the triangles, i at the centre.
            cosine: (…) of the angle at i.
            ij, ik: what :meth:`radial` gives for the two sides, if the caller has it.
        """
        a, da = self.radial(rij) if ij is None else ij
        b, db = self.radial(rik) if ik is None else ik
        cosine = cosine[..., None]
        base = (1 + self.lam * cosine).clamp(min=0.0)  # rounding may leave [0, 2] at collinear atoms
        scale = 2 ** (1 - self.zeta)
        angle, bend = scale * base**self.zeta, scale * self.zeta * self.lam * base ** (self.zeta - 1)
        rij, rik, rjk = rij[..., None], rik[..., None], rjk[..., None]
        if self.kind == NARROW:
            c, dc = self.radial(rjk[..., 0])
            ab, bc, ac = a * b, b * c, a * c
            abc = ab * c
            third = angle * ab * dc
        else:
            ab, bc, ac, abc, third = a * b, b, a, a * b, 0.0
        bend = bend * abc  # ∂/∂cos θ
        return (
            angle * abc,
            angle * da * bc + bend * (1 / rik - cosine / rij),
            angle * db * ac + bend * (1 / rij - cosine / rik),
            third - bend * rjk / (rij * rik),
        )


def groups(functions: list[SymmetryFunction], cutoff: Cutoff) -> Iterator[Group]:
    """Groups of the functions of one centre element."""
    for kind, neighbours in dict.fromkeys((f.kind, f.neighbours) for f in functions):
        columns = [k for k, f in enumerate(functions) if (f.kind, f.neighbours) == (kind, neighbours)]
        chosen = [functions[k] for k in columns]

        def column(name, chosen=chosen):
            return torch.tensor([getattr(f, name) for f in chosen], dtype=torch.float64)

        yield Group(
            kind, neighbours, cutoff, torch.tensor(columns),
            column("eta"), column("shift"), column("cutoff"), column("lam"), column("zeta"),
        )  # fmt: skip


def is_radial(group: Group) -> bool:
    return group.kind == RADIAL

"""What VQE says of a molecule's bonds, as smooth functions of interatomic distances.

VQE of two electrons in the bonding and the antibonding orbital is solved along the stretch of one bond of a small molecule
for every pair of elements (:mod:`qff.vqe.bonds`). Cubic splines through its amplitude and its correlation energy are the
features, so that their derivatives, which forces need, are those of the splines: nothing is differenced. Below the
shortest distance of a table its spline goes on as a straight line; a smooth cutoff ends it.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.interpolate import CubicSpline

from qff.errors import ConfigError

QUANTITIES = ("amplitude", "correlation_energy_ev")


class BondFeatures:
    """v_i = Σ_j q(r_ij) f(r_ij) for every kind of bond that an element can have and every quantity q.

    f is 1 - 28 x⁶ + 48 x⁷ - 21 x⁸ with x = r/cutoff.

    Args:
        symbols: of the atoms. elements: in the order of the descriptor. pairs: atoms (i, j) of every distance.
        tables: kind ("C-H", elements sorted) → ``distance_ang`` and the ``QUANTITIES``, lists of one length.
        cutoff: Å.

    Raises:
        ConfigError: there is no table, or none reaches the cutoff.
    """

    def __init__(self, symbols: list[str], elements: list[str], pairs: list[tuple], tables: dict, cutoff: float):
        if not tables:
            raise ConfigError(
                "bond_cutoff_ang asks for bond features, and settings hold no 'bonds': train with the rules of "
                "workflow/rules/hybrid.smk, which solve them, or set bond_cutoff_ang: null"
            )
        self._cutoff = cutoff
        self._first = {kind: float(table["distance_ang"][0]) for kind, table in tables.items()}
        self._splines = {}
        for kind, table in tables.items():
            if table["distance_ang"][-1] < cutoff:
                raise ConfigError(
                    f"bonds.{kind} end at {table['distance_ang'][-1]} Å, before bond_cutoff_ang {cutoff}"
                )
            columns = np.stack([table[q] for q in QUANTITIES], -1)
            self._splines[kind] = CubicSpline(table["distance_ang"], columns)
        self._kinds = {
            e: [k for k in tables if e in k.split("-") and set(k.split("-")) <= set(elements)] for e in elements
        }
        self._atoms = {e: [i for i, s in enumerate(symbols) if s == e] for e in elements}
        self._symbols, self._pairs = symbols, pairs

    def width(self, element: str) -> int:
        """Number of features of an atom of an element."""
        return len(QUANTITIES) * len(self._kinds[element])

    def curve(self, kind: str, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """q f and its derivative in r (1/Å) at distances (…), both (…, quantities)."""
        spline, first = self._splines[kind], self._first[kind]
        inside = np.clip(r, first, self._cutoff)
        value, slope = spline(inside), spline(inside, 1)
        value = value + slope * (np.minimum(r, first) - first)[..., None]
        x = np.minimum(r / self._cutoff, 1.0)
        fade = (1 - 28 * x**6 + 48 * x**7 - 21 * x**8)[..., None]
        fall = ((-168 * x**5 + 336 * x**6 - 168 * x**7) / self._cutoff)[..., None]
        return value * fade, slope * fade + value * fall

    def __call__(self, positions: torch.Tensor) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """Features of geometries (B, A, 3) in Å.

        Returns:
            element → values (B, atoms, width), and element → derivatives along the distances (B, K, atoms, width), 1/Å.
        """
        found = positions.numpy()
        frames = len(found)
        values = {e: np.zeros((frames, len(a), self.width(e))) for e, a in self._atoms.items()}
        slopes = {e: np.zeros((frames, len(self._pairs), len(a), self.width(e))) for e, a in self._atoms.items()}
        for k, (i, j) in enumerate(self._pairs):
            kind = "-".join(sorted((self._symbols[i], self._symbols[j])))
            if kind not in self._splines:
                continue
            value, slope = self.curve(kind, np.linalg.norm(found[:, j] - found[:, i], axis=-1))
            for atom in (i, j):
                element = self._symbols[atom]
                place = self._atoms[element].index(atom)
                start = len(QUANTITIES) * self._kinds[element].index(kind)
                columns = slice(start, start + len(QUANTITIES))
                values[element][:, place, columns] += value
                slopes[element][:, k, place, columns] += slope
        return ({e: torch.as_tensor(x) for e, x in y.items()} for y in (values, slopes))

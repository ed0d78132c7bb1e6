"""Rotation of a ring of ferrocene: the coordinate of the draft's metal complex that a molecule of 21 atoms allows here.

    python -m qff.hybrid.ferrocene --freeze results/published/reference/ferrocene.csv

Rigid rings at the distances of gas electron diffraction (Haaland & Nilsson, Acta Chem. Scand. 22, 2653 (1968)), where the
eclipsed form is the stable one and the barrier 0.9 ± 0.3 kcal/mol. PBE/def2-SVP by
:mod:`qff.reference.density_functional`: a functional without exact exchange describes metallocenes near their equilibrium, closed-shell
molecules, well enough for a barrier, and only its Coulomb energy needs to be fitted. Dispersion is left out: the distance of
the rings stays as they turn.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from qff.command import reported
from qff.jobs import progress
from qff.provenance import file_digest, git_state, versions, write_csv, write_json
from qff.reference.density_functional import FUNCTIONAL, SETTINGS, energy
from qff.units import HARTREE_IN_EV, KCAL_PER_MOL_IN_EV

IRON_CARBON, CARBON_CARBON, CARBON_HYDROGEN = 2.064, 1.440, 1.104  # Å
TURNS = (0.0, 12.0, 24.0, 36.0)  # degrees from eclipsed to staggered
BASIS = "def2-svp"
COLUMNS = ["turn_degrees", "energy_ev"]


def ferrocene(turn: float) -> tuple[list[str], np.ndarray]:
    """Symbols and positions (21, 3) in Å with one ring turned by degrees from the eclipsed form."""
    radius = CARBON_CARBON / (2 * np.sin(np.pi / 5))
    height = np.sqrt(IRON_CARBON**2 - radius**2)
    symbols, rows = ["Fe"], [[0.0, 0.0, 0.0]]
    for z, start in ((height, 0.0), (-height, np.radians(turn))):
        angles = start + 2 * np.pi * np.arange(5) / 5
        for symbol, r in (("C", radius), ("H", radius + CARBON_HYDROGEN)):
            rows += [[r * np.cos(a), r * np.sin(a), z] for a in angles]
            symbols += [symbol] * 5
    return symbols, np.array(rows)


def rotation(turns: list[float]) -> pd.DataFrame:
    """Energies (eV) along the rotation.

    Raises:
        LabelError: no convergence.
    """
    from pyscf import gto

    rows = []
    for turn in progress(turns, FUNCTIONAL):
        atoms = [(s, tuple(x)) for s, x in zip(*ferrocene(turn), strict=True)]
        mol = gto.M(atom=atoms, basis=BASIS, unit="Angstrom", verbose=0)
        rows.append((turn, energy(mol, f"ferrocene, {turn:g}°") * HARTREE_IN_EV))
    return pd.DataFrame(rows, columns=COLUMNS)


def barrier(table: pd.DataFrame) -> float:
    """Staggered less eclipsed, kcal/mol."""
    energies = table.set_index("turn_degrees").energy_ev
    return float(energies[36.0] - energies[0.0]) / KCAL_PER_MOL_IN_EV


@reported
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--freeze", type=Path, required=True, help="table (csv) to write, with its provenance beside it"
    )
    path, began = parser.parse_args(arguments).freeze, time.process_time()
    table = rotation(list(TURNS))
    write_csv(path, table)
    write_json(
        path.with_suffix(".json"),
        {
            "file": path.name,
            "sha256": file_digest(path),
            "method": FUNCTIONAL,
            "basis": BASIS,
            "settings": SETTINGS,
            "command": "python -m qff.hybrid.ferrocene",
            "cpu_seconds": round(time.process_time() - began, 1),
            "versions": {
                k: v for k, v in versions().items() if k in ("python", "platform", "pyscf", "numpy", "scipy")
            },
            "git": git_state(),
        },
    )
    print(table.to_string(index=False))
    print(
        f"staggered - eclipsed: {barrier(table):.2f} kcal/mol; {time.process_time() - began:.0f} s of processor time"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

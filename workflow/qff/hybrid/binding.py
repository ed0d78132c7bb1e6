"""Interaction energies of a ligand with the catalytic dyad along their separation: the testable core of the binding case.

    python -m qff.hybrid.binding config/structures/dyad.extxyz --folder results/binding --freeze results/published/reference/dyad.csv

Both molecules are rigid and the ligand is moved along the axis of the cluster (:mod:`qff.hybrid.cluster`). Energies of the
two alone are computed with the basis functions of both (:mod:`qff.hybrid.interaction`). Where the reference has its minimum
it is computed in a larger basis too, with and without counterpoise: the limit of a complete basis usually lies between the
two, and their mean is closer to it than either (Burns, Marshall & Sherrill, J. Chem. Theory Comput. 10, 49 (2014)). Finished
energies are kept in the folder: a second call goes on where the first one ended.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pandas as pd

from qff.command import reported
from qff.errors import DataError
from qff.hybrid import amber_pairs
from qff.hybrid.cluster import Cluster, read_cluster
from qff.hybrid.functional import FUNCTIONAL, GRID_LEVEL
from qff.hybrid.interaction import REFERENCE, SCF_TOLERANCE, Ledger, tight_binding
from qff.jobs import progress
from qff.provenance import file_digest, git_state, versions, write_csv, write_json
from qff.units import KCAL_PER_MOL_IN_EV

COLUMNS = ["method", "basis", "counterpoise", "separation_ang", "interaction_ev"]
BASIS, LARGER_BASIS = "cc-pVDZ", "aug-cc-pVDZ"
SEPARATIONS = (3.1, 3.3, 3.5, 3.7, 4.0, 4.5, 5.5, 7.0)  # Å
TOLERANCE_EV = 1e-5  # of recomputed energies of the force field


def cheap_rows(cluster: Cluster, separations: list[float], where: str) -> list[tuple]:
    """GFN2-xTB at all separations, and AMBER if it has parameters for all atoms."""
    rows = [("gfn2", "", False, s, tight_binding(cluster, cluster.at(s))) for s in separations]
    try:
        amber_pairs.parameters(cluster, where)
    except DataError as error:
        print(error, file=sys.stderr)
        return rows
    return rows + [
        ("amber", "", False, s, amber_pairs.interaction(cluster, cluster.at(s), where)) for s in separations
    ]


def minimum(table: pd.DataFrame) -> float:
    """Separation (Å) at which the reference's scan is lowest."""
    scan = table[(table.method == REFERENCE) & (table.basis == BASIS)]
    return float(scan.separation_ang[scan.interaction_ev.idxmin()])


def calculate(cluster: Cluster, separations: list[float], folder: Path, where: str) -> tuple[pd.DataFrame, float]:
    """All rows, and the CPU seconds of the quantum chemistry.

    Raises:
        LabelError: no convergence. DataError: the reference has no minimum between the ends of the scan.
    """
    ledger = Ledger(cluster, folder)
    rows = cheap_rows(cluster, separations, where)
    for s in progress(separations, f"{REFERENCE} in {BASIS}"):
        rows += ledger.interaction(REFERENCE, BASIS, True, s)
    lowest = separations.index(minimum(pd.DataFrame(rows, columns=COLUMNS)))
    if lowest in (0, len(separations) - 1):
        raise DataError(
            f"{where}: no minimum between {separations[0]} and {separations[-1]} Å; give other --separations"
        )
    for counterpoise in progress([True, False], f"{REFERENCE} in {LARGER_BASIS}"):
        rows += ledger.interaction(REFERENCE, LARGER_BASIS, counterpoise, separations[lowest])
    # The functional takes longer than all of the scan: there, and where a larger basis would move the minimum to.
    for s in progress(separations[lowest - 1 : lowest + 1], f"{FUNCTIONAL} in {BASIS}"):
        rows += ledger.interaction(FUNCTIONAL, BASIS, True, s)
    return pd.DataFrame(rows, columns=COLUMNS), ledger.seconds


def freeze(table: pd.DataFrame, path: Path, structure: Path, seconds: float, command: str) -> None:
    """Write the table and, beside it, where it comes from."""
    write_csv(path, table)
    used = ("python", "platform", "pyscf", "tblite", "numpy", "scipy")
    write_json(
        path.with_suffix(".json"),
        {
            "file": path.name,
            "sha256": file_digest(path),
            "structure": {"file": structure.as_posix(), "sha256": file_digest(structure)},
            "settings": {"scf_tolerance_hartree": SCF_TOLERANCE, "grid_level": GRID_LEVEL, "core": "frozen in MP2"},
            "command": command,
            "cpu_seconds": round(seconds, 1),
            "versions": {k: v for k, v in versions().items() if k in used},
            "git": git_state(),
        },
    )


def read_binding(path: Path, structure: Path) -> pd.DataFrame:
    """A frozen table; what it says of the force field is computed again.

    Raises:
        DataError: unreadable, edited, made of another structure, or other numbers come out.
    """
    try:
        provenance = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        sha256, origin = provenance["sha256"], provenance["structure"]["sha256"]
        table = pd.read_csv(path, keep_default_na=False)[COLUMNS]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: table or its provenance is unreadable ({error}); restore them with git") from error
    if file_digest(path) != sha256:
        raise DataError(f"{path}: differs from its recorded sha256: the file was edited; restore it with git")
    if file_digest(structure) != origin:
        raise DataError(f"{path}: made of another structure than {structure}; run python -m qff.hybrid.binding again")
    cluster = read_cluster(structure)
    for row in table[table.method == "amber"].itertuples():
        found = amber_pairs.interaction(cluster, cluster.at(row.separation_ang), str(structure))
        if abs(found - row.interaction_ev) > TOLERANCE_EV:
            raise DataError(
                f"{path}: AMBER at {row.separation_ang} Å is {found:.6f} eV, not {row.interaction_ev:.6f}; the parameters "
                "changed: run python -m qff.hybrid.binding again"
            )
    return table


def deviations(table: pd.DataFrame) -> dict[str, dict[str, tuple[float, float, float]]]:
    """At the minimum of the reference: method → quantity → value and its ends, in kcal/mol.

    The ends are those of the reference, with and without counterpoise in the larger basis; its value is their mean. Methods
    have ``interaction_energy``, what they lack of the reference's (``interaction_error``, signed) and its size
    (``interaction_deviation``).
    """
    at = table[table.separation_ang == minimum(table)]
    ends = sorted(at[(at.method == REFERENCE) & (at.basis == LARGER_BASIS)].interaction_ev / KCAL_PER_MOL_IN_EV)
    low, high = ends[0], ends[-1]
    middle = (low + high) / 2
    found = {"reference": {"interaction_energy": (middle, low, high)}}
    for row in at[at.basis != LARGER_BASIS].itertuples():
        value = row.interaction_ev / KCAL_PER_MOL_IN_EV
        error = (value - middle, value - high, value - low)
        sizes = sorted(abs(e) for e in error[1:])
        size = (abs(error[0]), 0.0 if low <= value <= high else sizes[0], sizes[1])
        found[row.method] = {
            "interaction_energy": (value,) * 3, "interaction_error": error, "interaction_deviation": size
        }  # fmt: skip
    return found


@reported
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("structure", type=Path, help="cluster of a dyad and a ligand, extended XYZ")
    parser.add_argument("--folder", type=Path, required=True, help="where finished energies are kept")
    parser.add_argument("--separations", type=float, nargs="+", default=list(SEPARATIONS), help="Å, ascending")
    parser.add_argument("--freeze", type=Path, help="table (csv) to write, with its provenance beside it")
    options = parser.parse_args(arguments)
    separations = sorted(options.separations)
    table, seconds = calculate(read_cluster(options.structure), separations, options.folder, str(options.structure))
    if options.freeze:
        words = " ".join(f"{s:g}" for s in separations)
        command = f"python -m qff.hybrid.binding {options.structure.as_posix()} --separations {words}"
        freeze(table, options.freeze, options.structure, seconds, command)
    print(table.assign(interaction_kcal=table.interaction_ev / KCAL_PER_MOL_IN_EV).to_string(index=False))
    print(json.dumps(deviations(table), indent=1))
    print(f"{seconds:.0f} s of processor time")
    return 0


if __name__ == "__main__":
    sys.exit(main())

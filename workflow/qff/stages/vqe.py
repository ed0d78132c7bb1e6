"""VQE: along the stretch of a system, and of the bonds whose features the hybrid's circuits see."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from qff.config import HybridConfig, SystemConfig, VQEScanConfig, validate
from qff.metrics import metric_rows, metric_table
from qff.provenance import write_csv
from qff.stages.common import Context, flat
from qff.vqe.bonds import solve_bond
from qff.vqe.scan import scan_summary, solve_scan

VQE = "vqe"  # model of the rows of scans


def solve_vqe(
    *, context: dict, system: str, config: dict, settings: dict, table_path: str, metrics_path: str, run_path: str
) -> None:
    """VQE along a bond, beside the full diagonalisation of the same active space."""
    molecule = validate(SystemConfig, config, f"system {system}")
    scan = validate(VQEScanConfig, settings, f"hybrid.vqe.{system}")
    record = Context(**context).record("hybrid", [], system=system, model=VQE)
    table = pd.DataFrame(solve_scan(molecule, scan, system))
    found = scan_summary(table)
    write_csv(table_path, table)
    # Nothing is drawn: the interval of a number is the number itself.
    rows = [r for end in ("", "_low", "_high") for r in metric_rows(found, system=system, model=VQE, variant=end)]
    write_csv(metrics_path, metric_table(rows))
    record.add(
        f"vqe-{system}",
        params={k: getattr(scan, k) for k in ("basis", "orbitals", "electrons")},
        metrics=flat(found),
        artifacts=[Path(table_path).name],
    )
    record.write(run_path, [table_path, metrics_path])


def solve_bonds(*, context: dict, settings: dict, table_path: str, run_path: str) -> None:
    """VQE of all kinds of bonds along their stretch: the features of the circuit branch."""
    bonds = validate(HybridConfig, settings, "hybrid").bonds
    record = Context(**context).record("hybrid", [], model=VQE)
    table = pd.DataFrame([solve_bond(k, r, bonds.basis) for k in bonds.kinds for r in bonds.distances_ang])
    write_csv(table_path, table)
    record.add(
        "vqe-bonds",
        params={"basis": bonds.basis, "kinds": ", ".join(bonds.kinds), "distances": len(bonds.distances_ang)},
        metrics={
            "casci_error_max_hartree": float(table.casci_error_hartree.abs().max()),
            "evaluations": int(table.evaluations.sum()),
            "vqe_seconds": float(table.seconds.sum()),
        },
        artifacts=[Path(table_path).name],
    )
    record.write(run_path, [table_path])

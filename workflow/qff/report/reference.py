"""Tables on the reference labels: what was recorded of them, and frozen comparisons of them."""

from __future__ import annotations

import pandas as pd

from qff.report.numbers import MISSING, Table, number
from qff.report.tables import pick

REFERENCE = "reference"
LABELS = {
    "mode": "labels",
    "method": "method",
    "basis": "basis",
    "program": "program",
    "n_frames": "frames",
    "n_rhf_unstable_towards_uhf": "frames where RHF is unstable towards UHF",
    "n_retried": "frames that converged only after a retry",
    "force_consistency_ev_per_ang": "largest net force (eV/Å) or torque (eV) of a frame",
    "recheck_energy_mev": "largest energy difference of recomputed frames (meV)",
    "recheck_force_ev_per_ang": "largest force difference of recomputed frames (eV/Å)",
    "fci_error_max_mev": "largest error against FCI (meV)",
    "fci_error_nonparallelity_mev": "range of the error against FCI (meV)",
    "force_difference_max_ev_per_ang": "largest difference of sampled force components and central differences (eV/Å)",
    "check_basis": "larger basis of the comparisons",
    "basis_energy_rmse_mev": "RMSE of relative energies against the larger basis (meV)",
    "basis_force_rmse_ev_per_ang": "RMSE of forces against the larger basis (eV/Å)",
    "basis_recheck_difference_mev": "difference of an energy recomputed in the larger basis (meV)",
    "check_method": "other method of the comparisons",
    "method_energy_rmse_mev": "RMSE of relative energies against the other method (meV)",
    "method_recheck_difference_mev": "difference of an energy recomputed by the other method (meV)",
}
OF_A_CURVE = {"force_consistency_ev_per_ang": "largest difference of forces and slope of the energies (eV/Å)"}
QM22 = {
    "qm22_frames": "frames",
    "qm22_energy_rmse": "RMSE (meV)",
    "qm22_energy_mae": "MAE (meV)",
    "qm22_correlation": "correlation",
    "qm22_slope": "slope of ours over theirs",
}


def reference_tables(runs: list[dict], metrics: pd.DataFrame, labels_source: str, numbers_source: str) -> list[Table]:
    """Tables of one system.

    Args:
        runs: its runs of the reference stage. metrics: its tidy table of numbers.
    """
    own = metrics[metrics.model == REFERENCE]
    bases = [run["params"][k] for run in runs if "check_basis" in run["params"] for k in ("basis", "check_basis")]
    return [_recorded(runs, labels_source), _barriers(own, bases, numbers_source), _qm22(own, numbers_source)]


def _recorded(runs: list[dict], source: str) -> Table:
    """Level of theory, checks of the labels and how often they were retried."""
    labels, found = dict(LABELS), {}
    for run in runs:
        small_basis = "fci_error_max_mev" in run["metrics"]
        known = run["metrics"] | ({} if small_basis else run["params"])
        found |= {k: v for k, v in known.items() if k in labels}
        if small_basis:  # only curves are held against FCI
            basis = run["params"].get("basis", "")
            labels |= OF_A_CURVE | {k: f"{v}, {basis}" for k, v in labels.items() if k.startswith("fci_")}
    rows = [[label, _plain(found[key])] for key, label in labels.items() if key in found]
    return Table("Reference labels", ["", "value"], rows, source)


def _barriers(own: pd.DataFrame, bases: list[str], source: str) -> Table:
    found = {basis: pick(own, quantity="inversion_barrier", variant=basis) for basis in bases}
    rows = [[basis, number(values.iloc[0], 5)] for basis, values in found.items() if len(values)]
    note = "Planar top of the symmetric path above its lowest point, in each basis on its own."
    return Table("Inversion barrier of the labels", ["basis", "barrier (meV)"], rows, source, note)


def _qm22(own: pd.DataFrame, source: str) -> Table:
    """Agreement with the energies of QM-22, for all of them and below limits of energy."""
    rows = [
        [_window(v), *(number(pick(own, variant=v, quantity=q).iloc[0], 4) for q in QM22)]
        for v in own[own.quantity == "qm22_frames"].sort_values("value").variant
    ]
    note = "Energies relative to their mean over the frames of the row."
    return Table("Labels against QM-22", ["QM-22 energy", *QM22.values()], rows, source, note)


def _window(variant: str) -> str:
    """below_0_5_ev → up to 0.5 eV."""
    if not variant:
        return "all"
    return f"up to {variant.removeprefix('below_').removesuffix('_ev').replace('_', '.')} eV"


def _plain(value) -> str:
    if isinstance(value, str):
        return value
    return MISSING if value is None else number(float(value))

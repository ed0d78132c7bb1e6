"""Tables of the sections, from the tidy table of numbers (``metrics.csv``)."""

from __future__ import annotations

import pandas as pd

from qff.report.numbers import Table, mean_interval, median_range, number

ERRORS = (
    ("energy_rmse", "energy RMSE (meV)"),
    ("energy_mae", "energy MAE (meV)"),
    ("force_rmse", "force RMSE (eV/Å)"),
    ("force_mae", "force MAE (eV/Å)"),
)
MEDIAN = "Median over seeds, their range below."


def pick(metrics: pd.DataFrame, **where) -> pd.Series:
    """Values of the rows whose columns equal the given ones."""
    for column, wanted in where.items():
        metrics = metrics[metrics[column] == wanted]
    return metrics.value


def _models(metrics: pd.DataFrame, labels: dict[str, str], **where) -> list[str]:
    """Models that have a number, in the order of the configuration."""
    return [m for m in labels if len(pick(metrics, model=m, **where))]


def capacity_table(
    metrics: pd.DataFrame, labels: dict[str, str], boxes: dict[str, str], likelihoods: list[str], source: str
) -> Table:
    """Effective dimension, normalised and absolute, at n = number of training frames, with what limits it.

    Args:
        boxes: name of the box → its label; absolute in the first one.
    """
    rows, quantity = [], "normalised_effective_dimension"
    first, label = next(iter(boxes.items()))
    for model in _models(metrics, labels, quantity="fisher_rank"):
        of = {"model": model}
        n = metrics[(metrics.model == model) & (metrics.quantity == "fisher_rank")].n_train.iloc[0]
        rows += [
            [
                labels[model],
                likelihood,
                number(pick(metrics, quantity="n_parameters", **of).max()),
                *(
                    mean_interval(pick(metrics, quantity=quantity, variant=f"{likelihood}_{box}", n_train=n, **of))
                    for box in boxes
                ),
                mean_interval(
                    pick(metrics, quantity="effective_dimension", variant=f"{likelihood}_{first}", n_train=n, **of)
                ),
                median_range(pick(metrics, quantity="fisher_rank", **of)),
                median_range(pick(metrics, quantity="dead_parameters", **of)),
            ]
            for likelihood in likelihoods
        ]
    header = ["model", "likelihood", "d", *(f"dₙ/d, {box}" for box in boxes.values())]
    header += [f"dₙ, {label}", "rank of F, first box", "parameters without effect"]
    note = "Mean over seeds, its 95 % interval below. Rank: largest numerical rank found."
    return Table("Effective dimension", header, rows, source, note)


def dynamics_tables(metrics: pd.DataFrame, labels: dict[str, str], source: str) -> list[Table]:
    """Vibration and conservation of energy; deviation from the reference trajectory."""
    metrics = metrics[metrics.variant == ""]
    named = {"reference": "reference", **labels}

    def table(title: str, note: str, quantities: list[tuple[str, str, int]]) -> Table:
        models = _models(metrics[metrics.quantity == quantities[0][0]], named) if quantities else []
        rows = [
            [named[m], *(median_range(pick(metrics, model=m, quantity=q), digits) for q, _, digits in quantities)]
            for m in models
        ]
        return Table(title, ["potential", *(label for _, label, _ in quantities)], rows, source, f"{MEDIAN} {note}")

    vibration = [
        ("vibrational_frequency", "wavenumber (cm⁻¹)", 6),
        ("vibrational_frequency_deviation", "its deviation (%)", 3),
        ("harmonic_frequency", "harmonic wavenumber (cm⁻¹)", 6),
        ("harmonic_frequency_deviation", "its deviation (%)", 3),
        ("equilibrium_distance", "minimum (Å)", 5),
        ("energy_drift_per_atom", "drift (meV/ps/atom)", 3),
        ("energy_fluctuation", "energy fluctuation (meV)", 3),
    ]
    lengths = [n for n in (100, 500, 1000, 2000) if len(pick(metrics, quantity=f"distance_rmse_{n}fs"))]
    deviation = [(f"distance_rmse_{n}fs", f"first {n} fs (Å)", 3) for n in lengths]
    return [
        table(
            "Vibration and energy",
            "Wavenumber: of the large-amplitude motion. Drift: slope of a line through the total energy.",
            vibration,
        ),
        table("Deviation of r(t) from the reference", "Root mean square from the start.", deviation),
    ]

"""Words and tables on the dynamics of molecules of more than two atoms."""

from __future__ import annotations

import pandas as pd

from qff.report.numbers import MISSING, Table, interval, median_range, number
from qff.report.tables import MEDIAN, pick

REFERENCE = "reference"


def molecule_words(settings: dict, numbers: pd.DataFrame) -> list[str]:
    """How the trajectories were made, and how far the fitted reference can be trusted."""
    options = settings["molecules"]
    words = [
        f"Constant-energy dynamics (velocity Verlet, {options['time_step_fs']:g} fs, {options['length_fs']:g} fs) from the "
        "minimum of the reference with drawn velocities; all potentials start alike. The reference is a "
        "permutation-symmetric polynomial through all labels, called the fitted reference."
    ]
    fit = numbers[(numbers.model == REFERENCE) & (numbers.variant == "")]
    energy, force = (pick(fit, quantity=f"held_out_{q}_rmse") for q in ("energy", "force"))
    if len(energy) and len(force):
        words.append(
            f"On a fifth of the labels left out of a second fit it errs by {number(energy.iloc[0])} meV and "
            f"{number(force.iloc[0])} eV/Å (root mean square)."
        )
    check = numbers[numbers.variant == "on_the_fly"].set_index("quantity").value
    if "distance_difference_max" in check:
        words.append(
            f"With CCSD(T) itself at every step, from the start with most energy, bonds differ from those of the fitted "
            f"reference by at most {number(check['distance_difference_max'])} Å over "
            f"{number(check['simulated_time'])} fs."
        )
    return words


def molecule_tables(metrics: pd.DataFrame, labels: dict[str, str], source: str) -> list[Table]:
    """Stability, vibrations, mean geometry, and inversion if there is one."""
    own = metrics[metrics.variant == ""]
    named = {REFERENCE: "fitted reference", **labels}
    models = [m for m in named if len(pick(own, model=m, quantity="energy_drift_per_atom"))]

    def table(title: str, quantities: dict[str, tuple[str, int]], note: str = "") -> Table:
        rows = [
            [
                named[m],
                *(median_range(pick(own, model=m, quantity=q), digits) for q, (_, digits) in quantities.items()),
            ]
            for m in models
        ]
        return Table(
            title, ["potential", *(label for label, _ in quantities.values())], rows, source, f"{MEDIAN} {note}"
        )

    lasting = {
        "stable_trajectories": ("stable trajectories of a seed", 3),
        "simulated_time": ("mean length (fs)", 5),
        "energy_drift_per_atom": ("drift (meV/ps/atom)", 3),
        "energy_fluctuation": ("energy fluctuation (meV)", 3),
        "distance_rmse_100fs": ("bonds, first 100 fs (Å)", 3),
        "distance_rmse_500fs": ("bonds, first 500 fs (Å)", 3),
    }
    found = [
        table("Stability and energy", lasting, "Bonds: deviation from the fitted reference, root mean square."),
        _vibrations(metrics, named, source),
        table(
            "Motion of the coordinates",
            {
                q: (f"{q.replace('_', ' ')} ({'Å' if unit == 'Ang' else '°'})", 4)
                for q, unit in dict(zip(own.quantity, own.unit, strict=True)).items()
                if q.startswith(("mean_", "std_"))
            },
            "Mean and standard deviation over time.",
        ),
    ]
    return found + ([_inversion(metrics, named, models, source)] if len(pick(own, quantity="inversion_rate")) else [])


def _numbered(metrics: pd.DataFrame, stem: str) -> list[str]:
    """Quantities stem_1, stem_2, ... that occur, in order."""
    return sorted(q for q in set(metrics.quantity) if q.removeprefix(f"{stem}_").isdigit())


def _vibrations(metrics: pd.DataFrame, named: dict[str, str], source: str) -> Table:
    """Harmonic wavenumbers and, where there are any, peaks of the dynamics."""
    peaks, harmonic = _numbered(metrics, "vdos_peak"), _numbered(metrics, "harmonic_frequency")
    exact, own = metrics[metrics.variant == "ccsd_t"], metrics[metrics.variant == ""]
    potentials = [("CCSD(T)", exact)] if len(exact) else []
    potentials += [(named[m], own[own.model == m]) for m in named if len(pick(own, model=m, quantity=harmonic[0]))]
    rows = [[name, *(median_range(pick(t, quantity=q), 5) for q in (*harmonic, *peaks))] for name, t in potentials]
    header = [
        "potential",
        *(f"harmonic {k} (cm⁻¹)" for k in range(1, len(harmonic) + 1)),
        *(f"peak {k} (cm⁻¹)" for k in range(1, len(peaks) + 1)),
    ]
    note = f"{MEDIAN} CCSD(T): of the method itself, without a fit." if len(exact) else MEDIAN
    if peaks:
        note += " Peaks: of the velocities of each normal coordinate in the dynamics."
    return Table("Vibrations", header, rows, source, note)


def _inversion(metrics: pd.DataFrame, named: dict[str, str], models: list[str], source: str) -> Table:
    """Barrier, path and rate; the ratio of rates is over all starts."""
    own, pooled = metrics[metrics.variant == ""], metrics[metrics.variant == "all_starts"]
    exact = metrics[metrics.variant == "ccsd_t"]
    columns = ("inversion_barrier", "well_difference", "path_rmse", "path_barrier_error", "inversion_rate")
    rows = [["CCSD(T)", *(median_range(pick(exact, quantity=q), 4) for q in columns), MISSING]]
    for m in models:
        ratio, low, high = (
            pick(pooled, model=m, quantity=f"inversion_rate_ratio{end}").max() for end in ("", "_low", "_high")
        )
        rows.append(
            [
                named[m],
                *(median_range(pick(own, model=m, quantity=q), 4) for q in columns),
                MISSING if pd.isna(ratio) else f"{number(ratio)}\n{interval(low, high)}",
            ]
        )
    header = [
        "potential", "barrier (meV)", "difference of the wells (meV)", "RMSE along the path (meV)",
        "error of the barrier on the path (meV)", "inversions per ps", "rate / reference, 95 %",
    ]  # fmt: skip
    note = f"{MEDIAN} Barrier: planar saddle point above the mean of both minima. Interval: from resampled starts."
    return Table("Inversion", header, rows, source, note)

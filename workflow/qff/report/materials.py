"""Words and tables on periodic materials: the hybrid force field beside its classical twins, its dynamics, its cost."""

from __future__ import annotations

import pandas as pd

from qff.report.hardware import hardware_tables
from qff.report.numbers import MISSING, Table, interval, median_range, number
from qff.report.tables import MEDIAN, pick

MODELS = {
    "mean_predictor": "mean of the composition",
    "linear": "linear regression",
    "quadratic": "quadratic regression",
    "amplitude_hybrid": "hybrid: circuit on amplitudes",
    "nn": "tanh network",
    "behler_parrinello": "Behler–Parrinello networks, whole descriptor",
    "amplitude_separable": "hybrid, no entangling gates",
    "amplitude_random": "hybrid, random circuit",
}
SPLITS = {"blocks": "blocks", "random": "random frames"}
QUANTITIES = {
    "energy_rmse": "energy RMSE (meV/atom)",
    "force_rmse": "force RMSE (meV/Å)",
    "stress_rmse": "stress RMSE (meV/Å³)",
}


def material_words(settings: dict, system: str) -> list[str]:
    """What was fitted to what, and when a trajectory counts as stable."""
    entry = settings["sets"].get(system)
    if entry is None:
        return []
    d = entry.get("dynamics") or settings["dynamics"]
    size = 2 ** settings["circuit"]["n_qubits"] - 1
    return [
        f"Labels: {entry['level']} ({entry['source']}); {entry['n_train']} training and {entry['n_validation']} validation "
        f"frames. All models but Behler–Parrinello networks see the same numbers per atom: {size}, or fewer where elements are too many "
        f"for a circuit of fewer than 100 parameters ({settings['compression']['method']} of a power spectrum, cutoff "
        f"{settings['descriptor']['cutoff_ang']:g} Å). Test sets by block are runs of consecutive frames of the file, "
        "with a gap around them; where a file is in no order of time, they are as good as random.",
        f"A trajectory is stable if no pair comes closer than {d['closest_factor']:g} of the shortest distance in training, "
        f"the temperature, averaged over 100 fs, stays below {d['temperature_factor']:g} times its target, and the "
        f"potential energy within {d['energy_window_ev']:g} eV/atom of its start.",
    ]


def material_tables(metrics: pd.DataFrame, source: str) -> list[Table]:
    """Errors beside both parameter counts, dynamics, cost."""
    return [_errors(metrics, source), _gains(metrics, source), _dynamics(metrics, source), _cost(metrics, source)]


def quantum_tables(metrics: pd.DataFrame, source: str) -> list[Table]:
    """Shots, cost, noise and size of the hybrid's circuits, of all atoms of a frame; none if they were not run."""
    if not len(pick(metrics, quantity="circuits_force")):
        return []
    untimed = pd.DataFrame(columns=["model", "value"])
    return hardware_tables(metrics, ["amplitude_hybrid"], MODELS, untimed, source)


def _errors(metrics: pd.DataFrame, source: str) -> Table:
    rows = []
    for model, label in MODELS.items():
        for split, words in SPLITS.items():
            of = {"model": model, "split": split}
            if len(pick(metrics, quantity="energy_rmse", **of)):
                rows.append(
                    [
                        label,
                        words,
                        median_range(pick(metrics, quantity="n_parameters", **of)),
                        median_range(pick(metrics, quantity="n_fixed_by_data", **of), 6),
                        *(median_range(pick(metrics, quantity=q, **of)) for q in QUANTITIES),
                    ]
                )
    header = ["model", "test set", "parameters trained", "numbers fixed by data", *QUANTITIES.values()]
    return Table("Errors of periodic frames", header, rows, source, MEDIAN)


def _gains(metrics: pd.DataFrame, source: str) -> Table:
    """Ratio of the errors of the hybrid to those of the others, paired by seed."""
    from qff.claims import estimate

    rows = []
    for other, label in MODELS.items():
        for split, words in SPLITS.items():
            cells = []
            for quantity in ("energy_rmse", "force_rmse"):
                both = [
                    metrics[(metrics.model == m) & (metrics.split == split) & (metrics.quantity == quantity)]
                    .set_index("seed")
                    .value.astype(float)
                    for m in ("amplitude_hybrid", other)
                ]
                ratio = (both[0] / both[1]).dropna()
                if len(ratio) and other != "amplitude_hybrid":
                    found = estimate(ratio.to_numpy(), True)
                    cells.append(f"{number(found.value)}\n{interval(found.low, found.high)}")
            if cells:
                rows.append([label, words, *cells])
    header = ["against", "test set", "energy RMSE, ratio", "force RMSE, ratio"]
    return Table(
        "The hybrid against the others", header, rows, source, "Geometric mean over seeds, 95 % interval below."
    )


def _dynamics(metrics: pd.DataFrame, source: str) -> Table:
    quantities = {
        "mean_temperature": "temperature (K)",
        "hottest_element_temperature": "of the hottest element (K)",
        "simulated_time": "length (fs)",
        "mobile_msd": "mean-squared displacement of the mobile element (Å²)",
        "energy_drift_per_atom": "drift at constant energy (meV/atom/ps)",
    }
    rows = []
    runs = metrics[metrics.quantity == "stable"]
    for variant in dict.fromkeys(runs.variant):
        stable = pick(runs, variant=variant)
        rows.append(
            [
                variant.replace("k", " K"),
                f"{stable.sum():.0f} of {len(stable)}",
                *(median_range(pick(metrics, variant=variant, quantity=q)) for q in quantities),
            ]
        )
    return Table("Langevin dynamics", ["thermostat", "stable", *quantities.values()], rows, source, MEDIAN)


def _cost(metrics: pd.DataFrame, source: str) -> Table:
    sizes = metrics[metrics.quantity == "search_seconds"]
    rows = [
        [
            variant.replace("_", " "),
            *(
                number(pick(metrics, variant=variant, quantity=q).iloc[0])
                for q in ("seconds", "search_seconds", "atom_steps_per_second", "memory")
            ),
        ]
        for variant in dict.fromkeys(sizes.variant)
    ]
    laws = metrics[(metrics.variant == "") & (metrics.model == "amplitude_hybrid")]
    note = " ".join(
        f"{words} {number(pick(laws, quantity=q).iloc[0])}."
        for q, words in (
            ("cost_exponent", "Exponent of time in atoms:"),
            ("cost_exponent_with_search", "With the search for neighbours:"),
            ("memory_exponent", "Exponent of memory:"),
            ("atoms_in_8_gib", "Atoms that 8 GiB hold:"),
        )
        if len(pick(laws, quantity=q))
    )
    header = ["cell", "energy and forces (s)", "search for neighbours (s)", "atom-steps/s", "memory (MiB)"]
    return Table("Cost", header, rows, source, note)


def runs_table(runs: pd.DataFrame, source: str) -> Table:
    """The fate of every trajectory, and the configuration in which it ended."""
    rows = [
        [
            f"{r.temperature_k:g} K, {r.start}",
            "lasted" if pd.isna(r.failure) else str(r.failure),
            number(r.length_fs),
            number(r.temperature_at_end_k),
            MISSING if pd.isna(r.pair) else f"{r.pair} {number(r.distance_ang)} Å, {number(r.part_of_shortest)}",
            "never" if pd.isna(r.left_training_fs) else number(r.left_training_fs),
        ]
        for r in runs.itertuples()
    ]
    header = ["trajectory", "end", "length (fs)", "temperature (K)", "closest pair", "left training range (fs)"]
    note = (
        "Temperature: mean over the last 100 fs. Closest pair at the end, and its distance by the shortest of its "
        "elements in training. Training range: first stored time at which a compressed number of an atom lay beyond all of "
        "its element in training."
    )
    return Table("Fate of every trajectory", header, rows, source, note)

"""Words and tables on shots, noise, cost, measured dynamics and training of the QNNs."""

from __future__ import annotations

import pandas as pd

from qff.report.numbers import MISSING, Table, median_range, number
from qff.report.tables import MEDIAN, pick

COST = {
    "shots_energy": "shots, energy",
    "shots_force": "shots, forces",
    "circuits_force": "circuits of a force call",
    "executions_force": "executions of a force call",
    "executions_force_shared": "the least, best component alone",
    "layers_force": "executions × depth of a force call",
    "hours_force": "hours of a force call",
    "executions_picosecond": "executions of 1 ps",
    "hours_picosecond": "hours of 1 ps",
}
ERRORS = {
    "standard_error_energy": "energy (meV)",
    "standard_error_force": "forces (eV/Å)",
    "standard_error_force_best": "best component (eV/Å)",
    "standard_error_force_worst": "worst component (eV/Å)",
}
SOURCES = {"binomial": "exact distribution", "aer": "Aer"}
DYNAMICS = {
    "simulated_time": "mean length (fs)",
    "surviving_fraction": "part that lasts",
    "energy_drift_signed": "drift (meV/ps)",
    "energy_drift_predicted": "heating by noise (meV/ps)",
    "effective_temperature": "temperature, second half (K)",
    "absorbed_noise": "noise absorbed (part)",
}
SIZE = {
    "depth": "depth",
    "two_qubit_depth": "depth of two-qubit gates",
    "two_qubit_gates": "two-qubit gates",
    "one_qubit_gates": "one-qubit gates",
}


def hardware_words(settings: dict) -> list[str]:
    """What was done, and with which device."""
    device = settings["noise"]["device"]
    return [
        "Forces by the parameter-shift rule: every encoding gate is shifted by ±π/2. A readout of one Pauli word has "
        "outcomes ±1, so estimates are drawn from the binomial distribution that the exact value gives; circuits that "
        "Aer runs agree with it. Shots are asked for a standard error of "
        f"{1000 * settings['energy_error_ev']:.3g} meV in the energy, {settings['force_error_ev_per_ang']:g} eV/Å in every "
        f"force component. The device executes {device['executions_per_second']:g} circuits per second, depolarises with "
        f"{device['one_qubit']:g} and {device['two_qubit']:g} per gate and flips {device['readout']:g} of the outcomes "
        f"({device['source']})."
    ]


def hardware_tables(
    numbers: pd.DataFrame, models: list[str], labels: dict[str, str], times: pd.DataFrame, source: str
) -> list[Table]:
    """Cost, noise, size, dynamics and training of the QNNs of one system.

    Args:
        times: tidy table with the time of a force call of the QNNs and their twin, on this machine.
    """  # fmt: skip
    found = []
    for model in models:
        own, name = numbers[numbers.model == model], labels[model]
        found += [
            _standard_errors(own, name, source),
            _cost(own, name, labels, times, source),
            Table(f"Errors with noise, without shots: {name}", *_noise_rows(own), source),
            Table(f"Size after transpilation: {name}", *_size_rows(own), source),
            Table(f"Dynamics with measured forces: {name}", *_dynamics_rows(own), source),
            Table(f"Training with shots (SPSA on energies): {name}", *_training_rows(own), source),
        ]
    found.append(_gradient_slopes(numbers, labels, source))
    return found


def _standard_errors(own: pd.DataFrame, name: str, source: str) -> Table:
    """Against shots, with the fitted exponents."""
    rows = []
    for variant in own[own.quantity == "standard_error_energy"].variant:
        origin, count = variant.split("_")
        values = [pick(own, variant=variant, quantity=q) for q in ERRORS]
        rows.append([SOURCES[origin], count, *(number(v.iloc[0]) if len(v) else MISSING for v in values)])
    rows.sort(key=lambda row: (row[0] == SOURCES["aer"], int(row[1])))
    exponents = [pick(own, quantity=f"shot_exponent_{q}") for q in ("energy", "force")]
    if all(map(len, exponents)):
        fitted = [number(v.iloc[0], 4) for v in exponents]
        rows.append(["fitted exponent of S", "", *fitted, MISSING, MISSING])
    note = "Root mean square over frames, and over components or of one of them. The exponent of shot noise is −½."
    return Table(f"Standard errors: {name}", ["outcomes", "shots S", *ERRORS.values()], rows, source, note)


def _cost(own: pd.DataFrame, name: str, labels: dict[str, str], times: pd.DataFrame, source: str) -> Table:
    rows = [[label, median_range(pick(own, quantity=q))] for q, label in COST.items() if len(pick(own, quantity=q))]
    rows += [
        [f"{labels.get(t.model, t.model)} on this machine: a force call (ms)", number(t.value)]
        for t in times.itertuples()
    ]
    note = (
        f"{MEDIAN} All shifted circuits get equally many shots, as many as the worst component of the forces needs."
    )
    return Table(f"Cost of chemical accuracy: {name}", ["quantity", "value"], rows, source, note)


def _noise_rows(own: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    noisy = own[own.quantity == "noise_error_energy"]
    rows = []
    for variant in noisy.variant:
        noise, rate, mitigation = variant.rsplit("_", 2)
        force = pick(own, quantity="noise_error_force", variant=variant)
        value = pick(noisy, variant=variant).iloc[0]
        rows.append(
            [noise, rate, mitigation, number(value), number(force.iloc[0]) if len(force) else MISSING]
        )  # fmt: skip
    return ["noise", "probability, or T1 (µs)", "mitigation", "energy (meV)", "forces (eV/Å)"], rows


def _size_rows(own: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    places = own[own.quantity == "depth"].variant
    rows = [[p.replace("_", " "), *(number(pick(own, variant=p, quantity=q).iloc[0]) for q in SIZE)] for p in places]
    return ["map", *SIZE.values()], rows


def _dynamics_rows(own: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    rows = []
    for variant in own[own.quantity == "energy_drift_predicted"].variant:
        kind, shots = variant.rsplit("_", 1)
        words = {"nve": "none", "langevin": "Langevin", "absorbing": "Langevin that absorbs the noise"}[kind]
        rows.append([shots, words, *(number(pick(own, variant=variant, quantity=q).iloc[0]) for q in DYNAMICS)])
    return ["shots", "thermostat", *DYNAMICS.values()], rows


def _training_rows(own: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    trained = own[(own.split == "test") & (own.quantity == "energy_rmse")]
    rows = []
    for variant in dict.fromkeys(v for v in trained.variant if v == "" or v.startswith("spsa_")):
        of = {"variant": variant, "split": "test"}
        rows.append(
            [
                f"SPSA, {variant.removeprefix('spsa_')} shots" if variant else "as in the comparison",
                median_range(pick(own, quantity="energy_rmse", **of)),
                median_range(pick(own, quantity="force_rmse", **of)),
                median_range(pick(own, quantity="executions_training", **of)),
            ]
        )
    rows = rows if any("SPSA" in row[0] for row in rows) else []
    return ["training", "energy RMSE (meV)", "force RMSE (eV/Å)", "circuit executions"], rows


def _gradient_slopes(numbers: pd.DataFrame, labels: dict[str, str], source: str) -> Table:
    own = numbers[numbers.quantity == "gradient_variance_slope"]
    misfits = numbers[numbers.quantity == "gradient_variance_power_law_misfit"]
    rows = [
        [
            labels.get(model, f"{model} circuit"),
            variant.removeprefix("depth_"),
            median_range(group.value),
            median_range(pick(misfits, model=model, variant=variant)),
        ]
        for (model, variant), group in own.groupby(["model", "variant"], sort=False)
    ]
    note = (
        "Slope of log₂ of the variance of ∂f/∂θ against qubits: −1 or steeper is a barren plateau, 0 is none. Residual of "
        "a power of the number of qubits over that of an exponential: below 1, gradients vanish polynomially."
    )
    header = ["circuit", "layers", "slope per qubit", "misfit, power law / exponential"]
    return Table("Trainability", header, rows, source, note)

"""Words and tables on the architecture draft: its Table 1, ablations, VQE and wall times."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from qff.report.numbers import MISSING, Table, interval, mean_interval, number
from qff.report.tables import pick

WORDS = [
    "Features of the geometry go to a tanh network and to circuits; an integration layer joins both to atomic energies, whose "
    "derivatives are the forces. No net force, no net torque and no forces between separate atoms: exact by construction, for "
    "any parameters. Training follows the draft: reference data, the network alone, the circuit (the draw whose readouts "
    "explain most of the network's errors), everything together.",
    "The draft gives one average over systems of all sizes; here every system has its own row, and a cell without a number "
    "says why. A fitted model can beat a functional only where it was fitted: both are held against the same labels.",
]

BOUND = "dyad"  # system of the numbers of the binding case
BINDING_WORDS = [
    "The binding case: the draft names neither ligand nor structure nor reference, and nothing can label a protease at its "
    "level. What is calculated is how an amide, as in every peptide that the main protease cuts, interacts with the side "
    "chains of its catalytic dyad. It judges whether a classical force field lacks something that quantum chemistry has; it "
    "cannot judge a free energy of binding, a dynamics of the protease, or what the hybrid would make of either.",
]


def hybrid_words_and_tables(
    metrics: pd.DataFrame, folder: Path, labels: dict[str, str]
) -> tuple[list[str], list[Table]]:
    """What the folder of the stage holds; nothing if the stage did not run."""
    if not (folder / "table_one.csv").is_file():
        return [], []
    tables = [
        _table_one(pd.read_csv(folder / "table_one.csv"), (folder / "table_one.csv").as_posix()),
        _ablations(metrics, labels, (folder / "<system>/<model>/evaluation/metrics.csv").as_posix()),
        *(_scan(path) for path in sorted(folder.glob("vqe/*/scan.csv"))),
    ]
    if (timing := folder / "timing/timing.csv").is_file():
        tables.append(_timing(pd.read_csv(timing), metrics, labels, timing.as_posix()))
    if (binding := folder / "binding/metrics.csv").is_file():
        tables.append(_binding(metrics[metrics.system == BOUND], binding.as_posix()))
    return [*WORDS, *(BINDING_WORDS if binding.is_file() else [])], tables


def _table_one(cells: pd.DataFrame, source: str) -> Table:
    rows = []
    for (system, method), pair in cells.groupby(["system", "method"], sort=False):
        found = pair.set_index("quantity")
        numbers = [
            MISSING if pd.isna(c.value) else f"{number(c.value)}\n{interval(c.low, c.high)}"
            for c in (found.loc[q] for q in ("energy_rmse", "force_rmse"))
        ]
        reason = found.reason.iloc[0]
        rows.append([system, method, *numbers, "" if pd.isna(reason) else str(reason)])
    header = ["system", "method", "energy RMSE (kcal/mol)", "force RMSE (kcal/mol/Å)", "reason or level"]
    note = "Trained models: median and range of the seeds. Others: value and 95 % interval over frames."
    return Table("The draft's Table 1, system by system", header, rows, source, note)


def _ablations(metrics: pd.DataFrame, labels: dict[str, str], source: str) -> Table:
    rows = []
    tested = metrics[(metrics.split == "test") & (metrics.variant == "") & metrics.model.str.startswith("hybrid")]
    for (system, model), own in tested.groupby(["system", "model"], sort=False):
        errors = [mean_interval(pick(own, quantity=q)) for q in ("energy_rmse", "force_rmse")]
        count = pick(metrics[metrics.system == system], model=model, quantity="n_parameters")
        rows.append([system, labels.get(model, model), number(count.iloc[0]) if len(count) else MISSING, *errors])
    header = ["system", "model", "parameters", "energy RMSE (meV)", "force RMSE (eV/Å)"]
    return Table("Hybrid and ablations", header, rows, source, "Mean of the seeds and its 95 % interval.")


def _scan(path: Path) -> Table:
    columns = {
        "distance_ang": "distance (Å)",
        "casci_hartree": "CASCI (Ha)",
        "casci_error_hartree": "VQE − CASCI (Ha)",
        "n_parameters": "parameters",
        "n_cnots": "CNOT gates",
        "evaluations": "evaluations",
        "seconds": "time (s)",
    }
    table = pd.read_csv(path)
    rows = [
        [number(v, 8 if c == "casci_hartree" else 3) for c, v in zip(columns, row, strict=True)]
        for row in table[list(columns)].itertuples(index=False)
    ]
    title = f"VQE along the stretch of {path.parent.name}, {table.n_qubits.iloc[0]} qubits"
    return Table(title, list(columns.values()), rows, path.as_posix())


def _timing(times: pd.DataFrame, metrics: pd.DataFrame, labels: dict[str, str], source: str) -> Table:
    rows = []
    for method, own in times.groupby("method", sort=False):
        ends = [
            pick(metrics, model=method, quantity="time_exponent", variant=f"wall_time{end}")
            for end in ("", "_low", "_high")
        ]
        fitted = MISSING
        if all(map(len, ends)):
            value, low, high = (float(e.iloc[0]) for e in ends)
            fitted = f"{number(value)}\n{interval(low, high)}"
        sizes = ", ".join(f"{t.atoms}: {number(t.seconds)}" for t in own.itertuples())
        rows.append([labels.get(method, method), sizes, fitted])
    header = ["method", "atoms: time of a call (s)", "exponent"]
    return Table("Wall time on water clusters", header, rows, source, "Side by side in one process, one thread.")


def _binding(metrics: pd.DataFrame, source: str) -> Table:
    rows = []
    for method in metrics.model.unique():
        found = []
        for quantity in ("interaction_energy", "interaction_error"):
            ends = [pick(metrics, model=method, quantity=quantity, variant=end) for end in ("", "_low", "_high")]
            if not all(map(len, ends)):
                found.append(MISSING)
                continue
            value, low, high = (float(e.iloc[0]) for e in ends)
            found.append(number(value) if low == high else f"{number(value)}\n{interval(low, high)}")
        rows.append([method, *found])
    header = ["method", "interaction energy (kcal/mol)", "difference from the reference (kcal/mol)"]
    note = "Where MP2 in the small basis is lowest. Reference: MP2 in a larger basis, without and with counterpoise, and their mean."
    return Table("Acetamide at the catalytic dyad", header, rows, source, note)

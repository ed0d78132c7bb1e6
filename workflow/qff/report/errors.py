"""Words and tables on training and its errors: the comparison, the study of the optimiser, sensitivity to choices."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qff.report.numbers import MISSING, Table, median_range, number
from qff.report.tables import ERRORS, MEDIAN, pick

TITLES = {
    "comparison": "Errors on the test set",
    "optimiser": "Optimiser study",
    "choice": "Sensitivity to our choices",
    "ablation": "Without the quantum part",
}
OPTIMISERS = {
    "adam": "Adam",
    "bfgs": "BFGS",
    "cobyla": "COBYLA",
    "kalman": "extended Kalman filter",
    "levenberg_marquardt": "Levenberg–Marquardt",
    "least squares": "least squares",
}
STEPS = {  # what a step is
    "adam": "evaluations of loss and gradient",
    "bfgs": "evaluations of loss and gradient",
    "cobyla": "evaluations of the loss",
    "kalman": "epochs",
    "levenberg_marquardt": "evaluations of residuals and Jacobian",
}
STEP_NAMES = {"kalman": "epochs"}
HYDROGENS = ("force_rmse_h", "force RMSE on H (eV/Å)")
PARTS = ("train", "validation", "test")  # of a split; other parts are test sets of their own


def trained(records: list[dict], system: str) -> dict[str, dict]:
    """Model → params and metrics of its training, as the first seed's run records them."""
    runs = [run for record in records if record["stage"] == "train" for run in record["runs"]]
    found: dict[str, dict] = {}
    for run in runs:
        if run["tags"].get("system") == system:
            found.setdefault(run["tags"]["model"], {**run["params"], **run["metrics"]})
    return found


def training_words(config: dict, metrics: pd.DataFrame) -> list[str]:
    """Repetitions, number of frames and the training that models share."""
    training = config["training"]
    errors = metrics[(metrics.variant == "") & (metrics.quantity == "energy_rmse") & (metrics.split == "test")]
    frames = sorted({f"{n:.0f}" for n in errors.n_train if n != ""})
    return [
        f"{config['seeds']} seeds, each with its own split and initial parameters; {' / '.join(frames) or 'no'} training "
        f"frames. Unless the table says otherwise a model is trained by {OPTIMISERS[training['optimiser']]} with "
        f"{training['steps']} {STEPS[training['optimiser']]}, {_starts(training['starts'])} and force weight χ = "
        f"{training['force_weight']:g} Å²; the parameters that validate best are kept. Models that are linear in their coefficients are solved by least squares "
        "of the same loss."
    ]


def optimiser_words() -> list[str]:
    """Why steps of different optimisers are not compared as such."""
    return [
        "A step costs different time with every optimiser: a Jacobian more than a gradient, a gradient more than a loss. "
        "Numbers of steps are chosen so that optimisers take similar time, not equal steps; the table states both."
    ]


def errors_table(
    metrics: pd.DataFrame, labels: dict[str, str], training: dict[str, dict], role: str, source: str
) -> Table:
    """Test errors of some models of one system.

    Args:
        labels: model → label, of the models that are shown. training: as :func:`trained` gives it.
    """
    own = metrics[metrics.variant == ""]
    columns = [*ERRORS[:3], *([HYDROGENS] if _hydrogens_differ(own) else []), ERRORS[3]]
    rows = []
    for model in _with_errors(own, labels):
        of = {"model": model}
        rows.append(
            [
                labels[model],
                number(pick(own, quantity="n_parameters", **of).max()),
                how_trained(training.get(model)),
                *(median_range(pick(own, quantity=q, split="test", **of)) for q, _ in columns),
                median_range(pick(own, quantity="energy_rmse", split="train", **of)),
            ]
        )
    header = ["model", "parameters", "training", *(label for _, label in columns), "energy RMSE in training (meV)"]
    note = f"{MEDIAN} Forces: all components{', and those on hydrogen' if HYDROGENS in columns else ''}. "
    return Table(TITLES[role], header, rows, source, note + "Time: of all seeds, which train together.")


def other_sets_table(metrics: pd.DataFrame, labels: dict[str, str], source: str) -> Table:
    """Energy RMSE on the parts of a set that are test sets of their own, such as a grid or a path."""
    own = metrics[(metrics.variant == "") & (metrics.quantity == "energy_rmse")]
    parts = [part for part in dict.fromkeys(own.split) if part not in PARTS]
    models = _with_errors(own, labels) if parts else []
    rows = [[labels[m], *(median_range(pick(own, model=m, split=part)) for part in parts)] for m in models]
    note = f"{MEDIAN} Frames that no training set holds; interpolated: test frames within the range of every coordinate of the training frames."
    return Table("Other test sets: energy RMSE (meV)", ["model", *parts], rows, source, note)


def _starts(count: int) -> str:
    return "one start per seed" if count == 1 else f"{count} starts per seed"


def how_trained(found: dict | None) -> str:
    """Optimiser; in small print its steps and starts, the force weight if it is zero, and the time."""
    if found is None:
        return MISSING
    amount = [f"{found['steps']} {STEP_NAMES.get(found['optimiser'], 'steps')}"] if "steps" in found else []
    amount += [f"best of {found['starts']} starts"] if found.get("starts", 1) > 1 else []
    amount += ["energies only"] if found.get("force_weight") == 0 else []
    time = found.get("training_seconds")
    lines = [OPTIMISERS[found["optimiser"]], ", ".join(amount), "" if time is None else f"{number(time)} s"]
    return "\n".join(filter(None, lines))


def _with_errors(metrics: pd.DataFrame, labels: dict[str, str]) -> list[str]:
    return [m for m in labels if len(pick(metrics, model=m, quantity="energy_rmse", split="test"))]


def _hydrogens_differ(metrics: pd.DataFrame) -> bool:
    """False without numbers for hydrogen, and for two atoms, whose forces are opposite."""
    every, hydrogen = (
        metrics[(metrics.quantity == q) & (metrics.split == "test")].set_index(["model", "seed"]).value
        for q in ("force_rmse", HYDROGENS[0])
    )
    return len(hydrogen) > 0 and not np.allclose(hydrogen, every[hydrogen.index], rtol=1e-6)

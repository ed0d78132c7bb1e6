"""Words and tables on learning curves: exponents, what limits each model, and published errors beside them."""

from __future__ import annotations

import pandas as pd

from qff.anchors import PREFIX, PUBLISHED
from qff.config.points import LEARNING_CURVE, LONGER, PERMUTED, TRANSFER_SEEN, TRANSFER_UNSEEN
from qff.report.errors import OPTIMISERS, STEPS
from qff.report.numbers import MISSING, Table, interval, median_range, number
from qff.report.tables import MEDIAN, pick
from qff.scaling import DO_NOTHING, FLAT, STEEP

ERRORS = {
    "energy_mae": "energy MAE (meV)",
    "energy_mae_centred": "energy MAE without the mean offset (meV)",
    "energy_rmse": "energy RMSE (meV)",
    "force_mae": "force MAE (eV/Å)",
    "force_rmse": "force RMSE (eV/Å)",
}
SENSITIVITY = 0.05  # by how much the thresholds are moved


def scaling_words(config: dict) -> list[str]:
    """How the points of the learning curves are trained, and how they are read."""
    optimiser = config["training"]["optimiser"]
    return [
        f"Training sets are nested; every size is trained with {config['scaling']['steps']} {STEPS[optimiser]} of "
        f"{OPTIMISERS[optimiser]} unless a model has an optimiser of its own or is solved by least squares, or a sweep states its own steps.",
        "An exponent is a statement about data only where the error in training stays below half of that on the test set; "
        "the column “limited by” reads the two side by side at the largest size (docs/choices.md, Learning curves).",
    ]


def scaling_tables(metrics: pd.DataFrame, fits: pd.DataFrame, labels: dict[str, str], source: str) -> list[Table]:
    """Exponents and floors; errors at the ends, and after longer training; published errors; negative control.

    Args:
        metrics: numbers of one system. fits: as the stage writes them. labels: model → label.
    """
    curves = metrics[(metrics.variant == LEARNING_CURVE) & (metrics.n_train != "")]
    return [
        _exponents(fits, labels, source),
        _ends(curves, labels, source),
        _longer(metrics, labels, source),
        _published(metrics, source),
        _control(metrics, labels, source),
        _transfer(metrics, labels, source),
    ]


def reading(low: float, high: float, shift: float = 0.0) -> str:
    """Verdict on an interval of an exponent: none below 0.10, scaling above 0.20, both moved by ``shift``."""
    if high < FLAT + shift:
        return "none"
    return "scaling" if low > STEEP + shift else "open"


def _exponents(fits: pd.DataFrame, labels: dict[str, str], source: str) -> Table:
    rows = []
    for f in fits.itertuples():
        if f.range != "all":
            continue
        own = fits[(fits.model == f.model) & (fits.quantity == f.quantity) & (fits.range == "data_limited")]
        limited = [
            f"{number(g.exponent)}\n{interval(g.exponent_low, g.exponent_high)}, n ≤ {g.n_largest:.0f}"
            for g in own.itertuples()
        ]
        floor = MISSING
        if f.law == "floor":
            floor = f"{number(f.floor)}\n{interval(f.floor_low, f.floor_high)}, α = {number(f.floor_exponent)}"
        moved = [reading(f.exponent_low, f.exponent_high, by) for by in (0.0, -SENSITIVITY, SENSITIVITY)]
        verdict = moved[0] if len(set(moved)) == 1 else f"{moved[0]}\n{moved[1]} / {moved[2]} with ∓{SENSITIVITY:g}"
        rows.append(
            [
                labels.get(f.model, f.model),
                ERRORS.get(f.quantity, f.quantity),
                f"{number(f.exponent)}\n{interval(f.exponent_low, f.exponent_high)}",
                limited[0] if limited else MISSING,
                floor,
                verdict,
                f.limited_by,
            ]
        )
    header = [
        "model",
        "error",
        "exponent α, all n",
        "α, data-limited n",
        "floor, if preferred",
        "scaling",
        "limited by",
    ]
    note = (
        f"Error = B·n⁻ᵅ; 95 % intervals from resampled seeds. Floor: e∞ of e∞ + B·n⁻ᵅ where Akaike's criterion prefers it. "
        f"Scaling: none if the interval lies below {FLAT:g}, scaling if above {STEEP:g}, else open; below, with both "
        f"thresholds moved by {SENSITIVITY:g}, if that changes the answer."
    )
    return Table("Exponents", header, rows, source, note)


def _ends(curves: pd.DataFrame, labels: dict[str, str], source: str) -> Table:
    """Test and train errors at the smallest and the largest size of each model."""
    rows = []
    for model in [m for m in labels if m in set(curves.model)]:
        own = curves[curves.model == model]
        sizes = pd.to_numeric(own.n_train)
        for n in sorted({sizes.min(), sizes.max()}):
            at = own[sizes == n]
            rows.append(
                [
                    labels[model],
                    f"{n:.0f}",
                    *(
                        median_range(pick(at, quantity=q, split=part))
                        for q in ("energy_mae", "force_mae")
                        for part in ("test", "train")
                    ),
                ]
            )
    header = ["model", "n", "energy MAE (meV), test", "training", "force MAE (eV/Å), test", "training"]
    return Table("Errors at the ends of the learning curves", header, rows, source, MEDIAN)


def _longer(metrics: pd.DataFrame, labels: dict[str, str], source: str) -> Table:
    """Errors after more steps than the learning curve has."""
    rows = [
        [
            labels.get(model, model),
            f"{n:.0f}",
            number(factor),
            *(median_range(pick(own, quantity=q, split=part)) for q in ("energy_mae", "force_mae") for part in ("test", "train")),
        ]
        for variant, factor in LONGER.items()
        for (model, n), own in metrics[metrics.variant == variant].groupby(["model", "n_train"], sort=False)
    ]  # fmt: skip
    header = [
        "model",
        "n",
        "steps, of the curve's",
        "energy MAE (meV), test",
        "training",
        "force MAE (eV/Å), test",
        "training",
    ]
    return Table("Longer training", header, rows, source, MEDIAN)


def _published(metrics: pd.DataFrame, source: str) -> Table:
    """Published errors on the same data."""
    own = metrics[metrics.variant == PUBLISHED]
    points = own[own.n_train != ""]
    rows = []
    for model in dict.fromkeys(own.model):
        of = {"model": model}
        exponents = [
            number(pick(own, quantity=f"scaling_exponent_{q}", **of).max()) for q in ("energy_mae", "force_mae")
        ]
        for n in sorted(set(points[points.model == model].n_train)):
            errors = [number(pick(points, quantity=q, n_train=n, **of).max()) for q in ("energy_mae", "force_mae")]
            rows.append([model.removeprefix(PREFIX), f"{n:.0f}", *errors, *exponents])
    header = ["model", "n", "energy MAE (meV)", "force MAE (eV/Å)", "energy exponent", "force exponent"]
    note = "Published by others, not computed here (config/anchors.yaml); n = 1000 holds 50 frames for validation."
    return Table("Published errors", header, rows, source, note)


def _control(metrics: pd.DataFrame, labels: dict[str, str], source: str) -> Table:
    """Test errors after training on permuted labels, as parts of those of doing nothing."""
    permuted = metrics[(metrics.variant == PERMUTED) & (metrics.split == "test")]
    nothing = metrics[(metrics.variant == LEARNING_CURVE) & (metrics.split == "test") & (metrics.model == DO_NOTHING)]
    key = ["n_train", "seed", "quantity"]
    both = permuted.merge(nothing[[*key, "value"]], on=key, suffixes=("", "_nothing"))
    both = both.assign(value=both.value.astype(float) / both.value_nothing.astype(float))
    rows = [
        [
            labels.get(model, model),
            f"{n:.0f}",
            *(median_range(pick(own, quantity=q)) for q in ("energy_rmse", "force_rmse")),
        ]
        for (model, n), own in both.groupby(["model", "n_train"], sort=False)
    ]
    header = ["model", "n", "energy RMSE / mean energy", "force RMSE / no force"]
    note = f"1 is what doing nothing costs; a model that finds less in noise cheats. {MEDIAN}"
    return Table("Negative control: permuted labels", header, rows, source, note)


def _transfer(metrics: pd.DataFrame, labels: dict[str, str], source: str) -> Table:
    """Errors of potentials that were trained on several molecules, this one among them or not."""
    rows = [
        [
            labels.get(model, model),
            "with others" if variant == TRANSFER_SEEN else "never seen",
            f"{n:.0f}",
            *(median_range(pick(own, quantity=q)) for q in ("force_mae", "force_skill", "energy_skill")),
        ]
        for variant in (TRANSFER_SEEN, TRANSFER_UNSEEN)
        for (model, n), own in metrics[metrics.variant == variant].groupby(["model", "n_train"], sort=False)
    ]
    header = ["model", "this molecule in training", "n of each", "force MAE (eV/Å)", "force skill", "energy skill"]
    note = f"Skill: 1 − error / error of doing nothing, energies without their mean offset. {MEDIAN}"
    return Table("Trained on several molecules", header, rows, source, note)

"""Stage 6: laws through the learning curves of a system, what limits each model, and published errors beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from qff import scaling
from qff.anchors import anchor_rows
from qff.config.points import DOUBLED, FORCE_WEIGHTS, LEARNING_CURVE
from qff.metrics import METRIC_COLUMNS
from qff.provenance import write_csv
from qff.randomness import generator
from qff.stages.common import Context, read_splits, read_table
from qff.tradeoff import rank_correlation

EXPONENTS = {  # error → quantity of its exponent
    "energy_rmse": "scaling_exponent_energy",
    "energy_mae": "scaling_exponent_energy_mae",
    "energy_mae_centred": "scaling_exponent_energy_mae_centred",
    "force_rmse": "scaling_exponent_force",
    "force_mae": "scaling_exponent_force_mae",
}
RANGES = {"all": LEARNING_CURVE, "data_limited": "data_limited_curve"}  # range of sizes → variant of its exponents
TRADEOFF = "energy_force_tradeoff"
ENDS = ("", "_low", "_high")  # suffixes of an exponent: itself, and its interval


def fit_scaling(
    *, context: dict, system: str, roles: dict[str, str], anchors: list[dict], splits_path: str, metrics_paths: list[str],
    table_path: str, fits_path: str, run_path: str,
) -> None:  # fmt: skip
    """Laws through the learning curves of all models of a system.

    ``anchors``: published points as :func:`qff.anchors.anchors_of` gives them.
    """
    place = Context(**context)
    table = pd.concat([read_table(p) for p in metrics_paths], ignore_index=True)
    record = place.record("scaling", [splits_path, *metrics_paths], system=system)
    folds = folds_of(read_splits(splits_path))
    fits, rows = [], anchor_rows(anchors, system)
    for model, group in table.assign(fold=table.seed.map(folds)).groupby("model", sort=False):
        if model == scaling.DO_NOTHING:
            continue
        found = [
            {"system": system, "model": model, "quantity": quantity, **law}
            for quantity in EXPONENTS
            for law in laws(group, quantity, generator(place.seed, "scaling", system, model, quantity))
        ]
        tradeoffs = _tradeoffs(group, generator(place.seed, TRADEOFF, system, model))
        rows += [_exponent(f, end) for f in found for end in ENDS]
        rows += [{"system": system, "model": model, "split": "test", "unit": "1", **row} for row in tradeoffs]
        if not found:
            continue
        fits += found
        full = {f["quantity"]: f for f in found if f["range"] == "all"}
        record.add(
            f"{model}-{system}-fit",
            params={
                "sizes": sorted(group.n_train.unique().tolist()),
                **{f"{q}_law": f["law"] for q, f in full.items()},
                **{f"{q}_limited_by": f["limited_by"] for q, f in full.items()},
            },
            metrics={f"{q}_{k}": v for q, f in full.items() for k, v in f.items() if isinstance(v, float)},
            artifacts=[Path(fits_path).name],
            model=model,
            role=roles[model],
        )
    extra = pd.DataFrame(rows, columns=METRIC_COLUMNS)
    write_csv(table_path, pd.concat([table.astype(object), extra.astype(object)], ignore_index=True))
    columns = ["system", "model", "quantity", "range", "limited_by", "change_by_steps"]
    write_csv(fits_path, pd.DataFrame(fits) if fits else pd.DataFrame(columns=columns))
    record.write(run_path, [table_path, fits_path])


def folds_of(splits: list[dict[str, list[int]]]) -> dict[int, int]:
    """Seed → first seed with the same test set: seeds of one published split share it, and what it happens to hold."""
    first: dict[tuple[int, ...], int] = {}
    return {seed: first.setdefault(tuple(split["test"]), seed) for seed, split in enumerate(splits)}


def laws(group: pd.DataFrame, quantity: str, rng: np.random.Generator) -> list[dict]:
    """Fits of one error of one model: of all sizes, and of those at which data limit it if they are at least two.

    None for a model that was trained at one size only.
    """
    points = group[group.quantity == quantity]
    curve = points[points.variant == LEARNING_CURVE]
    if curve.n_train.nunique() < 2:
        return []
    train = scaling.curve_of(curve[curve.split == "train"], fitted=False)
    test = scaling.curve_of(curve[curve.split == "test"])
    found = {"range": "all", **scaling.fit(test, rng)}
    once, twice = (points[(points.variant == v) & (points.split == "test")] for v in (LEARNING_CURVE, DOUBLED))
    change = scaling.change_by_steps(once, twice)
    found["limited_by"] = scaling.diagnosis(train, test, found, change)
    found["change_by_steps"] = change
    fits = [found]
    if (limited := scaling.data_limited(train, test)).sum() >= 2:
        fits.append({"range": "data_limited", **scaling.fit(test.at(limited), rng)})
    return fits


def _exponent(found: dict, end: str) -> dict:
    return {
        **{k: found[k] for k in ("system", "model")},
        "variant": f"{RANGES[found['range']]}{end}",
        "split": "test",
        "quantity": EXPONENTS[found["quantity"]],
        "unit": "1",
        "value": found[f"exponent{end}"],
    }


def _tradeoffs(group: pd.DataFrame, rng: np.random.Generator) -> list[dict]:
    """Rank correlation of energy and force MAE over the force weights, at every size that has them all."""
    rows = []
    points = group[(group.split == "test") & group.variant.isin(FORCE_WEIGHTS)]
    for n_train, own in points.groupby("n_train"):
        wide = own.pivot_table(index="seed", columns=["quantity", "variant"], values="value").dropna()
        if len(wide) and own.variant.nunique() == len(FORCE_WEIGHTS):
            errors = [wide[quantity][list(FORCE_WEIGHTS)].to_numpy() for quantity in ("energy_mae", "force_mae")]
            for suffix, value in zip(ENDS, rank_correlation(*errors, rng), strict=True):
                rows.append(
                    {"variant": f"force_weights{suffix}", "n_train": n_train, "quantity": TRADEOFF, "value": value}
                )
    return rows

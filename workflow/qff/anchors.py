"""Published errors that learning curves are held against: ``config/anchors.yaml``. They are never ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from qff.config import Name, Strict, read_yaml, validate
from qff.units import EV_IN_MEV

PUBLISHED = "published"  # variant of their numbers in metrics.csv
PREFIX = "published_"  # of their models there
QUANTITIES = {
    "energy_mae": ("meV", 1.0),
    "force_mae": ("eV/Ang", 1 / EV_IN_MEV),
}  # unit, factor to it from the file's


class Anchors(Strict):
    """Content of the file."""

    source: str = Field(description="Where the numbers are printed.")
    models: dict[Name, str] = Field(min_length=1, description="Label of each model.")
    systems: dict[Name, dict[Name, dict[int, tuple[float, float]]]] = Field(
        description="System → model → number of frames → MAE of energy (meV) and force components (meV/Å)."
    )

    @model_validator(mode="before")
    @classmethod
    def _tuples(cls, value):
        if not isinstance(value, dict) or not isinstance(value.get("systems"), dict):
            return value
        systems = {
            system: {m: {n: tuple(e) for n, e in points.items()} for m, points in models.items()}
            for system, models in value["systems"].items()
        }
        return {**value, "systems": systems}

    @model_validator(mode="after")
    def _check(self):
        for system, models in self.systems.items():
            for model, points in models.items():
                if model not in self.models:
                    raise ValueError(f"systems.{system}: '{model}' has no label under models")
                if bad := [n for n, errors in points.items() if n < 2 or min(errors) <= 0]:
                    raise ValueError(
                        f"systems.{system}.{model}.{bad[0]}: numbers of frames and errors must be positive"
                    )
        return self


def read_anchors(path: str | Path) -> Anchors:
    """Checked content of the file.

    Raises:
        ConfigError: names the file and the key.
    """
    return validate(Anchors, read_yaml(path), str(path))


def anchors_of(anchors: Anchors, system: str) -> list[dict[str, Any]]:
    """Points of a system: model, label, n_train, and energy_mae (meV) and force_mae (eV/Å); none if none is known."""
    return [
        {
            "model": model,
            "label": anchors.models[model],
            "n_train": n_train,
            **{q: e * factor for (q, (_, factor)), e in zip(QUANTITIES.items(), errors, strict=True)},
        }
        for model, points in anchors.systems.get(system, {}).items()
        for n_train, errors in sorted(points.items())
    ]


def anchor_rows(points: list[dict[str, Any]], system: str) -> list[dict[str, Any]]:
    """Rows of the tidy table: the errors, and the exponent between the first and the last size of a model."""
    rows, by_model = [], {}
    for point in points:
        by_model.setdefault(point["model"], []).append(point)
    for model, own in by_model.items():
        of = {"system": system, "model": PREFIX + model, "variant": PUBLISHED, "split": "test", "seed": ""}
        for quantity, (unit, _) in QUANTITIES.items():
            for p in own:
                rows.append({**of, "n_train": p["n_train"], "quantity": quantity, "unit": unit, "value": p[quantity]})
            if len(own) > 1:
                first, last = own[0], own[-1]
                exponent = np.log(first[quantity] / last[quantity]) / np.log(last["n_train"] / first["n_train"])
                name = f"scaling_exponent_{quantity}"
                rows.append({**of, "n_train": "", "quantity": name, "unit": "1", "value": float(exponent)})
    return rows

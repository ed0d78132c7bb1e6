"""Points of the learning curves: ``scaling`` of the study, and the rows of ``config/sweeps/*.tsv``."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from qff.config.reading import suggest, validate
from qff.config.types import Name, PositiveInt, Strict
from qff.errors import ConfigError

LEARNING_CURVE = "learning_curve"
PERMUTED = "permuted_labels"
DOUBLED = "doubled_steps"
FORCE_WEIGHTS = {  # variant → factor of the force weight; the learning curve itself stands in the middle
    "force_weight_hundredth": 0.01,
    "force_weight_tenth": 0.1,
    LEARNING_CURVE: 1.0,
    "force_weight_tenfold": 10.0,
    "force_weight_hundredfold": 100.0,
}
# Variant of a point → factors of its training's settings.
VARIANTS: dict[str, dict[str, float]] = {
    LEARNING_CURVE: {},
    DOUBLED: {"steps": 2},  # is it converged?
    "tenfold_steps": {"steps": 10},  # how far does it get?
    PERMUTED: {},  # labels dealt out anew among the frames: nothing is to be learnt
    **{name: {"force_weight": factor} for name, factor in FORCE_WEIGHTS.items() if name != LEARNING_CURVE},
}
LONGER = {name: changes["steps"] for name, changes in VARIANTS.items() if "steps" in changes}
TRANSFER_SEEN, TRANSFER_UNSEEN = "transfer_seen", "transfer_unseen"  # of the stage transfer, no points


def _known(variant: str) -> str:
    if variant not in VARIANTS:
        raise ValueError(f"unknown variant{suggest(variant, VARIANTS)}; known: {', '.join(VARIANTS)}")
    return variant


class Point(Strict):
    """One job: some seeds of a model at one number of training frames."""

    system: Name = Field(description="System, from config/systems.yaml.")
    model: Name = Field(description="Model, from config/models.yaml.")
    variant: Annotated[str, AfterValidator(_known)] = Field(
        default=LEARNING_CURVE, description="How the point differs from the learning curve."
    )
    n_train: Annotated[int, Field(ge=2)] = Field(description="Training frames.")
    n_seeds: PositiveInt = Field(description="Seeds, the first of the study.")
    steps: PositiveInt | None = Field(
        default=None, description="Optimiser steps in place of `scaling.steps`; the same for all sizes of a curve."
    )

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What tells points apart."""
        return self.system, self.model, self.variant, self.n_train


def read_sweep(path: str | Path) -> list[Point]:
    """Points of a tab-separated table with the columns of :class:`Point`; lines that start with # are comments.

    Raises:
        ConfigError: missing, empty, a malformed row or one that is given twice; names file and line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        known = sorted(p.stem for p in path.parent.glob("*.tsv"))
        raise ConfigError(
            f"{path}: no such sweep{suggest(path.stem, known)}; there are: {', '.join(known) or 'none'}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line and not line.startswith("#")]
    rows = list(csv.reader([line for _, line in lines], delimiter="\t"))
    if len(rows) < 2:
        raise ConfigError(f"{path}: holds no points; expected a header ({', '.join(Point.model_fields)}) and rows")
    header, points, seen = rows[0], [], {}
    for (number, _), row in zip(lines[1:], rows[1:], strict=True):
        where = f"{path}, line {number}"
        if len(row) != len(header):
            raise ConfigError(f"{where}: {len(row)} values for {len(header)} columns; they are separated by tabs")
        values = {k: int(v) if v.isdigit() else v for k, v in zip(header, row, strict=True)}
        point = validate(Point, values, where)
        if point.key in seen:
            raise ConfigError(f"{where}: the same point as line {seen[point.key]}")
        seen[point.key] = number
        points.append(point)
    return points

"""The draft's Table 1, system by system: what its average hides.

``config/table_one.yaml`` states the systems, the methods, and for every cell without a number of ours the reason. Numbers
come from the study's own metrics; those of methods that it does not train (force fields, functionals, potentials of another
study) from frozen records.
"""

from __future__ import annotations

import pandas as pd
from pydantic import Field

from qff.config import Name, Strict
from qff.errors import ConfigError
from qff.metrics import METRIC_COLUMNS, metric_rows, metric_table
from qff.units import EV_IN_MEV, KCAL_PER_MOL_IN_EV

COLUMNS = ["system", "method", "quantity", "unit", "value", "low", "high", "n", "reason"]
QUANTITIES = {"energy_rmse": ("kcal/mol", EV_IN_MEV), "force_rmse": ("kcal/mol/Ang", 1.0)}  # unit, ours per eV


class Record(Strict):
    """Errors of a method that this study does not train, from a frozen record."""

    energy_rmse: list[float] = Field(min_length=3, max_length=3, description="kcal/mol: value, ends of its interval.")
    force_rmse: list[float] = Field(
        min_length=3, max_length=3, description="kcal/mol/Å: value, ends of its interval."
    )
    n_frames: int = Field(description="Frames it was measured on; of a trained method, its seeds.")
    note: str = Field(description="Levels, offset and the command that measures it.")


class Row(Strict):
    """A system of the draft."""

    label: str
    system: Name | None = Field(default=None, description="System of this study; none if there is none.")
    records: dict[Name, Record] = Field(default={}, description="Method → frozen record.")
    reasons: dict[Name, str] = Field(default={}, description="Method → why there is no number.")


class Cells(Strict):
    """``config/table_one.yaml``."""

    methods: dict[Name, str] = Field(description="Method → its name in the draft.")
    printed: dict[Name, dict[Name, float]] = Field(
        description="Method → quantity → number of the draft (kcal/mol, Å)."
    )
    rows: dict[Name, Row]


def table_one(cells: Cells, metrics: pd.DataFrame) -> pd.DataFrame:
    """One row per system, method and quantity: a value in the draft's units with its interval, or a reason.

    Intervals of trained models are the range over seeds; ``n`` counts seeds or frames.

    Raises:
        ConfigError: a cell has neither a number nor a reason.
    """
    found = []
    for name, row in cells.rows.items():
        for method in cells.methods:
            for quantity, (unit, per_ev) in QUANTITIES.items():
                cell = {"system": name, "method": method, "quantity": quantity, "unit": unit}
                values = metrics[
                    (metrics.system == row.system)
                    & (metrics.model == method)
                    & (metrics.quantity == quantity)
                    & (metrics.split == "test")
                ].value / (per_ev * KCAL_PER_MOL_IN_EV)
                if len(values):
                    numbers = {"value": values.median(), "low": values.min(), "high": values.max(), "n": len(values)}
                    found.append(cell | numbers)
                elif method in row.records:
                    record = row.records[method]
                    value, low, high = getattr(record, quantity)
                    found.append(
                        cell | {"value": value, "low": low, "high": high, "n": record.n_frames, "reason": record.note}
                    )
                elif method in row.reasons:
                    found.append(cell | {"reason": row.reasons[method]})
                else:
                    raise ConfigError(
                        f"config/table_one.yaml, {name}: no number for '{method}' in this study, and no reason; state one"
                    )
    return pd.DataFrame(found, columns=COLUMNS)


def of_records(cells: Cells, metrics: pd.DataFrame) -> pd.DataFrame:
    """Frozen records as rows of the tidy table: variant ``table_one``, and ``_low``, ``_high`` for their intervals.

    Where the study has numbers of its own (``metrics``), these count.
    """
    own, rows = set(zip(metrics.system, metrics.model, strict=True)), []
    for name, row in cells.rows.items():
        for method, record in row.records.items():
            if (row.system, method) in own:
                continue
            labels = {"system": row.system or name, "model": method, "split": "test", "n_train": 0}
            for place, end in enumerate(("", "_low", "_high")):
                found = {q: (unit, getattr(record, q)[place]) for q, (unit, _) in QUANTITIES.items()}
                rows += metric_rows(found, **labels, variant=f"table_one{end}")
    return metric_table(rows)


def in_kcal(metrics: pd.DataFrame) -> pd.DataFrame:
    """Errors of every seed in the draft's units, as rows of the tidy table with variant ``table_one``."""
    parts = []
    for quantity, (unit, per_ev) in QUANTITIES.items():
        rows = metrics[(metrics.quantity == quantity) & (metrics.split == "test")]
        parts.append(rows.assign(variant="table_one", unit=unit, value=rows.value / (per_ev * KCAL_PER_MOL_IN_EV)))
    return pd.concat(parts, ignore_index=True)[METRIC_COLUMNS]

"""Numbers as text: three significant digits, a true minus sign, no ``e-05``. A line break in a cell starts its small print."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pandas as pd

from qff.claims import estimate

MISSING = "–"
UNITS = {"1": "", "eV/Ang": "eV/Å", "Ang": "Å", "cm-1": "cm⁻¹"}
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Table:
    """A table of the report: cells are text; ``marked`` rows are set off, in words too."""

    title: str
    header: list[str]
    rows: list[list[str]]
    source: str = ""
    note: str = ""
    marked: set[int] = field(default_factory=set)


def number(value: float | None, digits: int = 3) -> str:
    """Significant digits: 0.0123, −4.50, 2.30·10⁻⁵, 160, ∞; – if missing."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if float(value).is_integer() and abs(value) < 1e6:
        return f"{value:.0f}".replace("-", "−")
    exponent = math.floor(math.log10(abs(value)))
    if -5 < exponent < 6:
        text = f"{value:.{max(digits - 1 - exponent, 0)}f}"
    else:
        mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
        text = f"{mantissa}·10{str(int(power)).translate(_SUPERSCRIPTS)}"
    return text.replace("-", "−")


def unit_label(unit: str) -> str:
    """Unit as printed: eV/Ang → eV/Å, 1 → nothing."""
    return UNITS.get(unit, unit)


def with_unit(text: str, unit: str) -> str:
    label = unit_label(unit)
    return f"{text} {label}" if label and text != MISSING else text


def interval(low: float | None, high: float | None) -> str:
    """[low, high]; – if either is missing."""
    ends = [number(low), number(high)]
    return MISSING if MISSING in ends else f"[{ends[0]}, {ends[1]}]"


def median_range(values: pd.Series, digits: int = 3) -> str:
    """Median of the seeds; below, with several, their range and how many are missing."""
    asked, values = len(values), values.dropna()
    if values.empty:
        return MISSING
    low, middle, high = (number(v, digits) for v in (values.min(), values.median(), values.max()))
    small = [] if low == high else [f"{low} to {high}"]
    small += [f"{len(values)} of {asked} seeds"] if len(values) < asked else []
    return "\n".join([middle, *([", ".join(small)] if small else [])])


def mean_interval(values: pd.Series) -> str:
    """Mean of the seeds; below, its 95 % interval."""
    values = values.dropna()
    if values.empty:
        return MISSING
    found = estimate(values.to_numpy(), False)
    return number(found.value) + (f"\n{interval(found.low, found.high)}" if found.n_seeds > 1 else "")

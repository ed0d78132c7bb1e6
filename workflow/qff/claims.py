"""Claims as data: every published statement with its rule of judgement, judged from the table of numbers.

A claim names *what* is measured (``measure``) and *how* it is judged (``rule``):

measure
    quantity, model, variant, split, n_train: one number per seed from ``metrics.csv``; ``n_train: largest`` is the
    largest for which there are numbers;
    ``against``: another model (paired by seed), combined by ``combine: ratio | difference``; ``against_variant``: its
    variant, if it is another one;
    a measure without seeds (one number) has the interval of the variants ``<variant>_low`` and ``<variant>_high``,
    or none; compared with another model, the interval reaches to the ends that lie farthest apart.
    ``each``: keys of the measure, each with the values it takes and their words; the entry stands for one measure
    per combination, and ``{key}`` in its label for the words:
    ``{label: "error, QNN / {against}", each: {against: {nn: NN, mace: MACE}}, …}``.
    ``family``: measures that are tested together; their intervals are as wide as Holm's procedure asks for, so that no
    more than one such family in twenty has a false decision.
rule
    ``interval: [low, high]``: the 95 % interval over seeds must lie inside it; ``at_most`` / ``at_least`` are its
    one-sided forms. Wholly inside: reproduced; wholly outside: not_reproduced; else inconclusive, or
    reproduced_with_deviation if the estimate itself is inside. ``refuted_above`` / ``refuted_below``: limits of their
    own for not_reproduced, beyond at_most / at_least; between the two nothing is decided.
requires
    claims that must hold first, such as controls: without them a claim is inconclusive, whatever its numbers say.
also
    ``{word: system}``: the same claim of other systems, with the word as the second part of its id and of those that it
    requires (:mod:`qff.claim_entries`).
claims with several measures hold only if all of them do; the first one is shown as the claim's number.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BeforeValidator, Field, model_validator
from scipy import stats

from qff.claim_entries import read_entries
from qff.config import Name, Strict, validate
from qff.config.reading import suggest
from qff.errors import ConfigError
from qff.multiplicity import holm_levels, p_value

LEVEL = 0.95  # of intervals, of a single measure or of a family as a whole
VERDICTS = ("reproduced", "reproduced_with_deviation", "not_reproduced", "inconclusive", "not_tested")
HOLDS = ("reproduced", "reproduced_with_deviation")
COLUMNS = [
    "claim_id", "source", "statement", "system", "measure", "quantity", "unit", "published", "rule", "ours", "ci_low",
    "ci_high", "n_seeds", "measure_verdict", "verdict", "evidence", "command",
]  # fmt: skip


class Measure(Strict):
    """One number per seed."""

    label: str = Field(description="What is measured, for the table.")
    quantity: str = Field(description="Quantity in metrics.csv.")
    model: Name
    variant: str = Field(default="", description="Variant in metrics.csv.")
    split: str = Field(default="", description="Split in metrics.csv.")
    n_train: int | Literal["largest"] | None = Field(
        default=None, description="n_train in metrics.csv; any if not given."
    )
    against: Name | None = Field(default=None, description="Model to compare with, paired by seed.")
    against_variant: str | None = Field(default=None, description="Variant of that model, if it differs.")
    combine: Literal["ratio", "difference"] | None = Field(default=None, description="How the two are compared.")
    family: Name | None = Field(
        default=None, description="Measures tested together: intervals are widened by Holm's procedure."
    )
    at_most: float | None = None
    at_least: float | None = None
    refuted_above: float | None = Field(default=None, description="Lower end of the interval that refutes at_most.")
    refuted_below: float | None = Field(default=None, description="Upper end of the interval that refutes at_least.")

    @model_validator(mode="after")
    def _check(self):
        if (self.against is None) != (self.combine is None):
            raise ValueError("'against' and 'combine' go together")
        if self.against is None and self.against_variant is not None:
            raise ValueError("'against_variant' needs 'against'")
        for name, limit, sign in (("refuted_above", self.at_most, 1), ("refuted_below", self.at_least, -1)):
            if (own := getattr(self, name)) is not None and (limit is None or sign * own < sign * limit):
                raise ValueError(f"{name} {own} needs a limit that it lies beyond")
        if self.at_most is None and self.at_least is None:
            raise ValueError("a measure needs at_most, at_least or both")
        if self.family is not None and (self.combine is None or None not in (self.at_most, self.at_least)):
            raise ValueError(f"family '{self.family}': its measures compare two models, with one limit")
        if self.at_most is not None and self.at_least is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least {self.at_least} exceeds at_most {self.at_most}: nothing can satisfy both")
        return self

    @property
    def rule(self) -> str:
        if self.at_least is None:
            text = f"≤ {self.at_most:g}"
        else:
            text = f"≥ {self.at_least:g}" if self.at_most is None else f"{self.at_least:g} … {self.at_most:g}"
        text += "" if self.refuted_above is None else f", refuted > {self.refuted_above:g}"
        return text + ("" if self.refuted_below is None else f", refuted < {self.refuted_below:g}")

    def contains(self, value: float) -> bool:
        low = -np.inf if self.at_least is None else self.at_least
        high = np.inf if self.at_most is None else self.at_most
        return bool(low <= value <= high)


def expand(measures: Any) -> Any:
    """Measures with ``each`` written out, one per combination of its values; the last key varies fastest.

    Raises:
        ValueError: ``each`` is not a mapping of mappings, or sets a key that is set already or not in the label.
    """
    if not isinstance(measures, list):
        return measures
    found = []
    for measure in measures:
        if not isinstance(measure, dict) or "each" not in measure:
            found.append(measure)
            continue
        common = {k: v for k, v in measure.items() if k != "each"}
        each, label = measure["each"], str(measure.get("label"))
        if not isinstance(each, dict) or not all(isinstance(words, dict) and words for words in each.values()):
            raise ValueError(f"measure '{label}': each is a mapping of keys to {{value: words}}")
        for key in each:
            if key in common:
                raise ValueError(f"measure '{label}': '{key}' is given both by each and beside it")
            if f"{{{key}}}" not in label:
                raise ValueError(
                    f"measure '{label}': the label lacks {{{key}}}, which each sets: nothing tells them apart"
                )
        for values in product(*(words.items() for words in each.values())):
            chosen = dict(zip(each, values, strict=True))
            text = label
            for key, (_, words) in chosen.items():
                text = text.replace(f"{{{key}}}", str(words))
            found.append({**common, "label": text, **{key: value for key, (value, _) in chosen.items()}})
    return found


class Claim(Strict):
    source: str = Field(description="Paper and place.")
    statement: str = Field(description="The claim in our words.")
    system: Name
    published: str = Field(description="Published number with unit, or what was shown instead.")
    evidence: str = Field(description="Figure of the report that shows it.")
    requires: list[str] = Field(default=[], description="Claims without which this one is inconclusive.")
    measures: Annotated[list[Measure], BeforeValidator(expand), Field(min_length=1)]


@dataclass(frozen=True)
class Estimate:
    """Mean over seeds with a 95 % Student-t interval (of logarithms, for ratios and positive errors)."""

    value: float
    low: float
    high: float
    n_seeds: int


def load_claims(path: str | Path) -> dict[str, Claim]:
    """Claims by id.

    Raises:
        ConfigError: names the claim and the key.
    """
    content = read_entries(path)
    if not isinstance(content, dict) or not content:
        raise ConfigError(f"{path}: holds no claims; expected a mapping from claim ids to claims")
    claims = {name: validate(Claim, value, f"{path}, {name}") for name, value in content.items()}
    for name, claim in claims.items():
        if unknown := [other for other in claim.requires if other not in claims]:
            raise ConfigError(f"{path}, {name}: requires: no claim '{unknown[0]}'{suggest(unknown[0], claims)}")
    return claims


def estimate(values: np.ndarray, logarithmic: bool, level: float = LEVEL) -> Estimate:
    """Mean and interval over seeds; a single value has an unbounded interval.

    ``logarithmic``: geometric mean, for positive quantities that vary by factors.
    """
    values = np.asarray(values, dtype=float)
    if logarithmic:
        inner = estimate(np.log(values), False, level)
        return Estimate(float(np.exp(inner.value)), float(np.exp(inner.low)), float(np.exp(inner.high)), len(values))
    mean = float(values.mean())
    if len(values) < 2:
        return Estimate(mean, -np.inf, np.inf, len(values))
    half = float(stats.t.ppf(0.5 + level / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return Estimate(mean, mean - half, mean + half, len(values))


def _rows(metrics: pd.DataFrame, system: str, model: str, measure: Measure) -> pd.DataFrame:
    """Numbers of all sizes."""
    return metrics[
        (metrics.system == system)
        & (metrics.model == model)
        & (metrics.quantity == measure.quantity)
        & (metrics.variant == measure.variant)
        & (metrics.split == measure.split)
    ]


def _values(metrics: pd.DataFrame, system: str, model: str, measure: Measure) -> pd.DataFrame:
    found = _rows(metrics, system, model, measure)
    if measure.n_train is not None:
        found = found[pd.to_numeric(found.n_train, errors="coerce") == measure.n_train]
    if found.duplicated("seed").any():
        raise ConfigError(
            f"measure '{measure.label}': several numbers per seed in metrics.csv; name split, variant or n_train"
        )
    return found.set_index("seed")


def _of_other(measure: Measure) -> Measure:
    """The measure as it reads the model that is compared with."""
    return (
        measure
        if measure.against_variant is None
        else measure.model_copy(update={"variant": measure.against_variant})
    )


def _sized(metrics: pd.DataFrame, system: str, measure: Measure) -> Measure:
    """The measure with the size that ``largest`` stands for: one that both models have, or 0."""
    if measure.n_train != "largest":
        return measure
    read = [(measure.model, measure), *([(measure.against, _of_other(measure))] if measure.against else [])]
    sizes = [set(pd.to_numeric(_rows(metrics, system, *r).n_train, errors="coerce").dropna()) for r in read]
    return measure.model_copy(update={"n_train": int(max(set.intersection(*sizes), default=0))})


def _bounds(metrics: pd.DataFrame, system: str, model: str, measure: Measure) -> tuple[float, float] | None:
    """Interval that a number without seeds brings along."""
    ends = [measure.model_copy(update={"variant": f"{measure.variant}_{end}"}) for end in ("low", "high")]
    found = [_values(metrics, system, model, end).value for end in ends]
    return tuple(float(v.iloc[0]) for v in found) if all(map(len, found)) else None


def _alone(metrics: pd.DataFrame, system: str, model: str, measure: Measure, level: float) -> Estimate | None:
    """Estimate of one model's numbers: with the interval they bring along, or else that over seeds."""
    values = _values(metrics, system, model, measure).value.astype(float)
    if values.empty or not np.isfinite(values).all():
        return None
    if bounds := _bounds(metrics, system, model, measure):
        return Estimate(float(values.iloc[0]), *bounds, n_seeds=len(values))
    return estimate(values.to_numpy(), bool((values > 0).all()), level)


def _apart(ours: Estimate, other: Estimate, combine: str) -> Estimate:
    """Ratio (of positive numbers) or difference of estimates without common seeds: ends farthest apart."""
    join = (lambda a, b: a / b) if combine == "ratio" else (lambda a, b: a - b)
    return Estimate(
        join(ours.value, other.value),
        join(ours.low, other.high),
        join(ours.high, other.low),
        min(ours.n_seeds, other.n_seeds),
    )


def measure_estimate(
    metrics: pd.DataFrame, system: str, measure: Measure, level: float = LEVEL
) -> tuple[Estimate | None, str]:
    """Estimate of a measure and its unit; None if the numbers are not there or not finite."""
    measure = _sized(metrics, system, measure)
    ours = _values(metrics, system, measure.model, measure)
    if ours.empty:
        return None, ""
    unit = "1" if measure.combine == "ratio" else ours.unit.iloc[0]
    sides = [(measure.model, measure), *([(measure.against, _of_other(measure))] if measure.against else [])]
    if len(sides) == 1 or any(_bounds(metrics, system, *side) for side in sides):
        found = [_alone(metrics, system, *side, level) for side in sides]
        if None in found:
            return None, unit
        return (_apart(*found, measure.combine) if measure.against else found[0]), unit
    values, other = ours.value.astype(float), _values(metrics, system, *sides[1]).value.astype(float)
    values, other = values.align(other, join="inner")
    values = values / other if measure.combine == "ratio" else values - other
    if values.empty or not np.isfinite(values).all():
        return None, unit
    logarithmic = measure.combine == "ratio" and bool((values > 0).all())
    return estimate(values.to_numpy(), logarithmic, level), unit


def family_levels(
    claims: dict[str, Claim], metrics: pd.DataFrame, stand_ins: dict[str, str]
) -> dict[tuple[str, int], float]:
    """(claim, number of the measure) → level of its interval, for every measure of a family that has numbers."""
    families: dict[str, dict[tuple[str, int], float]] = {}
    for claim_id, claim in claims.items():
        for number, measure in enumerate(claim.measures):
            if measure.family is None:
                continue
            found, _ = measure_estimate(metrics, stand_ins.get(claim.system, claim.system), measure)
            if found is None:
                continue
            limit = measure.at_most if measure.at_least is None else measure.at_least
            points = np.array([found.value, found.low, limit])
            if measure.combine == "ratio":
                points = np.log(points)
            families.setdefault(measure.family, {})[claim_id, number] = p_value(
                points[0], points[1], found.n_seeds, points[2], LEVEL
            )
    return {
        place: level
        for members in families.values()
        for place, level in zip(members, holm_levels(list(members.values()), 1 - LEVEL), strict=True)
    }


def verdict_of(measure: Measure, found: Estimate | None) -> str:
    """Verdict of one measure from where its estimate and interval lie."""
    if found is None:
        return "not_tested"
    inside, low, high = (measure.contains(x) for x in (found.value, found.low, found.high))
    if low and high:
        return "reproduced"
    if inside:
        return "reproduced_with_deviation" if found.n_seeds > 1 else "inconclusive"
    above = measure.at_most if measure.refuted_above is None else measure.refuted_above
    below = measure.at_least if measure.refuted_below is None else measure.refuted_below
    refuted = (above is not None and found.low > above) or (below is not None and found.high < below)
    return "not_reproduced" if refuted else "inconclusive"


def combine(verdicts: list[str]) -> str:
    """Verdict of a claim: the weakest of its measures, a refutation first."""
    for weakest in ("not_reproduced", "not_tested", "inconclusive", "reproduced_with_deviation"):
        if weakest in verdicts:
            return weakest
    return "reproduced"


def command(profile: str, folder: Path = Path("config")) -> str:
    """What judges the claims of a run: the study's are the default, an overlay is the file of its profile's name."""
    overlay = folder / f"{profile}.yaml"
    chosen = f" --configfile {overlay.as_posix()}" if overlay.is_file() else ""
    return f"snakemake --cores all{chosen} results/{profile}/claims.csv"


def judge(
    claims: dict[str, Claim], metrics: pd.DataFrame, profile: str, stand_ins: dict[str, str] | None = None
) -> pd.DataFrame:
    """One row per measure of every claim whose system is in the study; the rest is ``not_tested``.

    Args:
        stand_ins: system of a claim → system that is judged in its place, another set of the same molecule.
    """
    rows, judged = [], {}
    levels = family_levels(claims, metrics, stand_ins or {})
    for claim_id, claim in claims.items():
        system = (stand_ins or {}).get(claim.system, claim.system)
        found = [
            measure_estimate(metrics, system, m, levels.get((claim_id, k), LEVEL))
            for k, m in enumerate(claim.measures)
        ]
        judged[claim_id] = system, found, [verdict_of(m, e) for m, (e, _) in zip(claim.measures, found, strict=True)]
    for claim_id, claim in claims.items():
        system, found, verdicts = judged[claim_id]
        overall = combine(verdicts)
        if overall != "not_tested" and any(
            r not in judged or combine(judged[r][2]) not in HOLDS for r in claim.requires
        ):
            overall = "inconclusive"
        for measure, (value, unit), verdict in zip(claim.measures, found, verdicts, strict=True):
            rows.append(
                {
                    "claim_id": claim_id,
                    "source": claim.source,
                    "statement": claim.statement,
                    "system": system,
                    "measure": measure.label,
                    "quantity": measure.quantity,
                    "unit": unit,
                    "published": claim.published,
                    "rule": measure.rule,
                    "ours": value.value if value else np.nan,
                    "ci_low": value.low if value else np.nan,
                    "ci_high": value.high if value else np.nan,
                    "n_seeds": value.n_seeds if value else 0,
                    "measure_verdict": verdict,
                    "verdict": overall,
                    "evidence": claim.evidence.replace(f"_{claim.system}", f"_{system}"),
                    "command": command(profile),
                }
            )
    return pd.DataFrame(rows, columns=COLUMNS)

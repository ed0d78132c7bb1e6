"""Verdicts in words: badges, the deciding measure of a claim, and the answer at the head of the report."""

from __future__ import annotations

import pandas as pd

from qff.claims import HOLDS, VERDICTS
from qff.report.numbers import interval, number, with_unit

NAMES = {verdict: verdict.replace("_", " ") for verdict in VERDICTS}
SYMBOLS = {
    "reproduced": "✓",
    "reproduced_with_deviation": "≈",
    "not_reproduced": "✗",
    "inconclusive": "?",
    "not_tested": "–",
}
MEANINGS = {
    "reproduced": "the whole 95 % interval over seeds satisfies the rule",
    "reproduced_with_deviation": "the estimate satisfies the rule, part of its interval does not",
    "not_reproduced": "the whole interval violates the rule",
    "inconclusive": "the estimate violates the rule, but part of its interval satisfies it; or there is a single seed",
    "not_tested": "this run does not hold the numbers",
}
OWN = "This study"
STATEMENTS_UP_TO = 8  # claims; longer lists name the claims only


def badge(verdict: str) -> str:
    """Verdict as text that does not rely on colour."""
    return f"{SYMBOLS.get(verdict, '')} {NAMES.get(verdict, verdict)}".strip()


def paper(source: str) -> str:
    """The paper of a claim, as its source names it first; questions and controls of our own go together."""
    name = source.partition(",")[0].strip()
    return OWN if "this study" in source else name[:1].upper() + name[1:]


def decisive(rows: pd.DataFrame) -> pd.Series:
    """The measure that settles a claim: the first one with the claim's own verdict.

    The first of all if none has it: a claim whose controls fail is inconclusive, whatever its measures say.
    """
    settling = rows[rows.measure_verdict == rows.verdict]
    return (rows if settling.empty else settling).iloc[0]


def found(row: pd.Series) -> str:
    """Estimate and interval of a measure, with its unit; a dash where there is no number."""
    if pd.isna(row.ours):
        return "–"
    return with_unit(f"{number(row.ours)} {interval(row.ci_low, row.ci_high)}", row.unit)


def elsewhere(record: str) -> str:
    """Which run judges a claim, if not that of the report: the published one of an overlay."""
    return f"published run of config/{record}.yaml"


def judged_elsewhere(records: list[str]) -> str:
    """How many claims, and whose records judge them; one name per claim, nothing if there is none."""
    if not records:
        return ""
    names = [f"config/{name}.yaml" for name in dict.fromkeys(records)]
    are, runs = "is" if len(records) == 1 else "are", "run" if len(names) == 1 else "runs"
    return f"{len(records)} of them {are} judged by the published {runs} of {', '.join(names)} and marked."


def counted(verdicts: list[str]) -> str:
    """2 reproduced, 1 inconclusive: in the order of the verdicts, those that occur."""
    return ", ".join(f"{verdicts.count(v)} {NAMES[v]}" for v in VERDICTS if v in verdicts)


def _reason(rows: pd.DataFrame) -> str:
    row = decisive(rows)
    if pd.isna(row.ours):
        return f"no number for “{row.measure}”"
    if row.measure_verdict != row.verdict:
        return f"{row.measure} is {found(row)}, but the controls that it rests on do not hold"
    return f"{row.measure} is {found(row)}, the rule asks {row.rule}"


def held_by_system(claims: pd.DataFrame, labels: dict[str, str]) -> str:
    """LiH 4 of 5; H₂O 3 of 12: how many of the tested claims hold, for each system that has some."""
    tested = claims[claims.verdict != "not_tested"]
    verdicts = tested.drop_duplicates("claim_id").groupby("system", sort=False).verdict
    counts = [(labels.get(system, system), int(found.isin(HOLDS).sum()), len(found)) for system, found in verdicts]
    return "; ".join(f"{label} {held} of {total}" for label, held, total in counts)


def answer(claims: pd.DataFrame) -> list[str]:
    """Sentences that say what was judged, what holds and what does not, and on which number it hangs."""
    groups = dict(list(claims.groupby("claim_id", sort=False)))
    if not groups:
        return ["No claim was judged."]
    verdicts = {claim: rows.verdict.iloc[0] for claim, rows in groups.items()}
    seeds = sorted({int(n) for n in claims.n_seeds if n})
    repetitions = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]}–{seeds[-1]}" if seeds else "no"
    plural = "" if len(groups) == 1 else "s"
    sentences = [
        f"{len(groups)} claim{plural} judged, with {repetitions} independent repetition{'' if seeds == [1] else 's'} "
        f"(seeds): {counted(list(verdicts.values()))}."
    ]
    for verdict in VERDICTS:
        members = [claim for claim, v in verdicts.items() if v == verdict]
        if not members:
            continue
        parts = []
        for claim in members:
            rows = groups[claim]
            part = f"“{rows.statement.iloc[0].rstrip('.')}”" if len(groups) <= STATEMENTS_UP_TO else claim
            parts.append(part if verdict == "reproduced" else f"{part} ({_reason(rows)})")
        sentences.append(f"{NAMES[verdict].capitalize()}: {'; '.join(parts)}.")
    return sentences

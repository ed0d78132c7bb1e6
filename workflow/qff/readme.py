"""The claims table of the README, made from the published record: python -m qff.readme [--check]."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import pandas as pd

from qff.command import reported
from qff.errors import DataError
from qff.provenance import write_text
from qff.report.published import judged
from qff.report.words import badge, counted, decisive, found

BEGIN, END = "<!-- claims:begin -->", "<!-- claims:end -->"
README, CLAIMS = Path("README.md"), Path("results/published/claims.csv")


def block(claims_path: Path) -> str:
    """Markdown: one row per claim, with the measure that settles it.

    A claim that the study leaves untested, or does not have, shows what the record of an overlay beside it found.
    """
    if not claims_path.is_file():
        return "There is no published record yet (`make study`, then `make publish`)."
    groups = judged(pd.read_csv(claims_path), claims_path.parent, claims_path.parent)
    verdicts = counted([rows.verdict.iloc[0] for _, rows in groups])
    lines = [
        f"Verdicts on {len(groups)} claims: {verdicts}. The measure shown is the one that settles the claim, with its "
        "95 % interval over seeds; all measures are in the report. Where a verdict names an overlay of `config/`, its "
        "record judges the claim; all others are those of the default study.",
        "",
        "| system | claim | source | published | measure | ours | rule | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for record, rows in groups:
        row = decisive(rows)
        figure = record / "figures" / f"{row.evidence}.svg"
        verdict = f"[{badge(row.verdict)}]({figure.as_posix()})" if figure.is_file() else badge(row.verdict)
        overlay = "" if record == claims_path.parent else f" (`{record.name}`)"
        cells = (row.system, row.statement, row.source, row.published, row.measure, found(row), row.rule)
        lines.append(f"| {' | '.join(_cell(c) for c in cells)} | {verdict}{overlay} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return re.sub(r"([|<>*_`\[\]])", r"\\\1", str(text))


def refreshed(text: str, claims_path: Path) -> str:
    """README text with a new block between its markers.

    Raises:
        DataError: the markers are not there, once each and in order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise DataError(f"README.md: expected '{BEGIN}' and then '{END}', once each")
    return f"{before}{BEGIN}\n{block(claims_path)}\n{END}{after}"


@reported
def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if the table is out of date")
    check = parser.parse_args(words).check
    old = README.read_text(encoding="utf-8")
    new = refreshed(old, CLAIMS)
    if old == new:
        return 0
    if check:
        print(f"README.md: its claims table differs from {CLAIMS}; run 'make docs'", file=sys.stderr)
        return 1
    write_text(README, new)
    return 0


if __name__ == "__main__":
    sys.exit(main())

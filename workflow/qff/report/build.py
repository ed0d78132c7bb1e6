"""Assemble the report: read what the study wrote, sort it into sections, render one HTML file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
import pandas as pd
import yaml
from markdown_it import MarkdownIt
from markupsafe import Markup

from qff.errors import DataError
from qff.report import interactive, sections, words
from qff.report.numbers import interval, number, unit_label
from qff.report.provenance import commits, provenance_tables, read_invocations, read_records
from qff.report.published import differences, judged_by_overlays, judged_numbers, read_numbers

HERE = Path(__file__).parent
DOI = re.compile(r"(10\.\d{4,9}/[\w.()/:-]*\w)")


@dataclass(frozen=True)
class Study:
    """What the report must know beside the files.

    Attributes:
        config: effective configuration. systems, models: name → label, in its order.
        shown: system → role → models that are shown together (:meth:`qff.config.Study.shown`).
        captions: kind of figure → caption. judged: systems of claims, those of other runs too → label.
    """

    config: dict
    systems: dict[str, str]
    models: dict[str, str]
    shown: dict[str, dict[str, list[str]]]
    captions: dict[str, str] = field(default_factory=dict)
    judged: dict[str, str] = field(default_factory=dict)


def build(
    study: Study, results: Path, published: Path, choices: Path | None = None, experience: Path | None = None
) -> str:
    """The report of a results folder as HTML.

    Args:
        published: folder of the published record. choices: Markdown file about our own choices.
        experience: Markdown file about what was easy and what was difficult.

    Raises:
        DataError: a table is missing or unreadable.
    """
    try:
        claims, metrics = pd.read_csv(results / "claims.csv"), read_numbers(results / "metrics.csv")
        numbers = judged_numbers(results)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{results}: no complete study ({error}); run it first (make study)") from error
    records = read_records(results)
    figures = sections.figures(study, results / "figures")
    names, overlays = {f.name for f in figures}, judged_by_overlays(published)
    judged = [_claim(rows, names, overlays) for _, rows in claims.groupby("claim_id", sort=False)]
    return render(
        study=study,
        answer=words.answer(claims),
        claims=judged,
        papers=_papers(judged),
        by_system=words.held_by_system(claims, study.judged),
        data=interactive.data(study, results, metrics),
        meanings=[(v, words.badge(v), meaning) for v, meaning in words.MEANINGS.items()],
        sections=sections.sections(study, results, numbers, records, figures),
        differences=differences(published, claims, metrics, study.config),
        choices=_markdown(choices),
        experience=_markdown(experience),
        provenance=provenance_tables(records, read_invocations(results), study.config["profile"]),
        commits=commits(records),
        started=max((r.get("started", "") for r in records), default="")[:10],
        config=yaml.safe_dump(study.config, sort_keys=False, allow_unicode=True),
    )


def render(**content) -> str:
    """Fill the template; everything that is not markup of ours is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["cite"] = cite
    css, script = Markup((HERE / "style.css").read_text(encoding="utf-8")), interactive.script()
    policy = interactive.policy(f"\n{script}\n")
    return environment.get_template("template.html").render(css=css, script=script, policy=policy, **content)


def cite(text: str) -> Markup:
    """Escape a text and turn its DOIs into links."""
    pieces = DOI.split(text)
    link = '<a href="https://doi.org/{0}">{0}</a>'
    return Markup("").join(Markup(link).format(p) if i % 2 else p for i, p in enumerate(pieces))


def _claim(rows: pd.DataFrame, figures: set[str], overlays: dict[str, tuple[str, pd.DataFrame]]) -> dict:
    """A claim and its measures, ready for the table; one that this run leaves untested with what an overlay published."""
    first, settling = rows.iloc[0], words.decisive(rows)
    overlay = overlays.get(first.claim_id) if first.verdict == "not_tested" else None
    return {
        **first[["claim_id", "source", "statement", "system", "published", "command", "verdict"]],
        "paper": words.paper(first.source),
        "measure": settling.measure,
        "found": words.found(settling),
        "badge": words.badge(first.verdict),
        "elsewhere": words.elsewhere(*overlay) if overlay else "",
        "figure": first.evidence if first.evidence in figures else None,
        "measures": [
            {
                "label": m.measure,
                "ours": number(m.ours),
                "interval": interval(m.ci_low, m.ci_high),
                "unit": unit_label(m.unit) if isinstance(m.unit, str) else "",
                "rule": m.rule,
                "seeds": int(m.n_seeds),
                "verdict": m.measure_verdict,
                "badge": words.badge(m.measure_verdict),
            }
            for m in rows.itertuples()
        ],
    }


def _papers(claims: list[dict]) -> list[dict]:
    """Claims by the paper that states them, in the order of the claims."""
    names = list(dict.fromkeys(c["paper"] for c in claims))
    groups = [(name, [c for c in claims if c["paper"] == name]) for name in names]
    return [
        {
            "id": "paper-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"),
            "name": name,
            "claims": members,
            "counted": words.counted([c["verdict"] for c in members]),
        }
        for name, members in groups
    ]


def _markdown(path: Path | None) -> Markup | None:
    """A Markdown file as HTML: raw HTML in it is escaped, pictures are not loaded, its title is dropped."""
    if path is None or not path.is_file():
        return None
    parser = MarkdownIt("js-default", {"linkify": False}).disable("image")
    html = parser.render(path.read_text(encoding="utf-8"))
    html = re.sub(r"<h1>.*?</h1>", "", html, count=1)
    html = re.sub(r"<(/?)h(\d)>", lambda m: f"<{m[1]}h{min(int(m[2]) + 1, 6)}>", html)
    html = html.replace("<table>", '<div class="scroll"><table>').replace("</table>", "</table></div>")
    return Markup(html)

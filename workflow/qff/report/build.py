"""Assemble the report: read what the study wrote, sort it into sections, render one HTML file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import jinja2
import pandas as pd
import yaml
from markdown_it import MarkdownIt
from markupsafe import Markup

from qff.claims import command
from qff.errors import DataError
from qff.report import interactive, sections, words
from qff.report.numbers import interval, number, unit_label
from qff.report.provenance import commits, provenance_tables, read_invocations, read_records
from qff.report.published import differences, judged, judged_numbers, labels_of_materials, read_numbers

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
    found = judged(claims, results, published)
    overlays = [(record, rows) for record, rows in found if record != results]
    study = replace(study, judged=labels_of_materials(record for record, _ in overlays) | study.judged)
    others = sections.section_of_records(study, overlays)
    names = {f.name for part in others.parts for f in part.figures} | {f.name for f in figures}
    listed = [_claim(rows, names, record if record != results else None) for record, rows in found]
    claimed = pd.concat([rows for _, rows in found]) if found else claims
    return render(
        study=study,
        answer=words.answer(claimed),
        elsewhere=words.judged_elsewhere([record.name for record, _ in overlays]),
        claims=listed,
        papers=_papers(listed),
        by_system=words.held_by_system(claimed, study.judged),
        data=interactive.data(study, results, metrics),
        meanings=[(v, words.badge(v), meaning) for v, meaning in words.MEANINGS.items()],
        sections=[*sections.sections(study, results, numbers, records, figures), others],
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


def _claim(rows: pd.DataFrame, figures: set[str], record: Path | None = None) -> dict:
    """A claim and its measures, ready for the table; ``record``: of the overlay that judges it, if not this run does."""
    first, settling = rows.iloc[0], words.decisive(rows)
    figure = sections.picture_name(first.evidence, record)
    return {
        **first[["claim_id", "source", "statement", "system", "published", "verdict"]],
        "command": command(record.name) if record else first.command,
        "paper": words.paper(first.source),
        "measure": settling.measure,
        "found": words.found(settling),
        "badge": words.badge(first.verdict),
        "elsewhere": words.elsewhere(record.name) if record else "",
        "figure": figure if figure in figures else None,
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

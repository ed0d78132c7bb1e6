"""Stage 9, report: one self-contained HTML file, and the effective configuration beside it."""

from __future__ import annotations

from pathlib import Path

import yaml

from qff.provenance import write_text
from qff.report.build import Study, build


def build_report(
    *, config: dict, systems: dict, judged: dict, models: dict, shown: dict, captions: dict, results_path: str,
    published_path: str, choices_path: str, report_path: str, config_path: str, experience_path: str = "",
) -> None:  # fmt: skip
    """Write the report of ``results_path``, compared with ``published_path``.

    Args:
        systems, models: name → label. judged: the same of systems of other runs, which claims may be about. shown:
            system → role → models. captions: kind of figure → caption. choices_path, experience_path: may be missing.
    """
    study = Study(config, systems, models, shown, captions, judged | systems)
    html = build(study, Path(results_path), Path(published_path), Path(choices_path), Path(experience_path))
    write_text(config_path, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    write_text(report_path, html)

"""Which claims speak of which model: read from the entries of the claims file, without judging anything."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from qff.claim_entries import read_entries

NAMED = ("model", "against")  # keys of a measure that name a model


def claims_of_models(path: str | Path) -> dict[tuple[str, str], list[str]]:
    """(system, model) → ids of the claims that measure it, in the order of the file; empty if there is no such file.

    Raises:
        ConfigError: not valid YAML, or an entry for several systems that cannot be written out.
    """
    if not Path(path).is_file():
        return {}
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for claim, content in read_entries(path).items():
        measures = content.get("measures", [])
        each = [measure.get("each", {}) for measure in measures]
        models = [m[key] for m in measures for key in NAMED if m.get(key)]
        models += [name for e in each for key in NAMED for name in e.get(key, {})]
        for model in dict.fromkeys(models):
            found[content["system"], model].append(claim)
    return dict(found)

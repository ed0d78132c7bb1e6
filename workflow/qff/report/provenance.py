"""Where the numbers come from: run records and invocations of a study, and tables of them."""

from __future__ import annotations

import json
from pathlib import Path, PurePath

from qff.errors import DataError
from qff.report.numbers import MISSING, Table, number


def read_records(results: Path) -> list[dict]:
    """All run records below a results folder, in the order of their paths.

    Raises:
        DataError: an unreadable record.
    """
    return [_read(path) for path in sorted(results.rglob("run.json"))]


def read_invocations(results: Path) -> list[dict]:
    return sorted((_read(p) for p in (results / "invocations").glob("*.json")), key=lambda i: i.get("started", ""))


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: unreadable record ({error}); delete it and run the study again") from error


def merged(records: list[dict], key: str) -> dict[str, str]:
    """A mapping that all records carry, merged; values that differ between records are joined by ' / '."""
    found: dict[str, list[str]] = {}
    for record in records:
        for name, value in record.get(key, {}).items():
            values = found.setdefault(name, [])
            if value not in values:
                values.append(value)
    return {name: " / ".join(values) for name, values in found.items()}


def commits(records: list[dict]) -> str:
    """Git commits of the records and whether tracked files were changed."""
    states = {(r["git"].get("commit"), r["git"].get("dirty")) for r in records}
    words = [
        f"{commit or 'no commit'}{', with uncommitted changes' if dirty else ''}"
        for commit, dirty in sorted(states, key=str)
    ]
    return "; ".join(words) or MISSING


def shown(path: str) -> str:
    """A path as printed: relative ones as they are, others by their name alone."""
    return PurePath(path).name if PurePath(path).is_absolute() else path


def provenance_tables(records: list[dict], invocations: list[dict], profile: str) -> list[Table]:
    own = f"results/{profile}/"
    inputs = {p: d for p, d in sorted(merged(records, "inputs").items()) if not p.startswith(own)}
    digests: dict[str, set[str]] = {}
    for record in records:
        digests.setdefault(record["stage"], set()).add(record["code_digest"])
    runs = [
        [
            i["id"],
            i.get("started", MISSING),
            i.get("status", "running"),
            number(i.get("seconds")),
            commits([i]),
            " ".join([shown(w) for w in i.get("command", "").split()]),
        ]
        for i in invocations
    ]
    return [
        Table("Software", ["package", "version"], [[k, v] for k, v in merged(records, "versions").items()]),
        Table("Inputs from outside the run", ["file", "sha256"], [[shown(p), d] for p, d in inputs.items()]),
        Table(
            "Code digests (source of every module a stage imports)",
            ["stage", "digest"],
            [[stage, ", ".join(sorted(found))] for stage, found in digests.items()],
        ),
        Table("Invocations", ["id", "started (UTC)", "status", "seconds", "git", "command"], runs),
    ]

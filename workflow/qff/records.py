"""Records of what has run, as files: ``run.json`` and ``live.json`` of jobs, and the invocations of Snakemake."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from qff.errors import DataError
from qff.provenance import RUN_SCHEMA

INVOCATIONS = "invocations"
CURVE_POINTS = 100  # of a series that is longer, about


@dataclass(frozen=True)
class Record:
    """A ``run.json``, a ``live.json`` or an invocation, all in the form of the first."""

    path: Path
    content: dict

    @property
    def running(self) -> bool:
        return self.content.get("status") == "running"

    @property
    def start_ms(self) -> int:
        return int(datetime.fromisoformat(self.content["started"]).timestamp() * 1000)

    def file(self, name: str) -> Path:
        """A file that the record names; it must exist, in the record's folder or below."""
        path, folder = self.path.parent / name, self.path.parent
        if not path.resolve().is_relative_to(folder.resolve()):
            raise DataError(f"{self.path}: '{name}' leaves the record's folder; expected a path below it")
        if not path.is_file():
            raise DataError(f"{self.path}: '{name}' does not exist; run its job again")
        return path

    def figures(self, run: dict) -> list[str]:
        """The figure that a claim rests on, if this study has drawn it: made after the record, so none of its artifacts."""
        name = f"figures/{run['tags'].get('evidence')}.svg"
        return [name] if (self.path.parent / name).is_file() else []

    def points(self, run: dict) -> list[tuple[int, str, float]]:
        """Series as (step, metric, value) without empty cells and a running job's half-written last row.

        Of long ones about ``CURVE_POINTS`` rows, the last one among them: a page shows no more, and a store with every row
        of every seed takes minutes to write.
        """
        if not run["series"]:
            return []
        path, points, number = self.file(run["series"]), [], 1
        try:
            text = path.read_text(encoding="utf-8")
            lines = text[: text.rfind("\n") + 1 if self.running else None].splitlines()
            shown = max(1, len(lines) // CURVE_POINTS)
            for number, row in enumerate(csv.DictReader(lines), start=2):
                step = int(row.pop("step"))
                if (len(lines) - number) % shown == 0:
                    points += [(step, name, float(cell)) for name, cell in row.items() if cell != ""]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}, line {number}: expected a column 'step' and numbers ({error})") from error
        return [point for point in points if math.isfinite(point[2])]


def _read_json(path: Path, *needed: str) -> dict:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if missing := [key for key in needed if key not in content]:
            raise ValueError(f"no {', '.join(missing)}")
    except (OSError, TypeError, ValueError) as error:
        raise DataError(f"{path}: not a readable record ({error}); delete it and run the study again") from error
    return content


def read_record(path: Path) -> Record:
    """Read and check a ``run.json`` or ``live.json``."""
    content = _read_json(path, "schema", "stage", "profile", "started", "inputs", "runs")
    if content["schema"] != RUN_SCHEMA:
        raise DataError(f"{path}: schema {content['schema']!r}, expected {RUN_SCHEMA!r}; run the study again")
    return Record(path, content)


def read_invocations(results: Path) -> list[Record]:
    """Invocations of Snakemake by time; one without a status runs if it is the newest, else it was killed."""
    records = []
    for path in (results / INVOCATIONS).glob("*.json"):
        content = _read_json(path, "id", "profile", "started")
        run = {"name": content["id"], "params": content.get("config", {}), "metrics": {}, "series": None}
        run |= {"key": f"{content['profile']}/{INVOCATIONS}/{content['id']}", "artifacts": [], "tags": {}}
        form = {"status": "killed", "stage": INVOCATIONS, "inputs": {}, "runs": [run]}
        records.append(Record(path, form | content))
    records.sort(key=lambda record: record.start_ms)
    if records and records[-1].content["status"] == "killed":
        records[-1].content["status"] = "running"
    return records

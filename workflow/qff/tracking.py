"""Run records mirrored in MLflow: the only module that imports mlflow, and the only writer of its store.

Files are the truth. Jobs write ``run.json`` (:class:`qff.provenance.RunRecord`); every entry of its ``runs`` becomes
one MLflow run, found again by its tag ``study.run_key``: a second sync adds nothing, a sync that was killed is
continued, and a deleted store is filled again.

    python -m qff.tracking sync    results/study     # what has finished
    python -m qff.tracking follow  results/study     # the same, and the growing loss curves of running jobs
    python -m qff.tracking pending results/study     # exit status 0 if the store missed something
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import fcntl
import json
import math
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

from qff.config import TrackingConfig
from qff.errors import DataError, QffError
from qff.provenance import RUN_SCHEMA, atomic_path, write_text

EXPERIMENT_PREFIX = "qff/"
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # model training, not GenAI
INVOCATIONS = "invocations"
RUN_KEY = "study.run_key"
STATUS = {"success": "FINISHED", "failed": "FAILED", "running": "RUNNING", "killed": "KILLED"}
LOCK_SECONDS = 600
SQLITE = "sqlite:///"
ENVIRONMENT = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # a dead server is noticed within seconds
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",  # a pooled connection would outlive a deleted database
}


class StoreError(QffError):
    """The MLflow store cannot be reached, read or written."""


@dataclass
class SyncReport:
    """Number of runs that a sync created, completed, or found complete."""

    created: int = 0
    continued: int = 0
    present: int = 0

    def __str__(self) -> str:
        return f"{self.created} new runs, {self.continued} continued, {self.present} already there"


@dataclass(frozen=True)
class Record:
    """A ``run.json``, a ``live.json`` or an invocation, all in the form of the first."""

    path: Path
    content: dict[str, Any]

    @property
    def status(self) -> str:
        return STATUS[self.content.get("status", "success")]

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

    def points(self, run: dict[str, Any]) -> list[tuple[int, str, float]]:
        """Series of a run as (step, metric, value), without empty and non-finite cells.

        The table of a running job may end in the middle of a row, which is ignored.
        """
        if not run["series"]:
            return []
        path, points = self.file(run["series"]), []
        text = path.read_text(encoding="utf-8")
        lines = text[: text.rfind("\n") + 1 if self.status == "RUNNING" else None].splitlines()
        for number, row in enumerate(csv.DictReader(lines), start=2):
            try:
                step = int(row.pop("step"))
                values = {name: float(cell) for name, cell in row.items() if cell != ""}
            except (KeyError, TypeError, ValueError):
                raise DataError(f"{path}, line {number}: expected a step and numbers, got {row}") from None
            points += [(step, name, value) for name, value in values.items() if math.isfinite(value)]
        return points


def _read_json(path: Path, *needed: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if missing := [key for key in needed if key not in content]:
            raise ValueError(f"no {', '.join(missing)}")
    except (OSError, TypeError, ValueError) as error:
        raise DataError(f"{path}: not a readable record ({error}); delete it and run the study again") from error
    return content


def read_record(path: Path) -> Record:
    """Read and check a ``run.json`` or ``live.json``, and that the files it names exist."""
    record = Record(path, _read_json(path, "schema", "stage", "profile", "started", "inputs", "runs"))
    if record.content["schema"] != RUN_SCHEMA:
        raise DataError(f"{path}: schema {record.content['schema']!r}, expected {RUN_SCHEMA!r}; run the study again")
    for run in record.content["runs"]:
        for name in [*run["artifacts"], *([run["series"]] if run["series"] else [])]:
            record.file(name)
    return record


def read_records(results: Path, live: bool) -> list[Record]:
    """Records of finished jobs; with ``live`` of running ones too, whose files come and go: some may be left out."""
    records = []
    for name in ("run.json", "live.json") if live else ("run.json",):
        for path in sorted(results.rglob(name)):
            try:
                records.append(read_record(path))
            except DataError:
                if not live:
                    raise
    return records


def read_invocations(results: Path) -> list[Record]:
    """Invocations of Snakemake by time; one without a status is running if it is the newest, else was killed."""
    records = []
    for path in (results / INVOCATIONS).glob("*.json"):
        content = _read_json(path, "id", "profile", "started")
        run = {"key": _invocation_key(content["profile"], content["id"]), "name": content["id"]}
        run |= {"params": content.get("config", {}), "metrics": {}, "series": None, "artifacts": [], "tags": {}}
        records.append(Record(path, {"status": "killed", "inputs": {}, "stage": INVOCATIONS, "runs": [run]} | content))
    records.sort(key=lambda record: record.start_ms)
    if records and records[-1].status == "KILLED":
        records[-1].content["status"] = "running"
    return records


def _invocation_key(profile: str, name: str | None) -> str:
    return f"{profile}/{INVOCATIONS}/{name}"


def store_uri(config_uri: str) -> str:
    """URI of the store: ``MLFLOW_TRACKING_URI`` in the environment wins over the configuration."""
    return os.environ.get("MLFLOW_TRACKING_URI") or config_uri


def pending_marker(results: str | Path) -> Path:
    """File that exists while the store lacks records that it could not take."""
    return Path(results) / "tracking" / "pending"


@contextlib.contextmanager
def _store_errors(uri: str) -> Iterator[None]:
    """Turn every failure of the store into a :class:`StoreError`; errors of this program pass."""
    try:
        yield
    except Exception as error:
        foreign = type(error).__module__.startswith(("mlflow", "sqlalchemy", "alembic", "requests", "urllib3"))
        if not foreign and not isinstance(error, (OSError, ImportError, sqlite3.Error)):
            raise
        reason = str(error).strip().partition("\n")[0][:300]
        raise StoreError(f"{uri}: {type(error).__name__}: {reason}") from error


@contextlib.contextmanager
def _only_writer(path: Path) -> Iterator[None]:
    """Hold the lock that makes this process the only writer of the store."""
    with path.open("a") as handle:
        for waited in range(LOCK_SECONDS + 1):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if not waited:
                print(f"tracking: waiting for another process that holds {path}", file=sys.stderr)
            time.sleep(1)
        else:
            raise StoreError(f"{path}: held by another process for more than {LOCK_SECONDS} s")
        yield


def _database(uri: str) -> Path | None:
    """File of an SQLite store, else None."""
    return Path(uri.removeprefix(SQLITE).partition("?")[0]).absolute() if uri.startswith(SQLITE) else None


def _connect(uri: str):
    """MLflow client of a store that answers; a missing SQLite file is created, whole or not at all."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if database := _database(uri):
        if not database.exists():
            _create(database)
        with contextlib.closing(sqlite3.connect(database, timeout=20, isolation_level=None)) as connection:
            connection.execute("begin immediate")  # fails at once where MLflow would retry for an hour
            connection.execute("rollback")
    from mlflow import MlflowClient

    return MlflowClient(uri)


def _create(database: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with atomic_path(database) as temporary:
        SqlAlchemyStore(f"{SQLITE}{temporary}", str(database.parent / "mlartifacts")).engine.dispose()
        with contextlib.closing(sqlite3.connect(temporary)) as connection:
            connection.execute("pragma journal_mode=wal")
        for suffix in ("-wal", "-shm"):  # left by a deleted database; SQLite would replay them
            database.with_name(database.name + suffix).unlink(missing_ok=True)


class Experiment:
    """The MLflow experiment of one stage, with its runs by key."""

    def __init__(self, client, stage: str, uri: str):
        self.client, self.stage, self.runs = client, stage, {}
        if found := client.get_experiment_by_name(EXPERIMENT_PREFIX + stage):
            self.id = found.experiment_id
            if found.lifecycle_stage == "deleted":
                client.restore_experiment(self.id)
        else:
            database = _database(uri)
            artifacts = (database.parent / "mlartifacts" / stage).as_uri() if database else None
            self.id = client.create_experiment(EXPERIMENT_PREFIX + stage, artifacts, EXPERIMENT_TAGS)
        token = ""
        while token is not None:
            page = client.search_runs([self.id], max_results=1000, page_token=token)
            self.runs |= {run.data.tags[RUN_KEY]: run for run in page if RUN_KEY in run.data.tags}
            token = page.token or None

    def upsert(self, record: Record, run: dict[str, Any], parent) -> str:
        """Create a run or send what the store lacks of it; returns the field of :class:`SyncReport` to count."""
        from mlflow.entities import Metric, Param, RunTag

        client, content, running = self.client, record.content, record.status == "RUNNING"
        found = self.runs.get(run["key"])
        if found and found.info.status != "RUNNING" and found.info.status in ("FINISHED", record.status):
            return "present"
        # The key comes with the run itself, so that none can exist without.
        stored = found or client.create_run(self.id, record.start_ms, {RUN_KEY: run["key"]}, run["name"])
        self.runs[run["key"]] = stored
        run_id, time_ms = stored.info.run_id, stored.info.start_time

        logged = {metric.key: metric.step for metric in stored.data.to_proto().metrics}  # highest steps
        points = [point for point in record.points(run) if point[0] > logged.get(point[1], -1)]
        if not running:
            usage = {name: content.get(name) for name in ("seconds", "cpu_seconds", "peak_memory_mib")}
            points += [(0, name, value) for name, value in (usage | run["metrics"]).items() if value is not None]
        tags = {**run["tags"], **_study_tags(content), "mlflow.parentRunId": parent and parent.info.run_id}
        client.log_batch(  # which cuts them into the batches that MLflow accepts
            run_id,
            [Metric(name, float(value), time_ms, step) for step, name, value in points],
            [Param(name, value) for name, value in _flat(run["params"])],
            [RunTag(name, str(value)) for name, value in tags.items() if value is not None],
        )
        if not running:
            self._log_files(record, run, run_id)
            client.set_terminated(run_id, record.status, record.start_ms + int(1000 * (content.get("seconds") or 0)))
        elif stored.info.status != "RUNNING":
            client.update_run(run_id, "RUNNING")
        return "continued" if found else "created"

    def _log_files(self, record: Record, run: dict[str, Any], run_id: str) -> None:
        """Log the artifacts, the digests of the inputs (MLflow holds 36 characters), and the rest of the record."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        for name in run["artifacts"]:
            folder = PurePath(name).parent.as_posix()
            self.client.log_artifact(run_id, str(record.file(name)), None if folder == "." else folder)
        tags = [InputTag("mlflow.data.context", self.stage)]
        inputs = [
            DatasetInput(Dataset(path, digest[:36], "local", json.dumps({"uri": path})), tags)
            for path, digest in record.content["inputs"].items()
        ]
        if inputs:
            self.client.log_inputs(run_id, inputs)
        rest = {key: value for key, value in record.content.items() if key != "runs"}
        self.client.log_text(run_id, json.dumps(rest, indent=1, ensure_ascii=False), "provenance.json")


def _study_tags(content: dict[str, Any]) -> dict[str, Any]:
    tags = {f"study.{name}": content.get(name) for name in ("profile", "stage", "invocation", "code_digest")}
    git = content.get("git") or {}
    return {**tags, "study.git_dirty": git.get("dirty"), "mlflow.source.git.commit": git.get("commit")}


def _flat(params: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested params with dotted names; values as text."""
    for name, value in params.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value if isinstance(value, str) else json.dumps(value)


def sync(results: str | Path, uri: str, stages: list[str] | None = None, live: bool = False) -> SyncReport:
    """Upsert the records below ``results`` = ``results/<profile>`` (of these stages; with ``live`` running jobs too).

    After an outage all stages are sent, since others may have been missed.

    Raises:
        StoreError: the store cannot be used.
        DataError: a record is malformed, or names a file that is missing or outside its folder.
    """
    results, report, marker = Path(results), SyncReport(), pending_marker(results)
    if not results.is_dir():
        raise DataError(f"{results}: no such folder; expected results/<profile> of a study that has run")
    with _store_errors(uri), _only_writer(results.parent / ".tracking.lock"):
        client, stages = _connect(uri), None if marker.exists() else stages
        experiments = {INVOCATIONS: Experiment(client, INVOCATIONS, uri)}
        jobs = [r for r in read_records(results, live) if stages is None or r.content["stage"] in stages]
        for record in [*read_invocations(results), *jobs]:
            stage, invocation = record.content["stage"], record.content.get("invocation")
            if stage not in experiments:
                experiments[stage] = Experiment(client, stage, uri)
            parent = experiments[INVOCATIONS].runs.get(_invocation_key(record.content["profile"], invocation))
            for run in record.content["runs"]:
                done = experiments[stage].upsert(record, run, parent)
                setattr(report, done, getattr(report, done) + 1)
        if stages is None:
            marker.unlink(missing_ok=True)
    return report


def sync_quietly(results: str | Path, uri: str, stages: list[str] | None = None, live: bool = False) -> bool:
    """Sync; a store that fails is a warning, a marker for the next sync and False, never an error."""
    try:
        print(f"tracking: {sync(results, uri, stages, live)}")
    except StoreError as error:
        what = f"runs of {', '.join(stages)}" if stages else "runs"
        print(
            f"warning: the tracking store did not take the {what} in {results}: {error}\n"
            "         The results are complete without it; `make sync` sends what is missing.",
            file=sys.stderr,
        )
        with contextlib.suppress(OSError):
            write_text(pending_marker(results), f"{error}\n")
        return False
    return True


def follow(results: str | Path, uri: str, interval: float = 5.0, once: bool = False) -> bool:
    """Sync every ``interval`` seconds, running jobs included, until the newest invocation has ended.

    Returns:
        whether the last sync reached the store.
    """
    while True:
        invocations = read_invocations(Path(results))  # before the sync, so that the last one sees everything
        over = bool(invocations and invocations[-1].status != "RUNNING")
        arrived = sync_quietly(results, uri, live=once or not over)
        if once or over:
            return arrived
        time.sleep(interval)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m qff.tracking", description="Mirror run records in MLflow.")
    parser.add_argument("command", choices=["sync", "follow", "pending"])
    parser.add_argument("results", type=Path, help="results/<profile>")
    parser.add_argument("--uri", help="MLflow store (default: MLFLOW_TRACKING_URI, else the study's)")
    parser.add_argument("--stage", nargs="+", help="sync: these stages only")
    parser.add_argument("--interval", type=float, default=5.0, help="follow: seconds between updates")
    parser.add_argument("--once", action="store_true", help="follow: update once")
    options = parser.parse_args(arguments)
    uri = options.uri or store_uri(TrackingConfig().uri)
    try:
        if options.command == "pending":
            return 0 if pending_marker(options.results).exists() else 1
        if options.command == "sync":
            return 0 if sync_quietly(options.results, uri, options.stage) else 1
        return 0 if follow(options.results, uri, options.interval, options.once) else 1
    except QffError as error:
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

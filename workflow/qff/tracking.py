"""Run records mirrored in MLflow: the only module that imports mlflow, and the only writer of its store.

Files are the truth. Jobs write ``run.json`` (:class:`qff.provenance.RunRecord`); this module turns every entry
of ``runs`` into one MLflow run, found again by its tag ``study.run_key``, so that a second sync adds nothing and
a sync that was killed is continued. Losing the store loses nothing: the next sync fills it again.

    python -m qff.tracking sync    results/study        # everything that has finished
    python -m qff.tracking follow  results/study        # the same, plus growing loss curves of running jobs
    python -m qff.tracking pending results/study        # exit status 0 if the store missed something
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import fcntl
import json
import logging
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
INVOCATIONS = "invocations"
RUN_KEY = "study.run_key"
TRAINING_VIEW = {"mlflow.experimentKind": "custom_model_development"}  # else the UI opens its GenAI view
STATUS = {"success": "FINISHED", "failed": "FAILED", "running": "RUNNING", "killed": "KILLED"}
RESOURCES = ("seconds", "cpu_seconds", "peak_memory_mib")
LOCK_SECONDS = 600.0
SQLITE = "sqlite:///"
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # a dead server is noticed within seconds
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",  # a pooled connection would outlive a deleted database
}

log = logging.getLogger("qff")


class StoreError(QffError):
    """The MLflow store cannot be reached, read or written."""


@dataclass
class SyncReport:
    """What a sync did, in runs."""

    created: int = 0
    continued: int = 0
    present: int = 0

    def __str__(self) -> str:
        return f"{self.created} new runs, {self.continued} continued, {self.present} already there"


@dataclass(frozen=True)
class Record:
    """Content of a ``run.json``, a ``live.json`` or an invocation (in the same form)."""

    path: Path
    content: dict[str, Any]

    @property
    def status(self) -> str:
        return STATUS[self.content.get("status", "success")]

    def file(self, name: str) -> Path:
        """Path of a file named in the record, which must lie in the record's folder."""
        folder = self.path.parent
        if PurePath(name).is_absolute() or not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise DataError(f"{self.path}: '{name}' leaves the record's folder; name files relative to it")
        return folder / name

    def points(self, run: dict[str, Any]) -> list[tuple[int, str, float]]:
        """Series of a run as (step, metric, value); empty and non-finite cells are left out.

        The file of a running job may be missing, or end in the middle of a row: that row is ignored.
        """
        if not run["series"]:
            return []
        path = self.file(run["series"])
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            if self.status == "RUNNING":
                return []
            raise DataError(f"{path}: no such file, but {self.path} names it as a series; run the job again") from None
        if self.status == "RUNNING":
            text = text[: text.rfind("\n") + 1]
        points = []
        for line, row in enumerate(csv.DictReader(text.splitlines()), start=2):
            try:
                step = int(float(row.pop("step")))
                values = {name: float(cell) for name, cell in row.items() if cell != ""}
            except (KeyError, TypeError, ValueError):
                raise DataError(f"{path}, line {line}: expected a step and numbers, got {row}") from None
            points += [(step, name, value) for name, value in values.items() if math.isfinite(value)]
        return points


# --- reading what the study wrote --------------------------------------------------------------------------


def _read_json(path: Path, needed: tuple[str, ...]) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if missing := [key for key in needed if key not in content]:
            raise ValueError(f"missing {', '.join(missing)}")
    except FileNotFoundError:
        raise
    except (OSError, TypeError, ValueError) as error:
        raise DataError(f"{path}: not a readable record ({error}); delete it and run the study again") from error
    return content


def read_record(path: Path) -> Record:
    """Read and check a ``run.json`` or ``live.json``."""
    content = _read_json(path, ("schema", "stage", "profile", "started", "inputs", "runs"))
    if content["schema"] != RUN_SCHEMA:
        raise DataError(f"{path}: schema '{content['schema']}', expected '{RUN_SCHEMA}'; run the study again")
    record = Record(path, content)
    for run in content["runs"]:
        for name in run["artifacts"]:
            if not record.file(name).is_file():
                raise DataError(f"{path}: artifact '{name}' is missing; run the job again")
    return record


def read_invocations(results: Path) -> list[Record]:
    """Invocations of Snakemake in order of time; one without a status is running if newest, else it was killed."""
    found = [
        (path, _read_json(path, ("id", "profile", "started"))) for path in (results / INVOCATIONS).glob("*.json")
    ]
    found.sort(key=lambda item: (datetime.fromisoformat(item[1]["started"]).timestamp(), item[1]["id"]))
    records = []
    for place, (path, content) in enumerate(found, start=1):
        run = {
            "key": f"{content['profile']}/{INVOCATIONS}/{content['id']}",
            "name": content["id"],
            "params": content.get("config", {}),
            "metrics": {},
            "series": None,
            "artifacts": [],
            "tags": {},
        }
        status = content.get("status") or ("running" if place == len(found) else "killed")
        records.append(
            Record(path, {**content, "stage": INVOCATIONS, "inputs": {}, "status": status, "runs": [run]})
        )
    return records


def store_uri(config_uri: str) -> str:
    """URI of the store: the environment's ``MLFLOW_TRACKING_URI`` wins over the configuration."""
    return os.environ.get("MLFLOW_TRACKING_URI") or config_uri


def pending_marker(results: str | Path) -> Path:
    """File that exists while the store lacks records that it could not take."""
    return Path(results) / "tracking" / "pending"


# --- the store ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _store_errors(uri: str) -> Iterator[None]:
    """Turn every failure of the store into a :class:`StoreError`; errors of this program pass."""
    try:
        yield
    except QffError:
        raise
    except Exception as error:
        library = type(error).__module__.partition(".")[0]
        known = library in ("mlflow", "sqlalchemy", "alembic", "requests", "urllib3")
        if not known and not isinstance(error, (OSError, ImportError, sqlite3.Error)):
            raise
        reason = str(error).strip().partition("\n")[0][:300]
        raise StoreError(f"{uri}: {type(error).__name__}: {reason}") from error


@contextlib.contextmanager
def _only_writer(path: Path) -> Iterator[None]:
    """Hold the lock that makes this process the store's only writer."""
    with path.open("a") as handle:
        deadline, told = time.monotonic() + LOCK_SECONDS, False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StoreError(f"{path}: held by another process for {LOCK_SECONDS:.0f} s; end it") from None
                if not told:
                    print(f"waiting for another tracking process ({path}) ...", file=sys.stderr)
                told = True
                time.sleep(0.2)
        yield


def _database(uri: str) -> Path | None:
    """File of an SQLite store, else None."""
    return Path(uri.removeprefix(SQLITE).partition("?")[0]).absolute() if uri.startswith(SQLITE) else None


def _connect(uri: str):
    """MLflow client of a store that is known to answer; a missing SQLite file is created, whole or not at all."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if database := _database(uri):
        if not database.exists():
            _create(database)
        # MLflow retries a bad file for an hour: ask SQLite first.
        with contextlib.closing(sqlite3.connect(database, timeout=20, isolation_level=None)) as connection:
            connection.execute("begin immediate")
            connection.execute("rollback")
    from mlflow import MlflowClient

    return MlflowClient(uri)


def _create(database: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with atomic_path(database) as temporary:
        SqlAlchemyStore(f"{SQLITE}{temporary}", str(database.parent / "mlartifacts")).engine.dispose()
        with contextlib.closing(sqlite3.connect(temporary)) as connection:
            connection.execute("pragma journal_mode=wal")
        for suffix in ("-wal", "-shm"):  # left over from a deleted database; SQLite would replay them
            database.with_name(database.name + suffix).unlink(missing_ok=True)


class Experiment:
    """The experiment of one stage, with its runs by key."""

    def __init__(self, client, stage: str, uri: str):
        self.client, self.stage = client, stage
        name, database = EXPERIMENT_PREFIX + stage, _database(uri)
        found = client.get_experiment_by_name(name)
        if found is None:
            location = (database.parent / "mlartifacts" / stage).as_uri() if database else None
            self.id = client.create_experiment(name, artifact_location=location, tags=TRAINING_VIEW)
        else:
            self.id = found.experiment_id
            if found.lifecycle_stage == "deleted":
                client.restore_experiment(self.id)
        self.runs, token = {}, None
        while found and (token is None or token):
            page = client.search_runs([self.id], max_results=1000, page_token=token)
            self.runs |= {run.data.tags[RUN_KEY]: run for run in page if RUN_KEY in run.data.tags}
            token = page.token or ""

    def upsert(self, record: Record, run: dict[str, Any], parent: str | None) -> str:
        """Create a run or send what the store lacks of it; returns the counter of :class:`SyncReport`."""
        from mlflow.entities import Metric, Param, RunTag

        client, content, status = self.client, record.content, record.status
        found = self.runs.get(run["key"])
        if found and found.info.status in {"FINISHED", status} - {"RUNNING"}:
            return "present"
        start = int(datetime.fromisoformat(content["started"]).timestamp() * 1000)
        # A first tag in the same transaction: a run never exists without its key.
        stored = found or client.create_run(self.id, start, {RUN_KEY: run["key"]}, run["name"])
        self.runs[run["key"]] = stored
        run_id, time_ms = stored.info.run_id, stored.info.start_time

        logged = {metric.key: metric.step for metric in stored.data.to_proto().metrics}
        points = [p for p in record.points(run) if p[0] > logged.get(p[1], -1)]
        if status != "RUNNING":
            if both := {name for _, name, _ in points} & set(run["metrics"]):
                raise DataError(f"{record.path}, {run['name']}: {sorted(both)} are both metrics and series")
            final = {**{name: content.get(name) for name in RESOURCES}, **run["metrics"]}
            points += [(0, name, float(value)) for name, value in final.items() if value is not None]
        client.log_batch(  # splits by itself into the batches that a store accepts
            run_id,
            [Metric(name, value, time_ms, step) for step, name, value in points],
            [Param(name, value) for name, value in _flat(run["params"])],
            [RunTag(name, str(value)) for name, value in _tags(content, run, parent).items() if value is not None],
        )
        if status == "RUNNING":
            if stored.info.status != "RUNNING":
                client.update_run(run_id, status="RUNNING")
        else:
            self._finish(record, run, run_id)
            end = start + int(1000 * (content.get("seconds") or 0))
            client.set_terminated(run_id, status, end)
        return "continued" if found else "created"

    def _finish(self, record: Record, run: dict[str, Any], run_id: str) -> None:
        """Log what is written once: dataset digests, artifacts and the rest of the record."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        content = record.content
        used = InputTag("mlflow.data.context", self.stage)
        datasets = [
            DatasetInput(Dataset(path[-500:], digest[:36], "local", json.dumps({"uri": path})), [used])
            for path, digest in content["inputs"].items()
        ]
        if datasets:
            self.client.log_inputs(run_id, datasets)
        for name in run["artifacts"]:
            folder = PurePath(name).parent.as_posix()
            self.client.log_artifact(run_id, str(record.file(name)), None if folder == "." else folder)
        provenance = {key: value for key, value in content.items() if key != "runs"}
        self.client.log_text(run_id, json.dumps(provenance, indent=1, ensure_ascii=False), "provenance.json")

    def end_stale(self, profile: str, keys: set[str]) -> None:
        """Mark runs KILLED that a dead job left running and that no file speaks of any more."""
        for key, run in self.runs.items():
            stale = run.info.status == "RUNNING" and key not in keys
            if stale and run.data.tags.get("study.profile") == profile:
                self.client.set_terminated(run.info.run_id, "KILLED")


def _tags(content: dict[str, Any], run: dict[str, Any], parent: str | None) -> dict[str, Any]:
    git = content.get("git") or {}
    return {
        **run["tags"],
        "study.profile": content["profile"],
        "study.stage": content["stage"],
        "study.invocation": content.get("invocation"),
        "study.code_digest": content.get("code_digest"),
        "study.git_dirty": git.get("dirty"),
        "mlflow.source.git.commit": git.get("commit"),
        "mlflow.parentRunId": parent,
    }


def _flat(params: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested params with dotted names; values as text."""
    for name, value in params.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value if isinstance(value, str) else json.dumps(value)


# --- syncing -----------------------------------------------------------------------------------------------


class Mirror:
    """Sends the records below ``results/<profile>`` to a store; remembers those that are there."""

    def __init__(self, results: str | Path, uri: str):
        self.results, self.uri = Path(results), uri
        self.sent: dict[Path, int] = {}

    def push(self, stages: list[str] | None = None, live: bool = False) -> SyncReport:
        """Upsert all records (of these stages), with ``live`` also of running jobs.

        A sync after an outage covers all stages, since others may have been missed.

        Raises:
            StoreError: the store cannot be used.
            DataError: a record is malformed, or names a file that is missing or outside its folder.
        """
        if not self.results.is_dir():
            raise DataError(f"{self.results}: no such folder; expected results/<profile> of a study that has run")
        marker, report = pending_marker(self.results), SyncReport()
        if marker.exists():
            stages = None
        with _store_errors(self.uri), _only_writer(self.results.parent / ".tracking.lock"):
            client = _connect(self.uri)
            invocations, running = read_invocations(self.results), self._running()
            records = {
                path: read_record(path)
                for path in sorted(self.results.rglob("run.json"))
                if self.sent.get(path) != path.stat().st_mtime_ns
            }
            by_stage: dict[str, list[Record]] = {INVOCATIONS: invocations}
            for record in [*records.values(), *(running if live else [])]:
                if stages is None or record.content["stage"] in stages:
                    by_stage.setdefault(record.content["stage"], []).append(record)
            experiments = {stage: Experiment(client, stage, self.uri) for stage in by_stage}
            for stage, group in by_stage.items():
                for record in group:
                    parent = experiments[INVOCATIONS].runs.get(
                        f"{record.content['profile']}/{INVOCATIONS}/{record.content.get('invocation')}"
                    )
                    for run in record.content["runs"]:
                        done = experiments[stage].upsert(record, run, parent and parent.info.run_id)
                        setattr(report, done, getattr(report, done) + 1)
                    if record.path in records:
                        self.sent[record.path] = record.path.stat().st_mtime_ns
                alive = {run["key"] for record in [*group, *running] for run in record.content["runs"]}
                experiments[stage].end_stale(self.results.name, alive)
        if stages is None:
            marker.unlink(missing_ok=True)
        return report

    def _running(self) -> list[Record]:
        records = []
        for path in sorted(self.results.rglob("live.json")):
            with contextlib.suppress(FileNotFoundError):  # the job has just finished
                records.append(read_record(path))
        return records

    def push_quietly(self, stages: list[str] | None = None, live: bool = False) -> bool:
        """Push, or warn and leave the pending marker if the store does not take it."""
        try:
            log.info("tracking: %s", self.push(stages, live))
            return True
        except StoreError as error:
            what = f"runs of stage {', '.join(stages)}" if stages else "runs"
            print(
                f"warning: the tracking store did not take the {what} of {self.results}: {error}\n"
                "         Results are complete without it; `make sync` sends what is missing.",
                file=sys.stderr,
            )
            with contextlib.suppress(OSError):
                write_text(pending_marker(self.results), f"{error}\n")
            return False


def sync(results: str | Path, uri: str, stages: list[str] | None = None) -> SyncReport:
    """Upsert the run records below ``results`` = ``results/<profile>``; see :meth:`Mirror.push`."""
    return Mirror(results, uri).push(stages)


def sync_quietly(results: str | Path, uri: str, stages: list[str] | None = None) -> bool:
    """Sync; a store that fails is a warning, a marker for the next sync, and False, never an error."""
    return Mirror(results, uri).push_quietly(stages)


def follow(results: str | Path, uri: str, interval: float = 5.0, once: bool = False) -> bool:
    """Send finished runs and the growing curves of running ones every ``interval`` seconds.

    Ends when the newest invocation has ended, or on Ctrl-C; returns whether the last push arrived.
    """
    mirror = Mirror(results, uri)
    while True:
        # Asked before pushing, so that the last push sees everything.
        invocations = read_invocations(mirror.results)
        over = once or bool(invocations and invocations[-1].status != "RUNNING")
        arrived = False
        try:
            arrived = mirror.push_quietly(live=True)
        except DataError as error:  # a job that starts again removes its old files one by one
            if over:
                raise
            print(f"warning: {error}", file=sys.stderr)
        if over:
            return arrived
        time.sleep(interval)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m qff.tracking", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("command", choices=["sync", "follow", "pending"])
    parser.add_argument("results", type=Path, help="results/<profile>")
    parser.add_argument("--uri", help="MLflow store (default: MLFLOW_TRACKING_URI, else the study's own)")
    parser.add_argument("--stage", nargs="+", help="sync: only these stages")
    parser.add_argument("--interval", type=float, default=5.0, help="follow: seconds between updates")
    parser.add_argument("--once", action="store_true", help="follow: one update, then end")
    options = parser.parse_args(arguments)
    if options.command == "pending":
        return 0 if pending_marker(options.results).exists() else 1
    if not log.handlers:
        log.addHandler(logging.StreamHandler(sys.stdout))
        log.setLevel(logging.INFO)
    try:
        uri = options.uri or store_uri(TrackingConfig().uri)
        if options.command == "sync":
            return 0 if sync_quietly(options.results, uri, options.stage) else 1
        return 0 if follow(options.results, uri, options.interval, options.once) else 1
    except KeyboardInterrupt:
        return 130
    except QffError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

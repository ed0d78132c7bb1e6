"""Run records mirrored in MLflow: with qff.served the only module that imports mlflow; the only writer of its store.

Files are the truth. Jobs write ``run.json`` (:class:`qff.provenance.RunRecord`); every entry of its ``runs`` becomes
one MLflow run, found again by its tag ``study.run_key``: a second sync adds nothing, a sync that was killed is
continued, and a deleted store is filled again. Command line: ``python -m qff.tracking --help``.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import re
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from qff.claim_index import claims_of_models
from qff.command import reported
from qff.config import TrackingConfig
from qff.errors import DataError, ModelFileError, QffError
from qff.provenance import atomic_path, write_text
from qff.records import INVOCATIONS, Record, read_invocations, read_record
from qff.served import as_mlflow_model

EXPERIMENT_PREFIX = "qff/"
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # model training, not GenAI
RUN_KEY = "study.run_key"
CLAIMS = Path("config/claims.yaml")
SUBJECT = ("system", "model", "n_train", "seed")  # what a run is about, told by its tags or its params
LARGEST_TAG = 5000  # characters
TEMPORARY = re.compile(r"^tmp\w+\.")  # before the name of a script that Snakemake runs
NOTES = {
    "invocations": "one run for every start of Snakemake; its settings are the params, all other runs are its children",
    "reference": "labels of a system, frozen or computed, and their checks",
    "data": "splits of a system into training, validation and test frames",
    "train": "one run for every model and seed: loss curves, the model itself",
    "evaluate": "errors of every trained model and seed on training, validation and test frames",
    "capacity": "effective dimension and Fisher spectrum of every model and seed",
    "scaling": "one run for every point of a learning curve",
    "transfer": "models trained on small molecules, tested on larger ones",
    "dynamics": "molecular dynamics of every model and seed, and of the reference",
    "quantum": "shots, noise and cost on a quantum computer",
    "hybrid": "the draft's architecture: VQE along bonds, table 1, interaction energies",
    "materials": "fits of periodic cells, and their dynamics",
    "claims": "one run for every claim: its statement, rules and verdict",
}
STATUS = {"success": "FINISHED", "failed": "FAILED", "running": "RUNNING", "killed": "KILLED"}
LOCK_SECONDS = 600
ENVIRONMENT = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # A dead server is noticed at once; and a request that a dying one has answered in vain is not made twice, which
    # would double a run: the next sync asks first.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
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


class Store:
    """An MLflow store that answers; a missing SQLite file is created, whole or not at all."""

    def __init__(self, uri: str):
        os.environ.update(ENVIRONMENT | os.environ)  # defaults
        self.experiments, self.artifacts = {}, None
        self.claims = claims_of_models(CLAIMS)
        if uri.startswith("sqlite:///"):
            database = Path(uri.removeprefix("sqlite:///").partition("?")[0]).absolute()
            self.artifacts = database.parent / "mlartifacts"
            if not database.exists():
                self._create(database)
            # Writes nothing, but fails at once on a file that is damaged (MLflow would retry for an hour) or read-only.
            with contextlib.closing(sqlite3.connect(database, timeout=20, isolation_level=None)) as connection:
                connection.execute("update experiments set name = name where 0")
        from mlflow import MlflowClient, entities

        self.client, self.entities = MlflowClient(uri), entities

    def _create(self, database: Path) -> None:
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        with atomic_path(database) as temporary:
            SqlAlchemyStore(f"sqlite:///{temporary}", str(self.artifacts)).engine.dispose()
            with contextlib.closing(sqlite3.connect(temporary)) as connection:
                connection.execute("pragma journal_mode=wal")
            for suffix in ("-wal", "-shm"):  # left by a deleted database; SQLite would replay them
                database.with_name(database.name + suffix).unlink(missing_ok=True)

    def experiment(self, stage: str) -> tuple[str, dict]:
        """Identity of the experiment of a stage, and its runs by key as they were when first asked for."""
        if stage not in self.experiments:
            name, runs, token = EXPERIMENT_PREFIX + stage, {}, ""
            found = self.client.get_experiment_by_name(name) or self._create_experiment(name, stage)
            identity = found.experiment_id
            if found.lifecycle_stage == "deleted":
                self.client.restore_experiment(identity)
            while token is not None:
                page = self.client.search_runs([identity], max_results=1000, page_token=token)
                runs |= {run.data.tags[RUN_KEY]: run for run in page if RUN_KEY in run.data.tags}
                token = page.token or None
            self.experiments[stage] = identity, runs
        return self.experiments[stage]

    def _create_experiment(self, name: str, stage: str):
        """A new experiment, or the one of another writer who was faster."""
        from mlflow.exceptions import MlflowException

        folder = (self.artifacts / stage).as_uri() if self.artifacts else None
        try:
            note = {"mlflow.note.content": NOTES[stage]} if stage in NOTES else {}
            self.client.create_experiment(name, folder, EXPERIMENT_TAGS | note)
        except MlflowException:
            if self.client.get_experiment_by_name(name) is None:
                raise
        return self.client.get_experiment_by_name(name)

    def upsert(self, record: Record, run: dict) -> str:
        """Create a run or send what the store lacks of it; returns the field of :class:`SyncReport` to count."""
        client, content, status = self.client, record.content, STATUS[record.content.get("status", "success")]
        experiment, runs = self.experiment(content["stage"])
        found = runs.get(run["key"])
        if found and found.info.status in {"FINISHED", status} - {"RUNNING"}:
            return "present"
        names = [] if record.running else [*run["artifacts"], *record.figures(run)]
        points, artifacts = record.points(run), {name: record.file(name) for name in names}
        # Created together with its key, so that none can exist without.
        stored = found or client.create_run(experiment, record.start_ms, {RUN_KEY: run["key"]}, run["name"])
        runs[run["key"]] = stored
        run_id, time_ms = stored.info.run_id, stored.info.start_time
        last = {metric.key: metric.step for metric in stored.data.to_proto().metrics}
        points = [(step, name, value) for step, name, value in points if step > last.get(name, -1)]
        if not record.running:
            usage = {name: content.get(name) for name in ("seconds", "cpu_seconds", "peak_memory_mib")}
            # What was measured comes first: a comparison of runs opens with the first metric, and usage is no finding.
            measured = run["metrics"] | {name: value for name, value in usage.items() if name not in run["metrics"]}
            points += [(0, name, value) for name, value in measured.items() if value is not None]
        invocation = f"{content['profile']}/{INVOCATIONS}/{content.get('invocation')}"
        parent = self.experiment(INVOCATIONS)[1].get(invocation)
        tags = run_tags(content, run, self.claims) | {"mlflow.parentRunId": parent and parent.info.run_id}
        metrics = [self.entities.Metric(name, float(value), time_ms, step) for step, name, value in points]
        # Tags cannot be axes of a comparison of runs, params can.
        told = {name: value for name, value in subject(run).items() if value is not None}
        params = [self.entities.Param(name, value) for name, value in _flat(told | run["params"])]
        tags = [self.entities.RunTag(name, str(value)) for name, value in tags.items() if value is not None]
        client.log_batch(run_id, metrics, params, tags)  # in as many batches as MLflow needs
        if not record.running:
            self._log_files(run_id, content, artifacts)
            client.set_terminated(run_id, status, record.start_ms + int(1000 * content.get("seconds", 0)))
        return "continued" if found else "created"

    def _log_files(self, run_id: str, content: dict, artifacts: dict[str, Path]) -> None:
        """Log artifacts, digests of the inputs (MLflow holds 36 characters), and the rest of the record."""
        for name, path in artifacts.items():
            folder = PurePath(name).parent.as_posix()
            self.client.log_artifact(run_id, str(path), None if folder == "." else folder)
            if path.suffix == ".safetensors":
                # Files of this format that hold no potential stay mere artifacts.
                with contextlib.suppress(ModelFileError), as_mlflow_model(path) as model:
                    self.client.log_artifacts(run_id, str(model), "model")
        tag = self.entities.InputTag("mlflow.data.context", content["stage"])
        inputs = content["inputs"].items()
        sets = [self.entities.Dataset(p, sha[:36], "local", json.dumps({"uri": p})) for p, sha in inputs]
        self.client.log_inputs(run_id, [self.entities.DatasetInput(dataset, [tag]) for dataset in sets])
        rest = {key: value for key, value in content.items() if key != "runs"}
        self.client.log_text(run_id, json.dumps(rest, indent=1, ensure_ascii=False), "provenance.json")


def run_tags(content: dict, run: dict, claims: dict[tuple[str, str], list[str]]) -> dict:
    """What a run is found by: its subject, the claims that rest on it, and where it comes from."""
    git, study = content.get("git") or {}, ("profile", "stage", "invocation", "code_digest")
    told = subject(run)
    about = claims.get((told.get("system"), told.get("model")))
    tags = run["tags"] | told | {f"study.{name}": content.get(name) for name in study}
    tags |= {"study.git_dirty": git.get("dirty"), "mlflow.source.git.commit": git.get("commit")}
    if script := TEMPORARY.sub("", PurePath(content.get("command", "").partition(" ")[0]).name):
        tags |= {"mlflow.source.name": script, "mlflow.source.type": "LOCAL"}
    return tags | {"claims": about and ", ".join(about)[:LARGEST_TAG]}


def subject(run: dict) -> dict:
    """System, model, number of training frames and seed of a run, None where it has none."""
    return {name: run["tags"].get(name, run["params"].get(name)) for name in SUBJECT}


def _flat(params: dict, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested params with dotted names; values as text."""
    for name, value in params.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value if isinstance(value, str) else json.dumps(value)


def sync(results: str | Path, uri: str, stages: list[str] | None = None, live: bool = False) -> SyncReport:
    """Upsert the records below ``results/<profile>``: of these stages (of all after an outage), ``live`` ones too.

    Raises StoreError, or DataError if a record is malformed or names a file that is missing or outside its folder.
    """
    results, marker, report = Path(results), pending_marker(results), SyncReport()
    if not results.is_dir():
        raise DataError(f"{results}: no such folder; expected results/<profile> of a study that has run")
    forgiving = contextlib.suppress(*([DataError] if live else []))  # the files of running jobs come and go
    with _store_errors(uri), _only_writer(results.parent / ".tracking.lock"):
        stages = None if marker.exists() else stages
        records = read_invocations(results)
        for path in [p for name in ("run.json", *["live.json"] * live) for p in sorted(results.rglob(name))]:
            with forgiving:
                record = read_record(path)
                if stages is None or record.content["stage"] in stages:
                    records.append(record)
        store = Store(uri)
        for record, run in [(r, run) for r in records for run in r.content["runs"]]:
            with forgiving:
                done = store.upsert(record, run)
                setattr(report, done, getattr(report, done) + 1)
        if stages is None and not live:
            marker.unlink(missing_ok=True)
    return report


def sync_quietly(results: str | Path, uri: str, stages: list[str] | None = None, live: bool = False) -> bool:
    """Sync; a store that fails is a warning, a marker for the next sync and False, never an error."""
    try:
        report = sync(results, uri, stages, live)
    except StoreError as error:
        what = f"runs of {', '.join(stages)}" if stages else "runs"
        print(f"warning: the tracking store did not take the {what} in {results}: {error}", file=sys.stderr)
        print("         The results do not need it; `make sync` sends what is missing.", file=sys.stderr)
        with contextlib.suppress(OSError):
            write_text(pending_marker(results), f"{error}\n")
        return False
    if report.created or not live:
        print(f"tracking: {report.created} new runs, {report.continued} continued, {report.present} already there")
    return True


def follow(results: str | Path, uri: str, interval: float = 5.0, once: bool = False) -> bool:
    """Sync every ``interval`` seconds, running jobs too, until the newest invocation ends; was the last sent?"""
    while True:
        invocations = read_invocations(Path(results))  # before the sync, so that the last one sees everything
        over = bool(invocations) and not invocations[-1].running
        arrived = sync_quietly(results, uri, live=once or not over)
        if once or over:
            return arrived
        time.sleep(interval)


@reported
def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m qff.tracking", description="Mirror run records in MLflow.")
    parser.add_argument("command", choices=["sync", "follow", "pending"])
    parser.add_argument("results", type=Path, help="results/<profile>")
    parser.add_argument("--uri", help="MLflow store (default: MLFLOW_TRACKING_URI, else the study's)")
    parser.add_argument("--stage", nargs="+", help="sync: these stages only")
    parser.add_argument("--once", action="store_true", help="follow: update once")
    options = parser.parse_args(arguments)
    results, uri = options.results, options.uri or store_uri(TrackingConfig().uri)
    try:
        if options.command == "sync":
            return 0 if sync_quietly(results, uri, options.stage) else 1
        if options.command == "follow":
            return 0 if follow(results, uri, once=options.once) else 1
        return 0 if pending_marker(results).exists() else 1
    except KeyboardInterrupt:
        return 0 if options.command == "follow" else 130


if __name__ == "__main__":
    sys.exit(main())

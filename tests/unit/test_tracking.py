"""The MLflow mirror: complete, idempotent, resumable, and tied to its invocation. Real SQLite stores."""

import fcntl
import json
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from qff import tracking
from qff.errors import DataError
from qff.provenance import RunRecord, write_json

INVOCATION = "20250101T100000-abc"
STEPS = range(10, 210, 10)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """A store without runs: creating one takes seconds, copying it does not."""
    database = tmp_path_factory.mktemp("store") / "mlflow.db"
    tracking.Store(f"sqlite:///{database}")
    return database


@pytest.fixture
def study(tmp_path, empty_store, monkeypatch):
    monkeypatch.setenv("QFF_INVOCATION", INVOCATION)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return Study(tmp_path)


class Study:
    """What a small study leaves on disk, and what the store made of it."""

    def __init__(self, folder: Path):
        self.results = folder / "results" / "smoke"
        self.uri = f"sqlite:///{folder / 'mlflow.db'}"
        self.inputs = folder / "results" / "labels.csv"
        self.inputs.parent.mkdir()
        self.inputs.write_text("labels")

    def invocation(self, name=INVOCATION, started="2025-01-01T10:00:00+00:00", **more):
        content = {
            "id": name,
            "profile": "smoke",
            "started": started,
            "config": {"seed": 7, "training": {"steps": 9}},
        }
        write_json(self.results / "invocations" / f"{name}.json", content | more)

    def curves(self, steps=STEPS, tail=""):
        path = self.results / "train" / "lih" / "qnn" / "curves.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [f"{step},{1 / step!r},{2 / step if step % 20 else ''}\n" for step in steps]
        path.write_text("step,train_loss_ev2,validation_loss_ev2\n" + "".join(rows) + tail)
        return path.parent

    def record(self, stage="train", metrics=None, artifacts=(), series="curves.csv"):
        record = RunRecord(stage, profile="smoke", code_digest="c0de", inputs=[self.inputs], system="lih")
        params = {"layers": 10, "bias": False, "blocks": [1, 2]}
        record.add(
            "qnn-lih-s0",
            params=params,
            metrics=metrics or {},
            series=series,
            artifacts=artifacts,
            model="qnn",
            seed="0",
        )
        return record

    def train(self, artifacts=("model.json", "figures/parity.svg")):
        """A finished training job."""
        folder = self.curves()
        (folder / "figures").mkdir(exist_ok=True)
        (folder / "model.json").write_text("{}")
        (folder / "figures" / "parity.svg").write_text("<svg/>")
        record = self.record(metrics={"best_loss_ev2": 0.25, "undefined": float("nan")}, artifacts=artifacts)
        record.write(folder / "run.json", [folder / "model.json"])
        return folder

    def evaluate(self):
        """A finished job of another stage."""
        path = self.results / "evaluate" / "lih" / "qnn" / "run.json"
        self.record("evaluate", metrics={"energy_rmse_mev": 1.5}, series=None).write(path, [])

    def sync(self, stages=None):
        return tracking.sync(self.results, self.uri, stages)

    @property
    def client(self):
        return tracking.Store(self.uri).client

    def runs(self, stage="train"):
        return list(tracking.Store(self.uri).experiment(stage)[1].values())

    def steps(self, run, metric="train_loss_ev2"):
        return sorted(point.step for point in self.client.get_metric_history(run.info.run_id, metric))

    def rows(self):
        """Number of rows of every table."""
        with sqlite3.connect(self.uri.removeprefix("sqlite:///")) as connection:
            tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
            return {name: connection.execute(f"select count(*) from {name}").fetchone()[0] for name in tables}


def report(created=0, continued=0, present=0):
    return tracking.SyncReport(created, continued, present)


def test_everything_in_a_record_arrives(study):
    study.invocation(status="success", seconds=60.0)
    folder = study.train()
    assert study.sync() == report(created=2)
    (run,) = study.runs()
    content = json.loads((folder / "run.json").read_text())
    assert (run.info.run_name, run.info.status) == ("qnn-lih-s0", "FINISHED")
    assert run.data.params == {"layers": "10", "bias": "false", "blocks": "[1, 2]"}
    assert run.data.metrics["best_loss_ev2"] == 0.25
    assert "undefined" not in run.data.metrics
    assert run.data.metrics["seconds"] == content["seconds"]
    assert run.data.metrics["peak_memory_mib"] == content["peak_memory_mib"]
    expected = {
        "study.run_key": content["runs"][0]["key"],
        "study.profile": "smoke",
        "study.stage": "train",
        "study.invocation": INVOCATION,
        "study.code_digest": "c0de",
        "system": "lih",
        "model": "qnn",
        "seed": "0",
    }
    assert expected.items() <= run.data.tags.items()
    assert run.data.tags.get("mlflow.source.git.commit") == content["git"]["commit"]

    history = study.client.get_metric_history(run.info.run_id, "train_loss_ev2")
    assert {point.step: point.value for point in history} == {step: 1 / step for step in STEPS}
    assert study.steps(run, "validation_loss_ev2") == [step for step in STEPS if step % 20]

    (dataset,) = [used.dataset for used in run.inputs.dataset_inputs]
    digest = content["inputs"][str(study.inputs)]
    assert (dataset.name, dataset.digest) == (str(study.inputs), digest[:36])
    artifacts = Path(run.info.artifact_uri.removeprefix("file://"))
    assert artifacts.is_relative_to(study.inputs.parent.parent / "mlartifacts" / "train")
    assert (artifacts / "model.json").read_text() == "{}"
    assert (artifacts / "figures" / "parity.svg").read_text() == "<svg/>"
    provenance = json.loads((artifacts / "provenance.json").read_text())
    assert provenance["inputs"] == {str(study.inputs): digest}
    assert provenance["command"] == content["command"]


def test_runs_are_found_by_their_subject_and_their_claims(study, tmp_path, monkeypatch):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/claims.yaml").write_text(
        "first: {system: lih, measures: [{model: qnn}]}\n"
        "second: {system: lih, measures: [{model: nn, each: {against: {qnn: QNN}}}]}\n"
        "third: {system: h2o, measures: [{model: qnn}]}\n"
    )
    monkeypatch.chdir(tmp_path)
    folder = study.curves()
    record = study.record(metrics={})
    record.runs[0]["params"] |= {"n_train": 80}
    record.write(folder / "run.json", [])
    study.sync()
    (run,) = study.runs()
    expected = {"system": "lih", "model": "qnn", "seed": "0", "n_train": "80", "claims": "first, second"}
    assert expected.items() <= run.data.tags.items()


def test_runs_are_tied_to_their_invocation(study):
    study.invocation(status="success", seconds=60.0)
    study.train()
    study.evaluate()
    study.sync()
    (parent,) = study.runs("invocations")
    assert parent.info.run_name == INVOCATION
    assert parent.info.end_time - parent.info.start_time == 60_000
    assert parent.data.params == {"seed": "7", "training.steps": "9"}
    for stage in ("train", "evaluate"):
        (run,) = study.runs(stage)
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id


def test_experiments_are_of_the_training_kind(study):
    study.train()
    study.sync()
    experiment = study.client.get_experiment_by_name("qff/train")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


def test_second_sync_adds_nothing(study):
    study.invocation(status="success", seconds=60.0)
    study.train()
    study.evaluate()
    assert study.sync() == report(created=3)
    before = study.rows()
    assert before["metrics"] > len(STEPS)
    assert study.sync() == report(present=3)
    assert study.rows() == before


def test_only_the_stages_asked_for(study):
    study.train()
    study.evaluate()
    study.sync(["evaluate"])
    assert study.client.get_experiment_by_name("qff/train") is None
    assert len(study.runs("evaluate")) == 1


@pytest.mark.parametrize("step", ["log_batch", "log_artifact", "log_inputs", "log_text", "set_terminated"])
def test_killed_sync_is_continued(study, monkeypatch, step):
    """A sync that dies at any step leaves a run that the next one completes, without doubles."""
    study.train()
    from mlflow import MlflowClient

    def dies(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, step, dies)
        with pytest.raises(KeyboardInterrupt):
            study.sync()
    (half,) = study.runs()
    assert half.info.status == "RUNNING"
    assert study.sync() == report(continued=1)
    (run,) = study.runs()
    assert (run.info.run_id, run.info.status) == (half.info.run_id, "FINISHED")
    assert study.steps(run) == list(STEPS)
    assert len(study.steps(run, "seconds")) == 1
    assert len(run.inputs.dataset_inputs) == 1


def test_partial_series_is_completed(study):
    """Half the points in the store, with other times: only the others are added."""
    folder = study.train()
    key = json.loads((folder / "run.json").read_text())["runs"][0]["key"]
    store = tracking.Store(study.uri)
    experiment, _ = store.experiment("train")
    half = store.client.create_run(experiment, tags={"study.run_key": key}, run_name="qnn-lih-s0")
    for step in STEPS[:7]:
        store.client.log_metric(half.info.run_id, "train_loss_ev2", 1 / step, step=step)
    assert study.sync() == report(continued=1)
    (run,) = study.runs()
    assert run.info.run_id == half.info.run_id
    assert study.steps(run) == list(STEPS)
    assert study.steps(run, "validation_loss_ev2") == [step for step in STEPS if step % 20]


def test_deleted_database_is_filled_again(study):
    study.invocation(status="success", seconds=60.0)
    study.train()
    study.sync()
    database = Path(study.uri.removeprefix("sqlite:///"))
    open_elsewhere = sqlite3.connect(database)
    open_elsewhere.execute("create table other as select * from metrics")
    open_elsewhere.commit()
    assert database.with_name("mlflow.db-wal").stat().st_size, "a journal that must not be replayed"
    database.unlink()
    assert study.sync() == report(created=2)
    assert "other" not in study.rows()
    open_elsewhere.close()
    assert study.steps(study.runs()[0]) == list(STEPS)
    with sqlite3.connect(database) as connection:
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)


def test_deleted_experiment_is_restored(study):
    study.train()
    study.sync()
    study.client.delete_experiment(study.client.get_experiment_by_name("qff/train").experiment_id)
    study.sync()
    assert [run.info.status for run in study.runs()] == ["FINISHED"]


def test_follow_shows_growing_curves(study, capsys):
    """A half-written row is not read; the job's own record finishes the same run."""
    study.invocation()
    folder = study.curves(STEPS[:5], tail="60,0.01")
    write_json(folder / "live.json", study.record(artifacts=["model.json"]).live())
    assert tracking.follow(study.results, study.uri, once=True)
    (live,) = study.runs()
    assert live.info.status == "RUNNING"
    assert study.steps(live) == [10, 20, 30, 40, 50]
    assert study.runs("invocations")[0].info.status == "RUNNING"

    study.curves(STEPS[:9])
    assert tracking.follow(study.results, study.uri, once=True)
    assert study.steps(study.runs()[0]) == list(STEPS[:9])
    assert study.sync().created == 0, "a plain sync leaves running jobs alone"

    (folder / "model.json").write_text("{}")
    study.curves()
    study.record(metrics={"best_loss_ev2": 0.25}, artifacts=["model.json"]).write(folder / "run.json", [])
    (folder / "live.json").unlink()
    study.invocation(status="success", seconds=60.0)
    assert tracking.follow(study.results, study.uri), "ends by itself, since the invocation has ended"
    (run,) = study.runs()
    assert (run.info.run_id, run.info.status) == (live.info.run_id, "FINISHED")
    assert study.steps(run) == list(STEPS)
    assert study.runs("invocations")[0].info.status == "FINISHED"


def test_follow_ends_with_the_invocation(study, monkeypatch):
    """What is written while it sleeps last is sent too."""
    study.invocation()
    rounds = []

    def sleep(seconds):
        rounds.append(seconds)
        assert len(rounds) < 3, "did not notice the end"
        if len(rounds) == 2:
            study.train()
            study.invocation(status="failed", seconds=60.0)

    monkeypatch.setattr(tracking.time, "sleep", sleep)
    assert tracking.follow(study.results, study.uri, interval=2.5)
    assert rounds == [2.5, 2.5]
    assert study.runs()[0].info.status == "FINISHED"
    assert study.runs("invocations")[0].info.status == "FAILED"


def test_follow_forgives_files_that_vanish(study):
    study.train()
    folder = study.results / "train" / "lih" / "nn"
    write_json(folder / "live.json", study.record(series="gone.csv").live())
    (study.results / "evaluate").mkdir()
    (study.results / "evaluate" / "run.json").write_text("{")
    (marker := tracking.pending_marker(study.results)).parent.mkdir()
    marker.touch()
    assert tracking.follow(study.results, study.uri, once=True)
    assert len(study.runs()) == 1
    assert marker.exists(), "something may have been left out"
    study.invocation(status="success", seconds=60.0)
    with pytest.raises(DataError, match=r"evaluate/run\.json"):
        tracking.follow(study.results, study.uri)  # the last sync forgives nothing


def test_invocation_that_was_killed(study):
    study.invocation("20250101T100000-a", "2025-01-01T10:00:00+00:00")
    study.invocation("20250101T110000-b", "2025-01-01T11:00:00+00:00")
    study.sync()
    assert {run.info.run_name: run.info.status for run in study.runs("invocations")} == {
        "20250101T100000-a": "KILLED",
        "20250101T110000-b": "RUNNING",
    }


@pytest.mark.parametrize("name", ["../../secret", "/etc/hostname", "link"])
def test_artifact_outside_the_folder_is_refused(study, name):
    folder = study.train(artifacts=[name])
    (study.results / "train" / "secret").write_text("secret")
    (folder / "link").symlink_to(study.results / "train" / "secret")
    with pytest.raises(DataError, match=rf"{folder}/run.json: '{name}' leaves the record's folder"):
        study.sync()
    assert study.runs() == []


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("run.json", '{"stage": "tr', "run.json: not a readable record"),
        ("run.json", "{}", "run.json: not a readable record .no schema, stage"),
        ("run.json", None, "schema 'qff.run/0', expected"),
        ("curves.csv", "step,loss\n1,0.5\n2,abc\n", "curves.csv, line 3: .*'abc'"),
        ("curves.csv", "loss\n0.5\n", "curves.csv, line 2: .*'step'"),
        ("curves.csv", "step,loss\n1,0.5,7\n", "curves.csv, line 2"),
        ("model.json", "", "'model.json' does not exist"),
    ],
)
def test_bad_record_is_named(study, file, text, message):
    folder = study.train()
    path = folder / file
    path.write_text(path.read_text().replace("qff.run/1", "qff.run/0") if text is None else text)
    if text == "":
        path.unlink()
    with pytest.raises(DataError, match=message):
        study.sync()
    assert not tracking.pending_marker(study.results).exists()


def test_one_writer(study, monkeypatch, capsys):
    study.train()
    monkeypatch.setattr(tracking, "LOCK_SECONDS", 0)
    monkeypatch.setattr(tracking.time, "sleep", lambda _: None)
    with (study.results.parent / ".tracking.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(tracking.StoreError, match="held by another process"):
            study.sync()
    assert "waiting for another process" in capsys.readouterr().err
    assert study.sync() == report(created=1)


def test_environment_names_the_store(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking.store_uri("sqlite:///a.db") == "sqlite:///a.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking")
    assert tracking.store_uri("sqlite:///a.db") == "http://tracking"


def test_command_line(study, capsys):
    study.train()
    study.evaluate()
    assert tracking.main(["sync", str(study.results), "--uri", study.uri, "--stage", "train"]) == 0
    assert "1 new runs" in capsys.readouterr().out
    assert tracking.main(["follow", str(study.results), "--uri", study.uri, "--once"]) == 0
    assert len(study.runs("evaluate")) == 1
    assert tracking.main(["pending", str(study.results)]) == 1
    assert tracking.main(["sync", str(study.results / "nowhere"), "--uri", study.uri]) == 1
    assert "nowhere: no such folder" in capsys.readouterr().err


def test_pending_needs_no_mlflow(tmp_path):
    """Nor does importing the module."""
    code = (
        "import sys; from qff import tracking; "
        "assert tracking.main(['pending', sys.argv[1]]) == int(sys.argv[2]); "
        "assert 'mlflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path, "1"], check=True)
    tracking.pending_marker(tmp_path).parent.mkdir()
    tracking.pending_marker(tmp_path).touch()
    subprocess.run([sys.executable, "-c", code, tmp_path, "0"], check=True)


def test_only_the_mirror_and_its_models_import_mlflow():
    package = Path(tracking.__file__).parent
    imports = re.compile(r"^\s*(from|import) mlflow", re.MULTILINE)
    assert {path.name for path in package.rglob("*.py") if imports.search(path.read_text())} == {
        "tracking.py",
        "served.py",
    }


@pytest.fixture
def dead_server():
    """Address of a port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def damaged(study):
    """Kinds of SQLite stores that cannot be used."""
    whole = Path(study.uri.removeprefix("sqlite:///"))
    (garbage := whole.with_name("garbage.db")).write_text("not a database " * 100)
    (truncated := whole.with_name("truncated.db")).write_bytes(whole.read_bytes()[:50_000])
    return {"garbage": garbage, "truncated": truncated, "no folder": garbage / "mlflow.db"}


def assert_outage(study, uri, capsys):
    """A failing store: False within seconds, a warning, a marker, and nothing else."""
    start = time.monotonic()
    assert tracking.sync_quietly(study.results, uri, ["evaluate"]) is False
    assert time.monotonic() - start < 120  # MLflow by itself would try again for an hour
    warning = capsys.readouterr().err
    assert uri in warning
    assert "runs of evaluate" in warning
    assert "make sync" in warning
    assert uri in tracking.pending_marker(study.results).read_text()
    assert tracking.main(["pending", str(study.results)]) == 0


def test_dead_server_then_catching_up(study, dead_server, capsys):
    """The sync of one stage after an outage also sends the stages that were missed."""
    study.train()
    study.evaluate()
    assert_outage(study, dead_server, capsys)
    assert tracking.main(["sync", str(study.results), "--uri", dead_server]) == 1
    assert tracking.sync_quietly(study.results, study.uri, ["evaluate"]) is True
    assert len(study.runs("train")) == len(study.runs("evaluate")) == 1
    assert not tracking.pending_marker(study.results).exists()
    assert tracking.main(["pending", str(study.results)]) == 1


@pytest.mark.parametrize("kind", ["garbage", "truncated", "no folder"])
def test_damaged_file(study, damaged, kind, capsys):
    study.evaluate()
    assert_outage(study, f"sqlite:///{damaged[kind]}", capsys)
    assert study.sync() == report(created=1)
    assert not tracking.pending_marker(study.results).exists()


def test_read_only_file(study, monkeypatch, capsys):
    """As SQLite reports it, whoever runs the test (root may write anywhere)."""
    study.evaluate()
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **more: connect(f"file:{path}?mode=ro", uri=True, **more))
    assert_outage(study, study.uri, capsys)


def test_store_that_dies_half_way(study, monkeypatch, capsys):
    study.evaluate()
    monkeypatch.setattr(tracking.Store, "_log_files", lambda *_: sqlite3.connect("/nowhere/mlflow.db"))
    assert_outage(study, study.uri, capsys)
    monkeypatch.undo()
    assert study.sync() == report(continued=1)


def test_errors_of_the_program_are_not_outages(study, monkeypatch):
    study.evaluate()
    monkeypatch.setattr(tracking.Store, "upsert", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tracking.sync_quietly(study.results, study.uri)


def test_follow_outlives_an_outage(study, dead_server, monkeypatch):
    study.invocation()
    study.train()
    monkeypatch.setattr(tracking.time, "sleep", lambda _: study.invocation(status="success", seconds=1.0))
    assert tracking.follow(study.results, dead_server) is False
    assert study.sync() == report(created=2)

"""The MLflow mirror: complete, idempotent, resumable, and tied to its invocation. Real SQLite stores."""

import fcntl
import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from mirrored_study import INVOCATION, STEPS, report
from qff import tracking
from qff.errors import DataError
from qff.provenance import RunRecord, write_json
from qff.publish import STAGES
from qff.records import CURVE_POINTS


def test_everything_in_a_record_arrives(mirrored):
    mirrored.invocation(status="success", seconds=60.0)
    folder = mirrored.train()
    assert mirrored.sync() == report(created=2)
    (run,) = mirrored.runs()
    content = json.loads((folder / "run.json").read_text())
    assert (run.info.run_name, run.info.status) == ("qnn-lih-s0", "FINISHED")
    subject = {"system": "lih", "model": "qnn", "seed": "0"}  # a comparison of runs has params as axes, no tags
    assert run.data.params == {"layers": "10", "bias": "false", "blocks": "[1, 2]", **subject}
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

    history = mirrored.client.get_metric_history(run.info.run_id, "train_loss_ev2")
    assert {point.step: point.value for point in history} == {step: 1 / step for step in STEPS}
    assert mirrored.steps(run, "validation_loss_ev2") == [step for step in STEPS if step % 20]

    (dataset,) = [used.dataset for used in run.inputs.dataset_inputs]
    digest = content["inputs"][str(mirrored.inputs)]
    assert (dataset.name, dataset.digest) == (str(mirrored.inputs), digest[:36])
    artifacts = Path(run.info.artifact_uri.removeprefix("file://"))
    assert artifacts.is_relative_to(mirrored.inputs.parent.parent / "mlartifacts" / "train")
    assert (artifacts / "model.json").read_text() == "{}"
    assert (artifacts / "figures" / "parity.svg").read_text() == "<svg/>"
    provenance = json.loads((artifacts / "provenance.json").read_text())
    assert provenance["inputs"] == {str(mirrored.inputs): digest}
    assert provenance["command"] == content["command"]


def test_runs_are_found_by_their_subject_and_their_claims(mirrored, tmp_path, monkeypatch):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/claims.yaml").write_text(
        "first: {system: lih, measures: [{model: qnn}]}\n"
        "second: {system: lih, measures: [{model: nn, each: {against: {qnn: QNN}}}]}\n"
        "third: {system: h2o, measures: [{model: qnn}]}\n"
    )
    monkeypatch.chdir(tmp_path)
    folder = mirrored.curves()
    record = mirrored.record(metrics={})
    record.runs[0]["params"] |= {"n_train": 80}
    record.write(folder / "run.json", [])
    mirrored.sync()
    (run,) = mirrored.runs()
    expected = {"system": "lih", "model": "qnn", "seed": "0", "n_train": "80", "claims": "first, second"}
    assert expected.items() <= run.data.tags.items()


def test_runs_are_tied_to_their_invocation(mirrored):
    mirrored.invocation(status="success", seconds=60.0)
    mirrored.train()
    mirrored.evaluate()
    mirrored.sync()
    (parent,) = mirrored.runs("invocations")
    assert parent.info.run_name == INVOCATION
    assert parent.info.end_time - parent.info.start_time == 60_000
    assert parent.data.params == {"seed": "7", "training.steps": "9"}
    for stage in ("train", "evaluate"):
        (run,) = mirrored.runs(stage)
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id


def test_a_claim_shows_its_figure(mirrored):
    """As far as the study has drawn it."""
    record = RunRecord("claims", profile="smoke", code_digest="c0de", inputs=[])
    for name in ("errors_lih", "errors_h2o"):
        record.add(name, params={}, metrics={}, evidence=name)
    record.write(mirrored.results / "run.json", [])
    (mirrored.results / "figures").mkdir()
    (mirrored.results / "figures/errors_lih.svg").write_text("<svg/>")
    mirrored.sync()
    for run in mirrored.runs("claims"):
        artifacts = Path(run.info.artifact_uri.removeprefix("file://"))
        assert (artifacts / "figures/errors_lih.svg").is_file() == (run.info.run_name == "errors_lih")


def test_runs_name_their_script(mirrored):
    content = {"command": "/home/a/.snakemake/scripts/tmp_x1.train_model.py"}
    run = {"params": {}, "tags": {}}
    assert tracking.run_tags(content, run, {})["mlflow.source.name"] == "train_model.py"
    assert tracking.run_tags({"command": "/a/bin/snakemake --cores 2"}, run, {})["mlflow.source.name"] == "snakemake"
    assert "mlflow.source.name" not in tracking.run_tags({}, run, {})


def test_a_comparison_opens_with_what_was_measured(mirrored):
    """The page takes the first metric of a run, in the order in which they arrived."""
    mirrored.evaluate()
    mirrored.sync()
    with sqlite3.connect(mirrored.uri.removeprefix("sqlite:///")) as connection:
        names = [name for (name,) in connection.execute("select key from latest_metrics")]
    assert names[0] == "energy_rmse_mev"
    assert "seconds" in names


def test_every_stage_is_described(mirrored):
    mirrored.train()
    mirrored.sync()
    assert mirrored.client.get_experiment_by_name("qff/train").tags["mlflow.note.content"] == tracking.NOTES["train"]
    assert tracking.NOTES.keys() == {tracking.INVOCATIONS, *STAGES}


def test_experiments_are_of_the_training_kind(mirrored):
    mirrored.train()
    mirrored.sync()
    experiment = mirrored.client.get_experiment_by_name("qff/train")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


def test_second_sync_adds_nothing(mirrored):
    mirrored.invocation(status="success", seconds=60.0)
    mirrored.train()
    mirrored.evaluate()
    assert mirrored.sync() == report(created=3)
    before = mirrored.rows()
    assert before["metrics"] > len(STEPS)
    assert mirrored.sync() == report(present=3)
    assert mirrored.rows() == before


def test_only_the_stages_asked_for(mirrored):
    mirrored.train()
    mirrored.evaluate()
    mirrored.sync(["evaluate"])
    assert mirrored.client.get_experiment_by_name("qff/train") is None
    assert len(mirrored.runs("evaluate")) == 1


@pytest.mark.parametrize("step", ["log_batch", "log_artifact", "log_inputs", "log_text", "set_terminated"])
def test_killed_sync_is_continued(mirrored, monkeypatch, step):
    """A sync that dies at any step leaves a run that the next one completes, without doubles."""
    mirrored.train()
    from mlflow import MlflowClient

    def dies(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, step, dies)
        with pytest.raises(KeyboardInterrupt):
            mirrored.sync()
    (half,) = mirrored.runs()
    assert half.info.status == "RUNNING"
    assert mirrored.sync() == report(continued=1)
    (run,) = mirrored.runs()
    assert (run.info.run_id, run.info.status) == (half.info.run_id, "FINISHED")
    assert mirrored.steps(run) == list(STEPS)
    assert len(mirrored.steps(run, "seconds")) == 1
    assert len(run.inputs.dataset_inputs) == 1


def test_partial_series_is_completed(mirrored):
    """Half the points in the store, with other times: only the others are added."""
    folder = mirrored.train()
    key = json.loads((folder / "run.json").read_text())["runs"][0]["key"]
    store = tracking.Store(mirrored.uri)
    experiment, _ = store.experiment("train")
    half = store.client.create_run(experiment, tags={"study.run_key": key}, run_name="qnn-lih-s0")
    for step in STEPS[:7]:
        store.client.log_metric(half.info.run_id, "train_loss_ev2", 1 / step, step=step)
    assert mirrored.sync() == report(continued=1)
    (run,) = mirrored.runs()
    assert run.info.run_id == half.info.run_id
    assert mirrored.steps(run) == list(STEPS)
    assert mirrored.steps(run, "validation_loss_ev2") == [step for step in STEPS if step % 20]


def test_long_series_are_thinned(mirrored):
    """A thousand rows leave about a hundred points, the last of them among these."""
    folder = mirrored.train()
    (series,) = {run["series"] for run in json.loads((folder / "run.json").read_text())["runs"]}
    rows = "".join(f"{step},{1 / step}\n" for step in range(1, 1001))
    (folder / series).write_text(f"step,train_loss_ev2\n{rows}", encoding="utf-8")
    mirrored.sync()
    steps = mirrored.steps(mirrored.runs()[0])
    assert 90 <= len(steps) <= 2 * CURVE_POINTS
    assert steps[-1] == 1000


def test_deleted_database_is_filled_again(mirrored):
    mirrored.invocation(status="success", seconds=60.0)
    mirrored.train()
    mirrored.sync()
    database = Path(mirrored.uri.removeprefix("sqlite:///"))
    open_elsewhere = sqlite3.connect(database)
    open_elsewhere.execute("create table other as select * from metrics")
    open_elsewhere.commit()
    assert database.with_name("mlflow.db-wal").stat().st_size, "a journal that must not be replayed"
    database.unlink()
    assert mirrored.sync() == report(created=2)
    assert "other" not in mirrored.rows()
    open_elsewhere.close()
    assert mirrored.steps(mirrored.runs()[0]) == list(STEPS)
    with sqlite3.connect(database) as connection:
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)


def test_deleted_experiment_is_restored(mirrored):
    mirrored.train()
    mirrored.sync()
    mirrored.client.delete_experiment(mirrored.client.get_experiment_by_name("qff/train").experiment_id)
    mirrored.sync()
    assert [run.info.status for run in mirrored.runs()] == ["FINISHED"]


def test_follow_shows_growing_curves(mirrored, capsys):
    """A half-written row is not read; the job's own record finishes the same run."""
    mirrored.invocation()
    folder = mirrored.curves(STEPS[:5], tail="60,0.01")
    write_json(folder / "live.json", mirrored.record(artifacts=["model.json"]).live())
    assert tracking.follow(mirrored.results, mirrored.uri, once=True)
    (live,) = mirrored.runs()
    assert live.info.status == "RUNNING"
    assert mirrored.steps(live) == [10, 20, 30, 40, 50]
    assert mirrored.runs("invocations")[0].info.status == "RUNNING"

    mirrored.curves(STEPS[:9])
    assert tracking.follow(mirrored.results, mirrored.uri, once=True)
    assert mirrored.steps(mirrored.runs()[0]) == list(STEPS[:9])
    assert mirrored.sync().created == 0, "a plain sync leaves running jobs alone"

    (folder / "model.json").write_text("{}")
    mirrored.curves()
    mirrored.record(metrics={"best_loss_ev2": 0.25}, artifacts=["model.json"]).write(folder / "run.json", [])
    (folder / "live.json").unlink()
    mirrored.invocation(status="success", seconds=60.0)
    assert tracking.follow(mirrored.results, mirrored.uri), "ends by itself, since the invocation has ended"
    (run,) = mirrored.runs()
    assert (run.info.run_id, run.info.status) == (live.info.run_id, "FINISHED")
    assert mirrored.steps(run) == list(STEPS)
    assert mirrored.runs("invocations")[0].info.status == "FINISHED"


def test_follow_ends_with_the_invocation(mirrored, monkeypatch):
    """What is written while it sleeps last is sent too."""
    mirrored.invocation()
    rounds = []

    def sleep(seconds):
        rounds.append(seconds)
        assert len(rounds) < 3, "did not notice the end"
        if len(rounds) == 2:
            mirrored.train()
            mirrored.invocation(status="failed", seconds=60.0)

    monkeypatch.setattr(tracking.time, "sleep", sleep)
    assert tracking.follow(mirrored.results, mirrored.uri, interval=2.5)
    assert rounds == [2.5, 2.5]
    assert mirrored.runs()[0].info.status == "FINISHED"
    assert mirrored.runs("invocations")[0].info.status == "FAILED"


def test_follow_forgives_files_that_vanish(mirrored):
    mirrored.train()
    folder = mirrored.results / "train" / "lih" / "nn"
    write_json(folder / "live.json", mirrored.record(series="gone.csv").live())
    (mirrored.results / "evaluate").mkdir()
    (mirrored.results / "evaluate" / "run.json").write_text("{")
    (marker := tracking.pending_marker(mirrored.results)).parent.mkdir()
    marker.touch()
    assert tracking.follow(mirrored.results, mirrored.uri, once=True)
    assert len(mirrored.runs()) == 1
    assert marker.exists(), "something may have been left out"
    mirrored.invocation(status="success", seconds=60.0)
    with pytest.raises(DataError, match=r"evaluate/run\.json"):
        tracking.follow(mirrored.results, mirrored.uri)  # the last sync forgives nothing


def test_invocation_that_was_killed(mirrored):
    mirrored.invocation("20250101T100000-a", "2025-01-01T10:00:00+00:00")
    mirrored.invocation("20250101T110000-b", "2025-01-01T11:00:00+00:00")
    mirrored.sync()
    assert {run.info.run_name: run.info.status for run in mirrored.runs("invocations")} == {
        "20250101T100000-a": "KILLED",
        "20250101T110000-b": "RUNNING",
    }


@pytest.mark.parametrize("name", ["../../secret", "/etc/hostname", "link"])
def test_artifact_outside_the_folder_is_refused(mirrored, name):
    folder = mirrored.train(artifacts=[name])
    (mirrored.results / "train" / "secret").write_text("secret")
    (folder / "link").symlink_to(mirrored.results / "train" / "secret")
    with pytest.raises(DataError, match=rf"{folder}/run.json: '{name}' leaves the record's folder"):
        mirrored.sync()
    assert mirrored.runs() == []


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
def test_bad_record_is_named(mirrored, file, text, message):
    folder = mirrored.train()
    path = folder / file
    path.write_text(path.read_text().replace("qff.run/1", "qff.run/0") if text is None else text)
    if text == "":
        path.unlink()
    with pytest.raises(DataError, match=message):
        mirrored.sync()
    assert not tracking.pending_marker(mirrored.results).exists()


def test_one_writer(mirrored, monkeypatch, capsys):
    mirrored.train()
    monkeypatch.setattr(tracking, "LOCK_SECONDS", 0)
    monkeypatch.setattr(tracking.time, "sleep", lambda _: None)
    with (mirrored.results.parent / ".tracking.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(tracking.StoreError, match="held by another process"):
            mirrored.sync()
    assert "waiting for another process" in capsys.readouterr().err
    assert mirrored.sync() == report(created=1)


def test_environment_names_the_store(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking.store_uri("sqlite:///a.db") == "sqlite:///a.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking")
    assert tracking.store_uri("sqlite:///a.db") == "http://tracking"


def test_command_line(mirrored, capsys):
    mirrored.train()
    mirrored.evaluate()
    assert tracking.main(["sync", str(mirrored.results), "--uri", mirrored.uri, "--stage", "train"]) == 0
    assert "1 new runs" in capsys.readouterr().out
    assert tracking.main(["follow", str(mirrored.results), "--uri", mirrored.uri, "--once"]) == 0
    assert len(mirrored.runs("evaluate")) == 1
    assert tracking.main(["pending", str(mirrored.results)]) == 1
    assert tracking.main(["sync", str(mirrored.results / "nowhere"), "--uri", mirrored.uri]) == 1
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

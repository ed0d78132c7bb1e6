"""The MLflow mirror when the store fails: the study goes on, and catches up."""

import socket
import sqlite3
import time
from pathlib import Path

import pytest
from mirrored_study import report
from qff import tracking


@pytest.fixture
def dead_server():
    """Address of a port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def damaged(mirrored):
    """Kinds of SQLite stores that cannot be used."""
    whole = Path(mirrored.uri.removeprefix("sqlite:///"))
    (garbage := whole.with_name("garbage.db")).write_text("not a database " * 100)
    (truncated := whole.with_name("truncated.db")).write_bytes(whole.read_bytes()[:50_000])
    return {"garbage": garbage, "truncated": truncated, "no folder": garbage / "mlflow.db"}


def assert_outage(mirrored, uri, capsys):
    """A failing store: False within seconds, a warning, a marker, and nothing else."""
    start = time.monotonic()
    assert tracking.sync_quietly(mirrored.results, uri, ["evaluate"]) is False
    assert time.monotonic() - start < 120  # MLflow by itself would try again for an hour
    warning = capsys.readouterr().err
    assert uri in warning
    assert "runs of evaluate" in warning
    assert "make sync" in warning
    assert uri in tracking.pending_marker(mirrored.results).read_text()
    assert tracking.main(["pending", str(mirrored.results)]) == 0


def test_dead_server_then_catching_up(mirrored, dead_server, capsys):
    """The sync of one stage after an outage also sends the stages that were missed."""
    mirrored.train()
    mirrored.evaluate()
    assert_outage(mirrored, dead_server, capsys)
    assert tracking.main(["sync", str(mirrored.results), "--uri", dead_server]) == 1
    assert tracking.sync_quietly(mirrored.results, mirrored.uri, ["evaluate"]) is True
    assert len(mirrored.runs("train")) == len(mirrored.runs("evaluate")) == 1
    assert not tracking.pending_marker(mirrored.results).exists()
    assert tracking.main(["pending", str(mirrored.results)]) == 1


@pytest.mark.parametrize("kind", ["garbage", "truncated", "no folder"])
def test_damaged_file(mirrored, damaged, kind, capsys):
    mirrored.evaluate()
    assert_outage(mirrored, f"sqlite:///{damaged[kind]}", capsys)
    assert mirrored.sync() == report(created=1)
    assert not tracking.pending_marker(mirrored.results).exists()


def test_read_only_file(mirrored, monkeypatch, capsys):
    """As SQLite reports it, whoever runs the test (root may write anywhere)."""
    mirrored.evaluate()
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **more: connect(f"file:{path}?mode=ro", uri=True, **more))
    assert_outage(mirrored, mirrored.uri, capsys)


def test_store_that_dies_half_way(mirrored, monkeypatch, capsys):
    mirrored.evaluate()
    monkeypatch.setattr(tracking.Store, "_log_files", lambda *_: sqlite3.connect("/nowhere/mlflow.db"))
    assert_outage(mirrored, mirrored.uri, capsys)
    monkeypatch.undo()
    assert mirrored.sync() == report(continued=1)


def test_errors_of_the_program_are_not_outages(mirrored, monkeypatch):
    mirrored.evaluate()
    monkeypatch.setattr(tracking.Store, "upsert", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tracking.sync_quietly(mirrored.results, mirrored.uri)


def test_follow_outlives_an_outage(mirrored, dead_server, monkeypatch):
    mirrored.invocation()
    mirrored.train()
    monkeypatch.setattr(tracking.time, "sleep", lambda _: mirrored.invocation(status="success", seconds=1.0))
    assert tracking.follow(mirrored.results, dead_server) is False
    assert mirrored.sync() == report(created=2)

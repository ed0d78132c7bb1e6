"""Several invocations that sync to one MLflow server, which is killed and restarted meanwhile: none lost, none doubled."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from qff.provenance import RunRecord
from qff.tracking import ENVIRONMENT, pending_marker

WRITERS, RUNS = 4, 100
pytestmark = [pytest.mark.operations, pytest.mark.timeout(0)]


class Server:
    """An MLflow server on a free port; its store outlives it."""

    def __init__(self, folder: Path, store: str):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder, self.store, self.process = folder, store, None
        self.uri = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        words = [
            "server",
            "--backend-store-uri",
            self.store,
            "--artifacts-destination",
            str(self.folder / "artifacts"),
        ]
        words += ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        log = open(self.folder / "server.log", "a")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *words], env=os.environ | ENVIRONMENT, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 600
        while True:
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=5)
                return
            except OSError:
                assert self.process.poll() is None, (self.folder / "server.log").read_text()[-3000:]
                assert time.monotonic() < deadline, "the server did not come up"
                time.sleep(0.5)

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def keys(self) -> list[tuple[str, str]]:
        """Key and status of all runs it holds."""
        from mlflow import MlflowClient

        client, found = MlflowClient(self.uri), []
        for experiment in client.search_experiments():
            token = ""
            while token is not None:
                page = client.search_runs([experiment.experiment_id], max_results=1000, page_token=token)
                found += [(run.data.tags["study.run_key"], run.info.status) for run in page]
                token = page.token or None
        return found


def write_study(folder: Path, writer: int) -> list[str]:
    """Records of a finished stage with many runs."""
    results, keys = folder / f"clone{writer}/results/study{writer}", []
    labels = folder / "labels.csv"
    labels.write_text("labels")
    for job in range(10):
        record = RunRecord("train", profile=f"study{writer}", code_digest="c0de", inputs=[str(labels)], system="lih")
        path = results / "train" / "lih" / f"model{job}"
        path.mkdir(parents=True)
        for seed in range(RUNS // 10):
            rows = "".join(f"{step},{1 / step}\n" for step in range(1, 51))
            (path / f"curves_s{seed}.csv").write_text("step,loss\n" + rows)
            record.add(f"m{job}-s{seed}", params={"seed": seed}, metrics={"error": 1.0}, series=f"curves_s{seed}.csv")
        record.write(path / "run.json", [])
        keys += [run["key"] for run in json.loads((path / "run.json").read_text())["runs"]]
    return keys


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_run_is_lost_or_doubled(tmp_path, kind):
    store = f"sqlite:///{tmp_path}/store.db" if kind == "sqlite" else os.environ.get("QFF_POSTGRESQL")
    if not store:
        pytest.skip(
            "QFF_POSTGRESQL holds no URI of an empty database (postgresql+psycopg2://user:password@host/name)"
        )
    server, keys = Server(tmp_path, store), []
    for writer in range(WRITERS):
        keys += write_study(tmp_path, writer)
    server.start()
    try:
        environment = os.environ | {"MLFLOW_TRACKING_URI": server.uri}

        def sync() -> list[subprocess.Popen]:
            return [
                subprocess.Popen(
                    [sys.executable, "-m", "qff.tracking", "sync", f"clone{w}/results/study{w}"],
                    cwd=tmp_path,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
                for w in range(WRITERS)
            ]

        for wanted in (RUNS // 4, 2 * RUNS):  # an outage early in the first round, and one in the midst of the second
            writers = sync()
            while len(server.keys()) < wanted and any(w.poll() is None for w in writers):
                time.sleep(0.2)
            server.kill()
            output = [w.communicate(timeout=1200)[0] for w in writers]
            assert any("the tracking store did not take" in text for text in output), output
            assert any(pending_marker(tmp_path / f"clone{w}/results/study{w}").exists() for w in range(WRITERS))
            server.start()
        for _ in range(20):  # a slow server may time out under four writers; nothing may be lost by that either
            last = sync()
            output = [w.communicate(timeout=1800)[0] for w in last]
            if not any(w.returncode for w in last):
                break
        assert [w.returncode for w in last] == [0] * WRITERS, output
        assert sum(int(n) for text in output for n in re.findall(r"(\d+) already there", text)) > 0
        assert not any(pending_marker(tmp_path / f"clone{w}/results/study{w}").exists() for w in range(WRITERS))
        found = server.keys()
        assert sorted(found) == sorted((key, "FINISHED") for key in keys)
        assert len(keys) == WRITERS * RUNS
    finally:
        server.kill()

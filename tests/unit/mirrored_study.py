"""What a small study leaves on disk, and what MLflow makes of it."""

import sqlite3
from pathlib import Path

from qff import tracking
from qff.provenance import RunRecord, write_json

INVOCATION = "20250101T100000-abc"
STEPS = range(10, 210, 10)


def report(created=0, continued=0, present=0):
    return tracking.SyncReport(created, continued, present)


class MirroredStudy:
    """A folder of results and a SQLite store beside it."""

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

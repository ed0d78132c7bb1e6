"""Fixtures that several of these files share."""

import shutil
from pathlib import Path

import pytest
from finished_study import report_of, study_folder
from mirrored_study import INVOCATION, MirroredStudy
from qff import publish, tracking
from qff.data import read_frames
from qff.dynamics import stationary
from qff.systems import System


@pytest.fixture
def results(tmp_path) -> Path:
    return study_folder(tmp_path / "results/study")


@pytest.fixture
def published(results, tmp_path) -> Path:
    """The record of a run that is like ``results``."""
    report_of(results, tmp_path / "none")
    publish.publish(results, tmp_path / "published")
    return tmp_path / "published"


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """A store without runs: creating one takes seconds, copying it does not."""
    database = tmp_path_factory.mktemp("store") / "mlflow.db"
    tracking.Store(f"sqlite:///{database}")
    return database


@pytest.fixture
def mirrored(tmp_path, empty_store, monkeypatch):
    monkeypatch.setenv("QFF_INVOCATION", INVOCATION)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return MirroredStudy(tmp_path)


@pytest.fixture(scope="session")
def places(study):
    """Fitted references of the molecules."""
    found = {}
    for name in ("h2o", "h3o"):
        config = study.systems[name]
        found[name] = stationary.landscape(System(name, config), read_frames(config.reference.frozen))
    return found


@pytest.fixture
def water(places):
    return places["h2o"]

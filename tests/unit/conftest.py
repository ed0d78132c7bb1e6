"""Fixtures that several of these files share."""

from pathlib import Path

import pytest
from finished_study import report_of, study_folder
from qff import publish


@pytest.fixture
def results(tmp_path) -> Path:
    return study_folder(tmp_path / "results/study")


@pytest.fixture
def published(results, tmp_path) -> Path:
    """The record of a run that is like ``results``."""
    report_of(results, tmp_path / "none")
    publish.publish(results, tmp_path / "published")
    return tmp_path / "published"

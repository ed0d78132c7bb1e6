"""The run crate of a small finished study: complete, and true to its files."""

import json
from pathlib import Path

import pytest
from qff import crate
from qff.errors import DataError
from qff.provenance import file_digest
from test_report import report_of, study_folder


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    """A finished study in a repository."""
    monkeypatch.chdir(tmp_path)
    for name in ("Snakefile", "requirements.lock", "config/config.yaml"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(f"# {name}\n")
    results = study_folder(tmp_path / "results/study")
    report_of(results, tmp_path / "none")
    return results


def test_a_crate_holds_the_run(study, tmp_path):
    pytest.importorskip("rocrate", reason="rocrate is not installed: make crate installs it")
    metadata = crate.write_crate(study, tmp_path / "crate")
    graph = {entity["@id"]: entity for entity in json.loads(metadata.read_text(encoding="utf-8"))["@graph"]}
    root = graph["./"]
    assert {c["@id"] for c in root["conformsTo"]} == set(crate.PROFILES)
    workflow = graph[root["mainEntity"]["@id"]]
    assert "ComputationalWorkflow" in workflow["@type"]
    (action,) = (e for e in graph.values() if e["@type"] == "CreateAction")
    assert action["instrument"] == {"@id": "Snakefile"}
    assert action["@id"] == "#20260101T000000-abc"
    results = {r["@id"] for r in action["result"]}
    assert {
        f"results/study/{n}" for n in ("claims.csv", "metrics.csv", "report.html", "train/lih/run.json")
    } <= results
    files = [e for e in graph.values() if "sha256" in e and e["@type"] == "File"]
    assert len(files) > 10
    for entity in files:
        assert file_digest(tmp_path / "crate" / entity["@id"]) == entity["sha256"]
    with pytest.raises(DataError, match="exists"):
        crate.write_crate(study, tmp_path / "crate")


def test_a_changed_result_is_refused(study, tmp_path):
    pytest.importorskip("rocrate", reason="rocrate is not installed: make crate installs it")
    (study / "claims.json").write_text("[]")
    with pytest.raises(DataError, match=r"claims\.json: missing, or changed"):
        crate.write_crate(study, tmp_path / "crate")
    assert not (tmp_path / "crate").exists()

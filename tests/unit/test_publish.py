"""The published record and the README's table, from small real tables."""

import json
from pathlib import Path

import pandas as pd
import pytest
from finished_study import report_of
from qff import publish, readme
from qff.errors import DataError
from qff.report.words import badge


def test_publish_copies_what_the_readme_quotes(results, published):
    names = {p.relative_to(published).as_posix() for p in published.rglob("*") if p.is_file()}
    assert names == {
        "claims.csv",
        "metrics.csv",
        "config.yaml",
        "versions.json",
        "runs.json",
        "figures/errors_lih.svg",
    }
    runs = json.loads((published / "runs.json").read_text(encoding="utf-8"))
    assert list(runs["stages"]) == list(publish.STAGES)
    assert str(results.parent) not in (published / "runs.json").read_text(encoding="utf-8")
    reference = published / "reference"
    reference.mkdir()
    (published / "figures/old.svg").touch()
    (published / ".new-killed").mkdir()
    publish.publish(results, published)  # replaces the old record, keeps what is not part of it
    assert reference.is_dir()
    assert {p.name for p in (published / "figures").iterdir()} == {"errors_lih.svg"}
    assert not list(published.glob(".new-*"))


@pytest.mark.parametrize(
    "missing", ["claims.csv", "metrics.csv", "report.html", "config.yaml", "figures", "run.json"]
)
def test_publish_refuses_an_incomplete_study(results, tmp_path, missing, capsys):
    report_of(results, tmp_path / "none")
    (results / missing).rename(tmp_path / "elsewhere")
    assert publish.main([str(results), str(tmp_path / "published")]) == 1
    assert missing in capsys.readouterr().err
    assert not (tmp_path / "published").exists()


def test_publish_refuses_a_running_or_edited_study(results, tmp_path):
    report_of(results, tmp_path / "none")
    (results / "train/lih/live.json").touch()
    with pytest.raises(DataError, match="still training"):
        publish.publish(results, tmp_path / "published")
    (results / "train/lih/live.json").unlink()
    claims = pd.read_csv(results / "claims.csv").assign(verdict="reproduced")
    claims.to_csv(results / "claims.csv", index=False)
    with pytest.raises(DataError, match="changed since"):
        publish.publish(results, tmp_path / "published")
    (results / "capacity/lih/run.json").unlink()  # no models asked for: nothing is missing
    (results / "train/lih/run.json").unlink()
    with pytest.raises(DataError, match="no run record of train"):
        publish.publish(results, tmp_path / "published")


def test_readme_table_follows_the_record(published, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(readme, "CLAIMS", published / "claims.csv")
    Path("README.md").write_text(f"# Study\n\n{readme.BEGIN}\n{readme.END}\n\nMore.\n", encoding="utf-8")
    assert readme.main(["--check"]) == 1
    assert "make docs" in capsys.readouterr().err
    assert readme.main([]) == 0
    assert readme.main(["--check"]) == 0
    text = Path("README.md").read_text(encoding="utf-8")
    assert text.startswith("# Study")
    assert text.endswith("More.\n")
    assert next(line for line in text.splitlines() if "| The QNN beats" in line).count("ratio") == 1
    claims = pd.read_csv(published / "claims.csv")
    claims.loc[0, ["measure_verdict", "verdict"]] = "inconclusive"
    claims.to_csv(published / "claims.csv", index=False)
    assert readme.main(["--check"]) == 1


def test_readme_table_has_the_verdict_of_an_overlay_where_the_study_has_none(published):
    claims = pd.read_csv(published / "claims.csv")
    overlay = published / "ablations"
    (overlay / "figures").mkdir(parents=True)
    claims.to_csv(overlay / "claims.csv", index=False)
    assert "`ablations`" not in readme.block(published / "claims.csv")
    claim, verdict = claims.loc[claims.verdict != "not_tested", ["claim_id", "verdict"]].iloc[0]
    claims.loc[claims.claim_id == claim, ["measure_verdict", "verdict"]] = "not_tested"
    claims.to_csv(published / "claims.csv", index=False)
    (row,) = (line for line in readme.block(published / "claims.csv").splitlines() if "`ablations`" in line)
    assert badge(verdict) in row
    claims[claims.claim_id != claim].to_csv(published / "claims.csv", index=False)
    assert readme.block(published / "claims.csv").splitlines()[-1] == row


def test_readme_without_markers_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("README.md").write_text("# Study\n", encoding="utf-8")
    assert readme.main([]) == 1
    assert readme.BEGIN in capsys.readouterr().err

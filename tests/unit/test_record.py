"""The published record against itself, and two runs against each other."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from qff import compare, verify
from qff.report.published import read_numbers

ROOT = Path(__file__).resolve().parents[2]
IMPORTED = Path("results/published/imported")


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def record(tmp_path) -> Path:
    """A copy of a published record, to be tampered with."""
    return Path(shutil.copytree(IMPORTED, tmp_path / "record"))


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    "folder", sorted(p.parent.relative_to(ROOT) for p in ROOT.glob("results/published/**/claims.csv"))
)
def test_the_committed_records_are_consistent(folder, capsys):
    assert verify.main([str(folder)]) == 0, capsys.readouterr().err


def test_a_changed_missing_or_added_file_is_found(record):
    rewrite(record / "config.yaml", "seeds: ", "seeds:  ")
    next((record / "figures").iterdir()).unlink()
    (record / "figures/more.svg").touch()
    found = " ".join(verify.check_digests(record))
    assert "config.yaml: not the file" in found
    assert ": missing" in found
    assert "more.svg: not in runs.json" in found


def test_a_claim_that_does_not_follow_from_the_numbers_is_found(record):
    """One cell of four measures each."""
    claims = pd.read_csv(record / "claims.csv")
    rows = claims.index[claims.ours.notna() & (claims.measure_verdict == "not_reproduced")]
    changed = dict(zip(("ours", "ci_high", "measure_verdict", "rule"), rows, strict=False))
    assert len(changed) == 4
    for column, row in changed.items():
        value = claims.loc[row, column]
        claims.loc[row, column] = value * (1 + 1e-6) if isinstance(value, float) else "reproduced"
    claims.to_csv(record / "claims.csv", index=False)
    found = verify.check_verdicts(record)
    expected = [f"{claims.claim_id[row]}, {claims.measure[row]}: {column} " for column, row in changed.items()]
    assert len(found) == 4
    assert all(any(line.startswith(start) for line in found) for start in expected)


def test_a_number_that_is_not_the_one_of_its_run_is_found(record):
    numbers = pd.read_csv(record / "metrics.csv")
    own = (numbers.quantity == "force_rmse") & (numbers.split == "test") & numbers.variant.isna()
    row = numbers.index[own & (numbers.model == "qnn")][0]
    numbers.loc[row, "value"] *= 1.0001
    numbers.to_csv(record / "metrics.csv", index=False)
    (line,) = verify.check_runs(record)
    assert line.startswith("qnn-h2o_kiss-s")
    assert "force_rmse" in line


def test_a_verdict_that_is_not_the_one_of_its_run_is_found(record):
    runs = json.loads((record / "runs.json").read_text(encoding="utf-8"))
    run = runs["stages"]["claims"][0]["runs"].pop()
    runs["stages"]["claims"][0]["runs"][0]["params"]["verdict"] = "changed"
    (record / "runs.json").write_text(json.dumps(runs), encoding="utf-8")
    found = verify.check_runs(record)
    assert any("its run says changed" in line for line in found)
    assert f"{run['name']}: a verdict without a run" in found


def test_labels_that_nobody_computed_are_found(tmp_path):
    record = Path(shutil.copytree("results/published", tmp_path / "published"))
    rewrite(record / "reference/lih.extxyz", "energy=", "energy= ")
    (line,) = verify.check_labels(record)
    assert "lih.extxyz: not the file that lih.json describes" in line
    (record / "reference/h2o.extxyz").unlink()
    assert any("h2o.extxyz: missing" in line for line in verify.check_labels(record))


def test_an_unreadable_record_fails_with_a_remedy(tmp_path, capsys):
    assert verify.main([str(tmp_path)]) == 1
    assert "restore it with git" in capsys.readouterr().err


def test_every_number_of_two_runs_gets_a_verdict():
    a = read_numbers(IMPORTED / "metrics.csv")
    lowest = a.groupby(compare.KEY).value.transform("min")
    b = a.assign(value=a.value.where(a.model != "nn", lowest * 0.5))
    b["value"] = b.value.where(b.model != "qnn", a.value * (1 + 1e-6))
    b = pd.concat([b[b.model != "kernel"], b[b.model == "kernel"].assign(model="another")])
    table = compare.drifts(a, b)
    assert set(table.verdict) == set(compare.VERDICTS)
    verdicts = table.groupby("model").verdict.agg(set)
    assert verdicts["kernel"] == {"only in A"}
    assert verdicts["another"] == {"only in B"}
    errors = table[(table.quantity == "energy_rmse") & (table.split == "test")].set_index(["model", "variant"])
    assert errors.verdict["nn", ""] == "outside seeds"
    assert errors.verdict["qnn", ""] == "within seeds"
    assert errors.verdict["nn_biased", ""] == "identical"
    row = errors.loc["nn", ""]
    assert row.drift == pytest.approx(row.b - row.a)
    assert len(table) == len(table[compare.KEY].drop_duplicates())


def test_a_comparison_is_printed_and_can_fail(record, tmp_path, capsys):
    words = [str(IMPORTED), str(record), "--strict", "--table", str(tmp_path / "drifts.csv")]
    assert compare.main(words) == 0
    text = capsys.readouterr().out
    assert "Verdicts that differ: 0 of" in text
    assert re.search(r"\| all \| \d+ \| 0 \| 0 \| 0 \| 0 \|", text)
    assert set(pd.read_csv(tmp_path / "drifts.csv").verdict) == {"identical"}
    claims = pd.read_csv(record / "claims.csv")
    claims["verdict"] = claims.verdict.replace("not_reproduced", "reproduced")
    claims.to_csv(record / "claims.csv", index=False)
    rewrite(record / "config.yaml", "seed: ", "seed: 1")
    assert compare.main(words) == 1
    text = capsys.readouterr().out
    assert ": not_reproduced → reproduced" in text
    assert re.search(r"^  seed: \d+ → 1\d+$", text, re.MULTILINE)
    assert compare.main([str(IMPORTED), str(tmp_path)]) == 1
    assert "no run to compare" in capsys.readouterr().err

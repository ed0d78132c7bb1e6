"""What the clock says is a table of its own: claims are judged from it, and nothing else changes with it."""

import json

import pandas as pd
import pytest
import yaml
from qff import publish, verify
from qff.errors import DataError
from qff.metrics import METRIC_COLUMNS, metric_rows, metric_table
from qff.provenance import write_csv
from qff.report.published import judged_numbers
from qff.stages.claims import collect_metrics, judge_claims
from test_report import report_of, study_folder

CLAIM = {
    "source": "a paper",
    "statement": "The cost is linear.",
    "system": "lgps",
    "published": "linear",
    "evidence": "materials_lgps",
    "measures": [{"label": "exponent", "quantity": "cost_exponent", "model": "hybrid", "at_most": 1.1}],
}
CONTEXT = {"profile": "study", "seed": 1, "code_digest": "0" * 16}


def timings(value: float) -> pd.DataFrame:
    """An exponent with its interval."""
    rows = []
    for variant, of in (("", value), ("_low", value - 0.05), ("_high", value + 0.05)):
        rows += metric_rows({"cost_exponent": ("1", of)}, system="lgps", model="hybrid", variant=variant)
    return metric_table(rows)


@pytest.fixture
def judged(tmp_path):
    """Folder of a study whose only claim rests on timings."""
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump({"hybrid.cost": CLAIM}), encoding="utf-8")
    write_csv(tmp_path / "parts.csv", metric_table(metric_rows({"n": ("1", 3)}, system="lgps", model="hybrid")))
    write_csv(tmp_path / "cost.csv", timings(1.0))
    for name, parts in (("metrics", ["parts"]), ("timings", ["cost"])):
        paths = [str(tmp_path / f"{part}.csv") for part in parts]
        collect_metrics(metrics_paths=paths, table_path=str(tmp_path / f"{name}.csv"))
    files = {"metrics": "metrics.csv", "timings": "timings.csv", "claims": "claims.yaml", "table": "claims.csv"}
    paths = {f"{name}_path": str(tmp_path / file) for name, file in files.items()}
    judge_claims(
        context=CONTEXT, systems=["lgps"], stand_ins={}, json_path=str(tmp_path / "claims.json"),
        run_path=str(tmp_path / "run.json"), **paths,
    )  # fmt: skip
    return tmp_path


def test_without_timings_their_table_has_a_head_only(tmp_path):
    collect_metrics(metrics_paths=[], table_path=str(tmp_path / "timings.csv"))
    assert (tmp_path / "timings.csv").read_text(encoding="utf-8").split() == [",".join(METRIC_COLUMNS)]


def test_claims_are_judged_from_them(judged):
    assert pd.read_csv(judged / "claims.csv").verdict.tolist() == ["reproduced"]
    inputs = json.loads((judged / "run.json").read_text(encoding="utf-8"))["inputs"]
    assert any(path.endswith("timings.csv") for path in inputs)
    assert set(judged_numbers(judged).quantity) == {"n", "cost_exponent"}
    assert set(pd.read_csv(judged / "metrics.csv").quantity) == {"n"}


def test_the_record_must_hold_what_was_judged(judged):
    assert verify.check_verdicts(judged, judged / "claims.yaml") == []
    write_csv(judged / "timings.csv", timings(1.3))
    found = verify.check_verdicts(judged, judged / "claims.yaml")
    assert any("verdict reproduced recorded, not_reproduced judged" in line for line in found)
    (judged / "timings.csv").unlink()
    assert any("not_tested judged" in line for line in verify.check_verdicts(judged, judged / "claims.yaml"))


def test_timings_that_nobody_judged_are_not_published(tmp_path):
    results = study_folder(tmp_path / "results/study")
    report_of(results, tmp_path / "none")
    write_csv(results / "timings.csv", timings(1.0))
    with pytest.raises(DataError, match=r"timings\.csv: changed since the claims were judged"):
        publish.publish(results, tmp_path / "published")

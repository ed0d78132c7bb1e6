"""A results folder as the workflow leaves it, small, and its report."""

from pathlib import Path

import pandas as pd
import yaml
from qff import publish
from qff.config import Config
from qff.figures import style
from qff.figures.errors import errors_figure
from qff.metrics import metric_rows, metric_table
from qff.provenance import RunRecord, write_csv, write_json
from qff.stages.claims import judge_claims
from qff.stages.report import build_report

LABELS = {"qnn": "QNN", "nn": "NN <b>bold</b>"}
SHOWN = {"lih": {"comparison": list(LABELS), "optimiser": [], "choice": []}}
TRAINED = {"optimiser": "levenberg_marquardt", "steps": 3000, "force_weight": 1.0, "seed": 0}
CLAIMS = {
    "kiss.lih.energy": {
        "source": "Kiss et al. 2022, slides; doi 10.1088/2632-2153/ac7d3c",
        "statement": "The QNN learns E(r) & F < 0.",
        "system": "lih",
        "published": "<script>alert(1)</script>",
        "evidence": "errors_lih",
        "measures": [{"label": "energy RMSE (meV)", "quantity": "energy_rmse", "split": "test", "model": "qnn", "at_most": 2.0}],
    },
    "kiss.lih.better": {
        "source": "Kiss et al. 2022",
        "statement": "The QNN beats the network.",
        "system": "lih",
        "published": "none",
        "evidence": "absent_figure",
        "measures": [
            {"label": "first", "quantity": "energy_rmse", "split": "test", "model": "qnn", "at_most": 2.0},
            {"label": "ratio", "quantity": "energy_rmse", "split": "test", "model": "qnn", "against": "nn", "combine": "ratio", "at_most": 0.5},
        ],
    },
    "kiss.h2o.energy": {
        "source": "Kiss et al. 2022",
        "statement": "A system that this run does not hold.",
        "system": "h2o",
        "published": "0.005 eV",
        "evidence": "errors_h2o",
        "measures": [{"label": "RMSE", "quantity": "energy_rmse", "split": "test", "model": "qnn", "at_most": 10.0}],
    },
}  # fmt: skip
VERDICT_OF = {"kiss.lih.energy": "reproduced", "kiss.lih.better": "not_reproduced", "kiss.h2o.energy": "not_tested"}


def config(**changes) -> dict:
    values = {"profile": "study", "seed": 1, "seeds": 3, "systems": ["lih"], "models": list(LABELS), **changes}
    return Config.model_validate(values).model_dump(mode="json")


def table_of_numbers(scale: float = 1.0) -> pd.DataFrame:
    rows = []
    for model, level in (("qnn", 1.0 * scale), ("nn", 1.0)):
        for seed, factor in enumerate((0.9, 1.0, 1.1)):
            for split in ("train", "test"):
                found = {
                    "energy_rmse": ("meV", level * factor),
                    "energy_mae": ("meV", 0.7 * level * factor),
                    "force_rmse": ("eV/Ang", 0.01 * level * factor),
                    "force_mae": ("eV/Ang", 0.007 * level * factor),
                }
                rows += metric_rows(found, system="lih", model=model, n_train=80, seed=seed, split=split)
        rows += metric_rows({"n_parameters": ("1", 50)}, system="lih", model=model)
    return metric_table(rows)


def study_folder(results: Path, scale: float = 1.0) -> Path:
    """A results folder as the workflow leaves it, without pictures it cannot draw from so little."""
    context = {"profile": "study", "seed": 1, "code_digest": "0123456789abcdef"}
    results.mkdir(parents=True)
    write_csv(results / "metrics.csv", table_of_numbers(scale))
    (results / "claims.yaml").write_text(yaml.safe_dump(CLAIMS), encoding="utf-8")
    for stage in publish.STAGES[:-1]:
        record = RunRecord(
            stage, profile="study", code_digest="0123456789abcdef", inputs=[str(results / "claims.yaml")]
        )
        for model in LABELS if stage == "train" else [""]:
            params, metrics = (TRAINED, {"training_seconds": 120.0}) if model else ({"n": 1}, {"n_frames": 160})
            record.add(f"{stage}-{model}-lih", params=params, metrics=metrics, system="lih", model=model)
        record.write(results / stage / "lih/run.json", [])
    judge_claims(
        context=context,
        systems=["lih", "h2o"],
        stand_ins={},
        claims_path=str(results / "claims.yaml"),
        metrics_path=str(results / "metrics.csv"),
        table_path=str(results / "claims.csv"),
        json_path=str(results / "claims.json"),
        run_path=str(results / "run.json"),
    )
    intervals = (
        table_of_numbers(scale)
        .query("split == 'test'")
        .assign(low=lambda t: 0.9 * t.value, high=lambda t: 1.1 * t.value)
    )
    figure = errors_figure(table_of_numbers(scale), intervals.drop(columns="value"), style.looks(LABELS))
    style.save(figure, results / "figures/errors_lih.svg", results / "figures/errors_lih.png")
    tsv = results / "benchmarks/train_model/lih_qnn.tsv"
    tsv.parent.mkdir(parents=True)
    tsv.write_text("s\th:m:s\tmax_rss\tcpu_time\n12.5\t0:00:12\t300.25\tNA\n", encoding="utf-8")
    start = {"id": "20260101T000000-abc", "started": "2026-01-01", "git": {"commit": None, "dirty": None}}
    write_json(results / "invocations/1.json", {**start, "command": "/home/someone/.venv/bin/snakemake --cores 2"})
    return results


def report_of(results: Path, published: Path, shown: dict | None = None, **changes) -> str:
    build_report(
        config=config(**changes),
        systems={"lih": "LiH"},
        judged={},
        models=LABELS,
        shown=shown or SHOWN,
        captions={"errors": "A caption with <angle brackets>."},
        results_path=str(results),
        published_path=str(published),
        choices_path=str(results / "choices.md"),
        report_path=str(results / "report.html"),
        config_path=str(results / "config.yaml"),
    )
    return (results / "report.html").read_text(encoding="utf-8")

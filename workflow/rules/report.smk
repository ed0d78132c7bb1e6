"""The report: one page that holds figures, verdicts, numbers and provenance."""

from pathlib import Path
from types import SimpleNamespace

TRACKED = [
    path
    for path in (
        "docs/choices.md",
        "docs/experience.md",
        *(f"results/published/{name}" for name in ("claims.csv", "metrics.csv", "config.yaml")),
        # Of overlays: what judges claims that the study leaves untested, and the figures of it.
        *(
            str(path)
            for name in ("claims.csv", "config.yaml", "figures/*.svg")
            for path in sorted(Path("results/published").glob(f"*/{name}"))
        ),
    )
    if Path(path).is_file()
]


PAGE = [
    p for p in Path(workflow.basedir, "workflow/qff/report").iterdir() if p.suffix in {".html", ".css", ".js"}
]


CAPTIONS = {
    kind: Path(workflow.basedir, "workflow", "report", f"{kind}.rst").read_text(encoding="utf-8").strip()
    for kind in KINDS
}


rule build_report:
    """One self-contained HTML file. Benchmarks and invocations are read as far as they exist."""
    input:
        claims=f"{RESULTS}/claims.csv",
        metrics=f"{RESULTS}/metrics.csv",
        timings=f"{RESULTS}/timings.csv",
        figures=[f"{FIGURES}/{kind}_{s}.svg" for kind, systems in KINDS.items() for s in systems],
        fits=expand(f"{RESULTS}/scaling/{{s}}/fits.csv", s=SCALED),
        records=lambda w: [r for stage in STAGES for r in records_of(SimpleNamespace(stage=stage))],
        tracked=ancient(TRACKED),
    output:
        report=report(f"{RESULTS}/report.html", caption="../report/report.rst", category="Report"),
        config=f"{RESULTS}/config.yaml",
    log:
        f"{RESULTS}/logs/build_report.log",
    benchmark:
        f"{RESULTS}/benchmarks/build_report.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.report"),
        config=CONFIG.model_dump(mode="json"),
        systems={name: STUDY.systems[name].label for name in STUDIED}
        | {name: CONFIG.materials.sets[name].label for name in MATERIALS}
        | BOUND,
        judged={name: entry.label for name, entry in STUDY.systems.items()},
        models=LABELS,
        shown={name: {role: shown(name, role) for role in ERRORS.values()} for name in STUDIED}
        | {name: {role: [] for role in ERRORS.values()} for name in (*MATERIALS, *BOUND)},
        captions=CAPTIONS,
        tracked={
            path: tracked_digest(path)
            for path in (*TRACKED, *sorted(f"workflow/qff/report/{p.name}" for p in PAGE))
        },
    script:
        "../scripts/build_report.py"

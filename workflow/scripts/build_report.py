"""The report."""

from pathlib import Path

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.report import build_report

    build_report(
        config=snakemake.params.config,
        systems=snakemake.params.systems,
        judged=snakemake.params.judged,
        models=snakemake.params.models,
        shown=snakemake.params.shown,
        captions=snakemake.params.captions,
        results_path=str(Path(snakemake.output.report).parent),
        published_path="results/published",
        choices_path="docs/choices.md",
        experience_path="docs/experience.md",
        report_path=snakemake.output.report,
        config_path=snakemake.output.config,
    )

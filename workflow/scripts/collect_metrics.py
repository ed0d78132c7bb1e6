"""Join the tables of numbers."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.claims import collect_metrics

    collect_metrics(
        metrics_paths=list(snakemake.input.metrics),
        table_path=snakemake.output.table,
    )

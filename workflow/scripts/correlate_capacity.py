"""Rank correlation of effective dimension and test error."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.correlation import correlate_capacity

    correlate_capacity(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        metrics_paths=list(snakemake.input.metrics),
        table_path=snakemake.output.metrics,
        correlations_path=snakemake.output.correlations,
        run_path=snakemake.output.run,
    )

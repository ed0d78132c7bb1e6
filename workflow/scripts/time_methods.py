"""Wall time of the methods."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.timing import time_methods

    time_methods(
        context=snakemake.params.context,
        settings=snakemake.params.settings,
        models=snakemake.params.models,
        table_path=snakemake.output.table,
        metrics_path=snakemake.output.metrics,
        run_path=snakemake.output.run,
    )

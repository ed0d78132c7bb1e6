"""Table 1 of the architecture draft."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.table_one import compare_methods

    compare_methods(
        context=snakemake.params.context,
        cells_path=snakemake.input.cells,
        metrics_paths=list(snakemake.input.metrics),
        table_path=snakemake.output.table,
        metrics_path=snakemake.output.metrics,
        run_path=snakemake.output.run,
    )

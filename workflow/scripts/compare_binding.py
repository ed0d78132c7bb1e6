"""Interaction energies of the binding case."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.binding import compare_binding

    compare_binding(
        context=snakemake.params.context,
        structure_path=snakemake.input.structure,
        frozen_path=snakemake.input.frozen,
        table_path=snakemake.output.table,
        metrics_path=snakemake.output.metrics,
        run_path=snakemake.output.run,
    )

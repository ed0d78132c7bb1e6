"""VQE along a bond."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.vqe import solve_vqe

    solve_vqe(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        settings=snakemake.params.settings,
        table_path=snakemake.output.table,
        metrics_path=snakemake.output.metrics,
        run_path=snakemake.output.run,
    )

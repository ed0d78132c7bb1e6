"""VQE of the kinds of bonds."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.vqe import solve_bonds

    solve_bonds(
        context=snakemake.params.context,
        settings=snakemake.params.settings,
        table_path=snakemake.output.table,
        run_path=snakemake.output.run,
    )

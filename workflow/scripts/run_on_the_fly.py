"""Dynamics of the reference."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.dynamics import run_on_the_fly

    run_on_the_fly(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        settings=snakemake.params.settings,
        labels_path=snakemake.input.labels,
        trajectory_path=snakemake.output.trajectory,
        metrics_path=snakemake.output.metrics,
        run_path=snakemake.output.run,
    )

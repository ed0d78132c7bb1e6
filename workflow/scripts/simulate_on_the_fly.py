"""Short dynamics of a molecule with the reference method."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.molecules import simulate_on_the_fly

    simulate_on_the_fly(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        settings=snakemake.params.settings,
        seeds=snakemake.params.seeds,
        labels_path=snakemake.input.labels,
        trajectory_path=snakemake.output.trajectory,
        metrics_path=snakemake.output.metrics,
        run_path=snakemake.output.run,
    )

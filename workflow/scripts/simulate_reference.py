"""Dynamics of the fitted reference of a molecule."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.molecules import simulate_reference

    simulate_reference(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        settings=snakemake.params.settings,
        seeds=snakemake.params.seeds,
        labels_path=snakemake.input.labels,
        trajectory_path=snakemake.output.trajectory,
        spectrum_path=snakemake.output.spectrum,
        energy_path=snakemake.output.energy,
        inversion_path=snakemake.output.inversion,
        metrics_path=snakemake.output.metrics,
        run_path=snakemake.output.run,
    )

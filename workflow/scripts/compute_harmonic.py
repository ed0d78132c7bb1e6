"""Vibrations and barrier of the reference method."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.molecules import compute_harmonic

    compute_harmonic(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        labels_path=snakemake.input.labels,
        metrics_path=snakemake.output.metrics,
        run_path=snakemake.output.run,
    )

"""Dynamics of all seeds of a model of a molecule."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.molecules import simulate_model

    simulate_model(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        settings=snakemake.params.settings,
        labels_path=snakemake.input.labels,
        reference_path=snakemake.input.reference,
        reference_metrics_path=snakemake.input.reference_metrics,
        harmonic_path=snakemake.input.harmonic,
        model_paths=list(snakemake.input.models),
        trajectory_path=snakemake.output.trajectory,
        spectrum_path=snakemake.output.spectrum,
        energy_path=snakemake.output.energy,
        inversion_path=snakemake.output.inversion,
        metrics_path=snakemake.output.metrics,
        run_path=snakemake.output.run,
    )

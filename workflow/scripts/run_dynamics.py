"""Dynamics of all seeds of a model."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.dynamics import run_dynamics

    run_dynamics(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        settings=snakemake.params.settings,
        labels_path=snakemake.input.labels,
        reference_path=snakemake.input.reference,
        model_paths=list(snakemake.input.models),
        trajectory_path=snakemake.output.trajectory,
        metrics_path=snakemake.output.metrics,
        run_path=snakemake.output.run,
    )

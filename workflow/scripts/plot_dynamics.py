"""Picture of the molecular dynamics."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.plots.dynamics import plot_dynamics

    plot_dynamics(
        labels=snakemake.params.labels,
        models=snakemake.params.models,
        reference_path=snakemake.input.reference,
        reference_metrics_path=snakemake.input.reference_metrics,
        on_the_fly_path=snakemake.input.on_the_fly,
        trajectory_paths=list(snakemake.input.trajectories),
        svg_path=snakemake.output.svg,
        png_path=snakemake.output.png,
    )

"""Picture of the inversion of a molecule."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.plots.molecules import plot_inversion

    plot_inversion(
        labels=snakemake.params.labels,
        models=snakemake.params.models,
        inversion_paths=list(snakemake.input.inversions),
        trajectory_paths=list(snakemake.input.trajectories),
        metrics_paths=list(snakemake.input.metrics),
        svg_path=snakemake.output.svg,
        png_path=snakemake.output.png,
    )

"""Picture of the loss curves."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.plots.training import plot_training

    plot_training(
        labels=snakemake.params.labels,
        models=snakemake.params.models,
        curves_paths=list(snakemake.input.curves),
        svg_path=snakemake.output.svg,
        png_path=snakemake.output.png,
    )

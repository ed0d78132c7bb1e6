"""Picture of the residuals."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.plots.parity import plot_parity

    plot_parity(
        labels=snakemake.params.labels,
        models=snakemake.params.models,
        predictions_paths=list(snakemake.input.predictions),
        svg_path=snakemake.output.svg,
        png_path=snakemake.output.png,
    )

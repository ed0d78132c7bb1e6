"""Picture of the errors during training, by optimiser."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.plots.optimisers import plot_optimisers

    plot_optimisers(
        labels=snakemake.params.labels,
        models=snakemake.params.models,
        curves_paths=list(snakemake.input.curves),
        run_paths=list(snakemake.input.runs),
        svg_path=snakemake.output.svg,
        png_path=snakemake.output.png,
    )

"""Picture of the test errors."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.plots.errors import plot_errors

    plot_errors(
        labels=snakemake.params.labels,
        metrics_paths=list(snakemake.input.metrics),
        intervals_paths=list(snakemake.input.intervals),
        svg_path=snakemake.output.svg,
        png_path=snakemake.output.png,
    )

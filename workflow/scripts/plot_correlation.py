"""Picture of test error against effective dimension."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.plots.correlation import plot_correlation

    plot_correlation(
        labels=snakemake.params.labels,
        settings=snakemake.params.settings,
        metrics_paths=list(snakemake.input.metrics),
        correlations_path=snakemake.input.correlations,
        svg_path=snakemake.output.svg,
        png_path=snakemake.output.png,
    )

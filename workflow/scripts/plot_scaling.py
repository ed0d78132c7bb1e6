"""Picture of the learning curves."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.plots.scaling import plot_scaling

    plot_scaling(
        labels=snakemake.params.labels,
        anchors=snakemake.params.anchors,
        metrics_path=snakemake.input.metrics,
        fits_path=snakemake.input.fits,
        svg_path=snakemake.output.svg,
        png_path=snakemake.output.png,
    )

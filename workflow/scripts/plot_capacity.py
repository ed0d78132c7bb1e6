"""Pictures of the effective dimension and the Fisher spectra."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.plots.capacity import plot_capacity

    plot_capacity(
        labels=snakemake.params.labels,
        settings=snakemake.params.settings,
        metrics_paths=list(snakemake.input.metrics),
        spectra_paths=list(snakemake.input.spectra),
        dimension_svg_path=snakemake.output.dimension_svg,
        dimension_png_path=snakemake.output.dimension_png,
        spectrum_svg_path=snakemake.output.spectrum_svg,
        spectrum_png_path=snakemake.output.spectrum_png,
    )

"""Picture of the reference curve."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.plots.reference import plot_reference

    plot_reference(
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        labels_path=snakemake.input.labels,
        fci_path=snakemake.input.fci,
        svg_path=snakemake.output.svg,
        png_path=snakemake.output.png,
    )

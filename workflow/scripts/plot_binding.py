"""Picture of the binding case."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.plots.hybrid import plot_binding

    plot_binding(
        table_path=snakemake.input.table,
        svg_path=snakemake.output.svg,
        png_path=snakemake.output.png,
    )

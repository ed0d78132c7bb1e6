"""Picture of VQE along a bond."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.plots.hybrid import plot_vqe

    plot_vqe(
        table_path=snakemake.input.table,
        svg_path=snakemake.output.svg,
        png_path=snakemake.output.png,
    )

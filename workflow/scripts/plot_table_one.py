"""Picture of a row of the draft's Table 1."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.plots.hybrid import plot_table_one

    plot_table_one(
        system=snakemake.wildcards.system,
        cells_path=snakemake.input.cells,
        table_path=snakemake.input.table,
        svg_path=snakemake.output.svg,
        png_path=snakemake.output.png,
    )

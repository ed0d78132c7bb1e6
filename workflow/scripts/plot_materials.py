"""Picture of the dynamics of a periodic set."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.plots.materials import plot_materials

    plot_materials(
        rdf_path=snakemake.input.rdf,
        msd_path=snakemake.input.msd,
        svg_path=snakemake.output.svg,
        png_path=snakemake.output.png,
    )

"""A trajectory whose frames are to be labelled."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.reference import sample_geometries

    sample_geometries(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        number=int(snakemake.wildcards.n),
        output_path=snakemake.output.geometries,
    )

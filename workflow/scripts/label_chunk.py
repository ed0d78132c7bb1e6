"""Reference labels of a share of the geometries."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.reference import label_chunk

    label_chunk(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        chunk=int(snakemake.wildcards.n),
        chunks=snakemake.params.chunks,
        trajectory_paths=list(snakemake.input.trajectories),
        output_path=snakemake.output.labels,
    )

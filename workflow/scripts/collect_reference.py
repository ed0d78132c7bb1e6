"""Join recomputed reference labels."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.reference import collect_reference

    collect_reference(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        chunk_paths=list(snakemake.input.chunks),
        labels_path=snakemake.output.labels,
        recheck_path=snakemake.output.recheck,
        run_path=snakemake.output.run,
    )

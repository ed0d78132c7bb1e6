"""Convert a set that others published to labels."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.reference import import_set

    import_set(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        file_paths=list(snakemake.input.files),
        labels_path=snakemake.output.labels,
        recheck_path=snakemake.output.recheck,
        run_path=snakemake.output.run,
    )

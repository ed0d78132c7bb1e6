"""Check frozen reference labels and recompute a sample."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.reference import import_reference

    import_reference(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        reference=snakemake.params.reference,
        frozen_path=snakemake.input.labels,
        labels_path=snakemake.output.labels,
        recheck_path=snakemake.output.recheck,
        run_path=snakemake.output.run,
    )

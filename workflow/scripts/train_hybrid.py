"""End-to-end training of the hybrid."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.hybrid import train_hybrid

    train_hybrid(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        training=snakemake.params.training,
        labels_path=snakemake.input.labels,
        splits_path=snakemake.input.splits,
        initial_paths=list(snakemake.input.models),
        model_paths=list(snakemake.output.models),
        curves_path=snakemake.output.curves,
        run_path=snakemake.output.run,
    )

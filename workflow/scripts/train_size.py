"""One point of a learning curve."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.scaling import train_size

    train_size(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        model=snakemake.params.model,
        training=snakemake.params.training,
        variant=snakemake.wildcards.variant,
        n_train=int(snakemake.wildcards.n_train),
        n_seeds=snakemake.params.n_seeds,
        labels_path=snakemake.input.labels,
        splits_path=snakemake.input.splits,
        metrics_path=snakemake.output.metrics,
        run_path=snakemake.output.run,
    )

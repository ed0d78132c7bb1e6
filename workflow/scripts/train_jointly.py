"""One potential for several molecules."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.transfer import train_jointly

    train_jointly(
        context=snakemake.params.context,
        systems=snakemake.params.systems,
        seen=snakemake.params.seen,
        model=snakemake.params.model,
        training=snakemake.params.training,
        n_train=snakemake.params.n_train,
        n_seeds=snakemake.params.n_seeds,
        labels_paths=snakemake.input.labels,
        splits_paths=snakemake.input.splits,
        metrics_path=snakemake.output.metrics,
        run_path=snakemake.output.run,
    )

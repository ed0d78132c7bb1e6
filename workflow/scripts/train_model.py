"""Train all seeds of a model."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.train import train_model

    train_model(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        model=snakemake.params.model,
        training=snakemake.params.training,
        labels_path=snakemake.input.labels,
        splits_path=snakemake.input.splits,
        model_paths=list(snakemake.output.models),
        curves_path=snakemake.output.curves,
        run_path=snakemake.output.run,
    )

"""Test errors of all seeds of a model, a hybrid too."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.evaluate import evaluate_model

    evaluate_model(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        labels_path=snakemake.input.labels,
        splits_path=snakemake.input.splits,
        model_paths=list(snakemake.input.models),
        metrics_path=snakemake.output.metrics,
        intervals_path=snakemake.output.intervals,
        predictions_path=snakemake.output.predictions,
        run_path=snakemake.output.run,
    )

"""Effective dimension of a model."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.capacity import estimate_capacity

    estimate_capacity(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        settings=snakemake.params.settings,
        labels_path=snakemake.input.labels,
        splits_path=snakemake.input.splits,
        model_paths=list(snakemake.input.models),
        metrics_path=snakemake.output.metrics,
        spectrum_path=snakemake.output.spectrum,
        run_path=snakemake.output.run,
    )

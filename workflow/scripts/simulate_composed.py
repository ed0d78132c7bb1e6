"""Dynamics and training of a model made of many circuits with a finite number of shots."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.measured import simulate_composed

    simulate_composed(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        settings=snakemake.params.settings,
        labels_path=snakemake.input.labels,
        splits_path=snakemake.input.splits,
        model_paths=list(snakemake.input.models),
        metrics_path=snakemake.output.metrics,
        run_path=snakemake.output.run,
    )

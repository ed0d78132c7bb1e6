"""A model made of many circuits on a quantum computer."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.composed import measure_composed

    measure_composed(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        settings=snakemake.params.settings,
        labels_path=snakemake.input.labels,
        splits_path=snakemake.input.splits,
        model_path=snakemake.input.model,
        twin_paths=list(snakemake.input.twins),
        timing_path=snakemake.output.timing,
        metrics_path=snakemake.output.metrics,
        run_path=snakemake.output.run,
    )

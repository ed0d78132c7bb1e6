"""A trained QNN on a quantum computer."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.hardware import measure_hardware

    measure_hardware(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        settings=snakemake.params.settings,
        labels_path=snakemake.input.labels,
        splits_path=snakemake.input.splits,
        model_paths=list(snakemake.input.models),
        twin_paths=list(snakemake.input.twins),
        shots_path=snakemake.output.shots,
        noise_path=snakemake.output.noise,
        timing_path=snakemake.output.timing,
        metrics_path=snakemake.output.metrics,
        run_path=snakemake.output.run,
    )

"""A circuit on amplitudes on a quantum computer."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.amplitudes import measure_material

    measure_material(
        context=snakemake.params.context,
        name=snakemake.wildcards.name,
        settings=snakemake.params.settings,
        frames_path=snakemake.input.frames,
        model_path=snakemake.input.model,
        metrics_path=snakemake.output.metrics,
        run_path=snakemake.output.run,
    )

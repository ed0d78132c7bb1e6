"""Dynamics of a periodic set."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.materials import simulate_material

    simulate_material(
        context=snakemake.params.context,
        name=snakemake.wildcards.name,
        config=snakemake.params.config,
        settings=snakemake.params.settings,
        frames_path=snakemake.input.frames,
        model_path=snakemake.input.model,
        runs_path=snakemake.output.runs,
        rdf_path=snakemake.output.rdf,
        msd_path=snakemake.output.msd,
        metrics_path=snakemake.output.metrics,
        run_path=snakemake.output.run,
    )

"""Power laws through the learning curves."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.fits import fit_scaling

    fit_scaling(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        roles=snakemake.params.roles,
        anchors=snakemake.params.anchors,
        splits_path=snakemake.input.splits,
        metrics_paths=list(snakemake.input.metrics),
        table_path=snakemake.output.metrics,
        fits_path=snakemake.output.fits,
        run_path=snakemake.output.run,
    )

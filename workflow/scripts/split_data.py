"""Splits and scaled coordinates."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.data import split_data

    split_data(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        n_seeds=snakemake.params.n_seeds,
        labels_path=snakemake.input.labels,
        splits_path=snakemake.output.splits,
        coordinates_path=snakemake.output.coordinates,
        run_path=snakemake.output.run,
    )

"""Error of CCSD(T) against FCI along the scan."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.reference import compare_fci

    compare_fci(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        n_frames=snakemake.params.n_frames,
        labels_path=snakemake.input.labels,
        table_path=snakemake.output.table,
        run_path=snakemake.output.run,
    )

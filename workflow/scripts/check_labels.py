"""Frozen comparisons of labels, and one of their energies recomputed."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.checks import check_labels

    check_labels(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        reference=snakemake.params.reference,
        checks_path=snakemake.input.checks,
        labels_path=snakemake.input.labels,
        table_path=snakemake.output.table,
        metrics_path=snakemake.output.metrics,
        run_path=snakemake.output.run,
    )

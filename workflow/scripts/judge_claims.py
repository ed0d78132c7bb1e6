"""Verdicts."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.claims import judge_claims

    judge_claims(
        context=snakemake.params.context,
        systems=snakemake.params.systems,
        stand_ins=snakemake.params.stand_ins,
        claims_path=snakemake.input.claims,
        metrics_path=snakemake.input.metrics,
        timings_path=snakemake.input.timings,
        table_path=snakemake.output.table,
        json_path=snakemake.output.json,
        run_path=snakemake.output.run,
    )

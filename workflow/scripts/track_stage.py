"""Send the run records of a stage to MLflow."""

from pathlib import Path

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.provenance import write_json
    from qff.tracking import store_uri, sync_quietly

    results = Path(snakemake.output.marker).parents[1]
    synced = sync_quietly(results, store_uri(snakemake.params.uri), [snakemake.wildcards.stage])
    write_json(snakemake.output.marker, {"stage": snakemake.wildcards.stage, "synced": synced})

"""Initial parameters of the hybrid's circuits."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.hybrid import initialise_circuit

    initialise_circuit(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        model=snakemake.params.model,
        settings=snakemake.params.settings,
        labels_path=snakemake.input.labels,
        splits_path=snakemake.input.splits,
        bonds_path=snakemake.input.bonds,
        pretrained_paths=list(snakemake.input.models),
        model_paths=list(snakemake.output.models),
        run_path=snakemake.output.run,
    )

"""Training of the classical part of the hybrid."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.hybrid import pretrain_network

    pretrain_network(
        context=snakemake.params.context,
        system=snakemake.wildcards.system,
        config=snakemake.params.config,
        model=snakemake.params.model,
        training=snakemake.params.training,
        settings=snakemake.params.settings,
        labels_path=snakemake.input.labels,
        splits_path=snakemake.input.splits,
        bonds_path=snakemake.input.bonds,
        model_paths=list(snakemake.output.models),
        curves_path=snakemake.output.curves,
        run_path=snakemake.output.run,
    )

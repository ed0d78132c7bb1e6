"""Picture of the vibrations of a molecule."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.plots.molecules import plot_vibrations

    plot_vibrations(
        labels=snakemake.params.labels,
        models=snakemake.params.models,
        spectrum_paths=list(snakemake.input.spectra),
        energy_paths=list(snakemake.input.energies),
        harmonic_path=snakemake.input.harmonic,
        svg_path=snakemake.output.svg,
        png_path=snakemake.output.png,
    )

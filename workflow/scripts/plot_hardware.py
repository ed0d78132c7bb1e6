"""Picture of shots, noise, measured dynamics and gradients."""

from qff.jobs import job

with job(snakemake.log[0]):
    from qff.stages.plots.hardware import plot_hardware

    plot_hardware(
        settings=snakemake.params.settings,
        shots_path=snakemake.input.shots,
        noise_path=snakemake.input.noise,
        temperature_path=snakemake.input.temperature,
        gradients_path=snakemake.input.gradients,
        svg_path=snakemake.output.svg,
        png_path=snakemake.output.png,
    )

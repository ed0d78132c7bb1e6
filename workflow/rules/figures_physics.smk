"""Figures of what models do: dynamics, circuits on hardware, materials, the hybrid architecture."""


rule plot_dynamics:
    """Trajectories, their deviation, and conservation of energy."""
    input:
        reference=f"{RESULTS}/dynamics/{{system}}/reference/trajectory.csv",
        reference_metrics=f"{RESULTS}/dynamics/{{system}}/reference/metrics.csv",
        on_the_fly=f"{RESULTS}/dynamics/{{system}}/on_the_fly/trajectory.csv",
        trajectories=of_system(
            f"{RESULTS}/dynamics/{{system}}/{{model}}/trajectory.csv", CONFIG.dynamics.models
        ),
    output:
        svg=report(
            f"{FIGURES}/dynamics_{{system}}.svg",
            caption="../report/dynamics.rst",
            category="Dynamics",
            labels={"system": "{system}", "figure": "trajectories"},
        ),
        png=f"{FIGURES}/dynamics_{{system}}.png",
    log:
        f"{RESULTS}/logs/plot_dynamics/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_dynamics/{{system}}.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.plots.dynamics"),
        labels=LABELS,
        models=lambda w: STUDY.models_of(w.system, CONFIG.dynamics.models),
    script:
        "../scripts/plot_dynamics.py"


rule plot_hardware:
    """Standard errors, noise, measured dynamics and gradients of the first QNN."""
    input:
        **{
            name: lambda w, path=path: (
                f"{RESULTS}/quantum/{w.system}/{STUDY.models_of(w.system, CONFIG.quantum.models)[0]}/{path}.csv"
            )
            for name, path in {
                "shots": "shots",
                "noise": "noise",
                "temperature": "measured/temperature",
                "gradients": "measured/gradients",
            }.items()
        },
    output:
        svg=report(
            f"{FIGURES}/hardware_{{system}}.svg",
            caption="../report/hardware.rst",
            category="Quantum hardware",
            labels={"system": "{system}", "figure": "shots and noise"},
        ),
        png=f"{FIGURES}/hardware_{{system}}.png",
    log:
        f"{RESULTS}/logs/plot_hardware/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_hardware/{{system}}.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.plots.hardware"),
        settings=CONFIG.quantum.model_dump(mode="json"),
    script:
        "../scripts/plot_hardware.py"


rule plot_vibrations:
    """Densities of states, and how energy and trajectories last."""
    input:
        spectra=potentials_of("spectrum.csv"),
        energies=potentials_of("energy.csv"),
        harmonic=harmonic_of,
    output:
        svg=report(
            f"{FIGURES}/vibrations_{{system}}.svg",
            caption="../report/vibrations.rst",
            category="Dynamics",
            labels={"system": "{system}", "figure": "vibrations"},
        ),
        png=f"{FIGURES}/vibrations_{{system}}.png",
    log:
        f"{RESULTS}/logs/plot_vibrations/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_vibrations/{{system}}.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.plots.molecules"),
        labels=LABELS,
        models=lambda w: STUDY.models_of(w.system, CONFIG.dynamics.models),
    script:
        "../scripts/plot_vibrations.py"


rule plot_inversion:
    """Potential along the inversion, and how often it happens."""
    input:
        inversions=potentials_of("inversion.csv"),
        trajectories=potentials_of("trajectory.csv"),
        metrics=potentials_of("metrics.csv"),
    output:
        svg=report(
            f"{FIGURES}/inversion_{{system}}.svg",
            caption="../report/inversion.rst",
            category="Dynamics",
            labels={"system": "{system}", "figure": "inversion"},
        ),
        png=f"{FIGURES}/inversion_{{system}}.png",
    log:
        f"{RESULTS}/logs/plot_inversion/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_inversion/{{system}}.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.plots.molecules"),
        labels=LABELS,
        models=lambda w: STUDY.models_of(w.system, CONFIG.dynamics.models),
    script:
        "../scripts/plot_inversion.py"


rule plot_materials:
    """Structure and motion in the dynamics of a periodic set."""
    input:
        rdf=f"{RESULTS}/materials/{{name}}/dynamics/rdf.csv",
        msd=f"{RESULTS}/materials/{{name}}/dynamics/msd.csv",
    output:
        svg=report(
            f"{FIGURES}/materials_{{name}}.svg",
            caption="../report/materials.rst",
            category="Dynamics",
            labels={"system": "{name}", "figure": "periodic dynamics"},
        ),
        png=f"{FIGURES}/materials_{{name}}.png",
    log:
        f"{RESULTS}/logs/plot_materials/{{name}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_materials/{{name}}.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.plots.materials"),
    script:
        "../scripts/plot_materials.py"


rule plot_vqe:
    """VQE beside the full diagonalisation of the same active space."""
    input:
        table=f"{RESULTS}/hybrid/vqe/{{system}}/scan.csv",
    output:
        svg=report(
            f"{FIGURES}/vqe_{{system}}.svg",
            caption="../report/vqe.rst",
            category="Architecture draft",
            labels={"system": "{system}", "figure": "VQE"},
        ),
        png=f"{FIGURES}/vqe_{{system}}.png",
    log:
        f"{RESULTS}/logs/plot_vqe/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_vqe/{{system}}.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.plots.hybrid"),
    script:
        "../scripts/plot_vqe.py"


rule plot_table_one:
    """A row of the draft's Table 1 beside what it prints."""
    input:
        table=f"{RESULTS}/hybrid/table_one.csv",
        cells=ancient("config/table_one.yaml"),
    output:
        svg=report(
            f"{FIGURES}/table_one_{{system}}.svg",
            caption="../report/table_one.rst",
            category="Architecture draft",
            labels={"system": "{system}", "figure": "Table 1"},
        ),
        png=f"{FIGURES}/table_one_{{system}}.png",
    log:
        f"{RESULTS}/logs/plot_table_one/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_table_one/{{system}}.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.plots.hybrid"),
        cells=tracked_digest("config/table_one.yaml"),
    script:
        "../scripts/plot_table_one.py"


rule plot_binding:
    """Interaction energies of a ligand with the catalytic dyad."""
    input:
        table=f"{RESULTS}/hybrid/binding/binding.csv",
    output:
        svg=report(
            f"{FIGURES}/binding_dyad.svg",
            caption="../report/binding.rst",
            category="Architecture draft",
            labels={"system": "dyad", "figure": "interaction energies"},
        ),
        png=f"{FIGURES}/binding_dyad.png",
    log:
        f"{RESULTS}/logs/plot_binding.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_binding.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.plots.hybrid"),
    script:
        "../scripts/plot_binding.py"

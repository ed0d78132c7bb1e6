"""Figures, one rule per subject."""

FIGURES = f"{RESULTS}/figures"

# Figure of test errors → role of the models that it shows.
ERRORS = {"errors": "comparison", "optimisers": "optimiser", "choices": "choice", "ablations": "ablation"}

# Kind of figure → systems that it is drawn for.
KINDS = {
    "reference": SCANS,
    "training": with_models("comparison", iterated),
    **{kind: with_models(role) for kind, role in ERRORS.items()},
    "parity": with_models("comparison"),
    "optimiser_curves": with_models("optimiser", iterated),
    **dict.fromkeys(("effective_dimension", "fisher_spectrum", "capacity_and_error"), CORRELATED),
    "learning_curves": SCALED,
    "hardware": MEASURED,
    "dynamics": SCANS,
    "vibrations": MOLECULES,
    "materials": MATERIALS,
    "inversion": [name for name in MOLECULES if STUDY.systems[name].reference.internal.umbrella],
    "vqe": [name for name in CONFIG.hybrid.vqe if HYBRID_SYSTEMS and name in STUDIED],
    "table_one": TABLED,
    "binding": list(BOUND),
}


rule plot_reference:
    """Reference curve and its error."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
        fci=f"{RESULTS}/reference/{{system}}/fci/fci.csv",
    output:
        svg=report(
            f"{FIGURES}/reference_{{system}}.svg",
            caption="../report/reference.rst",
            category="Reference",
            labels={"system": "{system}", "figure": "reference curve"},
        ),
        png=f"{FIGURES}/reference_{{system}}.png",
    log:
        f"{RESULTS}/logs/plot_reference/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_reference/{{system}}.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.plots.reference"),
        config=system_config,
    script:
        "../scripts/plot_reference.py"


rule plot_training:
    """Loss curves of the comparison."""
    input:
        curves=of_role(f"{RESULTS}/train/{{system}}/{{model}}/curves.csv", "comparison", iterated),
    output:
        svg=report(
            f"{FIGURES}/training_{{system}}.svg",
            caption="../report/training.rst",
            category="Training and errors",
            labels={"system": "{system}", "figure": "loss curves"},
        ),
        png=f"{FIGURES}/training_{{system}}.png",
    log:
        f"{RESULTS}/logs/plot_training/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_training/{{system}}.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.plots.training"),
        labels=LABELS,
        models=lambda w: iterated(w.system, "comparison"),
    script:
        "../scripts/plot_training.py"


rule plot_optimisers:
    """Errors during training, by optimiser."""
    input:
        curves=of_role(f"{RESULTS}/train/{{system}}/{{model}}/curves.csv", "optimiser", iterated),
        runs=of_role(f"{RESULTS}/train/{{system}}/{{model}}/run.json", "optimiser", iterated),
    output:
        svg=report(
            f"{FIGURES}/optimiser_curves_{{system}}.svg",
            caption="../report/optimiser_curves.rst",
            category="Training and errors",
            labels={"system": "{system}", "figure": "errors during training"},
        ),
        png=f"{FIGURES}/optimiser_curves_{{system}}.png",
    log:
        f"{RESULTS}/logs/plot_optimisers/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_optimisers/{{system}}.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.plots.optimisers"),
        labels=LABELS,
        models=lambda w: iterated(w.system, "optimiser"),
    script:
        "../scripts/plot_optimisers.py"


rule plot_errors:
    """Test errors of all seeds of the comparison, the optimiser study or the sensitivity to our choices."""
    input:
        metrics=lambda w: of_role(f"{RESULTS}/evaluate/{{system}}/{{model}}/metrics.csv", ERRORS[w.kind])(w),
        intervals=lambda w: of_role(
            f"{RESULTS}/evaluate/{{system}}/{{model}}/intervals.csv", ERRORS[w.kind]
        )(w),
    output:
        svg=report(
            f"{FIGURES}/{{kind}}_{{system}}.svg",
            caption="../report/errors.rst",
            category="Training and errors",
            labels={"system": "{system}", "figure": "test errors: {kind}"},
        ),
        png=f"{FIGURES}/{{kind}}_{{system}}.png",
    log:
        f"{RESULTS}/logs/plot_errors/{{kind}}_{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_errors/{{kind}}_{{system}}.tsv"
    wildcard_constraints:
        kind="|".join(ERRORS),
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.plots.errors"),
        labels=LABELS,
    script:
        "../scripts/plot_errors.py"


rule plot_parity:
    """Residuals on the test frames."""
    input:
        predictions=of_role(f"{RESULTS}/evaluate/{{system}}/{{model}}/predictions.csv", "comparison"),
    output:
        svg=report(
            f"{FIGURES}/parity_{{system}}.svg",
            caption="../report/parity.rst",
            category="Training and errors",
            labels={"system": "{system}", "figure": "residuals"},
        ),
        png=f"{FIGURES}/parity_{{system}}.png",
    log:
        f"{RESULTS}/logs/plot_parity/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_parity/{{system}}.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.plots.parity"),
        labels=LABELS,
        models=lambda w: shown(w.system, "comparison"),
    script:
        "../scripts/plot_parity.py"


rule plot_capacity:
    """Effective dimension and Fisher spectra."""
    input:
        metrics=of_system(f"{RESULTS}/capacity/{{system}}/{{model}}/metrics.csv", CONFIG.capacity.models),
        spectra=of_system(f"{RESULTS}/capacity/{{system}}/{{model}}/spectrum.csv", CONFIG.capacity.models),
    output:
        dimension_svg=report(
            f"{FIGURES}/effective_dimension_{{system}}.svg",
            caption="../report/effective_dimension.rst",
            category="Capacity",
            labels={"system": "{system}", "figure": "effective dimension"},
        ),
        dimension_png=f"{FIGURES}/effective_dimension_{{system}}.png",
        spectrum_svg=report(
            f"{FIGURES}/fisher_spectrum_{{system}}.svg",
            caption="../report/fisher_spectrum.rst",
            category="Capacity",
            labels={"system": "{system}", "figure": "Fisher spectra"},
        ),
        spectrum_png=f"{FIGURES}/fisher_spectrum_{{system}}.png",
    log:
        f"{RESULTS}/logs/plot_capacity/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_capacity/{{system}}.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.plots.capacity"),
        labels=LABELS,
        settings=CONFIG.capacity.model_dump(mode="json"),
    script:
        "../scripts/plot_capacity.py"


rule plot_correlation:
    """Test error against effective dimension."""
    input:
        metrics=lambda w: capacity_of(w.system, "metrics.csv", stages=["evaluate", "capacity"]),
        correlations=f"{RESULTS}/capacity/{{system}}/correlations.csv",
    output:
        svg=report(
            f"{FIGURES}/capacity_and_error_{{system}}.svg",
            caption="../report/capacity_and_error.rst",
            category="Capacity",
            labels={"system": "{system}", "figure": "test error against effective dimension"},
        ),
        png=f"{FIGURES}/capacity_and_error_{{system}}.png",
    log:
        f"{RESULTS}/logs/plot_correlation/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_correlation/{{system}}.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.plots.correlation"),
        labels=LABELS,
        settings=CONFIG.capacity.model_dump(mode="json"),
    script:
        "../scripts/plot_correlation.py"


rule plot_scaling:
    """Learning curves with their fits."""
    input:
        metrics=f"{RESULTS}/scaling/{{system}}/metrics.csv",
        fits=f"{RESULTS}/scaling/{{system}}/fits.csv",
    output:
        svg=report(
            f"{FIGURES}/learning_curves_{{system}}.svg",
            caption="../report/learning_curves.rst",
            category="Scaling with data",
            labels={"system": "{system}", "figure": "learning curves"},
        ),
        png=f"{FIGURES}/learning_curves_{{system}}.png",
    log:
        f"{RESULTS}/logs/plot_scaling/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_scaling/{{system}}.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.plots.scaling"),
        labels=LABELS,
        anchors=ANCHORS.models,
    script:
        "../scripts/plot_scaling.py"


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
        harmonic=f"{RESULTS}/dynamics/{{system}}/harmonic/metrics.csv",
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

"""Figures of models and of their training, one rule per subject; which systems each kind of figure is drawn for."""

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
    "dynamics": DIATOMICS,
    "vibrations": MOLECULES,
    "materials": MATERIALS,
    "inversion": [name for name in COMPUTED if STUDY.systems[name].reference.internal.umbrella],
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

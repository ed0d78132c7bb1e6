"""Molecular dynamics of molecules of more than two atoms, beside a fit to their labels."""

MOLECULE = f"{RESULTS}/dynamics/{{system}}"
MOLECULE_NAMES, COMPUTED_NAMES = one_of(MOLECULES), one_of(COMPUTED)


rule compute_harmonic:
    """Vibrations and inversion barrier of the reference method itself."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
    output:
        metrics=f"{MOLECULE}/harmonic/metrics.csv",
        run=f"{MOLECULE}/harmonic/run.json",
    log:
        f"{RESULTS}/logs/compute_harmonic/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compute_harmonic/{{system}}.tsv"
    wildcard_constraints:
        system=COMPUTED_NAMES,
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.molecules"),
        config=system_config,
    script:
        "../scripts/compute_harmonic.py"


rule simulate_reference:
    """Trajectories of the fitted reference from all starts."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
    output:
        trajectory=f"{MOLECULE}/reference/trajectory.csv",
        spectrum=f"{MOLECULE}/reference/spectrum.csv",
        energy=f"{MOLECULE}/reference/energy.csv",
        inversion=f"{MOLECULE}/reference/inversion.csv",
        metrics=f"{MOLECULE}/reference/metrics.csv",
        run=f"{MOLECULE}/reference/run.json",
    log:
        f"{RESULTS}/logs/simulate_reference/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate_reference/{{system}}.tsv"
    wildcard_constraints:
        system=MOLECULE_NAMES,
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.molecules"),
        config=system_config,
        settings=CONFIG.dynamics.model_dump(mode="json"),
        seeds=CONFIG.seeds,
    script:
        "../scripts/simulate_reference.py"


rule simulate_on_the_fly:
    """Short trajectory with the reference method at every step, beside that of the fit."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
    output:
        trajectory=f"{MOLECULE}/on_the_fly/trajectory.csv",
        metrics=f"{MOLECULE}/on_the_fly/metrics.csv",
        run=f"{MOLECULE}/on_the_fly/run.json",
    log:
        f"{RESULTS}/logs/simulate_on_the_fly/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate_on_the_fly/{{system}}.tsv"
    wildcard_constraints:
        system=COMPUTED_NAMES,
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.molecules"),
        config=system_config,
        settings=CONFIG.dynamics.model_dump(mode="json"),
        seeds=CONFIG.seeds,
    script:
        "../scripts/simulate_on_the_fly.py"


rule simulate_model:
    """Trajectories of all seeds of a model from the starts of the reference."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
        reference=f"{MOLECULE}/reference/trajectory.csv",
        reference_metrics=f"{MOLECULE}/reference/metrics.csv",
        harmonic=harmonic_of,
        models=seeds_of,
    output:
        trajectory=f"{MOLECULE}/{{model}}/trajectory.csv",
        spectrum=f"{MOLECULE}/{{model}}/spectrum.csv",
        energy=f"{MOLECULE}/{{model}}/energy.csv",
        inversion=f"{MOLECULE}/{{model}}/inversion.csv",
        metrics=f"{MOLECULE}/{{model}}/metrics.csv",
        run=f"{MOLECULE}/{{model}}/run.json",
    log:
        f"{RESULTS}/logs/simulate_model/{{system}}_{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate_model/{{system}}_{{model}}.tsv"
    wildcard_constraints:
        system=MOLECULE_NAMES,
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.molecules"),
        config=system_config,
        settings=CONFIG.dynamics.model_dump(mode="json"),
    script:
        "../scripts/simulate_model.py"

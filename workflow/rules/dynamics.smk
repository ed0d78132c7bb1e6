"""Molecular dynamics of two atoms: of the reference curve and of every trained potential."""

DYNAMICS = f"{RESULTS}/dynamics/{{system}}"


rule run_reference_dynamics:
    """Trajectory of the reference curve."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
    output:
        trajectory=f"{DYNAMICS}/reference/trajectory.csv",
        metrics=f"{DYNAMICS}/reference/metrics.csv",
        run=f"{DYNAMICS}/reference/run.json",
    log:
        f"{RESULTS}/logs/run_reference_dynamics/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/run_reference_dynamics/{{system}}.tsv"
    wildcard_constraints:
        system="|".join(DIATOMICS) or "none",
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.dynamics"),
        config=system_config,
        settings=CONFIG.dynamics.model_dump(mode="json"),
    script:
        "../scripts/run_reference_dynamics.py"


rule run_on_the_fly:
    """Short trajectory with the reference method at every step."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
    output:
        trajectory=f"{DYNAMICS}/on_the_fly/trajectory.csv",
        metrics=f"{DYNAMICS}/on_the_fly/metrics.csv",
        run=f"{DYNAMICS}/on_the_fly/run.json",
    log:
        f"{RESULTS}/logs/run_on_the_fly/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/run_on_the_fly/{{system}}.tsv"
    wildcard_constraints:
        system="|".join(DIATOMICS) or "none",
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.dynamics"),
        config=system_config,
        settings=CONFIG.dynamics.model_dump(mode="json"),
    script:
        "../scripts/run_on_the_fly.py"


rule run_dynamics:
    """Trajectories of all seeds of a model from the start of the reference trajectory."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
        reference=f"{DYNAMICS}/reference/trajectory.csv",
        models=seeds_of,
    output:
        trajectory=f"{DYNAMICS}/{{model}}/trajectory.csv",
        metrics=f"{DYNAMICS}/{{model}}/metrics.csv",
        run=f"{DYNAMICS}/{{model}}/run.json",
    log:
        f"{RESULTS}/logs/run_dynamics/{{system}}_{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/run_dynamics/{{system}}_{{model}}.tsv"
    wildcard_constraints:
        system="|".join(DIATOMICS) or "none",
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.dynamics"),
        config=system_config,
        settings=CONFIG.dynamics.model_dump(mode="json"),
    script:
        "../scripts/run_dynamics.py"

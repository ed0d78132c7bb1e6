"""Effective dimension."""

CAPACITY = f"{RESULTS}/capacity/{{system}}/{{model}}"


rule estimate_capacity:
    """Effective dimension over parameter boxes and likelihoods."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
        splits=f"{RESULTS}/data/{{system}}/splits.json",
        models=seeds_of,
    output:
        metrics=f"{CAPACITY}/metrics.csv",
        spectrum=f"{CAPACITY}/spectrum.csv",
        run=f"{CAPACITY}/run.json",
    log:
        f"{RESULTS}/logs/estimate_capacity/{{system}}_{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/estimate_capacity/{{system}}_{{model}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.capacity"),
        config=system_config,
        settings=CONFIG.capacity.model_dump(mode="json"),
    script:
        "../scripts/estimate_capacity.py"


rule correlate_capacity:
    """Rank correlation of effective dimension and test error over all models of a system."""
    input:
        metrics=lambda w: capacity_of(w.system, "metrics.csv", stages=["evaluate", "capacity"]),
    output:
        metrics=f"{RESULTS}/capacity/{{system}}/metrics.csv",
        correlations=f"{RESULTS}/capacity/{{system}}/correlations.csv",
        run=f"{RESULTS}/capacity/{{system}}/run.json",
    log:
        f"{RESULTS}/logs/correlate_capacity/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/correlate_capacity/{{system}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.correlation"),
    script:
        "../scripts/correlate_capacity.py"

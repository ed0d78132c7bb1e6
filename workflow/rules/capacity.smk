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
    params:
        context=context("qff.stages.capacity"),
        config=system_config,
        settings=CONFIG.capacity.model_dump(mode="json"),
    script:
        "../scripts/estimate_capacity.py"

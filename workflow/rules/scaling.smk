"""Learning curves: one job per system, model and training size."""

SCALING = f"{RESULTS}/scaling/{{system}}"


rule train_size:
    """Train on the first n frames of every split, with the optimiser steps held fixed."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
        splits=f"{RESULTS}/data/{{system}}/splits.json",
    output:
        metrics=f"{SCALING}/{{model}}/n{{n}}/metrics.csv",
        run=f"{SCALING}/{{model}}/n{{n}}/run.json",
    log:
        f"{RESULTS}/logs/train_size/{{system}}_{{model}}_n{{n}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_size/{{system}}_{{model}}_n{{n}}.tsv"
    params:
        context=context("qff.stages.scaling"),
        config=system_config,
        model=model_config,
        training=training_config(steps=CONFIG.scaling.steps),
        n_seeds=CONFIG.seeds,
    script:
        "../scripts/train_size.py"


rule fit_scaling:
    """Power laws with intervals over seeds."""
    input:
        metrics=lambda w: points_of(w.system, "metrics.csv"),
    output:
        metrics=f"{SCALING}/metrics.csv",
        fits=f"{SCALING}/fits.csv",
        run=f"{SCALING}/run.json",
    log:
        f"{RESULTS}/logs/fit_scaling/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit_scaling/{{system}}.tsv"
    params:
        context=context("qff.stages.scaling"),
    script:
        "../scripts/fit_scaling.py"

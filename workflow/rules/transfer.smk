"""Transfer between molecules: one job per model."""

TRANSFER = f"{RESULTS}/transfer/{{model}}"


rule train_jointly:
    """Train on some molecules at once; test on each of them and on others."""
    input:
        labels=expand(f"{RESULTS}/reference/{{system}}/labels.extxyz", system=TRANSFERRED),
        splits=expand(f"{RESULTS}/data/{{system}}/splits.json", system=TRANSFERRED),
    output:
        metrics=f"{TRANSFER}/metrics.csv",
        run=f"{TRANSFER}/run.json",
    log:
        f"{RESULTS}/logs/train_jointly/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_jointly/{{model}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.transfer"),
        systems={name: STUDY.systems[name].model_dump(mode="json") for name in TRANSFERRED},
        seen=CONFIG.transfer.train,
        model=model_config,
        training=training_config(steps=CONFIG.transfer.steps),
        n_train=CONFIG.transfer.n_train,
        n_seeds=CONFIG.transfer.seeds,
    script:
        "../scripts/train_jointly.py"

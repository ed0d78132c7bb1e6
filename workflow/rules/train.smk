"""Training and test errors: one job per system and model, all seeds as one ensemble."""

TRAIN = f"{RESULTS}/train/{{system}}/{{model}}"
EVALUATE = f"{RESULTS}/evaluate/{{system}}/{{model}}"


rule train_model:
    """Train all seeds of a model; resumes from its checkpoint if it was killed."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
        splits=f"{RESULTS}/data/{{system}}/splits.json",
    output:
        models=expand(f"{TRAIN}/model_s{{seed}}.safetensors", seed=SEEDS, allow_missing=True),
        curves=f"{TRAIN}/curves.csv",
        series=expand(f"{TRAIN}/curves_s{{seed}}.csv", seed=SEEDS, allow_missing=True),
        run=f"{TRAIN}/run.json",
    log:
        f"{RESULTS}/logs/train_model/{{system}}_{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_model/{{system}}_{{model}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.train"),
        config=system_config,
        model=model_config,
        training=training_config(),
    script:
        "../scripts/train_model.py"


rule evaluate_model:
    """Errors of every seed on its own test set."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
        splits=f"{RESULTS}/data/{{system}}/splits.json",
        models=seeds_of,
    output:
        metrics=f"{EVALUATE}/metrics.csv",
        intervals=f"{EVALUATE}/intervals.csv",
        predictions=f"{EVALUATE}/predictions.csv",
        run=f"{EVALUATE}/run.json",
    log:
        f"{RESULTS}/logs/evaluate_model/{{system}}_{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate_model/{{system}}_{{model}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.evaluate"),
        config=system_config,
    script:
        "../scripts/evaluate_model.py"

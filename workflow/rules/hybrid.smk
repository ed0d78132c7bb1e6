"""The architecture draft: VQE, the hybrid in the draft's four steps (1, reference data, is in reference.smk), Table 1."""

HYBRID = f"{RESULTS}/hybrid"
HYBRID_CONFIG = CONFIG.hybrid.model_dump(mode="json")


rule solve_vqe:
    """VQE along the stretch of a bond, held against CASCI."""
    output:
        table=f"{HYBRID}/vqe/{{system}}/scan.csv",
        metrics=f"{HYBRID}/vqe/{{system}}/metrics.csv",
        run=f"{HYBRID}/vqe/{{system}}/run.json",
    log:
        f"{RESULTS}/logs/solve_vqe/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/solve_vqe/{{system}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.vqe"),
        config=system_config,
        settings=lambda w: HYBRID_CONFIG["vqe"].get(w.system),
    script:
        "../scripts/solve_vqe.py"


rule solve_bonds:
    """VQE of the kinds of bonds: features of the circuit branch."""
    output:
        table=f"{HYBRID}/bonds/bonds.csv",
        run=f"{HYBRID}/bonds/run.json",
    log:
        f"{RESULTS}/logs/solve_bonds.log",
    benchmark:
        f"{RESULTS}/benchmarks/solve_bonds.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.vqe"),
        settings=HYBRID_CONFIG,
    script:
        "../scripts/solve_bonds.py"


rule pretrain_network:
    """Step 2: the classical part alone, which all models of a system start from."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
        splits=f"{RESULTS}/data/{{system}}/splits.json",
        bonds=f"{HYBRID}/bonds/bonds.csv",
    output:
        models=expand(
            f"{HYBRID}/{{system}}/pretrained/model_s{{seed}}.safetensors", seed=SEEDS, allow_missing=True
        ),
        curves=f"{HYBRID}/{{system}}/pretrained/curves.csv",
        run=f"{HYBRID}/{{system}}/pretrained/run.json",
    log:
        f"{RESULTS}/logs/pretrain_network/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pretrain_network/{{system}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.hybrid"),
        config=system_config,
        model=lambda w: STUDY.models[CONFIG.hybrid.models[0]].model_dump(mode="json"),
        training=lambda w: STUDY.training_of(
            CONFIG.hybrid.models[0], steps=CONFIG.hybrid.pretraining_steps
        ).model_dump(mode="json"),
        settings=HYBRID_CONFIG,
    script:
        "../scripts/pretrain_network.py"


rule initialise_circuit:
    """Step 3: the circuit beside the pre-trained network."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
        splits=f"{RESULTS}/data/{{system}}/splits.json",
        bonds=f"{HYBRID}/bonds/bonds.csv",
        models=expand(
            f"{HYBRID}/{{system}}/pretrained/model_s{{seed}}.safetensors", seed=SEEDS, allow_missing=True
        ),
    output:
        models=expand(
            f"{HYBRID}/{{system}}/{{model}}/initial/model_s{{seed}}.safetensors",
            seed=SEEDS,
            allow_missing=True,
        ),
        run=f"{HYBRID}/{{system}}/{{model}}/initial/run.json",
    log:
        f"{RESULTS}/logs/initialise_circuit/{{system}}_{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/initialise_circuit/{{system}}_{{model}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.hybrid"),
        config=system_config,
        model=model_config,
        settings=HYBRID_CONFIG,
    script:
        "../scripts/initialise_circuit.py"


rule train_hybrid:
    """Step 4: everything at once."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
        splits=f"{RESULTS}/data/{{system}}/splits.json",
        models=expand(
            f"{HYBRID}/{{system}}/{{model}}/initial/model_s{{seed}}.safetensors",
            seed=SEEDS,
            allow_missing=True,
        ),
    output:
        models=expand(
            f"{HYBRID}/{{system}}/{{model}}/model_s{{seed}}.safetensors", seed=SEEDS, allow_missing=True
        ),
        curves=f"{HYBRID}/{{system}}/{{model}}/curves.csv",
        run=f"{HYBRID}/{{system}}/{{model}}/run.json",
    log:
        f"{RESULTS}/logs/train_hybrid/{{system}}_{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_hybrid/{{system}}_{{model}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.hybrid"),
        config=system_config,
        training=training_config(steps=CONFIG.hybrid.steps),
    script:
        "../scripts/train_hybrid.py"


rule evaluate_hybrid:
    """Errors of every seed on its own test set."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
        splits=f"{RESULTS}/data/{{system}}/splits.json",
        models=expand(
            f"{HYBRID}/{{system}}/{{model}}/model_s{{seed}}.safetensors", seed=SEEDS, allow_missing=True
        ),
    output:
        metrics=f"{HYBRID}/{{system}}/{{model}}/evaluation/metrics.csv",
        intervals=f"{HYBRID}/{{system}}/{{model}}/evaluation/intervals.csv",
        predictions=f"{HYBRID}/{{system}}/{{model}}/evaluation/predictions.csv",
        run=f"{HYBRID}/{{system}}/{{model}}/evaluation/run.json",
    log:
        f"{RESULTS}/logs/evaluate_hybrid/{{system}}_{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate_hybrid/{{system}}_{{model}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.evaluate"),
        config=system_config,
    script:
        "../scripts/evaluate_model.py"


rule time_methods:
    """Wall time of every method against the number of atoms, one after the other (the draft's Figure 2)."""
    output:
        table=f"{HYBRID}/timing/timing.csv",
        metrics=f"{HYBRID}/timing/metrics.csv",
        run=f"{HYBRID}/timing/run.json",
    log:
        f"{RESULTS}/logs/time_methods.log",
    benchmark:
        f"{RESULTS}/benchmarks/time_methods.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.timing"),
        settings=HYBRID_CONFIG,
        models={
            name: STUDY.models[name].model_dump(mode="json")
            for name in dict.fromkeys(["behler_parrinello", *CONFIG.hybrid.models])
            if name in STUDY.models and STUDY.models[name].settings_of("ethanol") is not None
        },
    script:
        "../scripts/time_methods.py"


rule compare_binding:
    """The binding case: a frozen table, its force field computed again."""
    input:
        structure=ancient(CONFIG.hybrid.binding.structure) if BOUND else [],
        frozen=ancient(CONFIG.hybrid.binding.frozen) if BOUND else [],
    output:
        table=f"{HYBRID}/binding/binding.csv",
        metrics=f"{HYBRID}/binding/metrics.csv",
        run=f"{HYBRID}/binding/run.json",
    log:
        f"{RESULTS}/logs/compare_binding.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_binding.tsv"
    conda:
        "../../envs/reference.yaml"
    params:
        context=context("qff.stages.binding"),
        structure=tracked_digest(CONFIG.hybrid.binding.structure) if BOUND else "",
        frozen=tracked_digest(CONFIG.hybrid.binding.frozen) if BOUND else "",
    script:
        "../scripts/compare_binding.py"


rule compare_methods:
    """The draft's Table 1: a number with its interval, or the reason why there is none, in every cell."""
    input:
        metrics=[
            *expand(
                f"{HYBRID}/{{system}}/{{model}}/evaluation/metrics.csv",
                system=HYBRID_SYSTEMS,
                model=CONFIG.hybrid.models,
            ),
            *of_systems(
                f"{RESULTS}/evaluate/{{system}}/{{model}}/metrics.csv",
                HYBRID_SYSTEMS,
                [name for name in CONFIG.models if name == "behler_parrinello"],
            ),
        ],
        cells=ancient("config/table_one.yaml"),
    output:
        table=f"{HYBRID}/table_one.csv",
        metrics=f"{HYBRID}/metrics.csv",
        run=f"{HYBRID}/run.json",
    log:
        f"{RESULTS}/logs/compare_methods.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_methods.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.table_one"),
        cells=tracked_digest("config/table_one.yaml"),
    script:
        "../scripts/compare_methods.py"

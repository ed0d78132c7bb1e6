"""What a quantum computer would make of the circuits: shots, noise, cost, dynamics and training with shots."""

QUANTUM = f"{RESULTS}/quantum/{{system}}/{{model}}"


rule measure_hardware:
    """Standard errors against shots, errors against noise, transpiled size and cost."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
        splits=f"{RESULTS}/data/{{system}}/splits.json",
        models=seeds_of,
        twins=twins_of,
    output:
        shots=f"{QUANTUM}/shots.csv",
        noise=f"{QUANTUM}/noise.csv",
        timing=f"{QUANTUM}/timing.csv",
        metrics=f"{QUANTUM}/metrics.csv",
        run=f"{QUANTUM}/run.json",
    log:
        f"{RESULTS}/logs/measure_hardware/{{system}}_{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_hardware/{{system}}_{{model}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.hardware"),
        config=system_config,
        settings=CONFIG.quantum.model_dump(mode="json"),
    script:
        "../scripts/measure_hardware.py"


rule simulate_measured:
    """Dynamics and training with a finite number of shots, gradients at random parameters."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
        splits=f"{RESULTS}/data/{{system}}/splits.json",
        models=seeds_of,
    output:
        temperature=f"{QUANTUM}/measured/temperature.csv",
        gradients=f"{QUANTUM}/measured/gradients.csv",
        metrics=f"{QUANTUM}/measured/metrics.csv",
        run=f"{QUANTUM}/measured/run.json",
    log:
        f"{RESULTS}/logs/simulate_measured/{{system}}_{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate_measured/{{system}}_{{model}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.measured"),
        config=system_config,
        settings=CONFIG.quantum.model_dump(mode="json"),
    script:
        "../scripts/simulate_measured.py"


rule measure_composed:
    """Models made of many circuits: standard errors against shots, errors with noise, transpiled size and cost."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
        splits=f"{RESULTS}/data/{{system}}/splits.json",
        model=lambda w: trained_of(w.system, w.model),
        twins=lambda w: [trained_of(w.system, m) for m in composed_twins(w.system, w.model)],
    output:
        timing=f"{QUANTUM}/composed/timing.csv",
        metrics=f"{QUANTUM}/composed/metrics.csv",
        run=f"{QUANTUM}/composed/run.json",
    log:
        f"{RESULTS}/logs/measure_composed/{{system}}_{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_composed/{{system}}_{{model}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.composed"),
        config=system_config,
        settings=CONFIG.quantum.model_dump(mode="json"),
    script:
        "../scripts/measure_composed.py"


rule simulate_composed:
    """Models made of many circuits: dynamics and training with a finite number of shots."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
        splits=f"{RESULTS}/data/{{system}}/splits.json",
        models=lambda w: [trained_of(w.system, w.model, seed) for seed in SEEDS],
    output:
        metrics=f"{QUANTUM}/composed/measured/metrics.csv",
        run=f"{QUANTUM}/composed/measured/run.json",
    log:
        f"{RESULTS}/logs/simulate_composed/{{system}}_{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate_composed/{{system}}_{{model}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.measured"),
        config=system_config,
        settings=CONFIG.quantum.model_dump(mode="json"),
    script:
        "../scripts/simulate_composed.py"


rule measure_material:
    """Circuits on amplitudes: standard errors against shots, errors with noise, transpiled size and cost."""
    input:
        frames=lambda w: ancient(material_file(w)),
        model=f"{RESULTS}/materials/{{name}}/fit/model.safetensors",
    output:
        metrics=f"{RESULTS}/quantum/{{name}}/amplitudes/metrics.csv",
        run=f"{RESULTS}/quantum/{{name}}/amplitudes/run.json",
    log:
        f"{RESULTS}/logs/measure_material/{{name}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_material/{{name}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.amplitudes"),
        tracked=material_digest,
        settings=CONFIG.quantum.model_dump(mode="json"),
    script:
        "../scripts/measure_material.py"

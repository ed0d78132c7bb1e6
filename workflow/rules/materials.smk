"""Periodic materials: the hybrid force field beside its classical twins, its dynamics, its cost."""

MATERIAL = f"{RESULTS}/materials/{{name}}"


wildcard_constraints:
    name=one_of(MATERIALS),


rule fit_material:
    """All models on every split and seed."""
    input:
        frames=lambda w: ancient(material_file(w)),
    output:
        model=f"{MATERIAL}/fit/model.safetensors",
        metrics=f"{MATERIAL}/fit/metrics.csv",
        run=f"{MATERIAL}/fit/run.json",
    log:
        f"{RESULTS}/logs/fit_material/{{name}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit_material/{{name}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.materials"),
        config=material_config,
        tracked=material_digest,
        settings=material_settings(),
    script:
        "../scripts/fit_material.py"


rule simulate_material:
    """Molecular dynamics of a supercell with the hybrid."""
    input:
        frames=lambda w: ancient(material_file(w)),
        model=f"{MATERIAL}/fit/model.safetensors",
    output:
        runs=f"{MATERIAL}/dynamics/runs.csv",
        rdf=f"{MATERIAL}/dynamics/rdf.csv",
        msd=f"{MATERIAL}/dynamics/msd.csv",
        metrics=f"{MATERIAL}/dynamics/metrics.csv",
        run=f"{MATERIAL}/dynamics/run.json",
    log:
        f"{RESULTS}/logs/simulate_material/{{name}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate_material/{{name}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.materials"),
        config=material_config,
        tracked=material_digest,
        settings=material_settings("dynamics"),
    script:
        "../scripts/simulate_material.py"


rule time_material:
    """Time and memory of growing supercells."""
    input:
        frames=lambda w: ancient(material_file(w)),
        model=f"{MATERIAL}/fit/model.safetensors",
    output:
        metrics=f"{MATERIAL}/cost/metrics.csv",
        run=f"{MATERIAL}/cost/run.json",
    log:
        f"{RESULTS}/logs/time_material/{{name}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/time_material/{{name}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.materials"),
        config=material_config,
        tracked=material_digest,
        settings=material_settings("cost"),
    script:
        "../scripts/time_material.py"

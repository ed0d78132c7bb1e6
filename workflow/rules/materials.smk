"""Periodic materials: the hybrid force field beside its classical twins, its dynamics, its cost."""

MATERIAL = f"{RESULTS}/materials/{{name}}"


wildcard_constraints:
    name=one_of(MATERIALS),


def material_file(wildcards):
    """The labelled frames of a set."""
    from qff.reference.location import material_file as located

    try:
        return located(CONFIG.materials.sets[wildcards.name], wildcards.name)
    except QffError as error:
        raise WorkflowError(str(error))


def material_digest(wildcards):
    """Of a tracked set, whose time of modification says nothing."""
    entry = CONFIG.materials.sets[wildcards.name]
    return "" if entry.published else tracked_digest(entry.file)


def material_config(wildcards):
    return CONFIG.materials.sets[wildcards.name].model_dump(mode="json")


def material_settings(*keys):
    """Settings of the section that a job depends on: all keys but those of other jobs and the sets."""
    others = {"sets", "dynamics", "cost"} - set(keys)
    return {k: v for k, v in CONFIG.materials.model_dump(mode="json").items() if k not in others}


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

"""Reference labels and the splits made of them."""

from qff.reference.location import published_files

REFERENCE = f"{RESULTS}/reference/{{system}}"
CALCULATED = [name for name, system in STUDY.systems.items() if system.reference.calculated]
IMPORTED = [name for name in STUDY.systems if name not in CALCULATED]
SAMPLED = [name for name in CALCULATED if STUDY.systems[name].reference.sampled]

# Before the first job: sets of others lie where the user keeps them.
try:
    FILES = {
        name: [str(path) for path in published_files(STUDY.systems[name], name)]
        for name in STUDIED
        if name in IMPORTED
    }
except QffError as error:
    raise WorkflowError(str(error))


if CONFIG.reference.mode == "frozen":

    rule import_reference:
        """Check the frozen labels and recompute a random sample of them."""
        input:
            labels=lambda w: ancient(STUDY.systems[w.system].reference.frozen),
        output:
            labels=f"{REFERENCE}/labels.extxyz",
            provenance=f"{REFERENCE}/labels.json",
            recheck=f"{REFERENCE}/recheck.csv",
            run=f"{REFERENCE}/run.json",
        log:
            f"{RESULTS}/logs/import_reference/{{system}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/import_reference/{{system}}.tsv"
        wildcard_constraints:
            system=one_of(CALCULATED),
        conda:
            "../../envs/reference.yaml"
        params:
            context=context("qff.stages.reference"),
            config=system_config,
            reference=CONFIG.reference.model_dump(mode="json"),
            frozen=lambda w: tracked_digest(STUDY.systems[w.system].reference.frozen),
        script:
            "../scripts/import_reference.py"

else:

    rule sample_geometries:
        """A trajectory whose frames are to be labelled."""
        output:
            geometries=f"{REFERENCE}/trajectory_{{n}}.extxyz",
        log:
            f"{RESULTS}/logs/sample_geometries/{{system}}_{{n}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/sample_geometries/{{system}}_{{n}}.tsv"
        wildcard_constraints:
            system=one_of(SAMPLED),
        conda:
            "../../envs/reference.yaml"
        params:
            context=context("qff.stages.reference"),
            config=system_config,
        script:
            "../scripts/sample_geometries.py"

    rule label_chunk:
        """Labels of a share of the geometries, by the method of the system."""
        input:
            trajectories=trajectories_of,
        output:
            labels=f"{REFERENCE}/chunk_{{n}}.extxyz",
        log:
            f"{RESULTS}/logs/label_chunk/{{system}}_{{n}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/label_chunk/{{system}}_{{n}}.tsv"
        wildcard_constraints:
            system=one_of(CALCULATED),
        conda:
            "../../envs/reference.yaml"
        params:
            context=context("qff.stages.reference"),
            config=system_config,
            chunks=CONFIG.reference.chunks,
        script:
            "../scripts/label_chunk.py"

    rule collect_reference:
        """Join the chunks to one set of labels."""
        input:
            chunks=expand(
                f"{REFERENCE}/chunk_{{n}}.extxyz", n=range(CONFIG.reference.chunks), allow_missing=True
            ),
        output:
            labels=f"{REFERENCE}/labels.extxyz",
            provenance=f"{REFERENCE}/labels.json",
            recheck=f"{REFERENCE}/recheck.csv",
            run=f"{REFERENCE}/run.json",
        log:
            f"{RESULTS}/logs/collect_reference/{{system}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/collect_reference/{{system}}.tsv"
        wildcard_constraints:
            system=one_of(CALCULATED),
        conda:
            "../../envs/reference.yaml"
        params:
            context=context("qff.stages.reference"),
            config=system_config,
        script:
            "../scripts/collect_reference.py"


rule import_set:
    """Convert a set that others published."""
    input:
        files=lambda w: ancient(FILES[w.system]),
    output:
        labels=f"{REFERENCE}/labels.extxyz",
        provenance=f"{REFERENCE}/labels.json",
        recheck=f"{REFERENCE}/recheck.csv",
        run=f"{REFERENCE}/run.json",
    log:
        f"{RESULTS}/logs/import_set/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/import_set/{{system}}.tsv"
    wildcard_constraints:
        system=one_of(IMPORTED),
    conda:
        "../../envs/reference.yaml"
    params:
        context=context("qff.stages.reference"),
        config=system_config,
    script:
        "../scripts/import_set.py"


rule check_labels:
    """Frozen comparisons of the labels: a larger basis, slopes, labels of others."""
    input:
        checks=lambda w: ancient(STUDY.systems[w.system].reference.checks),
        labels=f"{REFERENCE}/labels.extxyz",
    output:
        table=f"{REFERENCE}/checks/checks.csv",
        metrics=f"{REFERENCE}/checks/metrics.csv",
        run=f"{REFERENCE}/checks/run.json",
    log:
        f"{RESULTS}/logs/check_labels/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/check_labels/{{system}}.tsv"
    wildcard_constraints:
        system=one_of(CHECKED),
    conda:
        "../../envs/reference.yaml"
    params:
        context=context("qff.stages.checks"),
        config=system_config,
        reference=CONFIG.reference.model_dump(mode="json"),
        frozen=lambda w: tracked_digest(STUDY.systems[w.system].reference.checks or ""),
    script:
        "../scripts/check_labels.py"


rule compare_fci:
    """Error of CCSD(T) against FCI along the scan."""
    input:
        labels=f"{REFERENCE}/labels.extxyz",
    output:
        table=f"{REFERENCE}/fci/fci.csv",
        run=f"{REFERENCE}/fci/run.json",
    log:
        f"{RESULTS}/logs/compare_fci/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_fci/{{system}}.tsv"
    conda:
        "../../envs/reference.yaml"
    params:
        context=context("qff.stages.reference"),
        config=system_config,
        n_frames=CONFIG.reference.check_frames,
    script:
        "../scripts/compare_fci.py"


rule split_data:
    """Training, validation and test frames of every seed; energies and scaled coordinates."""
    input:
        labels=f"{REFERENCE}/labels.extxyz",
    output:
        splits=f"{RESULTS}/data/{{system}}/splits.json",
        coordinates=f"{RESULTS}/data/{{system}}/coordinates.csv",
        run=f"{RESULTS}/data/{{system}}/run.json",
    log:
        f"{RESULTS}/logs/split_data/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/split_data/{{system}}.tsv"
    conda:
        "../../envs/reference.yaml"
    params:
        context=context("qff.stages.data"),
        config=system_config,
        n_seeds=CONFIG.seeds,
    script:
        "../scripts/split_data.py"

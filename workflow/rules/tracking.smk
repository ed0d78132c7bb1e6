"""MLflow is a sink: as a stage finishes, its run records become MLflow runs. No other job imports mlflow."""


def records_of(wildcards):
    """Run records of a stage."""
    systems, found = CONFIG.systems, f"{RESULTS}/{wildcards.stage}"
    folders = {
        "reference": expand(f"{found}/{{s}}{{part}}", s=systems, part=["", "/fci"]),
        "data": expand(f"{found}/{{s}}", s=systems),
        "train": expand(f"{found}/{{s}}/{{m}}", s=systems, m=CONFIG.models),
        "evaluate": expand(f"{found}/{{s}}/{{m}}", s=systems, m=CONFIG.models),
        "capacity": expand(f"{found}/{{s}}/{{m}}", s=systems, m=CONFIG.capacity.models),
        "scaling": [
            f"{found}/{s}{part}"
            for s in CONFIG.scaling.sizes
            for part in ["", *expand("/{m}/n{n}", m=CONFIG.scaling.models, n=CONFIG.scaling.sizes[s])]
        ],
        "dynamics": expand(f"{found}/{{s}}/{{m}}", s=systems, m=["reference", "on_the_fly", *CONFIG.dynamics.models]),
        "claims": [RESULTS],
    }
    return [f"{folder}/run.json" for folder in folders[wildcards.stage]]


rule track_stage:
    """Send the records of a finished stage to MLflow; an unreachable store never fails the study."""
    input:
        records=records_of,
    output:
        marker=f"{RESULTS}/tracking/{{stage}}.json",
    log:
        f"{RESULTS}/logs/track_stage/{{stage}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/track_stage/{{stage}}.tsv"
    params:
        uri=CONFIG.tracking.uri,
    wildcard_constraints:
        stage="|".join(STAGES),
    script:
        "../scripts/track_stage.py"

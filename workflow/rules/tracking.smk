"""MLflow is a sink: as a stage finishes, its run records become MLflow runs. No other job imports mlflow."""


rule track_stage:
    """Send the records of a finished stage to MLflow; an unreachable store never fails the study."""
    input:
        records=records_of,
        # Runs of claims show the figure that the claim rests on.
        figures=lambda w: (
            [f"{FIGURES}/{kind}_{s}.svg" for kind, systems in KINDS.items() for s in systems]
            if w.stage == "claims"
            else []
        ),
    output:
        marker=f"{RESULTS}/tracking/{{stage}}.json",
    log:
        f"{RESULTS}/logs/track_stage/{{stage}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/track_stage/{{stage}}.tsv"
    wildcard_constraints:
        stage="|".join(STAGES),
    conda:
        "../../envs/report.yaml"
    resources:
        tracking=1,
    params:
        uri=CONFIG.tracking.uri,
    script:
        "../scripts/track_stage.py"

"""One table of numbers, and the verdicts."""


rule collect_metrics:
    """Join the tidy tables of all stages."""
    input:
        metrics=[
            *expand(f"{RESULTS}/reference/{{system}}/checks/metrics.csv", system=CHECKED),
            *of_systems(
                f"{RESULTS}/evaluate/{{system}}/{{model}}/metrics.csv", CONFIG.systems, CONFIG.models
            ),
            *of_systems(
                f"{RESULTS}/capacity/{{system}}/{{model}}/metrics.csv",
                CONFIG.systems,
                CONFIG.capacity.models,
            ),
            *expand(f"{RESULTS}/capacity/{{system}}/metrics.csv", system=CORRELATED),
            *expand(f"{RESULTS}/scaling/{{system}}/metrics.csv", system=SCALED),
            *expand(f"{RESULTS}/transfer/{{model}}/metrics.csv", model=CONFIG.transfer.models),
            *dynamics_of(SIMULATED, "metrics.csv"),
            *measured_of(MEASURED, "metrics.csv"),
            *hybrid_of("metrics.csv"),
            *of_materials("metrics.csv", ("fit", "dynamics")),
        ],
    output:
        table=f"{RESULTS}/metrics.csv",
    log:
        f"{RESULTS}/logs/collect_metrics.log",
    benchmark:
        f"{RESULTS}/benchmarks/collect_metrics.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.claims"),
    script:
        "../scripts/collect_metrics.py"


rule collect_timings:
    """Join what was timed: numbers that no second run gives again."""
    input:
        metrics=timed(),
    output:
        table=f"{RESULTS}/timings.csv",
    log:
        f"{RESULTS}/logs/collect_timings.log",
    benchmark:
        f"{RESULTS}/benchmarks/collect_timings.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.claims"),
    script:
        "../scripts/collect_metrics.py"


rule judge_claims:
    """Verdict of every claim, with an interval over seeds."""
    input:
        metrics=f"{RESULTS}/metrics.csv",
        timings=f"{RESULTS}/timings.csv",
        claims=ancient("config/claims.yaml"),
    output:
        table=report(f"{RESULTS}/claims.csv", caption="../report/claims.rst", category="Claims"),
        json=f"{RESULTS}/claims.json",
        run=f"{RESULTS}/run.json",
    log:
        f"{RESULTS}/logs/judge_claims.log",
    benchmark:
        f"{RESULTS}/benchmarks/judge_claims.tsv"
    conda:
        "../../envs/report.yaml"
    params:
        context=context("qff.stages.claims"),
        claims=tracked_digest("config/claims.yaml"),
        systems=[*dict.fromkeys([*STUDIED, *MATERIALS, *TABLED, *BOUND])],
        stand_ins={
            STUDY.systems[name].like: name
            for name in STUDIED
            if STUDY.systems[name].like not in (None, *STUDIED)
            and STUDY.systems[name].atoms
            == STUDY.systems[STUDY.systems[name].like].atoms  # the same molecule
        },
    script:
        "../scripts/judge_claims.py"

# The whole study on one screen. Try: snakemake --cores all   (or make study)
import os
import sys

from snakemake.utils import min_version

min_version("9.0")
sys.path.insert(0, f"{workflow.basedir}/workflow")


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/reference.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/capacity.smk"
include: "workflow/rules/scaling.smk"
include: "workflow/rules/transfer.smk"
include: "workflow/rules/dynamics.smk"
include: "workflow/rules/molecules.smk"
include: "workflow/rules/quantum.smk"
include: "workflow/rules/hybrid.smk"
include: "workflow/rules/materials.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/figures_physics.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/tracking.smk"


# On a cluster, tracking stays with the driver: an SQLite store wants one machine.
localrules:
    all,
    track_stage,


rule all:
    default_target: True
    input:
        f"{RESULTS}/report.html",
        f"{RESULTS}/claims.csv",
        expand(f"{RESULTS}/tracking/{{stage}}.json", stage=STAGES),


onstart:
    invocation.start()


onsuccess:
    invocation.finish("success")
    invocation.summary()


onerror:
    invocation.finish("failed")
    print(
        "The study stopped. Finished parts are kept: run the same command again to go on.",
        file=sys.stderr,
    )

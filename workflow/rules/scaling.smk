"""Learning curves and sweeps: one job per system, model, variant and training size."""

import pandas as pd
from snakemake.utils import Paramspace

from qff.anchors import anchors_of, read_anchors

SCALING = f"{RESULTS}/scaling/{{system}}"
POINT_FOLDER = f"{RESULTS}/scaling/points"
# The study's own sizes and the rows of config/sweeps/*.tsv, as one space of parameters.
SPACE = Paramspace(pd.DataFrame([p.key for p in POINTS], columns=["system", "model", "variant", "n_train"]))
ANCHORS = read_anchors(f"{workflow.basedir}/config/anchors.yaml")


rule train_size:
    """Train on the first n frames of some splits, with the optimiser steps held fixed."""
    input:
        labels=f"{RESULTS}/reference/{{system}}/labels.extxyz",
        splits=f"{RESULTS}/data/{{system}}/splits.json",
    output:
        metrics=f"{POINT_FOLDER}/{SPACE.wildcard_pattern}/metrics.csv",
        run=f"{POINT_FOLDER}/{SPACE.wildcard_pattern}/run.json",
    log:
        f"{RESULTS}/logs/train_size/{SPACE.wildcard_pattern}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_size/{SPACE.wildcard_pattern}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.scaling"),
        config=system_config,
        model=model_config,
        training=lambda w: STUDY.training_of_point(point_of(w)).model_dump(mode="json"),
        n_seeds=lambda w: point_of(w).n_seeds,
    script:
        "../scripts/train_size.py"


rule fit_scaling:
    """Power laws with intervals over seeds, what limits each model, and published errors beside them."""
    input:
        metrics=lambda w: points_of(w.system, "metrics.csv"),
        splits=f"{RESULTS}/data/{{system}}/splits.json",
    output:
        metrics=f"{SCALING}/metrics.csv",
        fits=f"{SCALING}/fits.csv",
        run=f"{SCALING}/run.json",
    log:
        f"{RESULTS}/logs/fit_scaling/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit_scaling/{{system}}.tsv"
    conda:
        "../../envs/learning.yaml"
    params:
        context=context("qff.stages.fits"),
        roles={name: STUDY.models[name].role for name in LABELS},
        anchors=lambda w: anchors_of(ANCHORS, w.system),
    script:
        "../scripts/fit_scaling.py"

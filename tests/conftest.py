"""Shared fixtures: the study's own configuration, and a molecule in a small basis that is labelled in a moment."""

import os
import sys
import sysconfig
from pathlib import Path

import pytest
from hypothesis import settings
from qff.config import SystemConfig, load_study, read_yaml, validate

ROOT = Path(__file__).resolve().parents[1]
settings.register_profile("shared cores", deadline=None)  # a slow machine is no counterexample
settings.load_profile("shared cores")


CONDA = """#!/bin/sh
# Answers what Snakemake asks of conda; an environment is a venv with the packages of this one.
case "$*" in
    "info --json") echo '{{"conda_prefix": "{folder}", "platform": "linux-64"}}' ;;
    "--version") echo "conda 24.9.2" ;;
    "config --get channel_priority --json") echo '{{"get": {{"channel_priority": "strict"}}}}' ;;
    "env create "*)
        for prefix; do :; done
        "{python}" -m venv --without-pip "$prefix"
        for site in "$prefix"/lib/python*/site-packages; do echo "{packages}" > "$site/packages.pth"; done ;;
    "clean "*) ;;
    *) exit 2 ;;
esac
"""


@pytest.fixture
def stand_in_conda(tmp_path_factory) -> str:
    """PATH with a conda that needs no channel, for what Snakemake itself does with the environments of the rules."""
    folder = tmp_path_factory.mktemp("conda")
    (folder / "bin").mkdir()
    (folder / "bin/activate").write_text('export PATH="$1/bin:$PATH" CONDA_PREFIX="$1"\n')
    text = CONDA.format(folder=folder, python=sys.executable, packages=sysconfig.get_path("purelib"))
    (folder / "bin/conda").write_text(text)
    (folder / "bin/conda").chmod(0o755)
    return f"{folder}/bin{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="session")
def study():
    return load_study(read_yaml(ROOT / "config/config.yaml"), ROOT / "config")


@pytest.fixture(scope="session")
def small_system(tmp_path_factory) -> SystemConfig:
    """LiH in a minimal basis on a short, narrow scan: real CCSD(T) labels in a tenth of a second each."""
    return validate(
        SystemConfig,
        {
            "label": "LiH",
            "atoms": ["Li", "H"],
            "masses_amu": [7.016, 1.0078],
            "coordinates": [{"kind": "bond", "atoms": [0, 1], "bounds": [1.2, 2.2]}],
            "reference": {
                "method": "CCSD(T)",
                "basis": "6-31g",
                "check_basis": "sto-3g",
                "scan": {
                    "minimum": 1.4, "maximum": 1.9, "n_frames": 10, "focus": 1.6, "focus_width": 0.3, "focus_density": 1.0,
                },
                "frozen": str(tmp_path_factory.mktemp("small") / "frozen.extxyz"),
            },
            "split": {"n_train": 5, "n_validation": 2},
        },
        "small",
    )  # fmt: skip

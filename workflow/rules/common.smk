"""What all rules share: the checked study, paths, digests. Functions only, no rule."""

import contextlib

from qff.config import load_study, with_types
from qff.digest import code_digest, tracked_digest
from qff.errors import QffError
from qff.invocation import Invocation
from qff.jobs import job_environment
from snakemake.exceptions import WorkflowError

try:
    STUDY = load_study(with_types(config), f"{workflow.basedir}/config")
except QffError as error:
    raise WorkflowError(str(error))

CONFIG = STUDY.config
RESULTS = f"results/{CONFIG.profile}"
STAGES = ["reference", "data", "train", "evaluate", "capacity", "scaling", "dynamics", "claims"]
SEEDS = range(CONFIG.seeds)
# Two atoms: a curve, with FCI beside it and dynamics on it.
SCANS = [name for name in CONFIG.systems if STUDY.systems[name].reference.scan]
# Labels with frozen comparisons beside them.
CHECKED = [name for name in CONFIG.systems if STUDY.systems[name].reference.checks]

# Before the first job: one thread each, and this package on their path.
os.environ.update(job_environment(workflow.basedir))
invocation = Invocation(CONFIG)


wildcard_constraints:
    system="|".join(STUDY.systems),
    model="|".join(STUDY.models),
    n="[0-9]+",


def one_of(names):
    """Pattern of a wildcard that is one of some names; of no name, it fits nothing."""
    return "|".join(names) or "(?!)"


def context(*modules):
    """Where a job stands: profile, seed, and a digest of the code that its result depends on."""
    return {"profile": CONFIG.profile, "seed": CONFIG.seed, "code_digest": code_digest(*modules)}


def system_config(wildcards):
    return STUDY.systems[wildcards.system].model_dump(mode="json")


def model_config(wildcards):
    return STUDY.models[wildcards.model].model_dump(mode="json")


def models_of(wildcards):
    """Trained potentials of all seeds."""
    return expand(
        f"{RESULTS}/train/{wildcards.system}/{wildcards.model}/model_s{{seed}}.safetensors", seed=SEEDS
    )


def points_of(system, file):
    """A file of every point of the learning curves of a system."""
    return expand(
        f"{RESULTS}/scaling/{system}/{{model}}/n{{n}}/{file}",
        model=CONFIG.scaling.models,
        n=CONFIG.scaling.sizes[system],
    )


def records_of(wildcards):
    """Run records of a stage."""
    models = {
        "train": CONFIG.models,
        "evaluate": CONFIG.models,
        "capacity": CONFIG.capacity.models,
        "dynamics": ["reference", "on_the_fly", *CONFIG.dynamics.models],
    }
    stage = f"{RESULTS}/{wildcards.stage}"
    if wildcards.stage == "claims":
        return [f"{RESULTS}/run.json"]
    if wildcards.stage == "scaling":
        points = [f for system in CONFIG.scaling.sizes for f in points_of(system, "run.json")]
        return points + expand(f"{stage}/{{system}}/run.json", system=CONFIG.scaling.sizes)
    if wildcards.stage in models:
        systems = SCANS if wildcards.stage == "dynamics" else CONFIG.systems
        return expand(f"{stage}/{{system}}/{{model}}/run.json", system=systems, model=models[wildcards.stage])
    records = expand(f"{stage}/{{system}}/run.json", system=CONFIG.systems)
    if wildcards.stage == "reference":
        records += expand(f"{stage}/{{system}}/fci/run.json", system=SCANS)
        records += expand(f"{stage}/{{system}}/checks/run.json", system=CHECKED)
    return records

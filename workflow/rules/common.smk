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

# More atoms: dynamics beside a fit to the labels.
MOLECULES = [name for name in CONFIG.systems if name not in SCANS]

# Before the first job: one thread each, and this package on their path.
os.environ.update(job_environment(workflow.basedir))
invocation = Invocation(CONFIG)


wildcard_constraints:
    system="|".join(STUDY.systems),
    model="|".join(STUDY.models),
    n="[0-9]+",


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


def dynamics_of(systems, file):
    """A file of every dynamics job of some systems: reference, what it is held against, models made for the system."""
    found = []
    for system in systems:
        fixed = ["reference", "on_the_fly", *(["harmonic"] if system in MOLECULES else [])]
        models = [*fixed, *STUDY.models_of(system, CONFIG.dynamics.models)]
        found += expand(f"{RESULTS}/dynamics/{system}/{{model}}/{file}", model=models)
    return found


def potentials_of(file):
    """A file of the fitted reference and of every model's dynamics."""
    return lambda w: [
        f"{RESULTS}/dynamics/{w.system}/{name}/{file}"
        for name in ("reference", *STUDY.models_of(w.system, CONFIG.dynamics.models))
    ]


def records_of(wildcards):
    """Run records of a stage."""
    models = {
        "train": CONFIG.models,
        "evaluate": CONFIG.models,
        "capacity": CONFIG.capacity.models,
    }
    stage = f"{RESULTS}/{wildcards.stage}"
    if wildcards.stage == "claims":
        return [f"{RESULTS}/run.json"]
    if wildcards.stage == "scaling":
        points = [f for system in CONFIG.scaling.sizes for f in points_of(system, "run.json")]
        return points + expand(f"{stage}/{{system}}/run.json", system=CONFIG.scaling.sizes)
    if wildcards.stage == "dynamics":
        return dynamics_of(CONFIG.systems, "run.json")
    if wildcards.stage in models:
        return expand(
            f"{stage}/{{system}}/{{model}}/run.json", system=CONFIG.systems, model=models[wildcards.stage]
        )
    records = expand(f"{stage}/{{system}}/run.json", system=CONFIG.systems)
    if wildcards.stage == "reference":
        records += expand(f"{stage}/{{system}}/fci/run.json", system=SCANS)
    return records

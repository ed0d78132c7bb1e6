"""What all rules share: the checked study, paths, digests. Functions only, no rule."""

import contextlib

from qff.config import load_study
from qff.digest import code_digest, tracked_digest
from qff.errors import QffError
from qff.invocation import Invocation
from snakemake.exceptions import WorkflowError

try:
    STUDY = load_study(config, f"{workflow.basedir}/config")
except QffError as error:
    raise WorkflowError(str(error))

CONFIG = STUDY.config
RESULTS = f"results/{CONFIG.profile}"
STAGES = ["reference", "data", "train", "evaluate", "capacity", "scaling", "dynamics", "claims"]
SEEDS = range(CONFIG.seeds)

# One thread per job: Snakemake runs jobs side by side, and sums keep their order whatever --cores is.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["PYTHONPATH"] = os.pathsep.join(
    [f"{workflow.basedir}/workflow", *filter(None, [os.environ.get("PYTHONPATH")])]
)
os.environ.setdefault("MPLBACKEND", "agg")

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

"""What all rules share: the checked study, paths, digests. Functions only, no rule."""

import contextlib

from qff.config import load_study, read_yaml, with_types
from qff.config.points import VARIANTS
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
# Where the hybrid of the architecture draft is trained; nowhere: none of its stage runs.
HYBRID_SYSTEMS = [name for name in CONFIG.hybrid.systems if name in CONFIG.systems]
# Systems of its Table 1 that have numbers, some of them in frozen records only: judged wherever the table is made. Molecules
# that other claims are about only where they are trained.
TABLED = [
    row["system"]
    for row in read_yaml(f"{workflow.basedir}/config/table_one.yaml")["rows"].values()
    if HYBRID_SYSTEMS
    and "system" in row
    and (
        row["system"] in HYBRID_SYSTEMS
        or ("records" in row and not STUDY.systems[row["system"]].reference.internal)
    )
]
# Its binding case, which is no system of the study.
BOUND = {"dyad": "acetamide at the catalytic dyad"} if HYBRID_SYSTEMS and CONFIG.hybrid.binding else {}
SEEDS = range(CONFIG.seeds)
# Two atoms: a curve, with FCI beside it.
SCANS = [name for name in CONFIG.systems if STUDY.systems[name].reference.scan]
# Points of the learning curves, and the systems that have some.
POINTS = STUDY.points
BY_KEY = {point.key: point for point in POINTS}
SCALED = list(dict.fromkeys(point.system for point in POINTS))
TRANSFERRED = CONFIG.transfer.systems
STUDIED = list(dict.fromkeys([*CONFIG.systems, *SCALED, *TRANSFERRED]))
LABELS = {
    name: STUDY.models[name].label
    for name in dict.fromkeys(
        [
            *CONFIG.models,
            *(point.model for point in POINTS),
            *CONFIG.transfer.models,
            *(CONFIG.hybrid.models if HYBRID_SYSTEMS else []),
        ]
    )
}
# Systems with models whose effective dimension is compared with their errors.
CORRELATED = [name for name in CONFIG.systems if STUDY.models_of(name, CONFIG.capacity.models)]
# Labels with frozen comparisons beside them; sampled frames that are recomputed are others than those compared.
CHECKED = [
    name
    for name in CONFIG.systems
    if (level := STUDY.systems[name].reference).checks
    and not (level.sampled and CONFIG.reference.mode == "recompute")
]

# Dynamics, of systems with models that are asked for: on the curve of two atoms; of more, beside a fit to the labels, and
# beside their level itself where that can be computed.
MOVING = [name for name in CONFIG.systems if STUDY.models_of(name, CONFIG.dynamics.models)]
DIATOMICS = [name for name in MOVING if STUDY.systems[name].reference.scan]
COMPUTED = [name for name in MOVING if STUDY.systems[name].reference.internal]
IMPORTED = [
    name for name in MOVING if STUDY.systems[name].reference.imported and STUDY.systems[name].coordinates
]
MOLECULES = [*COMPUTED, *IMPORTED]
SIMULATED = [*DIATOMICS, *MOLECULES]
# Systems whose QNNs are run with shots and noise.
MEASURED = [name for name in CONFIG.systems if STUDY.models_of(name, CONFIG.quantum.models)]
# Systems and models made of many circuits that are run with shots and noise.
COMPOSED = STUDY.composed()
# Periodic sets, and those whose circuits on amplitudes are run with shots and noise.
MATERIALS = list(CONFIG.materials.sets)
LOADED = [name for name in CONFIG.quantum.materials if name in MATERIALS]
# A study may do without these.
OPTIONAL = {
    "transfer": TRANSFERRED,
    "quantum": [*MEASURED, *COMPOSED, *LOADED],
    "hybrid": HYBRID_SYSTEMS,
    "materials": MATERIALS,
}
STAGES = ["reference", "data", "train", "evaluate", "capacity", "scaling", "dynamics"]
STAGES += [*(stage for stage, used in OPTIONAL.items() if used), "claims"]

# Before the first job: one thread each, and this package on their path.
os.environ.update(job_environment(workflow.basedir))
invocation = Invocation(CONFIG)


wildcard_constraints:
    system="|".join(STUDY.systems),
    model="|".join(STUDY.models),
    n="[0-9]+",
    n_train="[0-9]+",
    variant="|".join(VARIANTS),


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


def training_config(**changes):
    """Function of wildcards: training of a model, the study's with what the model states for itself."""
    return lambda w: STUDY.training_of(w.model, **changes).model_dump(mode="json")


def of_system(path, models):
    """Function of wildcards: a file of each of the models that are made for the system."""
    return lambda w: expand(path, system=w.system, model=STUDY.models_of(w.system, models))


def of_systems(path, systems, models):
    """The same for several systems at once."""
    return [f for s in systems for f in expand(path, system=s, model=STUDY.models_of(s, models))]


def shown(system, role):
    """Models of a role, beside those they are held against."""
    return STUDY.shown(system, role)


def iterated(system, role):
    """Those of them that an optimiser trains: they have loss curves."""
    return [name for name in shown(system, role) if not STUDY.models[name].closed_form]


def with_models(role, models=shown):
    """Systems that have such models."""
    return [name for name in CONFIG.systems if models(name, role)]


def of_role(path, role, models=shown):
    """Function of wildcards: a file of each of the models of a role."""
    return lambda w: expand(path, system=w.system, model=models(w.system, role))


def trajectories_of(wildcards):
    """Files of the dynamics whose frames are labelled; none if the geometries follow from the config."""
    sampled = STUDY.systems[wildcards.system].reference.sampled
    numbers = range(sampled.trajectories if sampled else 0)
    return [f"{RESULTS}/reference/{wildcards.system}/trajectory_{k}.extxyz" for k in numbers]


def seeds_of(wildcards):
    """Trained potentials of all seeds."""
    return expand(
        f"{RESULTS}/train/{wildcards.system}/{wildcards.model}/model_s{{seed}}.safetensors", seed=SEEDS
    )


def point_of(wildcards):
    """The point of the learning curves that a job trains."""
    return BY_KEY[wildcards.system, wildcards.model, wildcards.variant, int(wildcards.n_train)]


def twins_of(wildcards):
    """Trained potential of the classical twin, whose time is shown beside; none if it is not trained for the system."""
    twin = [name for name in STUDY.models_of(wildcards.system, CONFIG.models) if name == CONFIG.quantum.twin]
    return expand(f"{RESULTS}/train/{wildcards.system}/{{model}}/model_s0.safetensors", model=twin)


def measured_of(systems, file):
    """A file of every job with shots and noise of some systems."""
    folders = [f"{RESULTS}/quantum/{{system}}/{{model}}/{part}{file}" for part in ("", "measured/")]
    parts = ("", "measured/") if CONFIG.quantum.composed.simulated else ("",)
    composed = [
        f"{RESULTS}/quantum/{system}/{model}/composed/{part}{file}"
        for system, model in COMPOSED
        for part in parts
    ]
    loaded = [f"{RESULTS}/quantum/{name}/amplitudes/{file}" for name in LOADED]
    return [
        *(f for folder in folders for f in of_systems(folder, systems, CONFIG.quantum.models)),
        *composed,
        *loaded,
    ]


def trained_of(system, model, seed=0):
    """Trained potential of a seed: a hybrid's is of its own stage."""
    stage = "hybrid" if STUDY.models[model].kind == "hybrid" else "train"
    return f"{RESULTS}/{stage}/{system}/{model}/model_s{seed}.safetensors"


def composed_twins(system, model):
    """The classical model whose time is shown beside one made of many circuits; none if it is not trained for the system."""
    twin = CONFIG.quantum.composed.models[model]
    return [twin] if twin and STUDY.trains(system, twin) else []


def points_of(system, file):
    """A file of every point of the learning curves of a system."""
    return [f"{POINT_FOLDER}/{p}/{file}" for p in SPACE[SPACE.system == system].instance_patterns]


def capacity_of(system, file, stages=("capacity",)):
    """A file of every model whose effective dimension is estimated for a system."""
    models = STUDY.models_of(system, CONFIG.capacity.models)
    return expand(f"{RESULTS}/{{stage}}/{system}/{{model}}/{file}", stage=stages, model=models)


def dynamics_of(systems, file):
    """A file of every dynamics job of some systems: reference, what it is held against, models made for the system."""
    found = []
    for system in systems:
        fixed = ["reference"]
        fixed += ["on_the_fly"] if system in (*DIATOMICS, *COMPUTED) else []
        fixed += ["harmonic"] if system in COMPUTED else []
        models = [*fixed, *STUDY.models_of(system, CONFIG.dynamics.models)]
        found += expand(f"{RESULTS}/dynamics/{system}/{{model}}/{file}", model=models)
    return found


def harmonic_of(wildcards):
    """Vibrations of the reference method, or of the fit to its labels where it is not known."""
    potential = "harmonic" if wildcards.system in COMPUTED else "reference"
    return f"{RESULTS}/dynamics/{wildcards.system}/{potential}/metrics.csv"


def potentials_of(file):
    """A file of the fitted reference and of every model's dynamics."""
    return lambda w: [
        f"{RESULTS}/dynamics/{w.system}/{name}/{file}"
        for name in ("reference", *STUDY.models_of(w.system, CONFIG.dynamics.models))
    ]


def hybrid_of(file):
    """A file of every job of the architecture draft that leaves one."""
    if not HYBRID_SYSTEMS:
        return []
    folder = f"{RESULTS}/hybrid"
    of_system = {
        "run.json": ("pretrained/run.json",),
        "metrics.csv": (),
    }[file]
    of_model = {
        "run.json": ("initial/run.json", "run.json", "evaluation/run.json"),
        "metrics.csv": ("evaluation/metrics.csv",),
    }[file]
    return [
        *([f"{folder}/bonds/{file}"] if file == "run.json" else []),
        *expand(f"{folder}/vqe/{{system}}/{file}", system=[s for s in CONFIG.hybrid.vqe if s in STUDIED]),
        *expand(f"{folder}/{{system}}/{{part}}", system=HYBRID_SYSTEMS, part=of_system),
        *expand(
            f"{folder}/{{system}}/{{model}}/{{part}}",
            system=HYBRID_SYSTEMS,
            model=CONFIG.hybrid.models,
            part=of_model,
        ),
        *([f"{folder}/timing/{file}"] if CONFIG.hybrid.timing.molecules and file == "run.json" else []),
        *([f"{folder}/binding/{file}"] if BOUND else []),
        f"{folder}/{file}",
    ]


def material_file(wildcards):
    """The labelled frames of a set."""
    from qff.reference.location import material_file as located

    try:
        return located(CONFIG.materials.sets[wildcards.name], wildcards.name)
    except QffError as error:
        raise WorkflowError(str(error))


def material_digest(wildcards):
    """Of a tracked set, whose time of modification says nothing."""
    entry = CONFIG.materials.sets[wildcards.name]
    return "" if entry.published else tracked_digest(entry.file)


def material_config(wildcards):
    return CONFIG.materials.sets[wildcards.name].model_dump(mode="json", exclude={"dynamics"})


def material_settings(*keys):
    """Function of wildcards: settings that a job depends on, without those of other jobs."""
    return lambda w: CONFIG.materials.settings_of(w.name, keys)


def of_materials(file, jobs=("fit", "dynamics", "cost")):
    """A file of jobs of the periodic sets."""
    return expand(f"{RESULTS}/materials/{{name}}/{{job}}/{file}", name=MATERIALS, job=jobs)


def timed():
    """Tables of what depends on the clock, kept out of the other numbers."""
    hybrid = (
        [f"{RESULTS}/hybrid/timing/metrics.csv"] if HYBRID_SYSTEMS and CONFIG.hybrid.timing.molecules else []
    )
    untimed = ("measured", "amplitudes")
    quantum = [f for f in measured_of(MEASURED, "timing.csv") if f.split("/")[-2] not in untimed]
    return hybrid + quantum + of_materials("metrics.csv", ("cost",))


def records_of(wildcards):
    """Run records of a stage."""
    stage = f"{RESULTS}/{wildcards.stage}"
    record = f"{stage}/{{system}}/{{model}}/run.json"
    of_each_system = f"{stage}/{{system}}/run.json"
    if wildcards.stage == "materials":
        return of_materials("run.json")
    if wildcards.stage == "claims":
        return [f"{RESULTS}/run.json"]
    if wildcards.stage == "scaling":
        points = [f for system in SCALED for f in points_of(system, "run.json")]
        return points + expand(of_each_system, system=SCALED)
    if wildcards.stage == "transfer":
        return expand(f"{stage}/{{model}}/run.json", model=CONFIG.transfer.models)
    if wildcards.stage in ("train", "evaluate"):
        return of_systems(record, CONFIG.systems, CONFIG.models)
    if wildcards.stage == "capacity":
        return of_systems(record, CONFIG.systems, CONFIG.capacity.models) + expand(
            of_each_system, system=CORRELATED
        )
    if wildcards.stage == "dynamics":
        return dynamics_of(SIMULATED, "run.json")
    if wildcards.stage == "quantum":
        return measured_of(MEASURED, "run.json")
    if wildcards.stage == "hybrid":
        return hybrid_of("run.json")
    records = expand(of_each_system, system=STUDIED)
    if wildcards.stage == "reference":
        records += expand(f"{stage}/{{system}}/fci/run.json", system=SCANS)
        records += expand(f"{stage}/{{system}}/checks/run.json", system=CHECKED)
    return records

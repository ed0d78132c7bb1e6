"""Typed configuration: every key with its unit and default, checked before anything runs.

``config/schema/`` and ``config/README.md`` are generated from these classes (``make docs``).
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from qff.errors import ConfigError

PositiveInt = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
RESERVED_PROFILES = ("published", "mlartifacts")  # folders of results/ that are not a run's


def _distinct(values: list) -> list:
    if twice := [v for i, v in enumerate(values) if v in values[:i]]:
        raise ValueError(f"'{twice[0]}' is listed twice")
    return values


Distinct = AfterValidator(_distinct)


class Strict(BaseModel):
    """Unknown keys, lax conversions and numbers that are not finite are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())


# --- systems.yaml ------------------------------------------------------------------------------------------


ATOMS_OF = {"bond": 2, "angle": 3, "dihedral": 4}


class CoordinateConfig(Strict):
    kind: Literal["bond", "angle", "dihedral"] = Field(description="Type of internal coordinate.")
    atoms: list[int] = Field(
        description="Indices of its atoms, from 0; of an angle the vertex is in the middle, of a dihedral the first two "
        "are the axis: the angle between the planes (0, 1, 2) and (0, 1, 3) of them, from 0° to 360°."
    )
    bounds: tuple[float, float] = Field(description="Fixed physical bounds (Å, degrees) that are scaled to ±0.95.")

    @model_validator(mode="before")
    @classmethod
    def _tuple(cls, value):
        if isinstance(value, dict) and isinstance(value.get("bounds"), list):
            return {**value, "bounds": tuple(value["bounds"])}
        return value

    @property
    def unit(self) -> str:
        return "Å" if self.kind == "bond" else "°"

    @model_validator(mode="after")
    def _check(self):
        low, high = self.bounds
        largest = {"bond": float("inf"), "angle": 180.0, "dihedral": 360.0}[self.kind]
        if not 0 < low < high < largest:
            limit = "" if self.kind == "bond" else f" < {largest:g}"
            raise ValueError(f"bounds {low}–{high} {self.unit}: a {self.kind} needs 0 < lower < upper{limit}")
        count = ATOMS_OF[self.kind]
        if len(self.atoms) != count or len(set(self.atoms)) != count or min(self.atoms) < 0:
            raise ValueError(f"atoms {self.atoms}: a {self.kind} needs {count} different atom indices")
        return self


class ScanConfig(Strict):
    """Distances of a bond scan: uniform, plus a Gaussian excess of points near the minimum."""

    minimum: Positive = Field(description="Shortest distance (Å).")
    maximum: Positive = Field(description="Longest distance (Å).")
    n_frames: Annotated[int, Field(ge=8)] = Field(description="Number of distances.")
    focus: Positive = Field(description="Centre of the denser region (Å).")
    focus_width: Positive = Field(description="Width of the denser region (Å).")
    focus_density: NonNegative = Field(description="Extra density at the centre, relative to the rest.")

    @model_validator(mode="after")
    def _check(self):
        if self.minimum >= self.maximum:
            raise ValueError(f"minimum {self.minimum} Å is not below maximum {self.maximum} Å")
        return self


class InternalConfig(Strict):
    """Samples in the internal coordinates of a central atom with two or three others bound to it."""

    stream: Name = Field(description="Name of the random stream: another name, other frames.")
    n_thermal: PositiveInt = Field(description="Frames of the thermal part.")
    temperatures_k: list[Positive] = Field(min_length=2, max_length=2, description="Range of temperatures (K).")
    equilibrium: list[float] = Field(description="Centre of every coordinate (Å, degrees).")
    force_constants: list[Positive] = Field(description="Harmonic constants (eV/Å², eV/rad²) of the distribution.")
    grid: list[list[float]] | None = Field(
        default=None, description="Values of every coordinate (Å, degrees); all combinations are added."
    )
    umbrella: list[float] | None = Field(
        default=None, description="Range of the dihedral (degrees), drawn uniformly; the angles follow the pyramid."
    )
    n_path: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Frames on the symmetric path from one end of the umbrella range to the other."
    )

    @model_validator(mode="after")
    def _check(self):
        n = len(self.equilibrium)
        if n not in (3, 6):
            raise ValueError(
                f"equilibrium has {n} values; 3 (two bonds, angle) or 6 (three bonds, two angles, dihedral)"
            )
        if len(self.force_constants) != n or (self.grid is not None and len(self.grid) != n):
            raise ValueError(f"force_constants and grid need {n} entries, one for every coordinate")
        if self.umbrella is not None and (n != 6 or len(self.umbrella) != 2 or self.umbrella[0] >= self.umbrella[1]):
            raise ValueError(f"umbrella {self.umbrella}: two dihedrals, lower first, of a molecule with three bonds")
        if self.n_path and self.umbrella is None:
            raise ValueError("n_path needs an umbrella range")
        return self


class LevelConfig(Strict):
    method: Literal["CCSD(T)"] = Field(description="Electronic-structure method; all electrons correlated.")
    basis: str = Field(description="Basis set (PySCF name).")
    check_basis: str = Field(description="Small basis in which CCSD(T) is compared with FCI.")
    scan: ScanConfig | None = None
    internal: InternalConfig | None = None
    frozen: str = Field(description="Tracked file with the frozen labels (extended XYZ).")

    @model_validator(mode="after")
    def _check(self):
        if (self.scan is None) == (self.internal is None):
            raise ValueError("exactly one of 'scan' (two atoms) and 'internal' (three or four atoms) is needed")
        return self

    def identity(self) -> dict[str, Any]:
        """What labels belong to: the level and the geometries, without the place of the file."""
        return self.model_dump(mode="json", exclude={"frozen"}, exclude_none=True)


class SplitConfig(Strict):
    n_train: Annotated[int, Field(ge=2)] = Field(description="Training frames.")
    n_validation: PositiveInt = Field(description="Validation frames (early stopping); the rest is the test set.")
    pin_extremes: bool = Field(
        default=False, description="Keep the two ends of a scan in the training set, so that no model extrapolates."
    )


class SystemConfig(Strict):
    label: str = Field(description="Name for figures and tables.")
    atoms: list[str] = Field(description="Chemical symbols, in order.")
    masses_amu: list[Positive] = Field(description="Atomic masses (amu).")
    charge: int = Field(default=0, description="Total charge (e).")
    coordinates: list[CoordinateConfig] = Field(min_length=1, description="Internal coordinates the models see.")
    reference: LevelConfig
    split: SplitConfig
    stretch: Positive = Field(default=1.2, description="Dynamics start at this multiple of the minimum distance.")

    @model_validator(mode="after")
    def _check(self):
        if len(self.masses_amu) != len(self.atoms):
            raise ValueError(f"{len(self.masses_amu)} masses for {len(self.atoms)} atoms")
        for coordinate in self.coordinates:
            if max(coordinate.atoms) >= len(self.atoms):
                raise ValueError(f"coordinate atoms {coordinate.atoms}: the system has {len(self.atoms)} atoms")
        scan, internal = self.reference.scan, self.reference.internal
        if scan is not None:
            low, high = self.coordinates[0].bounds
            if len(self.atoms) != 2:
                raise ValueError(f"a scan moves two atoms, the system has {len(self.atoms)}; use 'internal'")
            if scan.minimum < low or scan.maximum > high:
                raise ValueError(f"scan {scan.minimum}–{scan.maximum} Å leaves the bounds {low}–{high} Å")
        elif len(self.atoms) != {3: 3, 6: 4}[len(internal.equilibrium)]:
            raise ValueError(f"{len(internal.equilibrium)} internal coordinates for {len(self.atoms)} atoms")
        n_frames = scan.n_frames if scan else internal.n_thermal
        if self.split.n_train + self.split.n_validation >= n_frames:
            raise ValueError(
                f"n_train {self.split.n_train} + n_validation {self.split.n_validation} leave no test frame of {n_frames}"
            )
        return self


# --- models.yaml -------------------------------------------------------------------------------------------


class ModelConfig(Strict):
    name: Name = Field(description="Name of the model in tables and paths (its key).")
    label: str = Field(description="Name for figures and tables.")
    kind: str = Field(description="Class of model: qnn, nn, behler_parrinello.")
    systems: dict[str, dict[str, Any]] = Field(description="Settings of the architecture for each system.")


# --- config.yaml -------------------------------------------------------------------------------------------


class ReferenceConfig(Strict):
    mode: Literal["frozen", "recompute"] = Field(
        default="frozen", description="Use the tracked labels and recheck a sample, or recompute all of them."
    )
    recheck_frames: PositiveInt = Field(default=6, description="Frames recomputed in mode frozen.")
    energy_tolerance_mev: Positive = Field(default=0.01, description="Allowed difference of energies (meV).")
    force_tolerance_ev_per_ang: Positive = Field(
        default=1e-4, description="Allowed difference of force components (eV/Å)."
    )
    chunks: PositiveInt = Field(default=8, description="Parallel jobs of a full recalculation.")
    check_frames: PositiveInt = Field(default=12, description="Distances at which CCSD(T) is compared with FCI.")


class TrainingConfig(Strict):
    optimiser: Literal["bfgs", "adam"] = Field(
        default="bfgs", description="bfgs (dense quasi-Newton) or adam (cosine decay, full batch)."
    )
    steps: PositiveInt = Field(default=3000, description="Evaluations of loss and gradient, for every model.")
    learning_rate: Positive = Field(default=0.01, description="Initial step of adam.")
    force_weight: NonNegative = Field(
        default=1.0, description="χ of the loss (Å²): L = mean ΔE² + χ/(3A) mean Σ ΔF², energies in eV."
    )
    printed_loss: bool = Field(
        default=False, description="Sum the force term over frames without dividing by their number, as printed."
    )


class CapacityConfig(Strict):
    models: Annotated[list[Name], Distinct] = Field(
        default=[], description="Models whose effective dimension is estimated."
    )
    samples: Annotated[int, Field(ge=2)] = Field(default=100, description="Parameter vectors drawn per estimate.")
    boxes: dict[Name, tuple[float, float]] = Field(
        default={"unit": (0.0, 1.0)},
        min_length=1,
        description="Boxes the parameters are drawn from; the first one is primary.",
    )
    likelihoods: Annotated[list[Literal["gaussian", "bernoulli"]], Distinct] = Field(
        default=["gaussian", "bernoulli"],
        min_length=1,
        description="Likelihoods of the Fisher matrix; the first one is primary.",
    )

    @model_validator(mode="before")
    @classmethod
    def _tuples(cls, value):
        if isinstance(value, dict) and isinstance(value.get("boxes"), dict):
            boxes = {k: tuple(v) if isinstance(v, list) else v for k, v in value["boxes"].items()}
            return {**value, "boxes": boxes}
        return value

    @model_validator(mode="after")
    def _check(self):
        for name, (low, high) in self.boxes.items():
            if name == "local":
                raise ValueError("box local: the name is taken by the trained parameters")
            if low >= high:
                raise ValueError(f"box {name}: [{low}, {high}] is empty")
        return self


class ScalingConfig(Strict):
    sizes: dict[str, Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=2), Distinct]] = Field(
        default={}, description="Training sizes for each system, at least two."
    )
    models: Annotated[list[Name], Distinct] = Field(default=[], description="Models of the learning curves.")
    steps: PositiveInt = Field(default=1500, description="Optimiser steps, equal for all sizes.")


class DynamicsConfig(Strict):
    time_step_fs: Positive = Field(default=0.25, description="Time step of velocity Verlet (fs).")
    length_fs: Positive = Field(default=2000.0, description="Length of each trajectory (fs).")
    models: Annotated[list[Name], Distinct] = Field(default=[], description="Models that run dynamics.")
    on_the_fly_step_fs: Positive = Field(default=0.5, description="Time step of the on-the-fly check (fs).")
    on_the_fly_steps: PositiveInt = Field(default=48, description="Steps of the on-the-fly check with PySCF.")

    @model_validator(mode="after")
    def _check(self):
        if self.length_fs < self.time_step_fs:
            raise ValueError(f"length_fs {self.length_fs} is shorter than one time_step_fs {self.time_step_fs}")
        return self


class TrackingConfig(Strict):
    uri: str = Field(default="sqlite:///results/mlflow.db", description="MLflow store; MLFLOW_TRACKING_URI wins.")


class Config(Strict):
    """The study."""

    profile: Name = Field(description="Results go to results/<profile>/.")
    seed: Annotated[int, Field(ge=0)] = Field(description="Seed of every random stream of the study.")
    seeds: PositiveInt = Field(description="Independent repetitions: new split and new initial parameters.")
    systems: Annotated[list[Name], Distinct] = Field(min_length=1, description="Systems, from config/systems.yaml.")
    models: Annotated[list[Name], Distinct] = Field(min_length=1, description="Models, from config/models.yaml.")
    reference: ReferenceConfig = ReferenceConfig()
    training: TrainingConfig = TrainingConfig()
    capacity: CapacityConfig = CapacityConfig()
    scaling: ScalingConfig = ScalingConfig()
    dynamics: DynamicsConfig = DynamicsConfig()
    tracking: TrackingConfig = TrackingConfig()

    @model_validator(mode="after")
    def _check(self):
        if self.profile in RESERVED_PROFILES:
            raise ValueError(f"profile '{self.profile}': results/{self.profile}/ is not a run's; choose another name")
        return self


class Study(Strict):
    """Everything the workflow needs to know, cross-checked."""

    config: Config
    systems: dict[str, SystemConfig]
    models: dict[str, ModelConfig]

    def check(self) -> Study:
        config = self.config
        for what, used, known in (
            ("systems", config.systems, self.systems),
            ("models", config.models, self.models),
            ("capacity.models", config.capacity.models, config.models),
            ("scaling.models", config.scaling.models, config.models),
            ("dynamics.models", config.dynamics.models, config.models),
            ("scaling.sizes", config.scaling.sizes, self.systems),
        ):
            for name in used:
                if name not in known:
                    raise ConfigError(
                        f"config, {what}: unknown '{name}'{_suggest(name, known)}; known: {', '.join(known)}"
                    )
        for system in dict.fromkeys([*config.systems, *config.scaling.sizes]):
            n_train = self.systems[system].split.n_train
            if large := [n for n in config.scaling.sizes.get(system, []) if n > n_train]:
                raise ConfigError(f"config, scaling.sizes.{system}: {large} exceed the {n_train} training frames")
            for model in config.models if system in config.systems else config.scaling.models:
                if system not in self.models[model].systems:
                    raise ConfigError(f"config/models.yaml, {model}.systems: no settings for system '{system}'")
        return self


class _Loader(yaml.SafeLoader):
    """A key given twice is an error: YAML would keep the last one and say nothing."""

    def compose_mapping_node(self, anchor):
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise yaml.MarkedYAMLError(None, None, f"key '{key.value}' is given twice", key.start_mark)
                seen.add(key.value)
        return node


def read_yaml(path: str | Path) -> Any:
    """Content of a YAML file.

    Raises:
        ConfigError: missing, unreadable, not YAML, or a key given twice.
    """
    path = Path(path)
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error


def validate(model: type[BaseModel], value: Any, where: str) -> Any:
    """Typed value, or an error that names every offending key with a suggestion.

    Raises:
        ConfigError: with one line per problem.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            path = ".".join(str(p) for p in problem["loc"]) or "(top level)"
            if problem["type"] == "extra_forbidden":
                known = _fields_at(model, problem["loc"][:-1])
                lines.append(f"{where}: unknown key '{path}'{_suggest(str(problem['loc'][-1]), known)}")
            else:
                message = re.sub(r"^Value error, ", "", problem["msg"])
                if problem["type"] == "literal_error":
                    message += _suggest(str(problem["input"]), re.findall(r"'([^']*)'", problem["ctx"]["expected"]))
                lines.append(
                    f"{where}: {path}: {message}" + (f" (got {problem['input']!r})" if _short(problem) else "")
                )
        raise ConfigError("\n".join(lines)) from None


def with_types(config: dict[str, Any]) -> dict[str, Any]:
    """The merged configuration with nested numbers read: Snakemake leaves ``--config a={b: 3}`` as ``"3"``."""

    def typed(value):
        if isinstance(value, dict):
            return {k: typed(v) for k, v in value.items()}
        if isinstance(value, list):
            return [typed(v) for v in value]
        found = yaml.safe_load(value) if isinstance(value, str) else value
        return found if isinstance(found, (bool, int, float)) else value

    return {k: typed(v) if isinstance(v, (dict, list)) else v for k, v in config.items()}


def load_study(config: dict[str, Any], folder: str | Path = "config") -> Study:
    """Check a merged config against the systems and models of ``folder``."""
    folder = Path(folder)
    systems = {
        name: validate(SystemConfig, value, f"{folder / 'systems.yaml'}, {name}")
        for name, value in _entries(folder / "systems.yaml").items()
    }
    models = {}
    for name, value in _entries(folder / "models.yaml").items():
        where = f"{folder / 'models.yaml'}, {name}"
        if "name" in value:
            raise ConfigError(f"{where}: unknown key 'name': a model is named by its key")
        models[name] = validate(ModelConfig, {"name": name, **value}, where)
    return Study(config=validate(Config, config, "config"), systems=systems, models=models).check()


def _entries(path: Path) -> dict[str, dict]:
    """Named entries of a file: a mapping of mappings."""
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping from names to entries, got {type(content).__name__}")
    for name, value in content.items():
        if not isinstance(value, dict):
            raise ConfigError(f"{path}, {name}: expected a mapping of settings, got {value!r}")
    return content


def _short(problem) -> bool:
    return not isinstance(problem["input"], (dict, list)) and problem["type"] != "missing"


def _suggest(name: str, known) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f": did you mean '{close[0]}'?" if close else ""


def _fields_at(model: type[BaseModel], path) -> list[str]:
    """Field names of the model that a path of keys leads to."""
    for key in path:
        field = model.model_fields.get(str(key))
        if field is None:
            continue  # an index or a free key of a mapping
        annotation = field.annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), model)
    return list(model.model_fields)

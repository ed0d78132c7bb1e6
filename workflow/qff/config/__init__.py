"""Typed configuration: every key with its unit and default, checked before anything runs.

``config/schema/`` and ``config/README.md`` are generated from these classes (``make docs``).
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

from qff.config.hybrid import HybridConfig, VQEScanConfig
from qff.config.points import VARIANTS, Point, read_sweep
from qff.config.quantum import QuantumConfig
from qff.config.reading import read_yaml, suggest, validate, with_types
from qff.config.study import (
    BESIDE,
    CapacityConfig,
    Config,
    DynamicsConfig,
    ModelConfig,
    MoleculesConfig,
    ReferenceConfig,
    Role,
    ScalingConfig,
    StartsConfig,
    TrackingConfig,
    TrainingConfig,
    TransferConfig,
)
from qff.config.systems import (
    CoordinateConfig,
    ImportedConfig,
    InternalConfig,
    LevelConfig,
    Rmd17Config,
    SampledConfig,
    ScanConfig,
    SplitConfig,
    SystemConfig,
)
from qff.config.types import Name, Strict
from qff.engines.coupling import map_qubits
from qff.errors import ConfigError

__all__ = [
    "CapacityConfig",
    "Config",
    "CoordinateConfig",
    "DynamicsConfig",
    "HybridConfig",
    "ImportedConfig",
    "InternalConfig",
    "LevelConfig",
    "ModelConfig",
    "MoleculesConfig",
    "Name",
    "Point",
    "QuantumConfig",
    "ReferenceConfig",
    "Rmd17Config",
    "Role",
    "SampledConfig",
    "ScalingConfig",
    "ScanConfig",
    "SplitConfig",
    "StartsConfig",
    "Strict",
    "Study",
    "SystemConfig",
    "TrackingConfig",
    "TrainingConfig",
    "TransferConfig",
    "VQEScanConfig",
    "load_study",
    "read_yaml",
    "validate",
    "with_types",
]


class Study(Strict):
    """Everything the workflow needs to know, cross-checked."""

    config: Config
    systems: dict[str, SystemConfig]
    models: dict[str, ModelConfig]
    sweeps: dict[str, list[Point]]

    def check(self) -> Study:
        config = self.config
        for what, used, known in (
            ("systems", config.systems, self.systems),
            ("models", config.models, self.models),
            ("capacity.models", config.capacity.models, config.models),
            ("scaling.models", config.scaling.models, self.models),
            ("dynamics.models", config.dynamics.models, config.models),
            ("quantum.models", config.quantum.models, config.models),
            ("quantum.twin", [config.quantum.twin] if config.quantum.twin else [], self.models),
            ("quantum.composed.models", config.quantum.composed.models, self.models),
            ("quantum.composed.models", filter(None, config.quantum.composed.models.values()), self.models),
            ("hybrid.systems", config.hybrid.systems, self.systems),
            ("hybrid.models", config.hybrid.models, self.models),
            ("hybrid.vqe", config.hybrid.vqe, self.systems),
            ("scaling.sizes", config.scaling.sizes, self.systems),
            ("dynamics.molecules.starts", config.dynamics.molecules.starts, self.systems),
            ("transfer", config.transfer.systems, self.systems),
            ("transfer.models", config.transfer.models, self.models),
            ("leave_out", config.leave_out, self.systems),
            *((f"leave_out.{system}", models, self.models) for system, models in config.leave_out.items()),
        ):
            for name in used:
                if name not in known:
                    raise ConfigError(
                        f"config, {what}: unknown '{name}'{suggest(name, known)}; known: {', '.join(known)}"
                    )
        for name, system in self.systems.items():
            if system.like is not None and system.like not in self.systems:
                raise ConfigError(
                    f"config/systems.yaml, {name}.like: unknown system '{system.like}'"
                    f"{suggest(system.like, self.systems)}; known: {', '.join(self.systems)}"
                )
        self._check_maps()
        for system in dict.fromkeys([*config.systems, *config.scaling.sizes]):
            n_train = self.systems[system].split.n_train
            if large := [n for n in config.scaling.sizes.get(system, []) if n > n_train]:
                raise ConfigError(f"config, scaling.sizes.{system}: {large} exceed the {n_train} training frames")
            swept = (p.model for points in self.sweeps.values() for p in points if p.model in self.models)
            trained = list(dict.fromkeys([*config.models, *config.scaling.models, *swept]))
            if not [m for m in self.models_of(system, trained) if self.models[m].kind != "mean"]:
                raise ConfigError(f"config/models.yaml: none of the models {trained} has settings for '{system}'")
            curves = config.scaling.models if system in config.scaling.sizes else []
            if curves and not self.models_of(system, curves):
                raise ConfigError(
                    f"config, scaling.sizes.{system}: none of scaling.models {curves} has settings for '{system}'; add "
                    f"one, or set scaling.sizes.{system}: null"
                )
        for system, model in product(config.transfer.systems, config.transfer.models):
            point = Point(system=system, model=model, n_train=config.transfer.n_train, n_seeds=config.transfer.seeds)
            self._check_point(point, "config, transfer")
        for model in config.hybrid.models:
            if (kind := self.models[model].kind) != "hybrid":
                raise ConfigError(f"config, hybrid.models: '{model}' is of kind '{kind}', not hybrid")
            if bare := [s for s in config.hybrid.systems if not self.models_of(s, [model])]:
                raise ConfigError(f"config, hybrid.models: '{model}' has no settings for '{bare[0]}'")
        for name, points in self.sweeps.items():
            for point in points:
                self._check_point(point, f"config/sweeps/{name}.tsv")
        self._check_steps()
        for model in config.models:
            self.training_of(model)
        return self

    def _check_point(self, point: Point, where: str) -> None:
        """Raises ConfigError for a point of a sweep that cannot be trained."""
        for what, name, known in (("system", point.system, self.systems), ("model", point.model, self.models)):
            if name not in known:
                raise ConfigError(
                    f"{where}: unknown {what} '{name}'{suggest(name, known)}; known: {', '.join(known)}"
                )
        if not self.models_of(point.system, [point.model]):
            raise ConfigError(f"{where}: model '{point.model}' has no settings for '{point.system}'")
        if point.n_train > (n_train := self.systems[point.system].split.n_train):
            raise ConfigError(f"{where}: {point.n_train} exceed the {n_train} training frames of '{point.system}'")
        if point.n_seeds > self.config.seeds:
            raise ConfigError(f"{where}: {point.n_seeds} seeds, the study has {self.config.seeds}; raise 'seeds'")

    def _check_steps(self) -> None:
        """Raises ConfigError if points of one system, model and variant differ in their steps."""
        curves = {}
        for point in self.points:
            steps = self.training_of_point(point).steps
            if curves.setdefault(point.key[:3], steps) != steps:
                raise ConfigError(
                    f"config, scaling: {' '.join(point.key[:3])} has {curves[point.key[:3]]} steps at one size and {steps} at "
                    f"{point.n_train}; a learning curve holds the steps fixed"
                )

    @property
    def points(self) -> list[Point]:
        """All points of the learning curves, ``scaling.sizes`` first; a row of a sweep replaces the same point."""
        scaling = self.config.scaling
        found = {}
        for system, sizes in scaling.sizes.items():
            for model in self.models_of(system, scaling.models):
                for n_train in sizes:
                    point = Point(system=system, model=model, n_train=n_train, n_seeds=self.config.seeds)
                    found[point.key] = point
        return list((found | {p.key: p for points in self.sweeps.values() for p in points}).values())

    def training_of_point(self, point: Point) -> TrainingConfig:
        """Training of a point: steps that do not depend on its size, and what its variant changes."""
        base = self.training_of(point.model, steps=point.steps or self.config.scaling.steps)
        return base.model_copy(
            update={k: type(getattr(base, k))(getattr(base, k) * f) for k, f in VARIANTS[point.variant].items()}
        )

    def models_of(self, system: str, models: list[str]) -> list[str]:
        """Those of the models that have settings for a system, or for the one it is like, and are not left out."""
        known, left_out = self.systems[system].like or system, self.config.leave_out.get(system, [])
        return [m for m in models if m not in left_out and self.models[m].settings_of(known) is not None]

    def _check_maps(self) -> None:
        """Every map of qubits holds every circuit that is transpiled to it; those of files say no width."""
        sizes = {name: map_qubits(name, size) for name, size in self.config.quantum.maps.items()}
        for system in self.config.systems:
            for model in self.models_of(system, self.config.quantum.models):
                settings = self.models[model].settings_of(self.systems[system].like or system)
                for name, size in sizes.items():
                    if size < (width := settings.get("n_qubits", 0)):
                        raise ConfigError(
                            f"config, quantum.maps.{name}: {size} qubits are fewer than the {width} of '{model}' on "
                            f"{system}: use a larger map"
                        )

    def trains(self, system: str, model: str) -> bool:
        """Whether the study trains a model on one of its systems; hybrids have a stage of their own."""
        config = self.config
        if self.models[model].kind == "hybrid":
            return system in config.hybrid.systems and model in config.hybrid.models
        return model in self.models_of(system, config.models)

    def composed(self) -> list[tuple[str, str]]:
        """Systems and those of the models made of many circuits that are trained on them."""
        models = self.config.quantum.composed.models
        return [(s, m) for s in self.config.systems for m in models if self.trains(s, m)]

    def shown(self, system: str, role: Role) -> list[str]:
        """Models of a role made for a system, after those they are held against; none if the role has none there."""
        made = self.models_of(system, self.config.models)
        own = [name for name in made if self.models[name].role == role]
        beside = [name for name in made if name in BESIDE[role] and name not in own]
        return beside + own if own else []

    def training_of(self, model: str, **changes: Any) -> TrainingConfig:
        """Training of a model: the study's, with ``changes`` and what the model states for itself.

        Raises:
            ConfigError: the model states an unknown key or an impossible value.
        """
        entry = self.models[model]
        merged = {**self.config.training.model_dump(), **changes}
        merged["steps"] = max(1, round(merged["steps"] * entry.relative_steps))
        return validate(TrainingConfig, {**merged, **entry.training}, f"config/models.yaml, {model}.training")


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
    study = validate(Config, config, "config")
    sweeps = {name: read_sweep(folder / "sweeps" / f"{name}.tsv") for name in study.scaling.sweeps}
    return Study(config=study, systems=systems, models=models, sweeps=sweeps).check()


def _entries(path: Path) -> dict[str, dict]:
    """Named entries of a file: a mapping of mappings."""
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping from names to entries, got {type(content).__name__}")
    for name, value in content.items():
        if not isinstance(value, dict):
            raise ConfigError(f"{path}, {name}: expected a mapping of settings, got {value!r}")
    return content

"""``config/config.yaml`` and ``config/models.yaml``: the stages of the study and their models."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from qff.config.hybrid import HybridConfig
from qff.config.materials import MaterialsConfig
from qff.config.quantum import QuantumConfig
from qff.config.types import Distinct, Name, NonNegative, Positive, PositiveInt, Strict

MIN_STEPS = 100  # of a trajectory of a molecule
Role = Literal["comparison", "optimiser", "choice", "ablation"]
ROLES: tuple[Role, ...] = get_args(Role)
BESIDE: dict[Role, tuple[str, ...]] = {  # models of the comparison that those of another role are held against
    "comparison": (),
    "optimiser": ("qnn", "nn", "nn_biased"),
    "choice": ("qnn",),
    "ablation": (
        "qnn",
        "qnn_separable",
        "nn",
        "nn_biased",
        "qnn1",
        "qnn2",
        "qnn2_separable",
        "invariant_nn",
        "qnn3",
        "qnn3_separable",
        "qnn3_classical",
        "qnn3_fourier",
    ),
}
CLOSED_FORM = (
    "polynomial",
    "kernel",
    "mean",
    "fourier",
    "random_circuit",
)  # kinds of model that least squares fits, without an optimiser
EVERY_SYSTEM = "default"  # in place of a system: settings for all that have none of their own
RESERVED_PROFILES = ("published", "mlartifacts")  # folders of results/ that are not a run's


class ModelConfig(Strict):
    name: Name = Field(description="Name of the model in tables and paths (its key).")
    label: str = Field(description="Name for figures and tables.")
    kind: str = Field(
        description="Class of model, `workflow/qff/models/registry.py`: qnn, nn, behler_parrinello, polynomial, kernel, mean, "
        "central_atom, neighbour_pairs, atomic_circuits, fourier, random_circuit, random_readout, hybrid."
    )
    role: Role = Field(
        default="comparison",
        description="Where it is shown: `comparison` of the models, study of the `optimiser`, sensitivity to a `choice` "
        "of ours, or `ablation` of the quantum part.",
    )
    systems: dict[str, dict[str, Any]] = Field(
        min_length=1,
        description="Settings of the architecture for each system it is made for; `default` is any other system.",
    )
    training: dict[str, Any] = Field(
        default={}, description="Keys of `training` that differ for this model, such as its optimiser."
    )
    relative_steps: Positive = Field(
        default=1.0, description="Multiplies the steps of training: what a step costs depends on the optimiser."
    )

    @property
    def closed_form(self) -> bool:
        """True if least squares fits it: it has no optimiser and no loss curve."""
        return self.kind in CLOSED_FORM

    def settings_of(self, system: str) -> dict[str, Any] | None:
        """Settings for a system, or those for every system; None if it is not made for it."""
        return self.systems.get(system, self.systems.get(EVERY_SYSTEM))


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
    optimiser: Literal["adam", "bfgs", "cobyla", "kalman", "levenberg_marquardt"] = Field(
        default="bfgs",
        description="adam, bfgs (dense quasi-Newton), cobyla (no gradient), kalman (extended "
        "Kalman filter) or levenberg_marquardt (damped natural gradient).",
    )
    steps: PositiveInt = Field(
        default=3000, description="Evaluations of loss and gradient, for every model; epochs of kalman."
    )
    kalman_force_fraction: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.1, description="Part of the force components that kalman sees in an epoch, beside all energies."
    )
    kalman_block: PositiveInt = Field(default=40, description="Energies and force components per update of kalman.")
    kalman_eta_max: Positive = Field(
        default=100.0,
        description="Largest inverse variance of the observation noise of kalman, in units of half the energy range.",
    )
    starts: PositiveInt = Field(
        default=1, description="Initial parameters per seed; of the trained ones, those that validate best are kept."
    )
    learning_rate: Positive = Field(default=0.01, description="Initial step of adam.")
    decay: Literal["cosine", "none"] = Field(
        default="cosine", description="How the step of adam falls: along a cosine to zero, or not at all."
    )
    batch: PositiveInt | None = Field(
        default=None, description="Frames that a step of adam sees, all of them in turn; null: all at once."
    )
    curve_points: PositiveInt = Field(
        default=300, description="Times during training at which errors are recorded and the best parameters chosen."
    )
    force_weight: NonNegative = Field(
        default=1.0, description="χ of the loss (Å²): L = mean ΔE² + χ/(3A) mean Σ ΔF², energies in eV."
    )
    printed_loss: bool = Field(
        default=False, description="Sum the force term over frames without dividing by their number, as printed."
    )

    @model_validator(mode="after")
    def _check(self):
        if self.batch is not None and self.optimiser != "adam":
            raise ValueError(f"batch: only adam takes steps on parts of the frames, not {self.optimiser}")
        return self


class CapacityConfig(Strict):
    models: Annotated[list[Name], Distinct] = Field(
        default=[], description="Models whose effective dimension is estimated."
    )
    samples: Annotated[int, Field(ge=2)] = Field(default=100, description="Parameter vectors drawn per estimate.")
    n_data: Annotated[list[Annotated[int, Field(ge=19)]], Distinct] = Field(
        default=[], description="Numbers of data n at which it is evaluated, beside the number of training frames."
    )
    boxes: dict[Name, tuple[float, float] | None] = Field(
        default={"unit": (0.0, 1.0)},
        min_length=1,
        description="Boxes the parameters are drawn from, the first one primary; in an overlay, null drops one.",
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
            given = {k: v for k, v in value["boxes"].items() if v is not None}
            boxes = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
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
    sizes: dict[str, Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=2), Distinct] | None] = Field(
        default={}, description="Training sizes for each system, at least two; in an overlay, null drops a system."
    )
    models: Annotated[list[Name], Distinct] = Field(default=[], description="Models of the learning curves.")
    steps: PositiveInt = Field(default=1500, description="Optimiser steps, equal for all sizes.")
    sweeps: Annotated[list[Name], Distinct] = Field(
        default=[],
        description="Tables of further points, `config/sweeps/<name>.tsv`; their rows go before the above.",
    )

    @model_validator(mode="after")
    def _drop(self):
        self.sizes = {system: sizes for system, sizes in self.sizes.items() if sizes is not None}
        return self


class TransferConfig(Strict):
    """Training on several molecules at once, for models whose parameters belong to species."""

    train: Annotated[list[Name], Distinct] = Field(default=[], description="Systems trained on together.")
    test: Annotated[list[Name], Distinct] = Field(
        default=[], description="Systems that are only tested on, beside those."
    )
    models: Annotated[list[Name], Distinct] = Field(default=[], description="Models; none: the stage is off.")
    n_train: Annotated[int, Field(ge=2)] = Field(default=200, description="Training frames of each system.")
    seeds: PositiveInt = Field(default=3, description="Seeds, the first of the study.")
    steps: PositiveInt = Field(default=150, description="Optimiser steps.")

    @model_validator(mode="after")
    def _check(self):
        if self.models and not self.train:
            raise ValueError("train: name the systems that the models are trained on, or leave models empty")
        if both := set(self.train) & set(self.test):
            raise ValueError(f"test: {', '.join(sorted(both))} is trained on; it is tested anyway")
        return self

    @property
    def systems(self) -> list[str]:
        """All systems of the stage, none if it is off."""
        return [*self.train, *self.test] if self.models else []


class StartsConfig(Strict):
    """Starts of dynamics of a molecule: velocities at the minimum of the reference."""

    temperatures_k: list[Positive] = Field(
        default=[300.0], min_length=1, description="Temperatures of the Maxwell–Boltzmann velocities, in turn (K)."
    )
    mode_energies_mev: list[NonNegative] = Field(
        default=[0.0],
        min_length=1,
        description="Kinetic energies in the softest normal mode, in turn, in place of its thermal one if not 0 (meV).",
    )


class MoleculesConfig(Strict):
    """Dynamics of molecules of more than two atoms."""

    time_step_fs: Positive = Field(default=0.25, description="Time step of velocity Verlet (fs).")
    length_fs: Positive = Field(default=10000.0, description="Length of each trajectory (fs).")
    trajectories: PositiveInt = Field(
        default=20, description="Trajectories of every model, at least; its seeds share them evenly."
    )

    starts: dict[Name, StartsConfig] = Field(default={}, description="Starts for each system.")

    @model_validator(mode="after")
    def _check(self):
        if self.length_fs < MIN_STEPS * self.time_step_fs:
            raise ValueError(
                f"length_fs {self.length_fs} is shorter than {MIN_STEPS} time steps of {self.time_step_fs} fs: too short "
                "for a spectrum"
            )
        return self


class DynamicsConfig(Strict):
    time_step_fs: Positive = Field(default=0.25, description="Time step of velocity Verlet (fs), two atoms.")
    length_fs: Positive = Field(default=2000.0, description="Length of each trajectory (fs), two atoms.")
    molecules: MoleculesConfig = MoleculesConfig()
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
    leave_out: dict[Name, Annotated[list[Name], Distinct]] = Field(
        default={}, description="Models that are not run for a system, though they have settings for it."
    )
    reference: ReferenceConfig = ReferenceConfig()
    training: TrainingConfig = TrainingConfig()
    capacity: CapacityConfig = CapacityConfig()
    scaling: ScalingConfig = ScalingConfig()
    transfer: TransferConfig = TransferConfig()
    dynamics: DynamicsConfig = DynamicsConfig()
    quantum: QuantumConfig = QuantumConfig()
    hybrid: HybridConfig = HybridConfig()
    materials: MaterialsConfig = MaterialsConfig()
    tracking: TrackingConfig = TrackingConfig()

    @model_validator(mode="after")
    def _check(self):
        if self.profile in RESERVED_PROFILES:
            raise ValueError(f"profile '{self.profile}': results/{self.profile}/ is not a run's; choose another name")
        return self

"""Section ``materials`` of the configuration: periodic sets, and the hybrid force field fitted to them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import Field, model_validator

from qff.config.types import Distinct, Name, NonNegative, Positive, PositiveInt, Strict


class MaterialDynamicsConfig(Strict):
    temperatures_k: list[Positive] = Field(
        default=[300.0], min_length=1, description="Temperatures of the Langevin dynamics (K)."
    )
    length_fs: Positive = Field(default=2000.0, description="Length of each trajectory (fs).")
    time_step_fs: Positive = Field(default=1.0, description="Time step (fs).")
    friction_per_fs: Positive = Field(default=0.01, description="Friction of the thermostat (1/fs).")
    nve_fs: Positive = Field(default=1000.0, description="Length of the run at constant energy (fs).")
    starts: PositiveInt = Field(default=2, description="Trajectories of each temperature.")
    repeat: Annotated[list[PositiveInt], Field(min_length=3, max_length=3)] = Field(
        default=[2, 1, 1], description="Supercell of a frame that they start from."
    )
    closest_factor: Positive = Field(
        default=0.8,
        description="Unphysical: a pair closer than this part of the shortest distance in training of its elements.",
    )
    temperature_factor: Positive = Field(
        default=2.0,
        description="Unphysical: a temperature, averaged over 100 fs, above this multiple of the target.",
    )
    energy_window_ev: Positive = Field(
        default=0.3, description="Unphysical: a potential energy further from the start than this (eV/atom)."
    )

    @model_validator(mode="after")
    def _check(self):
        if self.length_fs < self.time_step_fs:
            raise ValueError(f"length_fs {self.length_fs} is shorter than one time step")
        return self


class MaterialSetConfig(Strict):
    """A set of labelled periodic frames."""

    label: str = Field(description="Name for tables.")
    file: str = Field(description="Extended XYZ file, below the folder that QFF_DATA names, or of this repository.")
    published: bool = Field(
        default=True, description="True: made by others, below QFF_DATA; false: a tracked file of this repository."
    )
    sha256: str | None = Field(default=None, description="Digest of the file; without one it is not checked.")
    source: str = Field(description="Where the file is published; told to whoever lacks it.")
    level: str = Field(description="Level of theory of the labels, for the report.")
    splits: Annotated[list[Literal["blocks", "random"]], Distinct] = Field(
        default=["blocks", "random"],
        min_length=1,
        description="Test sets: blocks of consecutive frames, random frames.",
    )
    n_train: PositiveInt = Field(description="Training frames.")
    n_validation: PositiveInt = Field(description="Validation frames: ridges and starts are chosen on them.")
    dynamics: MaterialDynamicsConfig | None = Field(
        default=None, description="In place of the section's: of cells with light atoms, say."
    )


class MaterialDescriptorConfig(Strict):
    cutoff_ang: Positive = Field(default=5.0, description="Radius at which neighbours have faded out (Å).")
    n_radial: PositiveInt = Field(default=4, description="Radial functions for each element.")
    l_max: Annotated[int, Field(ge=0, le=6)] = Field(default=3, description="Largest power of the cosine.")


class CompressionConfig(Strict):
    method: Literal["pca", "regression"] = Field(
        default="regression",
        description="Directions of largest variance of each element; or a linear fit's direction first, then those.",
    )
    regression_components: PositiveInt = Field(
        default=160, description="Principal components of each element in the linear fit of `regression`."
    )
    ridge: NonNegative = Field(
        default=1e-6,
        description="Ridge of that fit: relative to the size of a column, or of squared slopes by features (Å⁻²).",
    )
    damped: Literal["components", "features"] = Field(
        default="components",
        description="What the ridge damps: slopes by components of unit variance, all alike, or by the features themselves.",
    )


class AmplitudeConfig(Strict):
    n_qubits: Annotated[int, Field(ge=2, le=5)] = Field(
        default=4,
        description="Qubits n; the descriptor is compressed to 2ⁿ - 1 numbers. Fewer where elements are too many for 100 parameters.",
    )
    layers: PositiveInt = Field(
        default=8,
        description="Layers of rotations; fewer where many elements leave no room for them below 100 parameters.",
    )
    starts: PositiveInt = Field(default=4, description="Initial parameters per seed; the best in validation is kept.")
    steps: PositiveInt = Field(default=150, description="Steps of Levenberg–Marquardt.")


class NetworkConfig(Strict):
    hidden: PositiveInt = Field(default=4, description="Units of the hidden layer that all elements share.")
    starts: PositiveInt = Field(default=1, description="Initial parameters per seed.")
    steps: PositiveInt = Field(default=40, description="Steps of Levenberg–Marquardt.")


class BehlerParrinelloConfig(Strict):
    hidden: Annotated[list[PositiveInt], Field(min_length=2, max_length=2)] = Field(
        default=[16, 16], description="Units of the two hidden layers of each element."
    )
    starts: PositiveInt = Field(default=2, description="Initial parameters per seed; the best in validation is kept.")
    epochs: PositiveInt = Field(default=80, description="Passes of Adam over the training frames.")
    batch: PositiveInt = Field(default=4, description="Frames per step.")
    learning_rate: Positive = Field(default=0.01, description="At the start; it falls to zero along a cosine.")


class MaterialCostConfig(Strict):
    repeats: list[PositiveInt] = Field(
        default=[1, 2, 4],
        min_length=2,
        description="Supercells k × k × k of a frame whose energy and forces are timed.",
    )
    samples: PositiveInt = Field(default=3, description="Repetitions; the fastest counts.")


class MaterialsConfig(Strict):
    """Periodic materials; without sets there is nothing to do."""

    sets: dict[Name, MaterialSetConfig | None] = Field(
        default={}, description="Sets by name; in an overlay, null drops one."
    )
    models: Annotated[
        list[
            Literal[
                "linear",
                "quadratic",
                "amplitude_hybrid",
                "nn",
                "behler_parrinello",
                "amplitude_separable",
                "amplitude_random",
            ]
        ],
        Distinct,
    ] = Field(default=["linear", "quadratic", "amplitude_hybrid", "nn"], description="Models beside the mean.")
    seeds: PositiveInt = Field(default=2, description="Repetitions: new split, new initial parameters.")
    energy_weight: Positive = Field(
        default=30.0, description="Of squared energies per atom in the loss, beside mean squares of forces (Å⁻²)."
    )
    stress_weight: NonNegative = Field(
        default=0.0, description="Of squared virials per atom in the loss, beside mean squares of forces (Å⁻²)."
    )
    wall_ev_per_ang3: NonNegative = Field(
        default=50.0,
        description="Strength w of the repulsion w (r_min - r)³ of pairs closer than any in training (eV/Å³); 0: none.",
    )
    descriptor: MaterialDescriptorConfig = MaterialDescriptorConfig()
    compression: CompressionConfig = CompressionConfig()
    circuit: AmplitudeConfig = AmplitudeConfig()
    network: NetworkConfig = NetworkConfig()
    behler_parrinello: BehlerParrinelloConfig = BehlerParrinelloConfig()
    dynamics: MaterialDynamicsConfig = MaterialDynamicsConfig()
    cost: MaterialCostConfig = MaterialCostConfig()

    @model_validator(mode="after")
    def _check(self):
        self.sets = {name: entry for name, entry in self.sets.items() if entry is not None}
        if self.sets and "amplitude_hybrid" not in self.models:
            raise ValueError("models: amplitude_hybrid is missing, of which trajectories and cost are measured")
        return self

    def settings_of(self, name: str, jobs: Collection[str] = ()) -> dict:
        """What jobs on a set depend on: all of the section but the sets, dynamics and cost, unless ``jobs`` names them.
        Dynamics are the set's own where it states some."""
        own = self.sets[name].dynamics
        settings = self if own is None else self.model_copy(update={"dynamics": own})
        return settings.model_dump(mode="json", exclude={"sets", "dynamics", "cost"} - set(jobs))

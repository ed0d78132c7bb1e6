"""``quantum`` of ``config/config.yaml``: shots, noise, cost and trainability."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from qff.config.types import Distinct, Name, Positive, PositiveInt, Strict

Probability = Annotated[float, Field(ge=0, le=1)]
Several = Annotated[list[PositiveInt], Field(min_length=2), Distinct]


class ShotsConfig(Strict):
    """Standard errors of energies and forces."""

    counts: Several = Field(
        default=[100, 1000, 10000, 100000, 1000000], description="Shots of every circuit, S, of the standard errors."
    )
    repetitions: Annotated[int, Field(ge=10)] = Field(default=400, description="Estimates a standard error is from.")
    frames: PositiveInt = Field(default=5, description="Test frames that standard errors are measured on.")
    aer_counts: Annotated[list[PositiveInt], Field(min_length=1), Distinct] | None = Field(
        default=None,
        description="Those of them with circuits that Aer runs, half a second each for a million shots; null: the first.",
    )
    aer_repetitions: Annotated[int, Field(ge=10)] = Field(default=40, description="Estimates from those circuits.")

    @model_validator(mode="after")
    def _check(self):
        self.aer_counts = self.aer_counts or self.counts[:1]
        if unknown := set(self.aer_counts) - set(self.counts):
            raise ValueError(f"aer_counts: {min(unknown)} is not among counts {self.counts}")
        return self


class DeviceConfig(Strict):
    """A device-like noise model."""

    one_qubit: Probability = Field(default=0.00213, description="Depolarising probability of a one-qubit gate.")
    two_qubit: Probability = Field(default=0.00661, description="Depolarising probability of a two-qubit gate.")
    readout: Probability = Field(default=0.038, description="Probability that an outcome is flipped.")
    executions_per_second: Positive = Field(
        default=5000.0, description="Circuit executions, shots, in a second (1/s)."
    )
    source: str = Field(default="", description="Where these numbers are from.")


class NoiseConfig(Strict):
    """Errors of energies and forces with noise, without shots."""

    frames: PositiveInt = Field(default=5, description="Test frames of energies.")
    force_frames: PositiveInt = Field(
        default=1, description="Of them, those of forces, of which each takes many circuits."
    )
    two_qubit: list[Probability] = Field(default=[1e-4, 1e-3, 1e-2], description="Depolarising probabilities of cx.")
    one_qubit_fraction: Probability = Field(
        default=0.1, description="Depolarising probability of sx and x, relative to that of cx."
    )
    readout: list[Probability] = Field(default=[1e-3, 1e-2], description="Probabilities that an outcome is flipped.")
    t1_us: list[Positive] = Field(default=[100.0], description="Relaxation times T1 = T2, without other noise (µs).")
    one_qubit_ns: Positive = Field(default=25.0, description="Time of a one-qubit gate (ns).")
    two_qubit_ns: Positive = Field(default=12.0, description="Time of a two-qubit gate (ns).")
    folding: Annotated[list[PositiveInt], Field(min_length=2), Distinct] = Field(
        default=[1, 3, 5], description="Odd factors by which zero-noise extrapolation amplifies the noise."
    )
    device: DeviceConfig = DeviceConfig()

    @model_validator(mode="after")
    def _check(self):
        if even := [k for k in self.folding if k % 2 == 0]:
            raise ValueError(f"folding: {even[0]} is even; a circuit and its inverse give odd factors")
        return self

    def cases(self) -> list[tuple[str, float, dict[str, float]]]:
        """Kind of noise, its rate, and the options of ``AerEngine``'s noise; the device last."""
        times = self.model_dump(include={"one_qubit_ns", "two_qubit_ns"})
        return [
            *(("gates", p, {"one_qubit": self.one_qubit_fraction * p, "two_qubit": p}) for p in self.two_qubit),
            *(("readout", p, {"readout": p}) for p in self.readout),
            *(("relaxation", t, {"t1_us": t, "t2_us": t, **times}) for t in self.t1_us),
            ("device", 1.0, self.device.model_dump(include={"one_qubit", "two_qubit", "readout"})),
        ]


class MeasuredDynamicsConfig(Strict):
    """Dynamics with measured forces."""

    shots: list[PositiveInt] = Field(default=[10000, 1000000], description="Shots of every circuit.")
    trajectories: PositiveInt = Field(default=4, description="Trajectories of every number of shots.")
    time_step_fs: Positive = Field(default=0.5, description="Time step (fs).")
    length_fs: Positive = Field(default=500.0, description="Length of each trajectory (fs).")
    temperature_k: Positive = Field(default=300.0, description="Temperature of the starts and of the thermostat (K).")
    friction_per_fs: Positive = Field(default=0.02, description="Friction of the Langevin thermostat (1/fs).")


class SpsaConfig(Strict):
    """Training with shots."""

    steps: PositiveInt = Field(default=2000, description="Steps of SPSA, two losses each.")
    batch: PositiveInt = Field(default=20, description="Frames of a loss.")
    shots: list[PositiveInt] = Field(default=[100, 10000], description="Shots of every circuit, beside exact losses.")
    seeds: PositiveInt = Field(default=3, description="Seeds that are trained, at most.")


class TrainabilityConfig(Strict):
    """Gradients at random parameters."""

    qubits: Several = Field(default=[2, 4, 6, 8], description="Numbers of qubits.")
    layers: Annotated[list[PositiveInt], Field(min_length=1), Distinct] = Field(
        default=[2, 8], description="Depths; the first is the shallow one."
    )
    samples: Annotated[int, Field(ge=2)] = Field(default=100, description="Random parameters of every estimate.")
    repetitions: Annotated[int, Field(ge=2)] = Field(default=5, description="Independent estimates.")


class ComposedConfig(Strict):
    """Models made of many circuits: equivariant, of atoms, hybrid."""

    models: dict[Name, Name | None] = Field(
        default={},
        description="Models that the study trains, each with the classical one whose time is shown beside.",
    )
    frames: PositiveInt = Field(default=1, description="Test frames.")
    repetitions: Annotated[int, Field(ge=10)] = Field(default=400, description="Estimates a standard error is from.")
    aer_circuits: PositiveInt = Field(
        default=3000, description="Circuits of a frame up to which Aer also runs those of forces, with noise."
    )
    dynamics_shots: Annotated[list[PositiveInt], Distinct] = Field(
        default=[],
        description="Shots of every circuit of dynamics with measured forces; all else as in `dynamics`; none: no dynamics.",
    )
    training_shots: Annotated[list[PositiveInt], Distinct] = Field(
        default=[], description="Shots of every circuit of training; all else as in `spsa`; none: no training."
    )

    @property
    def simulated(self) -> bool:
        """Whether there is any dynamics or training with a finite number of shots."""
        return bool(self.dynamics_shots or self.training_shots)


class QuantumConfig(Strict):
    models: Annotated[list[Name], Distinct] = Field(
        default=[], description="QNNs that are run with shots and noise; their readout is one Pauli word."
    )
    twin: Name | None = Field(
        default=None, description="Classical model whose time is shown beside, if the study trains it."
    )
    energy_error_ev: Positive = Field(
        default=0.04336, description="Standard error asked of an energy: 1 kcal/mol (eV)."
    )
    force_error_ev_per_ang: Positive = Field(
        default=0.05, description="Standard error asked of every force component (eV/Å)."
    )
    composed: ComposedConfig = ComposedConfig()
    materials: Annotated[list[Name], Distinct] = Field(
        default=[],
        description="Sets of `materials` whose hybrid, a circuit on amplitudes, is run with shots and noise, if the study has them.",
    )
    shots: ShotsConfig = ShotsConfig()
    noise: NoiseConfig = NoiseConfig()
    maps: dict[Name, PositiveInt] = Field(
        default={"line": 6, "heavy_hex": 3},
        description="Maps of coupled qubits: number of qubits of a `line`, odd distance of a `heavy_hex` lattice.",
    )
    dynamics: MeasuredDynamicsConfig = MeasuredDynamicsConfig()
    spsa: SpsaConfig = SpsaConfig()
    trainability: TrainabilityConfig = TrainabilityConfig()

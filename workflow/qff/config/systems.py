"""``config/systems.yaml``: molecules, their coordinates and their reference data."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from qff.config.types import Distinct, Name, NonNegative, Positive, PositiveInt, Strict

PUBLISHED_LIMIT = 1000  # training and validation frames of rMD17, by its authors: frames are correlated in time
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
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


class ImportedConfig(Strict):
    """A set that others published; its file is kept by the user and is never part of this repository."""

    file: str = Field(description="Path of the file below the folder that the environment variable QFF_DATA names.")
    sha256: Sha256 = Field(description="Digest of the file.")
    format: Literal["npz_atomic_units", "extxyz"] = Field(
        description="Keys and units of the file: `workflow/qff/reference/imported.py`."
    )
    source: str = Field(description="Where the file is published; told to whoever lacks it.")
    n_frames: PositiveInt = Field(description="Number of frames of the file.")
    balance_tolerance: Positive = Field(
        description="Largest net force (eV/Å) or torque (eV) of a frame that is accepted and reported; ours have none."
    )


class SampledConfig(Strict):
    """Frames of molecular dynamics with GFN2-xTB: independent Langevin trajectories at one temperature."""

    stream: Name = Field(description="Name of the random stream: another name, other frames.")
    start: list[list[float]] = Field(description="Positions (Å) of the atoms at the start, which are relaxed first.")
    temperature_k: Positive = Field(description="Temperature (K).")
    n_frames: PositiveInt = Field(description="Number of frames of all trajectories together.")
    trajectories: PositiveInt = Field(description="Number of trajectories; they share the frames evenly.")
    time_step_fs: Positive = Field(default=0.5, description="Time step (fs).")
    steps_between_frames: PositiveInt = Field(description="Steps from one frame to the next.")
    equilibration_fs: NonNegative = Field(default=1000.0, description="Beginning of each that is not used (fs).")
    friction_per_fs: Positive = Field(default=0.01, description="Friction of the thermostat (1/fs).")

    @model_validator(mode="after")
    def _check(self):
        if self.n_frames % self.trajectories:
            raise ValueError(f"n_frames {self.n_frames} is not a multiple of {self.trajectories} trajectories")
        if any(len(xyz) != 3 for xyz in self.start):
            raise ValueError("start: every atom needs three coordinates")
        return self


class Rmd17Config(Strict):
    """A molecule of the revised MD17 set (Christensen & von Lilienfeld, MLST 1, 045018 (2020)) with its own splits."""

    molecule: Name = Field(description="Name of the molecule in the names of files.")
    folder: str = Field(default="rmd17", description="Folder of the files, below the one that QFF_DATA names.")
    splits: Annotated[list[Annotated[int, Field(ge=1, le=5)]], Field(min_length=1), Distinct] = Field(
        default=[1, 2, 3, 4, 5], description="Published splits that are used, in turn, by the seeds of the study."
    )
    sha256: dict[str, Sha256] = Field(
        default={}, description="Digests of files, by name; a file without one is not checked, and is not downloaded."
    )
    source: str = Field(
        default="https://figshare.com/articles/dataset/Revised_MD17_dataset_rMD17_/12672038 (CC0)",
        description="Where the set is published; told to whoever lacks it.",
    )
    url: str = Field(
        default="https://raw.githubusercontent.com/andersx/rmd17-npz/master/rmd17-npz",
        description="Where `python -m qff.reference.fetch` finds the files of the splits.",
    )
    balance_tolerance: Positive = Field(
        default=0.01, description="Largest net force (eV/Å) or torque (eV) of a frame that is accepted and reported."
    )


SOURCES = ("scan", "internal", "sampled", "imported", "rmd17")  # of geometries; a system has one


class LevelConfig(Strict):
    method: Literal["CCSD(T)", "MP2", "DF-MP2", "PBE", "unknown"] = Field(
        description="Electronic-structure method: CCSD(T), MP2 or MP2 with fitted integrals, with all electrons, or PBE; `unknown` for imported sets only."
    )
    basis: str = Field(description="Basis set (PySCF name), or `unknown`.")
    check_basis: str | None = Field(
        default=None,
        description="Basis of the checks: of a scan against FCI, of other sets against this larger basis.",
    )
    check_method: Literal["CCSD(T)"] | None = Field(
        default=None,
        description="Method whose energies the checks hold those of the labels against, in their own basis.",
    )
    scan: ScanConfig | None = None
    internal: InternalConfig | None = None
    sampled: SampledConfig | None = None
    imported: ImportedConfig | None = None
    rmd17: Rmd17Config | None = None
    frozen: str | None = Field(default=None, description="Tracked file with the frozen labels (extended XYZ).")
    checks: str | None = Field(
        default=None, description="Tracked table of frozen comparisons of the labels (`make compare-reference`)."
    )
    recheck_frames: PositiveInt | None = Field(
        default=None, description="At most so many frames are recomputed in mode frozen: for labels that take long."
    )

    @model_validator(mode="after")
    def _check(self):
        if sum(getattr(self, name) is not None for name in SOURCES) != 1:
            raise ValueError(
                "exactly one of 'scan' (two atoms), 'internal' (three or four atoms), 'sampled' (dynamics), 'imported' "
                "(a published set) and 'rmd17' is needed"
            )
        if self.calculated:
            if self.method == "unknown":
                raise ValueError("method unknown: only an imported set may have it")
            needed = ["frozen", *(["check_basis"] if self.scan or self.internal else [])]
            if missing := [k for k in needed if getattr(self, k) is None]:
                raise ValueError(f"'{missing[0]}' is missing: labels of our own need it")
            if self.checks and (self.check_basis is None) == (self.check_method is None):
                raise ValueError("'checks' needs either 'check_basis' or 'check_method' to hold the labels against")
        elif given := [
            k for k in ("check_basis", "check_method", "frozen", "checks") if getattr(self, k) is not None
        ]:
            raise ValueError(f"'{given[0]}' has no meaning for an imported set: nothing of it is calculated here")
        return self

    @property
    def calculated(self) -> bool:
        """True if the labels are our own, false if others made them."""
        return self.imported is None and self.rmd17 is None

    @property
    def consistency_tolerance(self) -> float:
        """Largest net force or difference of forces and slopes (eV/Å), and largest torque (eV), of an accepted frame.

        The integration grid of a density functional does not turn with the molecule: 640 frames of ethanol have torques
        of up to 3.4e-4 eV.
        """
        if published := self.imported or self.rmd17:
            return published.balance_tolerance
        return 1e-3 if self.method == "PBE" else 2e-4

    def identity(self) -> dict[str, Any]:
        """What labels belong to: the level and the geometries, without the places of files."""
        return self.model_dump(mode="json", exclude={"frozen", "checks", "recheck_frames"}, exclude_none=True)


class SplitConfig(Strict):
    n_train: Annotated[int, Field(ge=2)] = Field(description="Training frames.")
    n_validation: PositiveInt = Field(description="Validation frames (early stopping); the rest is the test set.")
    part: str | None = Field(
        default=None,
        description="Part of the set that splits are drawn from (`thermal`); every other part is a test set of its own.",
    )
    pin_extremes: bool = Field(
        default=False, description="Keep the two ends of a scan in the training set, so that no model extrapolates."
    )


class SystemConfig(Strict):
    label: str = Field(description="Name for figures and tables.")
    like: Name | None = Field(
        default=None,
        description="Another system, whose models are used: of the same coordinates, or, like this one, without any.",
    )
    atoms: list[str] = Field(description="Chemical symbols, in order.")
    masses_amu: list[Positive] | None = Field(
        default=None, description="Atomic masses (amu); if not given, those of the most common isotopes."
    )
    charge: int = Field(default=0, description="Total charge (e).")
    coordinates: list[CoordinateConfig] = Field(
        default=[],
        description="Internal coordinates; without any, only models of interatomic distances are possible.",
    )
    reference: LevelConfig
    split: SplitConfig
    stretch: Positive = Field(
        default=1.2, description="Dynamics of two atoms start at this multiple of the minimum distance."
    )

    @model_validator(mode="after")
    def _check(self):
        if self.masses_amu is not None and len(self.masses_amu) != len(self.atoms):
            raise ValueError(f"{len(self.masses_amu)} masses for {len(self.atoms)} atoms")
        for coordinate in self.coordinates:
            if max(coordinate.atoms) >= len(self.atoms):
                raise ValueError(f"coordinate atoms {coordinate.atoms}: the system has {len(self.atoms)} atoms")
        scan, internal = self.reference.scan, self.reference.internal
        if (scan or internal) and not self.coordinates:
            raise ValueError("coordinates: a scan and samples in internal coordinates need them")
        if scan is not None:
            low, high = self.coordinates[0].bounds
            if len(self.atoms) != 2:
                raise ValueError(f"a scan moves two atoms, the system has {len(self.atoms)}; use 'internal'")
            if scan.minimum < low or scan.maximum > high:
                raise ValueError(f"scan {scan.minimum}–{scan.maximum} Å leaves the bounds {low}–{high} Å")
        elif internal is not None and len(self.atoms) != {3: 3, 6: 4}[len(internal.equilibrium)]:
            raise ValueError(f"{len(internal.equilibrium)} internal coordinates for {len(self.atoms)} atoms")
        sampled = self.reference.sampled
        if sampled is not None and len(sampled.start) != len(self.atoms):
            raise ValueError(f"sampled.start has {len(sampled.start)} positions for {len(self.atoms)} atoms")
        used = self.split.n_train + self.split.n_validation
        if self.reference.rmd17 is not None:
            if used > PUBLISHED_LIMIT:
                raise ValueError(
                    f"n_train {self.split.n_train} + n_validation {self.split.n_validation} exceed {PUBLISHED_LIMIT}: the "
                    "authors of rMD17 ask not to train on more of its frames, which are correlated in time"
                )
        elif used >= (n_frames := self._n_drawn()):
            raise ValueError(
                f"n_train {self.split.n_train} + n_validation {self.split.n_validation} leave no test frame of {n_frames}"
            )
        return self

    @property
    def masses(self) -> list[float]:
        """Atomic masses in amu."""
        from ase.data import atomic_masses_common, atomic_numbers

        return self.masses_amu or [float(atomic_masses_common[atomic_numbers[s]]) for s in self.atoms]

    def _n_drawn(self) -> int:
        """Frames that splits are drawn from."""
        level = self.reference
        return (
            level.internal.n_thermal if level.internal else (level.scan or level.sampled or level.imported).n_frames
        )

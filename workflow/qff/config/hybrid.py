"""``hybrid`` of ``config/config.yaml``: the architecture draft under test."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from qff.config.types import Distinct, Name, Positive, PositiveInt, Strict


class VQEScanConfig(Strict):
    """VQE against the full diagonalisation of the same active space, along the bond of atoms 0 and 1."""

    start: list[list[float]] = Field(
        description="Positions (Å) of the atoms; atom 1 is moved along its bond to atom 0."
    )
    distances_ang: Annotated[list[Positive], Distinct] = Field(min_length=1, description="Lengths of the bond (Å).")
    basis: str = Field(description="Basis set (PySCF name).")
    orbitals: PositiveInt = Field(description="Orbitals of the active space, around the gap.")
    electrons: PositiveInt = Field(description="Electrons of the active space.")


class BondsConfig(Strict):
    """VQE of single bonds, which gives the circuit branch of the hybrid its features."""

    kinds: Annotated[list[str], Distinct] = Field(
        default=["C-H", "C-C", "C-O", "H-O"],
        min_length=1,
        description="Kinds of bonds, elements in alphabetical order; `workflow/qff/vqe/bonds.py` has a molecule for each.",
    )
    basis: str = Field(default="6-31g*", description="Basis set (PySCF name).")
    distances_ang: Annotated[list[Positive], Distinct] = Field(
        default=[0.6, 0.75, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.7, 1.9, 2.2, 2.5, 3.0],
        min_length=4,
        description="Lengths of the bonds (Å), ascending; a spline joins them.",
    )
    cutoff_ang: Positive = Field(default=2.6, description="Reach of the features (Å), at most the longest bond.")

    @model_validator(mode="after")
    def _check(self):
        if self.distances_ang != sorted(self.distances_ang):
            raise ValueError(f"distances_ang {self.distances_ang}: not ascending")
        if self.cutoff_ang > self.distances_ang[-1]:
            raise ValueError(f"cutoff_ang {self.cutoff_ang} exceeds the longest bond, {self.distances_ang[-1]} Å")
        return self


class TimingConfig(Strict):
    """Wall time of every method against the number of atoms, on chains of water molecules."""

    molecules: dict[str, Annotated[list[PositiveInt], Distinct]] = Field(
        default={}, description="Water molecules for each method (`workflow/qff/timing.py`); none: no timing."
    )
    basis: str = Field(default="sto-3g", description="Basis set of the quantum-chemical methods (PySCF name).")
    repetitions: PositiveInt = Field(default=3, description="Calls of every method and size; the fastest one counts.")


class BindingConfig(Strict):
    """Interaction of a ligand with the catalytic dyad of a protease, from a tracked table."""

    structure: str = Field(description="Cluster of dyad and ligand (`workflow/qff/hybrid/cluster.py`).")
    frozen: str = Field(description="Tracked table of its interaction energies (`python -m qff.hybrid.binding`).")


class HybridConfig(Strict):
    systems: Annotated[list[Name], Distinct] = Field(
        default=[],
        description="Those of the study's systems on which the hybrid is trained in its four steps; none of them: nothing "
        "of `hybrid` runs.",
    )
    models: Annotated[list[Name], Distinct] = Field(
        default=[], description="Models of kind `hybrid`: the proposed one first, then its ablations."
    )
    without_bonds: Annotated[list[Name], Distinct] = Field(
        default=[], description="Those of them whose circuits do not see what VQE says of the bonds."
    )
    pretraining_steps: PositiveInt = Field(default=2000, description="Optimiser steps of the network alone.")
    steps: PositiveInt = Field(default=2000, description="Optimiser steps of the whole, from there.")
    candidates: PositiveInt = Field(
        default=8, description="Drawn circuits; the one whose readouts say most about the network's errors is kept."
    )
    bonds: BondsConfig = BondsConfig()
    vqe: dict[Name, VQEScanConfig] = Field(default={}, description="Scans by VQE for each system.")
    timing: TimingConfig = TimingConfig()
    binding: BindingConfig | None = Field(default=None, description="The binding case; none: it is left out.")

    @model_validator(mode="after")
    def _check(self):
        if self.systems and not self.models:
            raise ValueError("models: none, but there are systems to train them on")
        if unknown := set(self.without_bonds) - set(self.models):
            raise ValueError(f"without_bonds: {', '.join(sorted(unknown))} is not one of models")
        return self

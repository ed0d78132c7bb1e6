"""Dynamics of periodic cells with ASE: Langevin and constant energy, and when a run counts as physical."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.md.verlet import VelocityVerlet

from qff.materials.calculator import MaterialCalculator
from qff.materials.frames import Frame
from qff.materials.neighbours import neighbour_list
from qff.materials.potential import MaterialPotential

AVERAGED_FS = 100.0  # over which a temperature is averaged before it is judged
STORED_FS = 20.0  # between the frames that observables are taken from


@dataclass(frozen=True)
class Criterion:
    """When a run has left physics: fixed before any run, the same for all models.

    closest (S, S): shortest distance (Å) allowed between elements; temperature_k: highest mean over 100 fs;
    energy_window_ev: largest change (eV/atom) of the potential energy since the start.
    """

    closest: np.ndarray
    temperature_k: float
    energy_window_ev: float


@dataclass(frozen=True)
class Run:
    """A trajectory. times (T,) in fs; positions (T, A, 3) unwrapped, in Å; potential and total energies (T,) in eV;
    temperatures (T,) in K, and (T, S) of each element, NaN of one that is not there; failure: what went wrong, or an
    empty text; length_fs: until then; last (A, 3): positions at the end, unphysical ones included; last_temperature_k:
    mean over the steps before it."""

    times: np.ndarray
    positions: np.ndarray
    potential: np.ndarray
    total: np.ndarray
    temperatures: np.ndarray
    by_element: np.ndarray
    failure: str
    length_fs: float
    last: np.ndarray
    last_temperature_k: float

    @property
    def hottest_element_k(self) -> float:
        """Temperature of the hottest element, over the second half; NaN of a run without a stored frame.

        A few atoms on a rough piece of the potential gain energy in every step and lose it to the thermostat: the mean
        over all atoms hardly shows them.
        """
        late = self.by_element[len(self.by_element) // 2 :]
        return float(np.nanmax(late.mean(0))) if len(late) else float("nan")

    @property
    def drift_mev_per_atom_per_ps(self) -> float:
        """Slope of the total energy, in meV/atom/ps; NaN of a run without two stored frames."""
        if len(self.times) < 2:
            return float("nan")
        return float(np.polyfit(self.times, self.total, 1)[0] * 1e6 / self.positions.shape[1])


def supercell(frame: Frame, repeat: Sequence[int]) -> Atoms:
    """A frame, repeated, as ASE atoms."""
    return Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=True).repeat(repeat)


def simulate(
    potential: MaterialPotential,
    atoms: Atoms,
    temperature_k: float,
    length_fs: float,
    time_step_fs: float,
    friction_per_fs: float | None,
    criterion: Criterion,
    rng: np.random.Generator,
) -> Run:
    """Langevin dynamics from drawn velocities, or with ``friction_per_fs`` None at constant energy from those of ``atoms``.

    The thermostat acts on every atom (``fixcm`` off): with the centre of mass held, ASE heats too much.
    """
    atoms = atoms.copy()
    atoms.calc = MaterialCalculator(potential)
    if friction_per_fs is None:
        engine = VelocityVerlet(atoms, time_step_fs * units.fs)
    else:
        MaxwellBoltzmannDistribution(atoms, temperature_K=temperature_k, rng=rng)
        friction = friction_per_fs / units.fs
        engine = Langevin(
            atoms, time_step_fs * units.fs, temperature_K=temperature_k, friction=friction, fixcm=False, rng=rng
        )
    kinds = potential.descriptor.kinds(atoms.numbers)
    every, averaged = (max(1, round(fs / time_step_fs)) for fs in (STORED_FS, AVERAGED_FS))
    steps = max(1, round(length_fs / time_step_fs))
    start = atoms.get_potential_energy()
    stored, recent, failure, done = [], [], "", 0
    for done in range(1, steps + 1):
        engine.run(1)
        recent = [*recent, atoms.get_temperature()][-averaged:]
        if done % every and done != steps:
            continue
        energy = atoms.get_potential_energy()
        failure = _failure(
            atoms, kinds, energy - start, np.mean(recent) if len(recent) == averaged else 0.0, criterion
        )
        if failure:
            break
        kinetic = atoms.get_kinetic_energy()
        warmth = _by_element(atoms, kinds, len(potential.descriptor.elements))
        stored.append((done * time_step_fs, atoms.positions.copy(), energy, energy + kinetic, recent[-1], warmth))
    columns = list(zip(*stored, strict=True)) if stored else [[]] * 6
    return Run(
        np.array(columns[0]),
        np.array(columns[1]).reshape(-1, len(atoms), 3),
        *(np.array(c) for c in columns[2:]),
        failure,
        done * time_step_fs,
        atoms.positions.copy(),
        float(np.mean(recent)),
    )


def _by_element(atoms: Atoms, kinds: np.ndarray, n_elements: int) -> np.ndarray:
    """Temperatures (S,) in K of the elements; NaN of one that is not there."""
    twice_kinetic = (atoms.get_momenta() * atoms.get_velocities()).mean(1)
    counts = np.bincount(kinds, minlength=n_elements)
    sums = np.bincount(kinds, twice_kinetic, n_elements)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan) / units.kB


def _failure(atoms: Atoms, kinds: np.ndarray, change: float, temperature: float, criterion: Criterion) -> str:
    """What is unphysical about a configuration; an empty text if nothing is."""
    if not np.isfinite(change) or not np.isfinite(atoms.positions).all():
        return "numbers that are not finite"
    if abs(change) > criterion.energy_window_ev * len(atoms):
        return "potential energy"
    if temperature > criterion.temperature_k:
        return "temperature"
    pairs = neighbour_list(atoms.positions, atoms.cell.array, float(criterion.closest.max()))
    centre, slot = np.nonzero(pairs.index >= 0)
    distances = np.linalg.norm(pairs.vectors(atoms.positions, atoms.cell.array)[centre, slot], axis=1)
    short = distances < criterion.closest[kinds[centre], kinds[pairs.index[centre, slot]]]
    return "close pair" if short.any() else ""

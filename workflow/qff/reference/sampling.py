"""Geometries from molecular dynamics with GFN2-xTB (Bannwarth, Ehlert & Grimme, JCTC 15, 1652 (2019); program tblite).

Independent Langevin trajectories of one molecule, each with a random stream of its own. They only say *where* labels are
computed; the method of the labels is another one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qff.config import SampledConfig, SystemConfig
from qff.errors import DataError
from qff.provenance import atomic_path
from qff.randomness import generator

STREAM = "sampling"
TEMPERATURE_TOLERANCE = 0.1  # of the mean over all trajectories, relative; the mean of 8 ps of ethanol spreads by 3 %


def sample_trajectory(system: SystemConfig, number: int) -> tuple[np.ndarray, float]:
    """Frames of one trajectory.

    The molecule starts relaxed, with Maxwell–Boltzmann velocities; the first ``equilibration_fs`` are not used.

    Returns:
        positions (n, A, 3) in Å on a grid of 1e-8 Å, each with its centre of mass at the origin, and the mean kinetic
        temperature (K) of all steps they were taken from.

    Raises:
        DataError: tblite is not installed.
    """
    import ase
    from ase import units
    from ase.md.langevin import Langevin
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
    from ase.optimize import BFGS

    config, rng = system.reference.sampled, generator(0, STREAM, system.reference.sampled.stream, number)
    atoms = ase.Atoms(system.atoms, config.start, masses=system.masses)
    atoms.calc = _xtb(system)
    BFGS(atoms, logfile=None).run(fmax=0.01, steps=200)
    MaxwellBoltzmannDistribution(atoms, temperature_K=config.temperature_k, rng=rng)
    # With fixcm ASE removes the drift but not its degrees of freedom: nine atoms would be 11 % too cold.
    dynamics = Langevin(
        atoms, config.time_step_fs * units.fs, temperature_K=config.temperature_k,
        friction=config.friction_per_fs / units.fs, fixcm=False, rng=rng,
    )  # fmt: skip
    dynamics.run(round(config.equilibration_fs / config.time_step_fs))
    temperatures: list[float] = []
    dynamics.attach(lambda: temperatures.append(atoms.get_temperature()), interval=1)
    frames = []
    for _ in range(config.n_frames // config.trajectories):
        dynamics.run(config.steps_between_frames)
        frames.append(atoms.positions - atoms.get_center_of_mass())
    return np.round(frames, 8), float(np.mean(temperatures))


def _xtb(system: SystemConfig):
    try:
        from tblite.ase import TBLite
    except ImportError as error:
        raise DataError(
            "geometries are sampled with tblite, which is not installed: pip install -r requirements.lock"
        ) from error
    return TBLite(method="GFN2-xTB", charge=system.charge, verbosity=0)


def write_trajectory(path: str | Path, system: SystemConfig, positions: np.ndarray, temperature: float) -> None:
    """Write a trajectory as extended XYZ (8 decimals) with its mean temperature (K) in every frame."""
    import ase
    import ase.io

    images = [ase.Atoms(system.atoms, xyz, info={"temperature_k": temperature}) for xyz in positions]
    with atomic_path(path) as temporary:
        ase.io.write(temporary, images, format="extxyz")


def read_trajectories(paths: list[str] | list[Path], system: SystemConfig) -> np.ndarray:
    """Positions (n_frames, A, 3) in Å of all trajectories, one after the other.

    Raises:
        DataError: unreadable, other atoms, another number of frames, or another temperature than the one asked for.
    """
    import ase.io

    config = system.reference.sampled
    positions, temperatures = [], []
    for path in paths:
        try:
            images = ase.io.read(path, index=":", format="extxyz")
            temperatures.append(float(images[0].info["temperature_k"]))
        except Exception as error:
            raise DataError(f"{path}: not a readable trajectory ({error}); delete it and sample again") from error
        if wrong := [k for k, atoms in enumerate(images) if atoms.get_chemical_symbols() != system.atoms]:
            raise DataError(f"{path}, frame {wrong[0]}: atoms are not {system.atoms}; delete it and sample again")
        positions += [atoms.positions for atoms in images]
    if len(positions) != config.n_frames:
        raise DataError(
            f"{len(positions)} sampled frames in {len(paths)} trajectories, config/systems.yaml asks for "
            f"{config.n_frames}; delete the trajectories and sample again"
        )
    check_temperature(float(np.mean(temperatures)), config)
    return np.array(positions)


def check_temperature(mean: float, config: SampledConfig) -> None:
    """Make sure that the thermostat reached its temperature.

    Raises:
        DataError: the mean kinetic temperature (K) is another one.
    """
    if abs(mean - config.temperature_k) > TEMPERATURE_TOLERANCE * config.temperature_k:
        raise DataError(
            f"sampled frames have a mean kinetic temperature of {mean:.0f} K, not {config.temperature_k:.0f} K; lengthen "
            "reference.sampled.equilibration_fs, or sample more frames"
        )

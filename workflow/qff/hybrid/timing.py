"""Wall time of a call against the number of atoms, every method on the same water clusters (the draft's Figure 2).

Molecules stand on a cubic lattice with the density of a dense cluster: what counts is how many there are. Quantum chemistry
is timed for an energy, potentials for energies and forces; exponents do not depend on that.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats

from qff.config import LevelConfig, ModelConfig, SampledConfig, SplitConfig, SystemConfig
from qff.errors import ConfigError
from qff.randomness import generator

SPACING_ANG = 3.1
WATER = np.array([[0.0, 0.0, 0.0], [0.9572, 0.0, 0.0], [-0.2400, 0.9266, 0.0]])  # Å
QUANTUM = ("ccsd_t", "mp2", "b3lyp")
LEVEL = 0.95


def cluster(molecules: int) -> tuple[list[str], np.ndarray]:
    """Symbols and positions (3n, 3) in Å of n water molecules, in random orientations."""
    side = int(np.ceil(molecules ** (1 / 3)))
    places = np.array([(x, y, z) for x in range(side) for y in range(side) for z in range(side)])[:molecules]
    rng = generator(0, "timing", molecules)
    turned = []
    for place in places:
        q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        turned.append(WATER @ q.T + SPACING_ANG * place)
    return ["O", "H", "H"] * molecules, np.concatenate(turned)


def quantum_call(method: str, molecules: int, basis: str) -> Callable[[], float]:
    """An energy (Ha) by ``ccsd_t``, ``mp2`` or ``b3lyp``, from the atoms on."""
    from pyscf import cc, dft, gto, mp, scf

    symbols, positions = cluster(molecules)
    atoms = [(s, tuple(x)) for s, x in zip(symbols, positions, strict=True)]

    def run() -> float:
        mol = gto.M(atom=atoms, basis=basis, unit="Angstrom", verbose=0)
        if method == "b3lyp":
            return float(dft.RKS(mol, xc="b3lyp").density_fit().kernel())
        mf = scf.RHF(mol).run()
        if method == "mp2":
            return float(mp.MP2(mf).run().e_tot)
        solver = cc.CCSD(mf).run()
        return float(solver.e_tot + solver.ccsd_t())

    return run


def model_call(model: ModelConfig, molecules: int) -> Callable[[], float]:
    """Energy and forces by a model with drawn parameters: what a call costs does not depend on them."""
    import torch

    from qff.models import Potential, build_architecture
    from qff.systems import System

    symbols, positions = cluster(molecules)
    sampled = SampledConfig(
        stream="timing",
        start=positions.tolist(),
        temperature_k=300.0,
        n_frames=4,
        trajectories=1,
        steps_between_frames=1,
    )
    level = LevelConfig(method="PBE", basis="sto-3g", sampled=sampled, frozen="none")
    system = SystemConfig(
        label="water", like="ethanol", atoms=symbols, reference=level, split=SplitConfig(n_train=2, n_validation=1)
    )
    architecture = build_architecture(System(f"water_{molecules}", system), model)
    rng = generator(0, "timing", model.name)
    width = architecture.inputs(torch.as_tensor(positions)[None]).values.shape[-1]
    potential = Potential(
        architecture, model, architecture.initial_parameters(rng), np.zeros(width), np.ones(width), 0.0, 1.0
    )
    return lambda: float(potential.energy_and_forces(positions[None])[0][0])


def time_calls(
    molecules: dict[str, list[int]], basis: str, models: dict[str, ModelConfig], repetitions: int
) -> pd.DataFrame:
    """Columns method, molecules, atoms, seconds: the fastest of some calls each.

    Raises:
        ConfigError: no such method.
    """
    rows = []
    for method, sizes in molecules.items():
        if method not in (*QUANTUM, *models):
            raise ConfigError(
                f"hybrid.timing.molecules: unknown method '{method}'; known: {', '.join((*QUANTUM, *models))}"
            )
        for n in sizes:
            call = quantum_call(method, n, basis) if method in QUANTUM else model_call(models[method], n)
            seconds = []
            for _ in range(repetitions):
                began = time.perf_counter()
                call()
                seconds.append(time.perf_counter() - began)
            rows.append({"method": method, "molecules": n, "atoms": 3 * n, "seconds": min(seconds)})
    return pd.DataFrame(rows)


def exponents(table: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    """Method → exponent p of seconds ∝ atoms^p with the ends of its 95 % interval, of at least three sizes.

    The interval is that of the regression: it tells how well a power law describes the times, not how they scatter.
    """
    found = {}
    for method, rows in table.groupby("method", sort=False):
        if len(rows) < 3:
            continue
        fit = stats.linregress(np.log(rows.atoms), np.log(rows.seconds))
        half = fit.stderr * stats.t.ppf((1 + LEVEL) / 2, len(rows) - 2)
        found[method] = (fit.slope, fit.slope - half, fit.slope + half)
    return found


def advantage(
    exponent: tuple[float, float, float], benchmark: tuple[float, float, float]
) -> tuple[float, float, float]:
    """By how much an exponent lies below another one, with the ends of its interval: those farthest apart."""
    (p, low, high), (other, other_low, other_high) = exponent, benchmark
    return other - p, other_low - high, other_high - low

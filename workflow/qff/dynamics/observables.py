"""What is read off trajectories of a molecule: quantity → (unit, value), and tables for figures."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qff.dynamics import inversion, spectra
from qff.dynamics.integrator import Trajectories
from qff.systems import System
from qff.units import EV_IN_MEV

MIN_LENGTH_FS = 1000.0  # shorter trajectories have no spectrum (33 cm⁻¹ wide at this length) and no rate
SHOWN_FS, SHOWN_EVERY_FS = 500.0, 1.0  # part and density of a trajectory that is written
WINDOW_FS = 100.0  # total energies are averaged over, for the table
BOOTSTRAP_SAMPLES = 2000


def coordinate_names(system: System) -> list[str]:
    """Column names of the internal coordinates: bond_0_1_ang, angle_1_0_2_deg."""
    return [
        f"{c.kind}_{'_'.join(map(str, c.atoms))}_{'ang' if c.kind == 'bond' else 'deg'}" for c in system.coordinates
    ]


def stability(path: Trajectories) -> dict[str, tuple[str, float]]:
    """How many trajectories stay physical to the end, and how long they last."""
    return {
        "stable_trajectories": ("1", int(path.complete.sum())),
        "surviving_fraction": ("1", float(path.complete.mean())),
        "simulated_time": ("fs", float(path.lifetimes_fs.mean())),
    }


def conservation(path: Trajectories) -> dict[str, tuple[str, float]]:
    """Slope and spread of the total energy: means over trajectories; NaN if none has three steps."""
    slopes, spreads = [], []
    for energy, n in zip(path.energies.T * EV_IN_MEV, path.n_alive, strict=True):
        if n > 2:
            slopes.append(abs(np.polyfit(path.time_fs[:n] / 1000, energy[:n] - energy[0], 1)[0]))
            spreads.append(energy[:n].std())
    n_atoms = path.positions.shape[2]
    drift, spread = (float(np.mean(x)) if x else float("nan") for x in (slopes, spreads))
    return {
        "energy_drift_per_atom": ("meV/ps/atom", drift / n_atoms),
        "energy_fluctuation": ("meV", spread),
    }


def coordinate_statistics(system: System, path: Trajectories) -> dict[str, tuple[str, float]]:
    """Mean and standard deviation of every internal coordinate over time and trajectories."""
    q = system.internal_coordinates(path.positions[np.isfinite(path.energies)]).numpy()
    found = {}
    for name, values in zip(coordinate_names(system), q.T, strict=True):
        kind, unit = name.rsplit("_", 1)
        label = {"ang": "Ang", "deg": "deg"}[unit]
        found[f"mean_{kind}"] = (label, float(values.mean()))
        found[f"std_{kind}"] = (label, float(values.std()))
    return found


def _long_enough(path: Trajectories) -> np.ndarray:
    return np.flatnonzero(path.lifetimes_fs >= MIN_LENGTH_FS)


def spectral_grid(path: Trajectories) -> np.ndarray:
    """Wavenumbers (W,) in cm⁻¹ of the spectrum of a complete trajectory."""
    return spectra.power_spectrum(np.zeros(len(path.time_fs)), path.time_fs[1])[0]


def mean_spectrum(path: Trajectories, masses: np.ndarray) -> pd.DataFrame:
    """Vibrational density of states, mean over trajectories: columns wavenumber_inverse_cm, density_cm."""
    grid, found = spectral_grid(path), []
    for b in _long_enough(path):
        velocities = path.velocities[: path.n_alive[b], b]
        wavenumbers, density = spectra.density_of_states(velocities, masses, path.time_fs[1])
        found.append(np.interp(grid, wavenumbers, density))
    mean = np.mean(found, axis=0) if found else np.full(len(grid), np.nan)
    return pd.DataFrame({"wavenumber_inverse_cm": grid, "density_cm": mean})


def normal_coordinates(system: System, positions: np.ndarray, minimum: np.ndarray, modes: np.ndarray) -> np.ndarray:
    """Normal coordinates (B, K) in Å amu^1/2 from internal coordinates, which no rotation changes: linear at the minimum.

    Args:
        positions: (B, A, 3) in Å. minimum: (A, 3) in Å. modes: (K, A, 3) in amu^-1/2.
    """
    step = 1e-4
    ahead, behind = (system.internal_coordinates(minimum + sign * step * modes).numpy() for sign in (1, -1))
    jacobian = (ahead - behind).T / (2 * step)
    centre = system.internal_coordinates(minimum[None]).numpy()
    return np.linalg.solve(jacobian, (system.internal_coordinates(positions).numpy() - centre).T).T


def peaks(system: System, path: Trajectories, minimum: np.ndarray, modes: np.ndarray) -> dict[str, tuple[str, float]]:
    """Peak of the velocity spectrum of every normal coordinate, from the mean over trajectories: vdos_peak_1, ..."""
    grid, total = spectral_grid(path), 0.0
    chosen = _long_enough(path)
    for b in chosen:
        q = normal_coordinates(system, path.positions[: path.n_alive[b], b], minimum, modes)
        wavenumbers, power = spectra.power_spectrum(np.gradient(q, axis=0).T, path.time_fs[1])
        total = total + np.stack([np.interp(grid, wavenumbers, p / p.sum()) for p in power])
    return {
        f"vdos_peak_{k + 1}": ("cm-1", spectra.peak(grid, total[k]) if len(chosen) else float("nan"))
        for k in range(len(modes))
    }


def inversion_counts(path: Trajectories, minimum: np.ndarray) -> np.ndarray:
    """Inversions of every trajectory, (B,)."""
    threshold = abs(inversion.height(minimum)) / 2
    heights = inversion.height(path.positions)
    return np.array([inversion.count(h[:n], threshold) for h, n in zip(heights.T, path.n_alive, strict=True)])


def inversion_rate(path: Trajectories, minimum: np.ndarray) -> dict[str, tuple[str, float]]:
    """Inversions per time of the trajectories that live long enough; NaN if none does."""
    chosen = _long_enough(path)
    time_ps = path.lifetimes_fs[chosen].sum() / 1000
    rate = float(inversion_counts(path, minimum)[chosen].sum() / time_ps) if len(chosen) else float("nan")
    return {"inversion_rate": ("1/ps", rate)}


def rate_ratio(
    counts: np.ndarray, times: np.ndarray, reference_counts: np.ndarray, reference_times: np.ndarray, rng
) -> dict[str, tuple[str, float]]:
    """Ratio of two rates of events over the same starts, with a 95 % interval: pairs of trajectories are resampled.

    Inversions of one trajectory follow each other and are no independent events; its start is. Pairs of which one
    trajectory is too short are left out.

    Args:
        counts, reference_counts: events of each trajectory, (B,). times, reference_times: lengths in fs, (B,).
    """
    numbers = np.stack([counts, times, reference_counts, reference_times]).astype(float)
    numbers = numbers[:, np.minimum(numbers[1], numbers[3]) >= MIN_LENGTH_FS]
    n, ratio, low, high = numbers.shape[1], np.nan, np.nan, np.nan
    if n and numbers[2].sum() > 0:
        draws = np.vstack([np.arange(n), rng.integers(0, n, (BOOTSTRAP_SAMPLES, n))])
        ours, our_time, theirs, their_time = numbers[:, draws].sum(-1)
        with np.errstate(divide="ignore"):
            ratios = (ours / our_time) / (theirs / their_time)
        ratio, (low, high) = ratios[0], np.nanquantile(ratios, [0.025, 0.975])
    return {
        "inversion_rate_ratio": ("1", float(ratio)),
        "inversion_rate_ratio_low": ("1", float(low)),
        "inversion_rate_ratio_high": ("1", float(high)),
    }


def shown(system: System, path: Trajectories, inverts: bool) -> pd.DataFrame:
    """Beginning of all trajectories: columns start, time_fs, total_energy_ev, the coordinates, height_ang if it inverts."""
    every = max(1, round(SHOWN_EVERY_FS / path.time_fs[1]))
    tables = []
    for start, n in enumerate(path.n_alive):
        index = np.arange(0, min(n, int(SHOWN_FS / path.time_fs[1]) + 1), every)
        positions = path.positions[index, start]
        q = system.internal_coordinates(positions).numpy()
        columns = {"start": start, "time_fs": path.time_fs[index], "total_energy_ev": path.energies[index, start]}
        columns |= dict(zip(coordinate_names(system), q.T, strict=True))
        tables.append(pd.DataFrame(columns | ({"height_ang": inversion.height(positions)} if inverts else {})))
    return pd.concat(tables, ignore_index=True)


def energy_windows(path: Trajectories) -> pd.DataFrame:
    """Change of the total energy since the first window, and how many trajectories are left.

    Returns:
        columns time_fs (centre), change_mev (root mean square over the trajectories alive), alive.
    """
    width = max(1, round(WINDOW_FS / path.time_fs[1]))
    n = len(path.time_fs) // width
    cut = path.energies[: n * width].reshape(n, width, -1) * EV_IN_MEV
    mean = cut.mean(1)  # NaN as soon as one step is
    square = (mean - mean[0]) ** 2
    alive = np.isfinite(square).sum(1)
    change = np.sqrt(np.nansum(square, 1) / np.maximum(alive, 1))
    centres = path.time_fs[: n * width].reshape(n, width).mean(1)
    return pd.DataFrame({"time_fs": centres, "change_mev": np.where(alive, change, np.nan), "alive": alive})


def deviations(table: pd.DataFrame, reference: pd.DataFrame, lengths=(100, 500)) -> dict[str, tuple[str, float]]:
    """Root mean square deviation of the bonds from the reference started alike; NaN where a trajectory ended before.

    Args:
        table, reference: as of :func:`shown`, same starts.
    """
    bonds = [c for c in reference if c.startswith("bond_")]
    both = reference.merge(table, on=["start", "time_fs"], how="left", suffixes=("", "_model"))
    square = ((both[[f"{b}_model" for b in bonds]].to_numpy() - both[bonds].to_numpy()) ** 2).mean(1)
    found = {}
    for length in lengths:
        if both.time_fs.max() >= length:
            inside = (both.time_fs <= length).to_numpy()
            found[f"distance_rmse_{length}fs"] = ("Ang", float(np.sqrt(square[inside].mean())))
    return found

"""Frozen reference sets: writing them with provenance, and catching every way they can be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.interpolate import make_interp_spline

from qff.config import ReferenceConfig, SystemConfig
from qff.data import LabelledFrames, read_frames, write_frames
from qff.errors import DataError, LabelError
from qff.jobs import progress
from qff.provenance import file_digest, git_state, text_digest, versions, write_json
from qff.randomness import generator
from qff.reference.geometries import geometries
from qff.reference.labels import fci_difference, label, settings, slope
from qff.units import EV_IN_MEV

PROGRAMS = ("python", "platform", "ase", "numpy", "pyscf", "scipy", "tblite")  # whose versions a set records
SLOPE_TOLERANCE = 2e-4  # eV/Å; differences of energies converged to 1e-10 Ha reach 1e-6


def frame_digests(frames: LabelledFrames) -> list[str]:
    """One digest per frame, from positions, energy and forces as they stand in the file."""
    return [
        text_digest([np.round(p, 8), e, np.round(f, 8)])[:16]
        for p, e, f in zip(frames.positions, frames.energies, frames.forces, strict=True)
    ]


def freeze(frames: LabelledFrames, path: Path, system: SystemConfig) -> None:
    """Write a set and, beside it, ``<name>.json`` with its provenance and a digest of every frame."""
    write_frames(path, frames)
    stored = read_frames(path, system.atoms)
    write_json(
        path.with_suffix(".json"),
        {
            "file": path.name,
            "sha256": file_digest(path),
            "n_frames": len(stored),
            "level": system.reference.identity(),
            **(settings(system) if system.reference.calculated else {}),
            "versions": {k: v for k, v in versions().items() if k in PROGRAMS},
            "git": git_state(),
            "frame_digests": frame_digests(stored),
        },
    )


def read_frozen(path: Path, system: SystemConfig) -> LabelledFrames:
    """Read a frozen set and compare it with its provenance and with the geometries of the config.

    Raises:
        DataError: unreadable, edited (the frame is named), or made for another scan or level.
    """
    frames = read_frames(path, system.atoms)
    provenance_path = path.with_suffix(".json")
    try:
        provenance = json.loads(provenance_path.read_text(encoding="utf-8"))
        stored, level, sha256 = list(provenance["frame_digests"]), provenance["level"], provenance["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{provenance_path}: provenance of {path.name} is unreadable ({error}); restore it with git"
        ) from error
    if level != system.reference.identity():
        raise DataError(
            f"{path}: frozen for other geometries or another level of theory than config/systems.yaml asks for; use "
            "reference.mode: recompute, or freeze the new set with 'make freeze'"
        )
    if len(frames) != len(stored):
        raise DataError(
            f"{path}: {len(frames)} frames, its provenance lists {len(stored)}: the file is truncated or edited"
        )
    for number, (found, expected) in enumerate(zip(frame_digests(frames), stored, strict=True)):
        if found != expected:
            raise DataError(
                f"{path}, frame {number}: differs from its recorded digest: the file was edited; restore it with git"
            )
    if file_digest(path) != sha256:
        raise DataError(
            f"{path}: the labels are the recorded ones, but the rest of the file (sha256) is not: a comment line was "
            "edited; restore it with git"
        )
    check_geometries(frames, system, path)
    check_consistency(frames, str(path), system.reference.consistency_tolerance)
    return frames


def check_geometries(frames: LabelledFrames, system: SystemConfig, path: Path) -> None:
    """Make sure that a set has the geometries that its config describes.

    Those of dynamics are in the set alone: trajectories are chaotic, and another machine would sample others.

    Raises:
        DataError: other geometries, or another number of them.
    """
    if (sampled := system.reference.sampled) is not None:
        if len(frames) != sampled.n_frames:
            raise DataError(
                f"{path}: {len(frames)} frames, config/systems.yaml asks for {sampled.n_frames}; freeze the new set with "
                "'make freeze'"
            )
        return
    wanted = geometries(system)
    if wanted.shape != frames.positions.shape or not np.allclose(wanted, frames.positions, atol=1e-7):
        raise DataError(
            f"{path}: geometries differ from those of config/systems.yaml; freeze the new set with 'make freeze'"
        )


def scan_curve(frames: LabelledFrames):
    """Quintic spline of the energy (eV) over the distance (Å), with the distances and radial forces it came from."""
    r = np.linalg.norm(frames.positions[:, 1] - frames.positions[:, 0], axis=-1)
    order = np.argsort(r)
    direction = (frames.positions[:, 1] - frames.positions[:, 0]) / r[:, None]
    radial_force = (frames.forces[:, 1] * direction).sum(-1)
    return make_interp_spline(r[order], frames.energies[order], k=5), r, radial_force


def _slope_mismatch(frames: LabelledFrames) -> np.ndarray:
    """Largest difference (eV/Å) of a frame's force components and those from the slope of the energies, (B,)."""
    curve, r, _ = scan_curve(frames)
    pull = (curve(r, 1) / r)[:, None] * (frames.positions[:, 1] - frames.positions[:, 0])
    return np.abs(frames.forces - np.stack([pull, -pull], 1)).max((1, 2))


def check_consistency(frames: LabelledFrames, where: str, tolerance: float) -> float:
    """Largest inconsistency (eV/Å) of labels: of a scan, forces against the slope of the energies; else net force.

    A single wrong energy or force breaks the agreement of a scan. Labels of other sets are held against recalculated
    energies instead (:func:`recheck`).

    Raises:
        DataError: the difference exceeds ``tolerance``. The frame without which the others agree is named, or, if
            there is none, the one with the largest difference.
    """
    if len(frames.symbols) > 2:
        return _check_balance(frames, where, tolerance)
    difference = _slope_mismatch(frames)
    if difference.max() <= tolerance:
        return float(difference.max())

    def agree_without(k: int) -> bool:
        kept = np.delete(np.arange(len(frames)), k)
        rest = LabelledFrames(frames.symbols, frames.positions[kept], frames.energies[kept], frames.forces[kept], [])
        return _slope_mismatch(rest).max() <= tolerance

    # A wrong energy spoils the slopes of its neighbours rather than its own: every frame is a suspect.
    wrong = next((k for k in np.argsort(-difference) if len(frames) > 8 and agree_without(k)), None)
    worst = difference.argmax() if wrong is None else wrong
    distance = np.linalg.norm(frames.positions[worst, 1] - frames.positions[worst, 0])
    raise DataError(
        f"{where}, frame {worst} (r = {distance:.4f} Å): force and slope of the energies differ by "
        f"up to {difference.max():.4f} eV/Å (tolerance {tolerance}): "
        + ("one of its labels or of its neighbours' is wrong" if wrong is None else "one of its labels is wrong")
    )


def _check_balance(frames: LabelledFrames, where: str, tolerance: float) -> float:
    """Largest net force (eV/Å) or torque (eV): an isolated molecule has neither."""
    force = np.abs(frames.forces.sum(1)).max(1)
    torque = np.abs(np.cross(frames.positions, frames.forces).sum(1)).max(1)
    worst = int(np.maximum(force, torque).argmax())
    if max(force[worst], torque[worst]) > tolerance:
        raise DataError(
            f"{where}, frame {worst}: net force {force[worst]:.4f} eV/Å, torque {torque[worst]:.4f} eV (tolerance "
            f"{tolerance}): its forces are wrong or belong to other positions; label the frame again"
        )
    return float(max(force.max(), torque.max()))


def recheck(
    frames: LabelledFrames, system: SystemConfig, config: ReferenceConfig, seed: int, name: str
) -> pd.DataFrame:
    """Recompute a random sample of frames and compare.

    Returns:
        one row per frame: frame, energy_difference_mev, force_difference_ev_per_ang, slope_difference_ev_per_ang.

    Raises:
        LabelError: a difference exceeds the tolerance of the config; frame and difference are named.
    """
    count = min(config.recheck_frames, system.reference.recheck_frames or len(frames), len(frames))
    sample = sorted(generator(seed, "recheck", name).choice(len(frames), count, replace=False).tolist())
    rows = []
    for index in progress(sample, "recheck"):
        fresh = label(system, frames.positions[index], f"{name}, frame {index}")
        difference = abs(fresh.energy - frames.energies[index]) * EV_IN_MEV
        force = np.abs(fresh.forces - frames.forces[index]).max()
        along = slope_difference(
            frames, system, index, generator(seed, "slope", name, index), f"{name}, frame {index}"
        )
        rows.append(
            {
                "frame": index,
                "energy_difference_mev": difference,
                "force_difference_ev_per_ang": force,
                "slope_difference_ev_per_ang": along,
            }
        )
        if difference > config.energy_tolerance_mev or force > config.force_tolerance_ev_per_ang:
            raise LabelError(
                f"{system.reference.frozen}, frame {index}: recalculation differs by {difference:.4g} meV and {force:.4g} eV/Å "
                f"(tolerances {config.energy_tolerance_mev} meV, {config.force_tolerance_ev_per_ang} eV/Å): the frozen "
                "label is wrong, or this PySCF gives other numbers; restore the file or set reference.mode: recompute"
            )
        if along > SLOPE_TOLERANCE:
            raise LabelError(
                f"{system.reference.frozen}, frame {index}: its forces and the slope of recalculated energies differ by "
                f"{along:.4g} eV/Å (tolerance {SLOPE_TOLERANCE}): the analytic gradient cannot be trusted here"
            )
    return pd.DataFrame(rows)


def slope_difference(
    frames: LabelledFrames, system: SystemConfig, index: int, rng: np.random.Generator, where: str
) -> float:
    """Labelled force along a random direction against fourth-order differences of energies, in eV/Å."""
    direction = rng.normal(size=frames.positions[index].shape)
    direction /= np.linalg.norm(direction)
    found = slope(system, frames.positions[index], direction, where)
    return float(abs(found + (frames.forces[index] * direction).sum()))


def compare_with_fci(frames: LabelledFrames, system: SystemConfig, n_frames: int, name: str) -> pd.DataFrame:
    """CCSD(T) against FCI in the check basis at distances spread over the scan.

    Returns:
        columns frame, distance_ang, ccsd_t_ev, fci_ev, error_mev.
    """
    rows = []
    for index in progress(np.unique(np.linspace(0, len(frames) - 1, n_frames).round().astype(int)), "FCI"):
        approximate, exact = fci_difference(system, frames.positions[index], f"{name}, frame {index}")
        distance = float(np.linalg.norm(frames.positions[index, 1] - frames.positions[index, 0]))
        rows.append(
            {
                "frame": int(index),
                "distance_ang": distance,
                "ccsd_t_ev": approximate,
                "fci_ev": exact,
                "error_mev": (approximate - exact) * EV_IN_MEV,
            }
        )
    return pd.DataFrame(rows)

"""Frozen comparisons of a reference set: with a larger basis or another method, with slopes of its energies, with labels
of others.

They cost minutes to hours of coupled cluster, so they are kept as a table beside the labels, with its provenance. One
row is one number held against another, both in eV or eV/Å: ``check, frame, component, ours, other``; component −1 is
the energy, else 3·atom + axis. The checks are

- ``basis``: a random sample of the set, in the check basis;
- ``method``: a random sample of the set, by the check method in the basis of the labels (energies only);
- ``path``: frames of the symmetric path, in the check basis: its minimum in either basis, its middle (planar), others;
- ``slope``: force components, against fourth-order central differences of energies at the level of the labels;
- ``qm22``: energies at our level of a sample of the published QM-22 geometries, against the published ones (``frame`` counts in that file).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from qff.config import SystemConfig
from qff.data import LabelledFrames
from qff.errors import DataError, LabelError
from qff.provenance import file_digest, git_state, versions, write_csv, write_json
from qff.reference.labels import energy
from qff.units import EV_IN_MEV

COLUMNS = ["check", "frame", "component", "ours", "other"]
WINDOWS_EV = (0.5, 1.0, 2.0)  # of the energies of the other set, above its minimum


def held_against(system: SystemConfig, check: str) -> SystemConfig:
    """The same system at the level that a check holds its labels against: by another method, else in another basis."""
    level = system.reference
    change = {"method": level.check_method} if check == "method" else {"basis": level.check_basis}
    return system.model_copy(update={"reference": level.model_copy(update=change)})


def path_frames(frames: LabelledFrames) -> np.ndarray:
    """Frames of the symmetric path, in its order."""
    return np.array([k for k, i in enumerate(frames.info) if i.get("part") == "path"], int)


def freeze_checks(
    table: pd.DataFrame, path: Path, system: SystemConfig, labels: Path, seconds: dict, others: Path | None = None
) -> None:
    """Write a table of comparisons and, beside it, its provenance.

    Args:
        seconds: how long every check took.
        others: file of the set of others that was compared with, if any; its digest is recorded.
    """
    write_csv(path, table[COLUMNS])
    used = ("python", "platform", "pyscf", "numpy", "scipy")
    write_json(
        path.with_suffix(".json"),
        {
            "file": path.name,
            "sha256": file_digest(path),
            "labels_sha256": file_digest(labels),
            **({"others": {"file": others.name, "sha256": file_digest(others)}} if others else {}),
            "level": system.reference.identity(),
            "seconds": seconds,
            "versions": {k: v for k, v in versions().items() if k in used},
            "git": git_state(),
        },
    )


def read_checks(path: Path, system: SystemConfig, frames: LabelledFrames) -> pd.DataFrame:
    """Read frozen comparisons; what they say of our labels must be what the labels say.

    Raises:
        DataError: unreadable, edited, made for another level, or for other labels (the frame is named).
    """
    try:
        provenance = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        sha256, level = provenance["sha256"], provenance["level"]
        table = pd.read_csv(path)[COLUMNS]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: comparisons or their provenance are unreadable ({error}); restore them") from error
    if file_digest(path) != sha256:
        raise DataError(f"{path}: differs from its recorded sha256: the file was edited; restore it with git")
    if level != system.reference.identity():
        raise DataError(
            f"{path}: made for another level of theory or other geometries; run 'make compare-reference', or "
            "leave reference.checks out"
        )
    own = table[table.check.isin(["basis", "method", "path", "slope"])]
    if len(own) and own.frame.max() >= len(frames):
        raise DataError(f"{path}: refers to frame {own.frame.max()}, the set has {len(frames)}")
    numbers = np.concatenate([frames.energies[:, None], frames.forces.reshape(len(frames), -1)], 1)
    difference = np.abs(own.ours.to_numpy() - numbers[own.frame, own.component + 1])
    if len(own) and difference.max() > 1e-4:
        worst = int(own.frame.iloc[int(difference.argmax())])
        raise DataError(
            f"{path}: its values for frame {worst} are not those of the labels; run 'make compare-reference'"
        )
    return table


def recheck_level(
    table: pd.DataFrame, frames: LabelledFrames, system: SystemConfig, tolerance_mev: float, rng: np.random.Generator
) -> float:
    """Recompute one energy of the check basis or method, drawn at random; its difference in meV.

    Raises:
        LabelError: it exceeds the tolerance.
    """
    candidates = table[table.check.isin(["basis", "method", "path"]) & (table.component < 0)]
    row = candidates.iloc[int(rng.integers(len(candidates)))]
    other = held_against(system, row.check)
    where = f"{system.reference.checks}, frame {row.frame} by {other.reference.method} in {other.reference.basis}"
    found = energy(other, frames.positions[row.frame], where)
    difference = abs(found - row.other) * EV_IN_MEV
    if difference > tolerance_mev:
        raise LabelError(
            f"{where}: recalculation differs by {difference:.4g} meV (tolerance {tolerance_mev}): the frozen value is "
            "wrong, or this PySCF gives other numbers; restore the file with git or run 'make compare-reference'"
        )
    return float(difference)


def summarise(
    table: pd.DataFrame, frames: LabelledFrames, system: SystemConfig
) -> dict[str, dict[str, tuple[str, float]]]:
    """What the comparisons say: variant → quantity → (unit, value). Energies are compared up to a constant."""
    found: dict[str, dict[str, tuple[str, float]]] = {"": {}}
    basis = table[table.check == "basis"]
    energies, forces = basis[basis.component < 0], basis[basis.component >= 0]
    for check, rows in (("basis", energies), ("method", table[table.check == "method"])):
        if len(rows):
            found[""][f"{check}_energy_rmse"] = ("meV", _rms(_aligned(rows)) * EV_IN_MEV)
    if len(forces):
        found[""]["basis_force_rmse"] = ("eV/Ang", _rms(forces.other - forces.ours))
    slopes = table[table.check == "slope"]
    if len(slopes):
        found[""]["force_difference_max"] = ("eV/Ang", float((slopes.other - slopes.ours).abs().max()))
    path = table[table.check == "path"].set_index("frame")
    if len(path):
        indices = path_frames(frames)
        for variant, column in ((system.reference.basis, "ours"), (system.reference.check_basis, "other")):
            barrier = (path.loc[indices[len(indices) // 2], column] - path[column].min()) * EV_IN_MEV
            found[variant] = {"inversion_barrier": ("meV", float(barrier))}
    qm22 = table[table.check == "qm22"]
    for limit in WINDOWS_EV:
        if (inside := qm22.other <= limit).sum() > 2:
            found[f"below_{limit:g}_ev".replace(".", "_")] = _agreement(qm22[inside])
    if len(qm22):
        found[""] |= _agreement(qm22)
    return found


def _agreement(rows: pd.DataFrame) -> dict[str, tuple[str, float]]:
    """Our energies against those of others, means aligned; the slope is that of ours over theirs."""
    difference = _aligned(rows) * EV_IN_MEV
    return {
        "qm22_energy_rmse": ("meV", _rms(difference)),
        "qm22_energy_mae": ("meV", float(difference.abs().mean())),
        "qm22_correlation": ("1", float(np.corrcoef(rows.ours, rows.other)[0, 1])),
        "qm22_slope": ("1", float(np.polyfit(rows.other, rows.ours - rows.ours.mean(), 1)[0])),
        "qm22_frames": ("1", len(rows)),
    }


def _aligned(rows: pd.DataFrame) -> pd.Series:
    difference = rows.other - rows.ours
    return difference - difference.mean()


def _rms(values: pd.Series) -> float:
    return float(np.sqrt((values**2).mean()))

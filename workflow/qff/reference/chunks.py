"""Labelling a chunk of frames, resumable frame by frame."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from qff.config import SystemConfig
from qff.data import LabelledFrames
from qff.jobs import progress
from qff.provenance import text_digest, versions, write_json
from qff.reference.labels import Label, label, settings


def label_frames(
    system: SystemConfig, positions: np.ndarray, indices: list[int], workdir: Path, parts: list[str] | None = None
) -> LabelledFrames:
    """Labels of the given frames; finished ones are found in ``workdir`` and not computed again.

    ``parts`` name the part of the set that each position belongs to.

    Raises:
        LabelError: a frame did not converge; the frames before it are kept in ``workdir``.
    """
    level = system.reference
    method = [system.atoms, system.charge, level.method, level.basis, settings(system), versions().get("pyscf")]
    labels = []
    for index in progress(indices, "geometries"):
        path = workdir / f"frame_{index:04d}.json"
        key = text_digest([*method, positions[index]])
        found = _read(path, key)
        if found is None:
            found = label(system, positions[index], f"frame {index}")
            write_json(path, {"key": key, "energy": found.energy, "forces": found.forces, "info": found.info})
        labels.append(found)
    info = [
        {
            "frame": index,
            **({"part": parts[index]} if parts else {}),
            "method": system.reference.method,
            "basis": system.reference.basis,
            "program": f"pyscf {versions().get('pyscf')}",
            **found.info,
        }
        for index, found in zip(indices, labels, strict=True)
    ]
    return LabelledFrames(
        list(system.atoms),
        positions[indices],
        np.array([x.energy for x in labels]),
        np.array([x.forces for x in labels]),
        info,
    )


def _read(path: Path, key: str) -> Label | None:
    """A label left by an earlier attempt, if it belongs to this very calculation."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["key"] != key:
            return None
        return Label(stored["energy"], np.array(stored["forces"]), stored["info"])
    except (OSError, ValueError, KeyError, TypeError):
        return None

"""What the report's scripts show: every seed's numbers, and molecules in three dimensions. All inside the one file."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from markupsafe import Markup

from qff.errors import DataError
from qff.provenance import to_plain
from qff.reference.internal import cartesian
from qff.report.numbers import unit_label
from qff.report.tables import ERRORS

if TYPE_CHECKING:
    from qff.report.build import Study

HERE = Path(__file__).parent
SCRIPTS = ("claims.js", "plot.js", "molecule.js")
FRAMES = 120  # of a movie, at most
COORDINATES = ("distance_ang", "bond_", "angle_", "dihedral_")


def script() -> Markup:
    """The scripts as one text: all that this page may run (:func:`policy`)."""
    return Markup("\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS))


def policy(text: str) -> str:
    """Content security policy of a page that loads nothing, and runs no script but the given one."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def data(study: Study, results: Path, metrics: pd.DataFrame) -> Markup:
    """Numbers and movies as JSON that may stand inside a script element."""
    content = {"numbers": seed_numbers(study, metrics), "movies": movies(study, results)}
    text = json.dumps(to_plain(content), ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026").replace("\u2028", "\\u2028"))


def seed_numbers(study: Study, metrics: pd.DataFrame) -> list[dict]:
    """Test errors of every system: one entry per system and quantity with the values of all models, by seed."""
    tests, found = metrics[(metrics.variant == "") & (metrics.split == "test")], []
    for system, label in study.systems.items():
        for quantity, words in ERRORS:
            own = tests[(tests.system == system) & (tests.quantity == quantity)].sort_values("seed")
            models = [{"label": text, "values": own[own.model == m].value} for m, text in study.models.items()]
            models = [{**m, "values": [float(f"{v:.6g}") for v in m["values"]]} for m in models if len(m["values"])]
            if any(v > 0 for m in models for v in m["values"]):
                unit = unit_label(own.unit.iloc[0])
                found.append({"system": label, "quantity": f"test {words}", "unit": unit, "models": models})
    return found


def movies(study: Study, results: Path) -> list[dict]:
    """Frames of every system's labels and trajectories: positions in mÅ, flat, with a caption for each."""
    found = []
    for system, label in study.systems.items():
        path = results / "reference" / system / "labels.extxyz"
        if not path.is_file():
            continue
        symbols, movie = _labels(path)
        found.append({"title": f"{label}: frames of the reference set, by energy", "symbols": symbols, **movie})
        for model in ("reference", *study.models):
            path = results / "dynamics" / system / model / "trajectory.csv"
            movie = _trajectory(path) if path.is_file() else None
            if movie:
                who = "reference" if model == "reference" else study.models[model]
                found.append({"title": f"{label}: dynamics, {who}", "symbols": symbols, **movie})
    return found


def _labels(path: Path) -> tuple[list[str], dict]:
    """Symbols, and a sample of the frames of a labelled set."""
    from ase.io import read

    try:
        frames = read(path, ":")
        energies = np.array([atoms.info["REF_energy"] for atoms in frames])
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise DataError(f"{path}: unreadable labels ({error}); delete it and run the study again") from error
    order = np.argsort(energies, kind="stable")[:: max(1, -(-len(frames) // FRAMES))]
    captions = [f"{energies[i] - energies.min():.3f} eV above the lowest frame" for i in order]
    return frames[0].get_chemical_symbols(), _movie(np.array([frames[i].positions for i in order]), captions)


def _trajectory(path: Path) -> dict | None:
    """The beginning of the first trajectory; None if its coordinates do not make a geometry."""
    table = pd.read_csv(path, nrows=2 * FRAMES)
    for part in ("start", "seed"):
        table = table[table[part] == table[part].iloc[0]] if part in table else table
    columns = [c for c in table.columns if c.startswith(COORDINATES) and not c.endswith("_fit")]
    if len(columns) not in (1, 3, 6) or len(table) < 2:
        return None
    table = table.iloc[:FRAMES]
    return _movie(cartesian(table[columns].to_numpy()), [f"{t:g} fs" for t in table.time_fs])


def _movie(positions: np.ndarray, captions: list[str]) -> dict:
    """Positions (n, A, 3) in Å as lists of integers in mÅ."""
    return {"frames": np.rint(1000 * positions).astype(int).reshape(len(positions), -1).tolist(), "labels": captions}

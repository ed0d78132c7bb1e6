"""Conda environments by group of stages, made from the one lock: python -m qff.environments [--check].

Only Python and pip come from the conda channel; every package comes from the pinned pip section, so that a conda
environment holds the very versions that ``make study`` installs. A group is what its rules import, and what that
needs in turn; ``dev`` is the whole lock.
"""

from __future__ import annotations

import argparse
import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from qff.command import reported
from qff.errors import DataError
from qff.provenance import write_text

LOCK, FOLDER = Path("requirements.lock"), Path("envs")
PYTHON, PIP = "3.11.7", "24.0"  # Python of the published record
EVERY = ("numpy", "pandas", "pydantic", "pyyaml", "scipy", "snakemake", "torch", "tqdm")
CALCULATING = ("ase", "pyscf", "tblite")
# Group of stages → packages that its rules import; None: all.
GROUPS: dict[str, tuple[str, ...] | None] = {
    "reference": (*EVERY, *CALCULATING),
    "learning": (*EVERY, *CALCULATING, "numba", "pennylane", "qiskit", "qiskit-aer", "safetensors"),
    "report": (*EVERY, "ase", "jinja2", "markdown-it-py", "mlflow", "safetensors", "seaborn"),
    "dev": None,
}


def read_lock(path: Path) -> dict[str, str]:
    """Canonical name → pinned line of a lock.

    Raises:
        DataError: unreadable, or a line that pins no version.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise DataError(f"{path}: unreadable ({error}); make it with 'make lock'") from error
    pins = {}
    for line in filter(None, lines):
        found = re.fullmatch(r"([\w.-]+)==([\w.!+-]+)", line)
        if not found:
            raise DataError(f"{path}: '{line}' pins no version; expected name==version (make lock)")
        pins[canonicalize_name(found[1])] = line
    return pins


def needed(names: tuple[str, ...], pins: dict[str, str]) -> list[str]:
    """Pinned lines of packages and of all they require, as the installed ones state it.

    Raises:
        DataError: a package is not in the lock, or not installed.
    """
    platform = default_environment()
    waiting, seen = [(canonicalize_name(name), ("",)) for name in names], set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            requirements = [Requirement(text) for text in metadata.requires(name) or []]
        except metadata.PackageNotFoundError:
            raise DataError(f"{name}: not installed; environments follow what packages state they need") from None
        for required in requirements:
            inner = canonicalize_name(required.name)
            wanted = required.marker is None or any(
                required.marker.evaluate({**platform, "extra": e}) for e in extras
            )
            if wanted and inner in pins:  # others are of a platform or a build that the lock is not made for
                waiting.append((inner, ("", *sorted(required.extras))))
    if absent := sorted({name for name, _ in seen} - pins.keys()):
        raise DataError(f"{LOCK}: no '{absent[0]}', which an environment needs; run 'make lock'")
    return sorted((pins[name] for name in {name for name, _ in seen}), key=str.lower)


def environment(group: str, pins: dict[str, str]) -> str:
    """Conda's YAML of a group."""
    names = GROUPS[group]
    packages = sorted(pins.values(), key=str.lower) if names is None else needed(names, pins)
    lines = [
        f"# Made from {LOCK} by 'make envs'; do not edit.",
        f"name: qff-{group}",
        "channels: [conda-forge, nodefaults]",
        "dependencies:",
        f"  - python={PYTHON}",
        f"  - pip={PIP}",
        "  - pip:",
        *(f"      - {line}" for line in packages),
    ]
    return "\n".join(lines) + "\n"


@reported
def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a file is out of date")
    check, outdated = parser.parse_args(words).check, []
    pins = read_lock(LOCK)
    for group in GROUPS:
        path, text = FOLDER / f"{group}.yaml", environment(group, pins)
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        outdated.append(path)
        if not check:
            write_text(path, text)
    if check and outdated:
        print(f"{', '.join(map(str, outdated))}: not as {LOCK} has it; run 'make envs'", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Where a number comes from: atomic writes, digests, versions and run records.

Every job leaves one ``run.json``. It is the only thing the tracking module reads; jobs never import mlflow.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

RUN_SCHEMA = "qff.run/1"
REPORTED_PACKAGES = (
    "ase", "mlflow", "numpy", "pandas", "pennylane", "pyscf", "qiskit", "qiskit-aer", "safetensors", "scipy",
    "seaborn", "snakemake", "tblite", "torch",
)  # fmt: skip


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` if the block succeeds.

    A killed job leaves at most a hidden temporary file, never a half-written result.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def to_plain(value: Any) -> Any:
    """Turn NumPy scalars and arrays into plain Python; NaN and infinities become None (JSON has neither)."""
    if isinstance(value, dict):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return to_plain(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def write_json(path: str | os.PathLike, value: Any) -> None:
    write_text(path, json.dumps(to_plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(path: str | os.PathLike, table) -> None:
    """Write a pandas table; 17 digits, so that equal bits give equal files."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.17g")


def file_digest(path: str | os.PathLike) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def text_digest(value: Any) -> str:
    """sha256 of a JSON-serialisable value, independent of key order."""
    return hashlib.sha256(json.dumps(to_plain(value), sort_keys=True).encode()).hexdigest()


@functools.lru_cache(maxsize=1)
def git_state() -> dict[str, Any]:
    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no")
    return {"commit": git("rev-parse", "HEAD"), "dirty": None if changed is None else bool(changed)}


@functools.lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": platform.machine()}
    for name in REPORTED_PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


class RunRecord:
    """What one job did: written as ``run.json`` beside its outputs.

    ``runs`` holds one entry per tracked run (a seed of a model, say): name, params, metrics (names carry
    units), series (csv with a ``step`` column), artifacts (paths relative to the record's folder).
    """

    def __init__(self, stage: str, *, profile: str, code_digest: str, inputs: list[str], **tags: str):
        self._started = datetime.now(UTC)
        self._clock = time.perf_counter()
        self.stage, self.profile, self.code_digest, self.tags = stage, profile, code_digest, tags
        self.inputs = {str(p): file_digest(p) for p in inputs}
        self.runs: list[dict[str, Any]] = []

    def add(self, name: str, *, params: dict, metrics: dict, series: str | None = None, artifacts=(), **tags):
        key = text_digest([self.stage, self.profile, name, params, self.code_digest, self.inputs])[:16]
        self.runs.append(
            {
                "name": name,
                "key": f"{self.profile}/{self.stage}/{name}/{key}",
                "params": params,
                "metrics": metrics,
                "series": series,
                "artifacts": list(artifacts),
                "tags": {**self.tags, **tags},
            }
        )

    def _header(self) -> dict[str, Any]:
        return {
            "schema": RUN_SCHEMA,
            "stage": self.stage,
            "profile": self.profile,
            "invocation": os.environ.get("QFF_INVOCATION"),
            "command": " ".join(sys.argv),
            "code_digest": self.code_digest,
            "git": git_state(),
            "versions": versions(),
            "started": self._started.isoformat(timespec="seconds"),
            "inputs": self.inputs,
        }

    def live(self) -> dict[str, Any]:
        """The record of a job that is still running, for those who follow it."""
        return {**self._header(), "status": "running", "runs": self.runs}

    def write(self, path: str | os.PathLike, outputs: list[str]) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        write_json(
            path,
            {
                **self._header(),
                "seconds": time.perf_counter() - self._clock,
                "cpu_seconds": usage.ru_utime + usage.ru_stime,
                "peak_memory_mib": usage.ru_maxrss / 1024,
                "outputs": {str(p): file_digest(p) for p in outputs},
                "runs": self.runs,
            },
        )

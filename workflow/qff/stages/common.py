"""What all stages share: who we are in the study, and reading what earlier stages wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from qff.config import SystemConfig, validate
from qff.errors import DataError
from qff.provenance import RunRecord

if TYPE_CHECKING:
    from qff.systems import System


@dataclass(frozen=True)
class Context:
    """Where a job stands in the study: passed by the workflow as ``params.context``."""

    profile: str
    seed: int
    code_digest: str

    def record(self, stage: str, inputs: list, **tags: str) -> RunRecord:
        return RunRecord(stage, profile=self.profile, code_digest=self.code_digest, inputs=inputs, **tags)


def system_from(name: str, config: dict) -> System:
    from qff.systems import System  # torch: not for stages that only draw or join tables

    return System(name, validate(SystemConfig, config, f"system {name}"))


def read_splits(path: str | Path, n_frames: int | None = None) -> list[dict[str, list[int]]]:
    """Splits written by the data stage, one per seed; ``n_frames``: of the set they are of, if that is known.

    Raises:
        DataError: unreadable, or it refers to frames that are not there.
    """
    try:
        splits = json.loads(Path(path).read_text(encoding="utf-8"))["splits"]
        largest = max(max(part) for split in splits for part in split.values())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a splits file ({error}); delete it and run the study again") from error
    if n_frames is not None and largest >= n_frames:
        raise DataError(
            f"{path}: refers to frame {largest}, the set has {n_frames}; delete it and run the study again"
        )
    return splits


def read_table(path: str | Path) -> pd.DataFrame:
    """A csv written by an earlier stage.

    Raises:
        DataError: missing, empty or unreadable.
    """
    try:
        return pd.read_csv(path, keep_default_na=True)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: unreadable table ({error}); delete it and run the study again") from error


def flat(values: dict[str, tuple[str, float]]) -> dict[str, float]:
    """Metrics with their unit in the name, for run records: energy_rmse (meV) → energy_rmse_mev."""
    return {f"{q}_{suffix(unit)}" if unit != "1" else q: v for q, (unit, v) in values.items()}


def suffix(unit: str) -> str:
    return unit.lower().replace("/", "_per_").replace("%", "percent").replace("-1", "_inverse")

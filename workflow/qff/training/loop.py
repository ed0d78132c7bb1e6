"""The training loop: an ensemble of one architecture on energies and forces, resumable bit for bit."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from qff.config import TrainingConfig
from qff.jobs import log, progress
from qff.models.architecture import Architecture
from qff.provenance import atomic_path, text_digest
from qff.training.descent import Descent
from qff.training.kalman import KalmanTraining
from qff.training.loss import EnsembleData, losses, predict

CHECKPOINT_SECONDS = 5.0
CHECKPOINT_SHARE = (
    0.05  # of the time, at most: the state of a Kalman filter with thousands of parameters is gigabytes
)


@dataclass(frozen=True)
class TrainingResult:
    """Best-validation parameters (S, P), their step (S,), the curves, and the wall time in s, interruptions left out.

    ``curves``: columns seed, step and, for training and validation, loss_ev2, energy_rmse_mev,
    force_rmse_ev_per_ang.
    """

    parameters: np.ndarray
    best_step: np.ndarray
    curves: pd.DataFrame
    seconds: float


def train(
    architecture: Architecture,
    initial: np.ndarray,
    training: EnsembleData,
    validation: EnsembleData,
    shift: np.ndarray,
    scale: np.ndarray,
    config: TrainingConfig,
    checkpoint: Path | None = None,
    on_curve: Callable[[pd.DataFrame], None] | None = None,
) -> TrainingResult:
    """Train S members for ``config.steps`` steps and keep each one's best-validation parameters.

    A step is one evaluation of loss and gradient, or one epoch of the Kalman filter.

    Args:
        initial: (S, P) starting parameters.
        shift, scale: (S,) affine energy map in eV.
        checkpoint: file for the state; if it belongs to this very task, training resumes from it.
        on_curve: called with the curves so far, at every checkpoint.
    """
    shift, scale = torch.as_tensor(shift), torch.as_tensor(scale)
    kind = KalmanTraining if config.optimiser == "kalman" else Descent
    method = kind(architecture, training, shift, scale, config)
    key = text_digest(
        [config.model_dump(), architecture.describe(), initial, shift.numpy(), scale.numpy()]
        + [x.numpy() for d in (training, validation) for x in (d.inputs.values, d.energies, d.forces)]
    )
    every = max(1, config.steps // config.curve_points)
    start, spent, state, best, rows = _resume(checkpoint, key) or (
        0,
        0.0,
        method.start(torch.as_tensor(initial)),
        nothing_yet(torch.as_tensor(initial)),
        [],
    )
    if start:
        log.info("resuming at step %d", start)
    saved = time.monotonic()
    began, pause = saved - spent, CHECKPOINT_SECONDS
    for step in progress(range(start, config.steps), "training"):
        state = method.advance(state, step)
        if (step + 1) % every == 0 or step + 1 == config.steps:
            best = record(
                rows,
                step + 1,
                method.current(state),
                best,
                architecture,
                training,
                validation,
                shift,
                scale,
                config,
            )
        if checkpoint and (now := time.monotonic()) - saved > pause:
            _save(checkpoint, key, step + 1, now - began, state, best, rows)
            if on_curve:
                on_curve(curves_table(rows))
            saved = time.monotonic()
            pause = max(CHECKPOINT_SECONDS, (saved - now) / CHECKPOINT_SHARE)
    seconds = time.monotonic() - began
    return TrainingResult(best["theta"].numpy(), best["step"].numpy().astype(int), curves_table(rows), seconds)


def finish(checkpoint: Path) -> None:
    """Forget the checkpoint of a task whose results are written."""
    checkpoint.unlink(missing_ok=True)


_COLUMNS = ["step", "seed"] + [
    f"{part}_{quantity}"
    for part in ("train", "validation")
    for quantity in ("loss_ev2", "energy_rmse_mev", "force_rmse_ev_per_ang")
]


def nothing_yet(theta: torch.Tensor) -> dict[str, torch.Tensor]:
    """The best of no record: parameters (S, P) that any finite validation loss replaces."""
    members = len(theta)
    loss = torch.full((members,), torch.inf, dtype=torch.float64)
    return {"theta": theta.clone(), "loss": loss, "step": torch.zeros(members)}


def record(rows, step, theta, best, architecture, training, validation, shift, scale, config):
    """Append one row per member to the curves, and keep the parameters that validate best."""
    parts = []
    with torch.no_grad():
        for data in (training, validation):
            energies, forces = predict(architecture, theta, data.inputs, shift, scale)
            loss = losses(energies, forces, data, config)
            energy = ((energies - data.energies) ** 2).mean(1).sqrt() * 1000
            force = ((forces - data.forces) ** 2).mean((1, 2, 3)).sqrt()
            parts += [loss, energy, force]
    for seed in range(len(theta)):
        rows.append([step, seed, *(float(p[seed]) for p in parts)])
    validation_loss = parts[3]
    better = validation_loss < best["loss"]
    return {
        "theta": torch.where(better[:, None], theta, best["theta"]),
        "loss": torch.where(better, validation_loss, best["loss"]),
        "step": torch.where(better, float(step), best["step"]),
    }


def curves_table(rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=_COLUMNS).astype({"step": int, "seed": int})


def _save(path: Path, key: str, step: int, seconds: float, state, best, rows) -> None:
    arrays = {f"state.{k}": v.contiguous() for k, v in state.items()}
    arrays |= {f"best.{k}": v.contiguous() for k, v in best.items()}
    arrays["rows"] = torch.tensor(rows, dtype=torch.float64).reshape(-1, len(_COLUMNS))
    with atomic_path(path) as temporary:
        save_file(arrays, temporary, metadata={"task": json.dumps({"key": key, "step": step, "seconds": seconds})})


def _resume(path: Path | None, key: str):
    """(step, seconds, state, best, rows) of an interrupted run of the same task, or None."""
    if path is None or not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as handle:
            task = json.loads(handle.metadata()["task"])
            reached = task["step"], task["seconds"]
            # Copies, aligned as all tensors are: matrix products round differently in memory that is not.
            arrays = {k: handle.get_tensor(k).clone() for k in handle.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError):
        return None
    if task["key"] != key:
        return None
    parts = {"state": {}, "best": {}}
    rows = arrays.pop("rows").tolist()
    for name, value in arrays.items():
        part, _, field = name.partition(".")
        parts[part][field] = value
    return *reached, parts["state"], parts["best"], rows

"""Stage 2: splits, and scaled coordinates of systems that have them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch

from qff.data import read_frames, split_frames
from qff.provenance import file_digest, write_csv, write_json
from qff.stages.common import Context, system_from


def split_data(
    *,
    context: dict,
    system: str,
    config: dict,
    n_seeds: int,
    labels_path: str,
    splits_path: str,
    coordinates_path: str,
    run_path: str,
) -> None:
    """One split per seed, and energy and scaled internal coordinates, if any, of every frame.

    Raises:
        DomainError: a frame lies outside the bounds of its coordinates.
    """
    place, molecule = Context(**context), system_from(system, config)
    frames = read_frames(labels_path, molecule.symbols)
    splits = [split_frames(frames, molecule.config.split, place.seed, system, k) for k in range(n_seeds)]
    table = pd.DataFrame({"frame": range(len(frames))})
    metrics = {"energy_std_ev": float(frames.energies.std())}
    if molecule.config.coordinates:
        x, _ = molecule.scaled_coordinates(torch.as_tensor(frames.positions))
        table = table.join(pd.DataFrame({f"x_{k}": x[:, k].numpy() for k in range(x.shape[1])}))
        metrics["largest_scaled_coordinate"] = float(x.abs().max())
    table["energy_ev"] = frames.energies
    write_csv(coordinates_path, table)
    write_json(splits_path, {"system": system, "labels_sha256": file_digest(labels_path), "splits": splits})
    record = place.record("data", [labels_path], system=system)
    record.add(
        f"data-{system}",
        params={"n_seeds": n_seeds, **{f"n_{k}": len(v) for k, v in splits[0].items()}},
        metrics=metrics,
        artifacts=[Path(splits_path).name, Path(coordinates_path).name],
    )
    record.write(run_path, [splits_path, coordinates_path])

"""Stage 1: reference labels, frozen or recomputed, and how far they can be trusted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from qff.config import ReferenceConfig
from qff.data import LabelledFrames, read_frames, write_frames
from qff.jobs import log
from qff.provenance import write_csv
from qff.reference.chunks import label_frames
from qff.reference.frozen import (
    check_consistency,
    compare_with_fci,
    freeze,
    read_frozen,
    recheck,
)
from qff.reference.geometries import geometries, parts
from qff.reference.imported import read_imported
from qff.reference.rmd17 import read_rmd17
from qff.reference.sampling import sample_trajectory, write_trajectory
from qff.stages.common import Context, system_from

RECHECK = ["frame", "energy_difference_mev", "force_difference_ev_per_ang", "slope_difference_ev_per_ang"]


def sample_geometries(*, context: dict, system: str, config: dict, number: int, output_path: str) -> None:
    """One trajectory whose frames are to be labelled."""
    molecule = system_from(system, config).config
    positions, temperature = sample_trajectory(molecule, number)
    log.info("%s, trajectory %d: mean kinetic temperature %.0f K", system, number, temperature)
    write_trajectory(output_path, molecule, positions, temperature)


def label_chunk(
    *,
    context: dict,
    system: str,
    config: dict,
    chunk: int,
    chunks: int,
    trajectory_paths: list[str],
    output_path: str,
) -> None:
    """Label every ``chunks``-th geometry of a system; finished frames of an interrupted job are kept."""
    molecule = system_from(system, config)
    positions = geometries(molecule.config, trajectory_paths)
    indices = list(range(chunk, len(positions), chunks))
    write_frames(
        output_path,
        label_frames(
            molecule.config, positions, indices, Path(output_path).parent / "frames", parts(molecule.config)
        ),
    )


def collect_reference(
    *,
    context: dict,
    system: str,
    config: dict,
    chunk_paths: list[str],
    labels_path: str,
    recheck_path: str,
    run_path: str,
) -> None:
    """Join recomputed chunks in the order of the geometries."""
    molecule = system_from(system, config)
    chunks = [read_frames(p, molecule.symbols) for p in chunk_paths]
    info = [i for part in chunks for i in part.info]
    order = np.argsort([i["frame"] for i in info])
    frames = LabelledFrames(
        molecule.symbols,
        np.concatenate([p.positions for p in chunks])[order],
        np.concatenate([p.energies for p in chunks])[order],
        np.concatenate([p.forces for p in chunks])[order],
        [info[k] for k in order],
    )
    check_consistency(frames, labels_path, molecule.config.reference.consistency_tolerance)
    freeze(frames, Path(labels_path), molecule.config)
    table = pd.DataFrame(columns=RECHECK)
    _finish(
        Context(**context), molecule, frames, table, "recompute", chunk_paths, labels_path, recheck_path, run_path
    )


def import_reference(
    *,
    context: dict,
    system: str,
    config: dict,
    reference: dict,
    frozen_path: str,
    labels_path: str,
    recheck_path: str,
    run_path: str,
) -> None:
    """Check the frozen labels, recompute a random sample of them, and hand them to the study."""
    place, molecule = Context(**context), system_from(system, config)
    frames = read_frozen(Path(frozen_path), molecule.config)
    table = recheck(frames, molecule.config, ReferenceConfig(**reference), place.seed, system)
    freeze(frames, Path(labels_path), molecule.config)
    _finish(place, molecule, frames, table, "frozen", [frozen_path], labels_path, recheck_path, run_path)


def import_set(
    *,
    context: dict,
    system: str,
    config: dict,
    file_paths: list[str],
    labels_path: str,
    recheck_path: str,
    run_path: str,
) -> None:
    """Convert a set that others published to labels of the study; nothing of it is recomputed."""
    place, molecule = Context(**context), system_from(system, config)
    paths = [Path(p) for p in file_paths]
    if molecule.config.reference.rmd17 is not None:
        frames = read_rmd17(paths, molecule.config)
    else:
        frames = read_imported(paths[0], molecule.config)
    freeze(frames, Path(labels_path), molecule.config)
    _finish(
        place,
        molecule,
        frames,
        pd.DataFrame(columns=RECHECK),
        "imported",
        file_paths,
        labels_path,
        recheck_path,
        run_path,
    )


def _finish(place, molecule, frames, table, mode, input_paths, labels_path, recheck_path, run_path) -> None:
    level = molecule.config.reference
    metrics = {
        "n_frames": len(frames),
        "force_consistency_ev_per_ang": check_consistency(frames, labels_path, level.consistency_tolerance),
    }
    write_csv(recheck_path, table)
    if level.calculated:
        metrics["n_retried"] = sum(i["scf_retries"] > 0 or i.get("cc_retries", 0) > 0 for i in frames.info)
    if "rhf_stable_towards_uhf" in frames.info[0]:
        metrics["n_rhf_unstable_towards_uhf"] = sum(not i["rhf_stable_towards_uhf"] for i in frames.info)
    if len(table):
        metrics["recheck_energy_mev"] = float(table.energy_difference_mev.max())
        metrics["recheck_force_ev_per_ang"] = float(table.force_difference_ev_per_ang.max())
        metrics["recheck_slope_ev_per_ang"] = float(table.slope_difference_ev_per_ang.max())
    log.info("%s: %s", molecule.name, metrics)
    record = place.record("reference", input_paths, system=molecule.name)
    record.add(
        f"reference-{molecule.name}",
        params={"mode": mode, **{k: frames.info[0][k] for k in ("method", "basis", "program")}},
        metrics=metrics,
        artifacts=[Path(labels_path).name, Path(recheck_path).name],
    )
    record.write(run_path, [labels_path, recheck_path])


def compare_fci(
    *, context: dict, system: str, config: dict, n_frames: int, labels_path: str, table_path: str, run_path: str
) -> None:
    """Error of CCSD(T) against FCI along the scan, in the small check basis."""
    molecule = system_from(system, config)
    table = compare_with_fci(read_frames(labels_path, molecule.symbols), molecule.config, n_frames, system)
    write_csv(table_path, table)
    record = Context(**context).record("reference", [labels_path], system=system)
    record.add(
        f"fci-{system}",
        params={"basis": molecule.config.reference.check_basis, "n_frames": n_frames},
        metrics={
            "fci_error_max_mev": table.error_mev.abs().max(),
            "fci_error_nonparallelity_mev": table.error_mev.max() - table.error_mev.min(),
        },
        artifacts=[Path(table_path).name],
    )
    record.write(run_path, [table_path])

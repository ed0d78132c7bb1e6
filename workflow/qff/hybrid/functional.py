"""B3LYP, with and without D3(BJ), against labels of one molecule: CCSD(T) of others, or a frozen set of our own.

    python -m qff.hybrid.functional "$QFF_DATA/ccsd_t/ethanol_600.extxyz" --frames 24 --folder results/b3lyp_ethanol
    python -m qff.hybrid.functional results/published/reference/ethane.extxyz --frames 48 --basis cc-pvdz --folder results/b3lyp_ethane

computes some frames of the set, drawn at random, one file each, so that a second call goes on where the first one ended; then
it prints the records of ``config/table_one.yaml``. D3(BJ) needs pyscf-dispersion, which the study itself does not.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from qff.command import reported
from qff.data import read_frames
from qff.errors import DataError, LabelError
from qff.jobs import progress
from qff.provenance import text_digest, versions, write_json
from qff.randomness import generator
from qff.reference.imported import RawSet, read_raw
from qff.units import HARTREE_IN_EV, HARTREE_PER_BOHR_IN_EV_PER_ANG, KCAL_PER_MOL_IN_EV

FUNCTIONAL, DISPERSION = "b3lyp", "d3bj"
GRID_LEVEL, SCF_TOLERANCE, SCF_CYCLES = 3, 1e-9, 100
BOOTSTRAP_SAMPLES = 2000


def b3lyp(symbols: list[str], positions: np.ndarray, basis: str, where: str) -> dict:
    """Energy (eV) and forces (A, 3) in eV/Å of a geometry in Å, what D3(BJ) adds to them (or None), and CPU seconds.

    Density-fitted; the gradient accounts for that.

    Raises:
        LabelError: the SCF did not converge; the message starts with ``where``.
    """
    from pyscf import dft, gto

    began = time.process_time()
    atoms = [(s, tuple(x)) for s, x in zip(symbols, positions, strict=True)]
    mol = gto.M(atom=atoms, basis=basis, unit="Angstrom", verbose=0)
    mf = dft.RKS(mol, xc=FUNCTIONAL).density_fit()
    mf.grids.level, mf.conv_tol, mf.max_cycle = GRID_LEVEL, SCF_TOLERANCE, SCF_CYCLES
    mf.kernel()
    if not mf.converged:
        raise LabelError(f"{where}: {FUNCTIONAL}/{basis} did not converge in {SCF_CYCLES} cycles")
    found = {
        "energy_ev": mf.e_tot * HARTREE_IN_EV,
        "forces_ev_per_ang": -mf.nuc_grad_method().kernel() * HARTREE_PER_BOHR_IN_EV_PER_ANG,
        "dispersion": dispersion(mol),
    }
    return {**found, "cpu_seconds": time.process_time() - began}


def dispersion(mol) -> dict | None:
    """Energy (eV) and forces (A, 3) in eV/Å of D3(BJ) for the functional; none where pyscf-dispersion is not installed."""
    try:
        from pyscf.dispersion.dftd3 import DFTD3Dispersion
    except ImportError:
        return None
    found = DFTD3Dispersion(mol, xc=FUNCTIONAL, version=DISPERSION).get_dispersion(grad=True)
    return {
        "energy_ev": found["energy"] * HARTREE_IN_EV,
        "forces_ev_per_ang": -np.asarray(found["gradient"]) * HARTREE_PER_BOHR_IN_EV_PER_ANG,
    }


def calculate(reference: RawSet, index: list[int], basis: str, folder: Path) -> list[dict]:
    """Frames of a set by :func:`b3lyp`; those that ``folder`` holds already are read.

    Raises:
        LabelError: no convergence.
    """
    found = []
    for k in progress(index, "B3LYP"):
        path = folder / f"frame_{k:04d}.json"
        key = text_digest([reference.symbols, reference.positions[k], basis, GRID_LEVEL, versions().get("pyscf")])
        stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if stored.get("key") != key:
            stored = {"key": key, **b3lyp(reference.symbols, reference.positions[k], basis, f"frame {k}")}
            write_json(path, stored)
        found.append(stored)
    return found


def errors_of(energies: np.ndarray, forces: np.ndarray, reference: RawSet) -> dict[str, list[float]]:
    """RMSE of energies (kcal/mol, after the mean difference is taken off) and forces (kcal/mol/Å) with 95 % intervals.

    Intervals are percentiles over resampled frames; the offset is taken off each sample anew.
    """
    difference = (energies - reference.energies) / KCAL_PER_MOL_IN_EV
    squares = ((forces - reference.forces) ** 2).mean((1, 2)) / KCAL_PER_MOL_IN_EV**2
    draws = generator(0, "functional").integers(0, len(difference), (BOOTSTRAP_SAMPLES, len(difference)))
    samples = {"energy_rmse": difference[draws].std(1), "force_rmse": np.sqrt(squares[draws].mean(1))}
    values = {"energy_rmse": difference.std(), "force_rmse": np.sqrt(squares.mean())}
    return {q: [float(values[q]), *np.quantile(samples[q], [0.025, 0.975]).tolist()] for q in values}


def read_labels(path: Path, part: str | None = None) -> RawSet:
    """Labels of a set of ours (keys ``REF_…``), or of one ``part`` of it, or of others (``energy`` in eV, ``forces`` in eV/Å).

    Raises:
        DataError: unreadable, or no frame belongs to such a part.
    """
    if part is None and not (path.is_file() and "REF_energy" in path.read_text(encoding="utf-8", errors="replace")):
        return read_raw(path, "extxyz")
    frames = read_frames(path)
    parts = [info.get("part") for info in frames.info]
    index = np.array([k for k, own in enumerate(parts) if part in (None, own)], int)
    if not len(index):
        raise DataError(f"{path}: no frame of part '{part}'; there are {', '.join(sorted({str(p) for p in parts}))}")
    return RawSet(frames.symbols, frames.positions, frames.energies, frames.forces).select(index)


def records(path: Path, count: int, basis: str, folder: Path, part: str | None = None) -> dict:
    """Errors on ``count`` frames, without and (if it is installed) with dispersion, and the mean CPU time of a frame.

    Raises:
        DataError: the set is unreadable, has no forces, or fewer frames.
    """
    raw = read_labels(path, part)
    if raw.forces is None or count > len(raw.energies):
        raise DataError(
            f"{path}: {len(raw.energies)} frames, forces {raw.forces is not None}; {count} with forces are asked for"
        )
    index = sorted(generator(0, "functional", "frames").choice(len(raw.energies), count, replace=False).tolist())
    found, reference = calculate(raw, index, basis, folder), raw.select(np.array(index))
    energies, forces = (np.array([x[k] for x in found]) for k in ("energy_ev", "forces_ev_per_ang"))
    result = {"b3lyp": errors_of(energies, forces, reference)}
    if all(x["dispersion"] for x in found):
        added = [np.array([x["dispersion"][k] for x in found]) for k in ("energy_ev", "forces_ev_per_ang")]
        result["b3lyp_d3bj"] = errors_of(energies + added[0], forces + added[1], reference)
    seconds = float(np.mean([x["cpu_seconds"] for x in found]))
    return {**result, "basis": basis, "n_frames": count, "cpu_seconds_per_frame": seconds}


@reported
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path, help="extended XYZ with energy (eV) and forces (eV/Å)")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--basis", default="cc-pvtz")
    parser.add_argument("--part", help="part of a frozen set, such as thermal")
    parser.add_argument("--folder", type=Path, required=True, help="where finished frames are kept")
    options = parser.parse_args(arguments)
    print(json.dumps(records(options.set, options.frames, options.basis, options.folder, options.part), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

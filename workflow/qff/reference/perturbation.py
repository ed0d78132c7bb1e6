"""MP2 with PySCF: energies and analytic gradients in Hartree and bohr.

All electrons are correlated and no integral is fitted, as in the CCSD(T) labels, so that the two can be compared frame by
frame. It starts from the same Hartree–Fock solution, with the same retries and the same test of its stability.
"""

from __future__ import annotations

import numpy as np

from qff.reference.coupled_cluster import SCF_TOLERANCE, hartree_fock

SETTINGS = {"frozen_core": False, "density_fitting": None, "scf_tolerance_hartree": SCF_TOLERANCE}  # recorded


def energy(mol, where: str) -> float:
    """MP2 energy in Ha.

    Raises:
        LabelError: Hartree–Fock did not converge; the message starts with ``where``.
    """
    return _perturbed(hartree_fock(mol, where)[0]).e_tot


def energy_and_gradient(mol, where: str) -> tuple[float, np.ndarray, dict]:
    """MP2 energy in Ha, its gradient (A, 3) in Ha/bohr, and what Hartree–Fock retried.

    The response of the orbitals is solved iteratively, to 1e-9; PySCF does not say whether it got there, which is why the
    study holds forces against slopes of recalculated energies (:func:`qff.reference.frozen.recheck`).

    Raises:
        LabelError: Hartree–Fock did not converge; the message starts with ``where``.
    """
    mf, info = hartree_fock(mol, where)
    solver = _perturbed(mf)
    return solver.e_tot, solver.nuc_grad_method().kernel(), info


def _perturbed(mf):
    """MP2 on converged Hartree–Fock orbitals: amplitudes follow in one step, nothing is left to converge."""
    from pyscf import mp

    solver = mp.MP2(mf)
    solver.kernel()
    return solver

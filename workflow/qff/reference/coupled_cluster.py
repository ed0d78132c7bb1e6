"""CCSD(T) with PySCF: energies and analytic gradients in Hartree and bohr.

All electrons are correlated. A calculation that does not converge is tried again with a level shift and a
second-order solver; if that fails too, the frame is refused by name, never silently kept.
"""

from __future__ import annotations

import numpy as np

from qff.errors import LabelError

SCF_TOLERANCE = 1e-11  # Ha
CC_TOLERANCE = 1e-10  # Ha
AMPLITUDE_TOLERANCE = 1e-8
LAMBDA_TOLERANCE = 1e-8
SCF_CYCLES = 100
CC_ATTEMPTS = ((0.0, 100), (0.2, 300), (0.6, 1000))  # level shift (Ha), cycles
SETTINGS = {"frozen_core": False}  # recorded beside frozen labels


def energy(mol, where: str) -> float:
    """CCSD(T) energy in Ha.

    Raises:
        LabelError: no convergence; the message starts with ``where``.
    """
    mf, _ = hartree_fock(mol, where)
    solver, triples, _ = coupled_cluster(mf, where)
    return solver.e_tot + triples


def energy_and_gradient(mol, where: str) -> tuple[float, np.ndarray, dict]:
    """CCSD(T) energy in Ha, its gradient (A, 3) in Ha/bohr, and what was retried.

    Raises:
        LabelError: no convergence; the message starts with ``where``.
    """
    mf, info = hartree_fock(mol, where)
    solver, triples, retries = coupled_cluster(mf, where)
    return solver.e_tot + triples, _gradient(solver, where), {**info, "cc_retries": retries}


def fci_difference(mol, where: str) -> tuple[float, float]:
    """CCSD(T) and FCI energies in Ha.

    Raises:
        LabelError: one of them did not converge.
    """
    from pyscf import fci

    mf, _ = hartree_fock(mol, where)
    solver, triples, _ = coupled_cluster(mf, where)
    exact = fci.FCI(mf)
    exact.conv_tol = 1e-11
    found, _ = exact.kernel()
    if not exact.converged:
        raise LabelError(f"{where}: FCI in {mol.basis} did not converge")
    return solver.e_tot + triples, found


def hartree_fock(mol, where: str):
    """Converged, internally stable RHF.

    Returns:
        (mf, info) with the number of retries and whether the solution is stable towards UHF.

    Raises:
        LabelError: no convergence with level shift and second-order solver either.
    """
    mf, retry = converged(mol, where)
    rotations = 0
    while True:
        orbitals, _, internal, external = mf.stability(external=True, return_status=True)
        if internal:
            return mf, {"scf_retries": retry, "rhf_rotations": rotations, "rhf_stable_towards_uhf": bool(external)}
        rotations += 1
        if rotations > 3:
            raise LabelError(f"{where}: RHF stays internally unstable after {rotations - 1} orbital rotations")
        mf = _attempt(mol, 2, start=mf.make_rdm1(orbitals, mf.mo_occ))


def converged(mol, where: str, fitted: bool = False):
    """Converged RHF and how often it was tried again; ``fitted``: Coulomb and exchange energies by density fitting.

    Raises:
        LabelError: no convergence with level shift and second-order solver either.
    """
    for retry in range(3):
        mf = _attempt(mol, retry, fitted)
        if mf.converged:
            return mf, retry
    raise LabelError(f"{where}: RHF did not converge, with level shift and second-order solver neither")


def _attempt(mol, retry: int, fitted: bool = False, start=None):
    from pyscf import scf

    mf = scf.RHF(mol)
    mf = mf.density_fit() if fitted else mf
    mf.conv_tol, mf.max_cycle = SCF_TOLERANCE, SCF_CYCLES
    if retry == 1:
        mf.level_shift = 0.3
    elif retry == 2:
        mf = mf.newton()
    mf.kernel(start)
    return mf


def coupled_cluster(mf, where: str):
    """Converged CCSD and its (T) energy: (cc, e_t, retries).

    Raises:
        LabelError: no convergence with a level shift and more cycles either.
    """
    from pyscf import cc

    for retry, (shift, cycles) in enumerate(CC_ATTEMPTS):
        solver = cc.CCSD(mf)
        solver.conv_tol, solver.conv_tol_normt = CC_TOLERANCE, AMPLITUDE_TOLERANCE
        solver.level_shift, solver.max_cycle = shift, cycles
        solver.kernel()
        if solver.converged:
            return solver, solver.ccsd_t(), retry
    raise LabelError(f"{where}: CCSD did not converge, with level shifts and more cycles neither")


def _gradient(solver, where: str) -> np.ndarray:
    """Analytic CCSD(T) gradient (A, 3) in Ha/bohr.

    The Λ equations are solved with their (T) terms. PySCF's gradient class falls back on the Λ of CCSD when it
    is given none: for LiH that slope is wrong by 7e-4 eV/Å at the minimum and 0.03 eV/Å at 4 Å. A level shift that
    the amplitudes needed is taken back: PySCF adds the (T) terms of Λ without it, and the forces would be wrong (by
    5e-3 eV/Å at 3 Å for 0.6 Ha).
    """
    from pyscf.cc import ccsd_t_lambda_slow
    from pyscf.grad import ccsd_t as ccsd_t_gradient

    solver.level_shift = 0.0
    integrals = solver.ao2mo()
    converged, l1, l2 = ccsd_t_lambda_slow.kernel(
        solver, integrals, solver.t1, solver.t2, max_cycle=500, tol=LAMBDA_TOLERANCE, verbose=0
    )
    if not converged:
        raise LabelError(f"{where}: the Λ equations of CCSD(T) did not converge in 500 cycles")
    return ccsd_t_gradient.Gradients(solver).kernel(solver.t1, solver.t2, l1, l2, integrals)

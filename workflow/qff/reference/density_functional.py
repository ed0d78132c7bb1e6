"""Kohn–Sham energies and analytic gradients with PySCF, in Hartree and bohr.

The level of the revised MD17 set: PBE, tight SCF, a dense grid. The Coulomb energy is density-fitted, which the
gradient accounts for, as it does for the motion of the grid: forces are the slope of the energies to 1e-5 eV/Å.
"""

from __future__ import annotations

import numpy as np

from qff.errors import LabelError

FUNCTIONAL = "pbe"
AUXILIARY_BASIS = "def2-universal-jfit"
GRID_LEVEL, COARSE_LEVEL = 5, 1  # of PySCF, up to 9
SCF_TOLERANCE, COARSE_TOLERANCE = 1e-10, 1e-6  # Ha
ORBITAL_TOLERANCE = 1e-6  # Ha, norm of the orbital gradient
SCF_CYCLES, SECOND_ORDER_CYCLES = 100, 50
SETTINGS = {  # recorded beside frozen labels
    "density_fitting": AUXILIARY_BASIS,
    "grid_level": GRID_LEVEL,
    "scf_tolerance_hartree": SCF_TOLERANCE,
}


def _kohn_sham(mol, where: str):
    """Converged RKS and the number of retries.

    Most cycles are done on a coarse grid, at a tenth of the cost; the last ones, on the dense grid, decide the result.
    """
    from pyscf import dft

    mf = dft.RKS(mol, xc=FUNCTIONAL).density_fit(auxbasis=AUXILIARY_BASIS)
    mf.max_cycle = SCF_CYCLES
    mf.grids.level, mf.conv_tol = COARSE_LEVEL, COARSE_TOLERANCE
    mf.kernel()
    start = mf.make_rdm1()
    mf.grids.reset()
    mf.grids.level, mf.conv_tol, mf.conv_tol_grad = GRID_LEVEL, SCF_TOLERANCE, ORBITAL_TOLERANCE
    mf.kernel(start)
    if mf.converged:
        return mf, 0
    mf = mf.newton()
    mf.max_cycle = SECOND_ORDER_CYCLES
    mf.kernel(mf.make_rdm1())
    if mf.converged:
        return mf, 1
    raise LabelError(f"{where}: RKS did not converge, with the second-order solver neither")


def energy(mol, where: str) -> float:
    """Energy in Ha.

    Raises:
        LabelError: no convergence; the message starts with ``where``.
    """
    return _kohn_sham(mol, where)[0].e_tot


def energy_and_gradient(mol, where: str) -> tuple[float, np.ndarray, dict]:
    """Energy in Ha, its gradient (A, 3) in Ha/bohr, and whether the second-order solver was needed.

    Raises:
        LabelError: no convergence; the message starts with ``where``.
    """
    mf, retries = _kohn_sham(mol, where)
    solver = mf.nuc_grad_method()
    solver.grid_response = True
    return mf.e_tot, solver.kernel(), {"scf_retries": retries}

"""Active-space Hamiltonians: PySCF's integrals, on qubits by Jordan–Wigner, restricted to the electrons they have.

Qubit 2p holds spin up of orbital p, qubit 2p+1 spin down; qubit 0 is the leftmost bit of a basis state, as in PennyLane.
Particle number and spin projection are kept by the ansatz, so that only basis states of the right numbers ever appear: the
Hamiltonian is a matrix over those.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from scipy import sparse

from qff.errors import LabelError

CASCI_TOLERANCE = 1e-11  # Ha


@dataclass(frozen=True)
class ActiveSpace:
    """Electrons in some orbitals, the others frozen.

    Attributes:
        core_energy: of nuclei and frozen electrons, Ha.
        one, two: integrals (n, n) and (n, n, n, n) in Ha, (pq|rs) in chemists' order.
        electrons: number of spin up and spin down.
        hartree_fock: energy of the single determinant, Ha.
        casci: energy of PySCF's full diagonalisation, Ha.
    """

    core_energy: float
    one: np.ndarray
    two: np.ndarray
    electrons: tuple[int, int]
    hartree_fock: float
    casci: float

    @property
    def n_qubits(self) -> int:
        return 2 * len(self.one)

    @cached_property
    def states(self) -> np.ndarray:
        """Basis states with the right numbers of electrons, as integers, (D,); the first is the reference determinant."""
        n, found = len(self.one), []
        for up in combinations(range(n), self.electrons[0]):
            for down in combinations(range(n), self.electrons[1]):
                qubits = [2 * p for p in up] + [2 * p + 1 for p in down]
                found.append(sum(1 << (self.n_qubits - 1 - q) for q in qubits))
        return np.array(found)

    @cached_property
    def hamiltonian(self) -> sparse.csr_matrix:
        """Matrix (D, D) over :attr:`states` in Ha, core energy included.

        H = Σ h_pq E_pq + ½ Σ (pq|rs) (E_pq E_rs - δ_qr E_ps), with E_pq = Σ_σ a†_pσ a_qσ.
        """
        n, size = len(self.one), len(self.states)
        excitations = [[self._excitation(p, q) for q in range(n)] for p in range(n)]
        effective = self.one - 0.5 * np.einsum("prrq->pq", self.two)
        total = self.core_energy * sparse.identity(size, format="csr")
        for p in range(n):
            for q in range(n):
                inner = effective[p, q] * sparse.identity(size, format="csr")
                for r in range(n):
                    for s in range(n):
                        inner = inner + 0.5 * self.two[p, q, r, s] * excitations[r][s]
                total = total + excitations[p][q] @ inner
        return total.tocsr()

    def _excitation(self, p: int, q: int) -> sparse.csr_matrix:
        """E_pq over the states, with the signs of Jordan–Wigner."""
        place = {int(state): k for k, state in enumerate(self.states)}
        rows, columns, signs = [], [], []
        for spin in (0, 1):
            to, off = (self.n_qubits - 1 - (2 * x + spin) for x in (p, q))
            for column, state in enumerate(self.states.tolist()):
                if not state >> off & 1:
                    continue
                left = state ^ (1 << off)
                if left >> to & 1:
                    continue
                rows.append(place[left | 1 << to])
                columns.append(column)
                # Operators of the qubits to the left of each: bits above its own.
                signs.append((-1) ** ((state >> (off + 1)).bit_count() + (left >> (to + 1)).bit_count()))
        size = len(self.states)
        return sparse.csr_matrix((np.array(signs, float), (rows, columns)), shape=(size, size))


def active_space(mf, n_orbitals: int, n_electrons: int, where: str, orbitals=None) -> ActiveSpace:
    """Active space around the gap of a converged RHF calculation, or in the given orbitals.

    Args:
        mf: PySCF's RHF object. orbitals: (n_ao, n_mo) in place of the canonical ones, in the same order of spaces.

    Raises:
        LabelError: the full diagonalisation did not converge; the message starts with ``where``.
    """
    from pyscf import ao2mo, mcscf

    solver = mcscf.CASCI(mf, n_orbitals, n_electrons)
    solver.verbose = 0
    solver.fcisolver.conv_tol = CASCI_TOLERANCE
    solver.fix_spin_(ss=0)
    if orbitals is not None:
        solver.mo_coeff = orbitals
    solver.kernel(solver.mo_coeff)
    if not np.all(solver.fcisolver.converged):
        raise LabelError(f"{where}: CASCI({n_electrons},{n_orbitals}) did not converge")
    one, core = solver.get_h1eff()
    two = ao2mo.restore(1, solver.get_h2eff(), n_orbitals)
    return ActiveSpace(float(core), one, two, tuple(solver.nelecas), float(mf.e_tot), float(solver.e_tot))

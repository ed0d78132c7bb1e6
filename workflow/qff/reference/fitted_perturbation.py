"""Density-fitted MP2: energies and analytic gradients in Hartree and bohr, ten times as fast as :mod:`.perturbation`.

PySCF has the energy but no gradient. It is written here as the derivative of one functional of the fitted integrals
(Weigend & Häser, Theor. Chem. Acc. 97, 331, 1997),

    L = E_HF[D] + tr P F[D] + 2 Σ T_iajb (ia|jb),

with Hylleraas amplitudes t, T = 2t - tᵀ (i and j exchanged), the densities P_ij, P_ab that they make, and P_ai such that L is
stationary in the orbitals (Z-vector). L depends on geometry through h, (pq|K), (K|L) and the orthonormality of the
orbitals; what each is multiplied with is collected in :class:`_Fit` and contracted with its derivative once. Hartree–Fock is
fitted in a basis of its own, as is usual. All electrons are correlated.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse.linalg import LinearOperator, gmres

from qff.errors import LabelError
from qff.reference.coupled_cluster import SCF_TOLERANCE, converged

RESPONSE_TOLERANCE = 1e-10  # of the Z-vector, relative
NUMBERS_AT_ONCE = 2_000_000  # derivatives of three-centre integrals along one axis, held at once
SETTINGS = {  # recorded
    "frozen_core": False,
    "density_fitting": "JK-fit and RI-fit sets that belong to the basis (PySCF)",
    "scf_tolerance_hartree": SCF_TOLERANCE,
}


@dataclass
class _Fit:
    """Three-centre integrals in one auxiliary basis, and what L multiplies them with.

    Attributes:
        mol, auxiliary: PySCF's molecule in both bases. orbitals: (basis functions, n).
        fitted: B = (K|L)⁻¹ (L|pq), (K, n, n) in molecular orbitals; ``integrals`` without the inverse.
        three: Γ (K, n, n) of Σ Γ_Kpq (pq|K). two: γ (K, K) of Σ γ_KL (K|L).
    """

    mol: object
    auxiliary: object
    orbitals: np.ndarray
    integrals: np.ndarray = field(init=False)
    fitted: np.ndarray = field(init=False)
    three: np.ndarray = field(init=False)
    two: np.ndarray = field(init=False)

    def __post_init__(self):
        from pyscf.df.incore import aux_e2

        raw = aux_e2(self.mol, self.auxiliary, "int3c2e", aosym="s1")  # (n, n, K)
        half = np.tensordot(self.orbitals, raw, (0, 0))
        self.integrals = np.tensordot(half, self.orbitals, (1, 0)).transpose(1, 0, 2)  # (K, p, q)
        metric = cho_factor(self.auxiliary.intor("int2c2e"))
        self.fitted = cho_solve(metric, self.integrals.reshape(len(self.integrals), -1)).reshape(self.integrals.shape)
        self.three, self.two = np.zeros_like(self.fitted), np.zeros((len(self.fitted),) * 2)

    def coulomb(self, first: np.ndarray, second: np.ndarray, factor: float) -> None:
        """Add factor · Σ X_pq (pq|rs) Y_rs."""
        x, y = (np.tensordot(self.fitted, m, 2) for m in (first, second))
        self.three += factor * (x[:, None, None] * second + y[:, None, None] * first)
        self.two -= 0.5 * factor * (np.outer(x, y) + np.outer(y, x))

    def exchange(self, first: np.ndarray, occupied: int, factor: float) -> None:
        """Add factor · Σ X_pq (pr|qs) Y_rs with Y = 2 on the ``occupied`` orbitals."""
        turned = np.matmul(first, self.fitted[:, :, :occupied])  # X B, (K, n, o)
        self.three[:, :, :occupied] += 2 * factor * turned
        self.three[:, :occupied] += 2 * factor * turned.transpose(0, 2, 1)
        flat = [m.reshape(len(m), -1) for m in (turned, self.fitted[:, :, :occupied])]
        product = flat[0] @ flat[1].T
        self.two -= factor * (product + product.T)

    def correlation(self, weights: np.ndarray) -> None:
        """Add Σ W_iajb (ia|jb), W (o, v, o, v) unchanged when the pairs are exchanged."""
        o, v = weights.shape[:2]
        pairs = self.fitted[:, :o, o:].reshape(-1, o * v)
        turned = pairs @ weights.reshape(o * v, o * v)
        block = turned.reshape(-1, o, v)  # of (ia|K), shared by ia and ai
        self.three[:, :o, o:] += block
        self.three[:, o:, :o] += block.transpose(0, 2, 1)
        self.two -= turned @ pairs.T

    def slope(self) -> np.ndarray:
        """½ ∂/∂C of what is added up so far, in molecular orbitals: X_pq = Σ_Kr (pr|K) Γ_Krq, (n, n)."""
        n = self.integrals.shape[1]
        left = self.integrals.transpose(1, 0, 2).reshape(n, -1)
        return left @ self.three.reshape(-1, n)

    def gradient(self) -> np.ndarray:
        """Derivative (A, 3) by the atoms, the orbitals held fixed."""
        from pyscf.df.incore import aux_e2

        mol, auxiliary = self.mol, self.auxiliary
        half = np.matmul(self.orbitals, self.three)
        weights = np.matmul(half, self.orbitals.T)  # (K, μ, ν)
        found = np.zeros((mol.natm, 3))
        atoms, own = _atoms_of(mol), _atoms_of(auxiliary)
        n, places = mol.nao, auxiliary.ao_loc
        limit, first = max(1, NUMBERS_AT_ONCE // n**2), 0
        while first < auxiliary.nbas:
            last = first + 1
            while last < auxiliary.nbas and places[last + 1] - places[first] <= limit:
                last += 1
            part = slice(places[first], places[last])
            shells = (0, mol.nbas, 0, mol.nbas, first, last)
            by_orbital = aux_e2(mol, auxiliary, "int3c2e_ip1", aosym="s1", comp=3, shls_slice=shells)
            # ∇ acts on the electron: the centre moves against it; Γ is symmetric, so that both orbitals count the same.
            moved = -2 * np.einsum("xmnk,kmn->xm", by_orbital, weights[part], optimize=True)
            by_fit = aux_e2(mol, auxiliary, "int3c2e_ip2", aosym="s1", comp=3, shls_slice=shells)
            fitted = -np.einsum("xmnk,kmn->xk", by_fit, weights[part], optimize=True)
            for axis in range(3):
                np.add.at(found[:, axis], atoms, moved[axis])
                np.add.at(found[:, axis], own[part], fitted[axis])
            first = last
        pairs = -2 * np.einsum("xkl,kl->xk", auxiliary.intor("int2c2e_ip1"), 0.5 * (self.two + self.two.T))
        for axis in range(3):
            np.add.at(found[:, axis], own, pairs[axis])
        return found


def _atoms_of(mol) -> np.ndarray:
    """Atom of every basis function."""
    return np.concatenate([np.full(stop - start, k) for k, (*_, start, stop) in enumerate(mol.aoslice_by_atom())])


def energy(mol, where: str) -> float:
    """DF-MP2 energy in Ha.

    Raises:
        LabelError: Hartree–Fock did not converge; the message starts with ``where``.
    """
    mf, _ = converged(mol, where, fitted=True)
    return mf.e_tot + _amplitudes(mf, _Fit(mol, _correlation_basis(mol), mf.mo_coeff))[1]


def energy_and_gradient(mol, where: str) -> tuple[float, np.ndarray, dict]:
    """DF-MP2 energy in Ha, its gradient (A, 3) in Ha/bohr, and what Hartree–Fock retried.

    Raises:
        LabelError: Hartree–Fock or the response of the orbitals did not converge; the message starts with ``where``.
    """
    mf, retries = converged(mol, where, fitted=True)
    orbitals, levels, o = mf.mo_coeff, mf.mo_energy, mol.nelectron // 2
    n = len(levels)
    ri = _Fit(mol, _correlation_basis(mol), orbitals)
    t, correlation = _amplitudes(mf, ri)
    weights = 2 * t - t.transpose(2, 1, 0, 3)
    density, correction = np.zeros((n, n)), np.zeros((n, n))
    density[:o, :o] = 2 * np.eye(o)
    correction[:o, :o] = -2 * np.einsum("iakb,jakb->ij", weights, t, optimize=True)
    correction[o:, o:] = 2 * np.einsum("iajc,ibjc->ab", weights, t, optimize=True)
    ri.correlation(2 * weights)
    jk = _Fit(mol, mf.with_df.auxmol, orbitals)
    z = _response(jk, levels, o, _lagrangian(jk, ri, correction, o, levels), where)
    correction[o:, :o], correction[:o, o:] = z, z.T
    jk.coulomb(0.5 * density + correction, density, 1.0)
    jk.exchange(0.5 * density + correction, o, -0.5)
    one_electron = orbitals.T @ mf.get_hcore() @ orbitals
    slope = one_electron @ (density + correction) + jk.slope() + ri.slope()
    return mf.e_tot + correlation, _gradient(mf, density + correction, slope, (jk, ri)), {"scf_retries": retries}


def _correlation_basis(mol):
    from pyscf import df

    return df.make_auxmol(mol, df.make_auxbasis(mol, mp2fit=True))


def _amplitudes(mf, ri: _Fit) -> tuple[np.ndarray, float]:
    """t (o, v, o, v) and the correlation energy."""
    o = mf.mol.nelectron // 2
    shape = ri.fitted[0, :o, o:].shape * 2
    left, right = (b[:, :o, o:].reshape(len(b), -1) for b in (ri.integrals, ri.fitted))
    integrals = (left.T @ right).reshape(shape)
    gap = mf.mo_energy[:o, None] - mf.mo_energy[o:]
    t = integrals / (gap[:, :, None, None] + gap)
    return t, float(np.einsum("iajb,iajb->", 2 * t - t.transpose(2, 1, 0, 3), integrals, optimize=True))


def _potential(jk: _Fit, density: np.ndarray, o: int) -> np.ndarray:
    """Columns (n, o) of the Coulomb minus half of the exchange matrix of a symmetric density (n, n)."""
    n = len(density)
    coulomb = np.tensordot(np.tensordot(jk.fitted, density, 2), jk.integrals[:, :, :o], 1)
    turned = np.matmul(jk.integrals, density)  # (K, p, s)
    exchange = turned.transpose(1, 0, 2).reshape(n, -1) @ jk.fitted[:, :, :o].reshape(-1, o)
    return coulomb - 0.5 * exchange


def _lagrangian(jk: _Fit, ri: _Fit, correction: np.ndarray, o: int, levels: np.ndarray) -> np.ndarray:
    """Asymmetry X_ai - X_ia (v, o) of the slope of L without P_ai: what P_ai has to undo."""
    slope = ri.slope() + levels[:, None] * correction
    slope[:, :o] += 2 * _potential(jk, correction, o)
    return slope[o:, :o] - slope[:o, o:].T


def _response(jk: _Fit, levels: np.ndarray, o: int, asymmetry: np.ndarray, where: str) -> np.ndarray:
    """P_ai (v, o): (ε_a - ε_i) z_ai + 2 G[z]_ai = -asymmetry.

    Raises:
        LabelError: no convergence.
    """
    gap = levels[o:, None] - levels[:o]
    v, _ = gap.shape
    by_virtual = jk.integrals[:, o:, o:].reshape(-1, v)  # (K a, b)
    occupied, mixed = jk.fitted[:, :o, :o].reshape(-1, o), np.ascontiguousarray(jk.fitted[:, o:, :o])
    mixed_integrals = jk.integrals[:, o:, :o]
    flat = mixed_integrals.transpose(1, 0, 2).reshape(v, -1)

    def apply(vector):
        z = vector.reshape(gap.shape)
        coulomb = np.tensordot(2 * np.tensordot(mixed, z, 2), mixed_integrals, 1)
        turned = (by_virtual @ z).reshape(-1, v, o).transpose(1, 0, 2).reshape(v, -1)
        exchange = turned @ occupied + flat @ np.matmul(z.T, mixed).reshape(-1, o)
        return (gap * z + 2 * coulomb - exchange).ravel()

    size = gap.size
    by_gap = LinearOperator((size, size), matvec=lambda x: x / gap.ravel())
    found, failed = gmres(
        LinearOperator((size, size), matvec=apply), -asymmetry.ravel(), rtol=RESPONSE_TOLERANCE, atol=0.0, M=by_gap,
        restart=50, maxiter=10,
    )  # fmt: skip
    if failed:
        raise LabelError(f"{where}: the response of the orbitals did not converge")
    return found.reshape(gap.shape)


def _gradient(mf, density: np.ndarray, slope: np.ndarray, fits: tuple[_Fit, ...]) -> np.ndarray:
    """Of L: one-electron integrals with the relaxed density, overlaps with the slope, fitted integrals, nuclei."""
    mol, orbitals = mf.mol, mf.mo_coeff
    solver = mf.nuc_grad_method()
    found = sum(fit.gradient() for fit in fits) + solver.grad_nuc()
    relaxed = orbitals @ density @ orbitals.T
    weighted = orbitals @ (0.5 * (slope + slope.T)) @ orbitals.T
    by_core, overlap = solver.hcore_generator(mol), solver.get_ovlp(mol)
    for k, (*_, start, stop) in enumerate(mol.aoslice_by_atom()):
        found[k] += np.einsum("xmn,mn->x", by_core(k), relaxed)
        found[k] -= 2 * np.einsum("xmn,mn->x", overlap[:, start:stop], weighted[start:stop])
    return found

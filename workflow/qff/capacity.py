"""Effective dimension of a model (Abbas et al., Nat. Comput. Sci. 1, 403, 2021).

d_n = 2 ln⟨sqrt det(1 + κ F̂(θ))⟩ / ln κ with κ = γ n / (2π ln n), γ = 1, F̂ = d F / ⟨tr F⟩; averages over
parameter vectors θ drawn from a box. All of it follows from the eigenvalues of F, so that nothing else is kept of
the Jacobians.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import logsumexp

from qff.errors import ConfigError
from qff.models.architecture import Architecture

LIKELIHOODS = ("gaussian", "bernoulli")
RANK_TOLERANCE = 1e-12  # of the largest eigenvalue: far below what d_n sees, above rounding


def kappa(n_data: int) -> float:
    """κ = n / (2π ln n).

    Raises:
        ConfigError: κ ≤ 1, where the effective dimension is undefined (n ≤ 18).
    """
    value = n_data / (2 * np.pi * np.log(n_data)) if n_data > 1 else 0.0
    if value <= 1:
        raise ConfigError(f"effective dimension with n = {n_data} data: undefined, κ = {value:.2f} ≤ 1; use n ≥ 19")
    return value


@dataclass(frozen=True)
class Spectra:
    """Fisher matrices at T parameter vectors, as far as the effective dimension knows them.

    Attributes:
        eigenvalues: (T, k), largest first; k = min(inputs, parameters), all others are zero.
        n_parameters: d.
    """

    eigenvalues: np.ndarray
    n_parameters: int

    @property
    def normalised(self) -> np.ndarray:
        """Eigenvalues of F̂ (T, k): their sum is d on average over the parameter vectors."""
        return self.eigenvalues * (self.n_parameters / self.eigenvalues.sum(1).mean())

    def log_volumes(self, n_data: int) -> np.ndarray:
        """½ ln det(1 + κ F̂) for every parameter vector, (T,)."""
        return 0.5 * np.log1p(kappa(n_data) * self.normalised).sum(1)

    def effective_dimension(self, n_data: int) -> float:
        """d_n, not divided by d. One trained parameter vector gives the local one (arXiv 2112.04807)."""
        volumes = self.log_volumes(n_data)
        return float(2 * (logsumexp(volumes) - np.log(len(volumes))) / np.log(kappa(n_data)))

    def rank(self) -> int:
        """Largest numerical rank over the parameter vectors."""
        return int((self.eigenvalues > RANK_TOLERANCE * self.eigenvalues[:, :1]).sum(1).max())


def spectra(
    architecture: Architecture, theta: np.ndarray, values: torch.Tensor, likelihoods: list[str]
) -> dict[str, Spectra]:
    """Spectra of the Fisher matrices F(θ) = ⟨J Jᵀ⟩ of a model, by likelihood.

    gaussian: y ~ N(f, s²); s cancels in F̂. bernoulli: p± = (1 ± f)/2, F = ⟨J Jᵀ / (1 - f²)⟩; a model that leaves ±1
    anywhere (an unbounded network) passes through tanh first.

    Args:
        theta: (T, P). values: features of the inputs (m, F), averaged over. One parameter vector at a time: T·m·P
            numbers need not fit into memory.

    Raises:
        ConfigError: unknown likelihood.
    """
    if unknown := [k for k in likelihoods if k not in LIKELIHOODS]:
        raise ConfigError(f"unknown likelihood '{unknown[0]}'; known: {', '.join(LIKELIHOODS)}")
    vectors, values = torch.as_tensor(theta)[:, None], values[None]
    unbounded = any(architecture.values(t, values).abs().max() > 1 + 1e-9 for t in vectors)
    found = {k: [] for k in likelihoods}
    for vector in vectors:
        f, jacobian = (x[0].numpy() for x in architecture.jacobian(vector, values))
        for likelihood, rows in found.items():
            weight = 1.0 if likelihood == "gaussian" else _bernoulli_weight(f, unbounded)
            rows.append(fisher_eigenvalues(jacobian * weight))
    return {k: Spectra(np.stack(rows), theta.shape[1]) for k, rows in found.items()}


def _bernoulli_weight(f: np.ndarray, unbounded: bool) -> np.ndarray:
    """Factor of every row of J, (m, 1): 1/sqrt(1 - f²), times the slope 1 - f² of tanh if f passes through it."""
    variance = 1 - (np.tanh(f) if unbounded else f)[:, None] ** 2
    return np.sqrt(variance) if unbounded else 1 / np.sqrt(np.clip(variance, 1e-12, None))


def fisher_eigenvalues(jacobian: np.ndarray) -> np.ndarray:
    """Eigenvalues of ⟨J Jᵀ⟩ from rows J (m, P), largest first, (min(m, P),).

    From the smaller of Fisher matrix (P, P) and Gram matrix (m, m): they share all eigenvalues that are not zero.
    """
    m, n_parameters = jacobian.shape
    product = jacobian @ jacobian.T if m < n_parameters else jacobian.T @ jacobian
    return np.clip(np.linalg.eigvalsh(product / m)[::-1], 0, None)


def dead_parameters(jacobian: np.ndarray) -> int:
    """Number of parameters whose gradient (T, m, P) vanishes at every parameter vector and input."""
    return int((np.abs(jacobian).max((0, 1)) < 1e-12).sum())

"""Effective dimension of a model (Abbas et al., Nat. Comput. Sci. 1, 403, 2021).

d_n = 2 ln⟨sqrt det(1 + κ F̂(θ))⟩ / ln κ with κ = γ n / (2π ln n), γ = 1, F̂ = d F / ⟨tr F⟩; averages over
parameter vectors θ drawn from a box.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import logsumexp

from qff.errors import ConfigError
from qff.models.architecture import Architecture

LIKELIHOODS = ("gaussian", "bernoulli")
_CHUNK = 1024  # parameter sets evaluated at once


def kappa(n_data: int) -> float:
    """κ = n / (2π ln n).

    Raises:
        ConfigError: κ ≤ 1, where the effective dimension is undefined (n ≤ 18).
    """
    value = n_data / (2 * np.pi * np.log(n_data)) if n_data > 1 else 0.0
    if value <= 1:
        raise ConfigError(f"effective dimension with n = {n_data} data: undefined, κ = {value:.2f} ≤ 1; use n ≥ 19")
    return value


def jacobians(architecture: Architecture, theta: np.ndarray, values: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Outputs f (T, m) and per-sample parameter gradients J (T, m, P) at T parameter vectors and m inputs."""
    if hasattr(architecture, "jacobian"):  # a circuit has them from one run backwards
        f, jacobian = architecture.jacobian(torch.as_tensor(theta), values[None])
        return f.numpy(), jacobian.numpy()
    return _jacobians(architecture, theta, values)


def _jacobians(architecture, theta, values):
    """For any model: every pair of a parameter vector and an input is one ensemble member with one frame, so that
    one reverse pass gives all gradients."""
    n_theta, n_parameters = theta.shape
    n_inputs = len(values)
    outputs, gradients = [], []
    pairs = [(t, i) for t in range(n_theta) for i in range(n_inputs)]
    for start in range(0, len(pairs), _CHUNK):
        t, i = np.array(pairs[start : start + _CHUNK]).T
        member = torch.tensor(theta[t], requires_grad=True)
        f = architecture.values(member, values[i][:, None])
        (gradient,) = torch.autograd.grad(f.sum(), member)
        outputs.append(f.detach().numpy()[:, 0])
        gradients.append(gradient.numpy())
    shape = (n_theta, n_inputs)
    return np.concatenate(outputs).reshape(shape), np.concatenate(gradients).reshape(*shape, n_parameters)


def fisher_matrices(f: np.ndarray, jacobian: np.ndarray, likelihood: str) -> np.ndarray:
    """Fisher matrices (T, P, P), averaged over inputs.

    gaussian: y ~ N(f, s²), F = ⟨J Jᵀ⟩ (s cancels in F̂). bernoulli: p± = (1 ± f)/2, F = ⟨J Jᵀ / (1 - f²)⟩; outputs
    that leave ±1 (unbounded networks) pass through tanh first, for the whole model.
    """
    if likelihood == "bernoulli":
        if np.abs(f).max() > 1 + 1e-9:
            f = np.tanh(f)
            jacobian = jacobian * (1 - f**2)[..., None]
        jacobian = jacobian / np.sqrt(np.clip(1 - f**2, 1e-12, None))[..., None]
    elif likelihood != "gaussian":
        raise ConfigError(f"unknown likelihood '{likelihood}'; known: {', '.join(LIKELIHOODS)}")
    return np.einsum("tmp,tmq->tpq", jacobian, jacobian) / jacobian.shape[1]


def log_volume(fisher: np.ndarray, n_data: int) -> np.ndarray:
    """½ ln det(1 + κ F̂) for every parameter vector, (T,)."""
    size = fisher.shape[-1]
    trace = np.trace(fisher, axis1=1, axis2=2).mean()
    normalised = fisher * (size / trace)
    return 0.5 * np.linalg.slogdet(np.eye(size) + kappa(n_data) * normalised)[1]


def effective_dimension(fisher: np.ndarray, n_data: int) -> float:
    """Effective dimension d_n (not divided by d) from Fisher matrices (T, P, P)."""
    volumes = log_volume(fisher, n_data)
    return float(2 * (logsumexp(volumes) - np.log(len(volumes))) / np.log(kappa(n_data)))


def bootstrap(fisher: np.ndarray, n_data: int, rng: np.random.Generator, samples: int = 1000) -> tuple[float, float]:
    """95 % interval of d_n over the drawn parameter vectors (the mean of exponentials is led by few)."""
    volumes = log_volume(fisher, n_data)
    draws = volumes[rng.integers(0, len(volumes), (samples, len(volumes)))]
    values = 2 * (logsumexp(draws, axis=1) - np.log(len(volumes))) / np.log(kappa(n_data))
    return tuple(np.quantile(values, [0.025, 0.975]).tolist())


def spectrum(fisher: np.ndarray) -> np.ndarray:
    """Mean eigenvalues of the normalised Fisher matrix, largest first, (P,)."""
    size = fisher.shape[-1]
    trace = np.trace(fisher, axis1=1, axis2=2).mean()
    return np.linalg.eigvalsh(fisher * (size / trace)).mean(0)[::-1]


def rank(jacobian: np.ndarray, tolerance: float = 1e-8) -> int:
    """Largest numerical rank of the Jacobian (m, P) over the parameter vectors."""
    return int(max(np.linalg.matrix_rank(j, tol=tolerance * np.linalg.norm(j, 2)) for j in jacobian))


def dead_parameters(jacobian: np.ndarray) -> int:
    """Number of parameters whose gradient vanishes at every parameter vector and input."""
    return int((np.abs(jacobian).max((0, 1)) < 1e-12).sum())

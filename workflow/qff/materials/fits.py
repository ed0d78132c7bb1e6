"""Fits of all models to the same frames in the same compressed descriptor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qff.materials.circuit import AmplitudeCircuit
from qff.materials.compression import Compression
from qff.materials.equations import NormalEquations, Rows, solve
from qff.materials.heads import CircuitHead, ElementNetworks, NetworkHead, QuadraticHead, linear_head, quadratic_head

RIDGES = (1e-10, 1e-8, 1e-6, 1e-4, 1e-3, 1e-2)


@dataclass(frozen=True)
class Fitted:
    """A head, the number of its parameters that were trained, and the loss of the validation frames; ``trained``: the
    linear map of the features that was trained with it, in place of the common compression."""

    head: QuadraticHead | NetworkHead | ElementNetworks
    n_parameters: int
    validation_loss: float
    trained: Compression | None = None


def fit_regression(training: NormalEquations, validation: NormalEquations, n_elements: int, kind: str) -> Fitted:
    """Linear or quadratic regression with the ridge that validates best."""
    found = [solve(training, ridge) for ridge in RIDGES]
    losses = [validation.loss(a) for a in found]
    best = found[int(np.argmin(losses))]
    head = (linear_head if kind == "linear" else quadratic_head)(best, n_elements)
    return Fitted(head, len(best), min(losses))


def fit_circuit(
    circuit: AmplitudeCircuit,
    training: NormalEquations,
    validation: NormalEquations,
    starts: int,
    steps: int,
    rng: np.random.Generator,
    spread: float = 0.2,
) -> Fitted:
    """The circuit that validates best of several starts, each trained by Levenberg–Marquardt from angles with a ``spread``
    (rad); with no steps, the angles stay and the weights are those of least squares."""
    size = 2**circuit.n_qubits
    upper = np.triu_indices(size)

    def coefficients(theta: np.ndarray) -> np.ndarray:
        return circuit.matrices(theta)[:, upper[0], upper[1]].ravel()

    def loss(theta: np.ndarray) -> float:
        return training.loss(coefficients(theta))

    def slopes(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        by = circuit.jacobian(theta)[:, :, upper[0], upper[1]].reshape(circuit.n_parameters, -1)
        image = by @ training.gram
        return 2 * (image @ coefficients(theta) - by @ training.right), 2 * image @ by.T

    trained = [
        levenberg_marquardt(circuit.initial(rng, training, spread), loss, slopes, steps) for _ in range(starts)
    ]
    losses = [validation.loss(coefficients(theta)) for theta in trained]
    best = trained[int(np.argmin(losses))]
    return Fitted(CircuitHead(circuit.matrices(best), best), circuit.n_parameters, min(losses))


def levenberg_marquardt(
    theta: np.ndarray,
    loss: Callable[[np.ndarray], float],
    slopes: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    steps: int,
) -> np.ndarray:
    """Minimise a sum of squares from its gradient and Gauss–Newton matrix; the damping follows Nielsen's rule.

    The rule is that of :class:`qff.training.optimisers.LevenbergMarquardt`, for one vector of parameters and without its
    engine's tensors; stops early once a step gains less than one part in 10⁹.
    """
    now, damping, growth = loss(theta), 1e-2, 2.0
    gradient, curvature = slopes(theta)
    scale = np.maximum(np.diag(curvature), 1e-12)
    for _ in range(steps):
        step = -np.linalg.solve(curvature + damping * np.diag(scale), gradient)
        promised = -float(gradient @ step) - 0.5 * float(step @ curvature @ step)
        trial = loss(theta + step)
        if not trial < now:
            damping, growth = min(damping * growth, 1e12), min(2 * growth, 1e6)
            if damping >= 1e12:
                break
            continue
        gain = (now - trial) / max(promised, 1e-300)
        damping, growth = max(damping * max(1 / 3, 1 - (2 * gain - 1) ** 3), 1e-12), 2.0
        theta, small, now = theta + step, now - trial < 1e-9 * now, trial
        if small:
            break
        gradient, curvature = slopes(theta)
        scale = np.maximum(scale, np.diag(curvature))
    return theta


def fit_network(
    hidden: int,
    rows: list[Rows],
    validation: list[Rows],
    n_elements: int,
    starts: int,
    steps: int,
    rng: np.random.Generator,
) -> Fitted:
    """A tanh network with a shared hidden layer; the best of several starts in validation."""
    size = rows[0].values.shape[1]

    def initial() -> np.ndarray:
        u = rng.normal(scale=size**-0.5, size=(hidden, size))
        return np.concatenate(
            [u.ravel(), rng.normal(scale=0.1, size=hidden), rng.normal(scale=0.1, size=n_elements * hidden),
             np.zeros(n_elements)]
        )  # fmt: skip

    def unpack(theta: np.ndarray) -> NetworkHead:
        u, b, v, c = np.split(theta, np.cumsum([hidden * size, hidden, n_elements * hidden]))
        return NetworkHead(u.reshape(hidden, size), b, v.reshape(n_elements, hidden), c)

    def loss(theta: np.ndarray, frames: list[Rows] = rows) -> float:
        head = unpack(theta)
        return float(np.mean([(_residual(head, r) ** 2).sum() for r in frames]))

    def slopes(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        head = unpack(theta)
        gradient, curvature = np.zeros(len(theta)), np.zeros((len(theta), len(theta)))
        for r in rows:
            columns = _network_matrix(head, r) * r.weight[:, None]
            gradient += 2 * columns.T @ _residual(head, r)
            curvature += 2 * columns.T @ columns
        return gradient / len(rows), curvature / len(rows)

    trained = [levenberg_marquardt(initial(), loss, slopes, steps) for _ in range(starts)]
    losses = [loss(theta, validation) for theta in trained]
    best = trained[int(np.argmin(losses))]
    return Fitted(unpack(best), len(best), min(losses))


def predicted(head: QuadraticHead | NetworkHead, rows: Rows) -> np.ndarray:
    """Labels (1 + 3A + 6,) as a head sees a frame."""
    energies, slopes = head.energies(rows.values, rows.kinds)
    return np.append(energies.sum(), np.tensordot(slopes, rows.responses, axes=2))


def _residual(head: NetworkHead, rows: Rows) -> np.ndarray:
    return (predicted(head, rows) - rows.target) * rows.weight


def _network_matrix(head: NetworkHead, rows: Rows) -> np.ndarray:
    """Derivatives (1 + 3A + 6, parameters) of :func:`predicted` by u, b, v, c."""
    x, responses, kinds = rows.values, rows.responses, rows.kinds
    n_elements, hidden = head.v.shape
    t = np.tanh(x @ head.u.T + head.b)
    first, second = 1 - t**2, -2 * t * (1 - t**2)
    weights = head.v[kinds]
    along = np.tensordot(responses, head.u, axes=(1, 1))  # (A, 3A + 6, h): what moves each hidden unit
    n_labels = responses.shape[2]
    u = np.tensordot((weights * first).T, responses, axes=1)  # (h, k, labels)
    u += np.einsum("ih,ik,ilh->hkl", weights * second, x, along, optimize=True)
    b = np.einsum("ih,ilh->hl", weights * second, along)
    v, c = np.zeros((n_elements, hidden, n_labels)), np.zeros((n_elements, n_labels))
    energy = {"u": np.einsum("ih,ik->hk", weights * first, x), "b": (weights * first).sum(0)}
    v_energy, c_energy = np.zeros((n_elements, hidden)), np.zeros(n_elements)
    for s in range(n_elements):
        mine = kinds == s
        v[s] = np.einsum("ih,ilh->hl", first[mine], along[mine])
        v_energy[s], c_energy[s] = t[mine].sum(0), mine.sum()
    derivatives = np.concatenate([u.reshape(-1, n_labels), b, v.reshape(-1, n_labels), c])
    energies = np.concatenate([energy["u"].ravel(), energy["b"], v_energy.ravel(), c_energy])
    return np.vstack([energies, derivatives.T])

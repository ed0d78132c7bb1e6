"""Behler–Parrinello networks on the whole descriptor (Behler & Parrinello, PRL 98, 146401 (2007)).

Each element has a network of its own with two hidden layers of tanh. Its first linear map stands where other models have
the compression, and is trained: this is the classical potential that need not make do with few numbers. Features enter by
their principal components, all but :data:`TAIL` of the variance: another basis of nearly the same space, in which the steps
of Adam, that treat all coordinates alike, are of use.

Training stores no derivatives of the descriptor and needs no second ones. The errors of a frame depend on its energy and,
linearly, on the slopes of the energies by the features. The gradient of the loss by the parameters is thus that of
Σ_i (a_i E_i + t_i·∂E_i/∂features) with fixed a and t: t is the change of the features as the atoms move along the errors of
the forces, and the cell along those of the virial. It is a central difference along this one direction, good to 10⁻⁷;
energies, forces and stress are exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from qff.materials.baselines import ReferenceEnergies
from qff.materials.compression import Compression, principal_components
from qff.materials.descriptor import Descriptor, Environment, forces_and_virial
from qff.materials.equations import Weights
from qff.materials.fits import Fitted
from qff.materials.frames import Frame
from qff.materials.heads import ElementNetworks

TAIL = 1e-6  # part of the variance of the features of an element that does not enter
STEP = 1e-4  # Å, the largest displacement in a difference of features
CHECKS = 10  # looks at the validation frames during training
DECAY, SQUARED_DECAY, SMALL = 0.9, 0.999, 1e-8  # Adam (Kingma & Ba, arXiv 1412.6980)


@dataclass(frozen=True)
class Sample:
    """A frame as training sees it: moments and features (A, P) of its atoms; energy above the reference energies (eV),
    forces (A, 3) in eV/Å, virial (3, 3) in eV or None."""

    environment: Environment
    moments: np.ndarray
    features: np.ndarray
    energy: float
    forces: np.ndarray
    virial: np.ndarray | None


def samples_of(frames: list[Frame], descriptor: Descriptor, references: ReferenceEnergies) -> list[Sample]:
    found = []
    for frame, reference in zip(frames, references.of(frames), strict=True):
        environment = descriptor.environment(frame.numbers, frame.positions, frame.cell)
        moments = descriptor.moments(environment)
        virial = None if frame.stress is None else frame.stress * frame.volume
        energy = frame.energy - float(reference)
        found.append(Sample(environment, moments, descriptor.features(moments), energy, frame.forces, virial))
    return found


def inputs(features: np.ndarray, kinds: np.ndarray, n_elements: int) -> tuple[Compression, np.ndarray]:
    """Principal components of each element, all but ``TAIL`` of the variance, and their variances (S, k) as inputs.

    Their standard deviations are the square roots of what they are among the features, 1 for the first: a network starts
    from what varies most, and can still reach what varies little. An element with fewer inputs has zeros behind them.
    """
    whole, variances = principal_components(features, kinds, n_elements, features.shape[1])
    left = np.cumsum(variances[:, ::-1], axis=1)[:, ::-1]  # of a component and all after it
    kept = left > TAIL * left[:, :1]
    k = max(1, int(kept.sum(1).max()))
    spreads = np.where(kept, variances / np.maximum(variances[:, :1], np.finfo(float).tiny), 0.0)[:, :k] ** 0.5
    return Compression(
        whole.mean, whole.projections[:, :, :k] * spreads[:, None] ** 0.5, whole.limits[:, :k]
    ), spreads


class Networks:
    """The networks of all elements as a function of one vector of parameters.

    Args:
        base: linear map of the features to the inputs, whose variances are ``spreads`` (S, k).
        hidden: units h, g of the two layers.
    """

    def __init__(
        self, descriptor: Descriptor, base: Compression, spreads: np.ndarray, hidden: list[int], weights: Weights
    ):
        self.descriptor, self.base, self.spreads, self.weights = descriptor, base, spreads, weights
        (n, k), (h, g) = spreads.shape, hidden
        self.shapes = {"u": (n, k, h), "a": (n, h), "w": (n, h, g), "b": (n, g), "v": (n, g), "c": (n,)}
        self.ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes.values()])

    @property
    def n_parameters(self) -> int:
        """Without the weights of inputs that an element lacks: nothing depends on them."""
        return int(self.ends[-1]) - int((self.spreads == 0).sum()) * self.shapes["u"][2]

    def views(self, theta: np.ndarray) -> dict[str, np.ndarray]:
        """Arrays by name that share the memory of a vector of parameters."""
        parts = np.split(theta, self.ends[:-1])
        return {name: part.reshape(shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}

    def initial(self, rng: np.random.Generator) -> np.ndarray:
        """What the units of both layers see varies by about one over the training atoms; energies begin small."""
        theta = np.zeros(self.ends[-1])
        found = self.views(theta)
        for name, scale in (("u", self.spreads.sum(1).clip(1.0)), ("w", self.shapes["w"][1]), ("v", 100.0)):
            shape = self.shapes[name]
            found[name][...] = rng.normal(size=shape) / np.reshape(scale, (-1,) + (1,) * (len(shape) - 1)) ** 0.5
        return theta

    def fitted(self, theta: np.ndarray) -> tuple[Compression, ElementNetworks]:
        """First linear map of the features, (S, P, h), and what follows it."""
        parts = self.views(theta)
        first = self.base.projections @ parts.pop("u")
        return Compression(self.base.mean, first, np.full(first.shape[::2], np.inf)), ElementNetworks(**parts)

    def loss(self, theta: np.ndarray, samples: list[Sample]) -> float:
        """Mean over frames, weighted as :class:`qff.materials.equations.Weights` says."""
        first, head = self.fitted(theta)
        return float(np.mean([self._errors(first, head, sample)[0] for sample in samples]))

    def gradient(self, theta: np.ndarray, samples: list[Sample]) -> np.ndarray:
        """Of :meth:`loss` by the parameters."""
        first, head = self.fitted(theta)
        found = np.zeros_like(theta)
        parts, by_first = self.views(found), np.zeros_like(first.projections)
        for sample in samples:
            _, by_energy, direction = self._errors(first, head, sample)
            change = self._change(sample, direction)
            for s, projection in enumerate(first.projections):
                mine = sample.environment.kinds == s
                centred, along = sample.features[mine] - first.mean[s], change[mine]
                by_values, by_along = _backward(head, s, centred @ projection, along @ projection, by_energy, parts)
                by_first[s] += centred.T @ by_values + along.T @ by_along
        parts["u"][...] = self.base.projections.transpose(0, 2, 1) @ by_first
        return found / len(samples)

    def _errors(self, first: Compression, head: ElementNetworks, sample: Sample) -> tuple[float, float, np.ndarray]:
        """Loss of a frame, its derivative by the energy, and that by the slopes of the energy by the vectors to neighbours
        (A, M, 3)."""
        e, n = sample.environment, len(sample.forces)
        values, _ = first.apply(sample.features, e.kinds)
        energies, slopes = head.energies(values, e.kinds)
        by_vectors = self.descriptor.pullback(e, sample.moments, first.gradient(slopes, e.kinds))
        forces, virial = forces_and_virial(e.index, e.vectors, by_vectors)
        energy = (float(energies.sum()) - sample.energy) / n
        force = forces - sample.forces
        loss = self.weights.energy * energy**2 + float((force**2).mean())
        by_force = force / (1.5 * n)
        direction = by_force[:, None] - by_force[e.index]
        if sample.virial is not None and self.weights.stress:
            wrong = (0.5 * (virial + virial.T) - sample.virial) / n
            weight = self.weights.stress / 6 * np.triu(np.ones((3, 3)))  # six components
            loss += float((weight * wrong**2).sum())
            direction += e.vectors @ ((weight + weight.T) * wrong / n)
        return loss, 2 * self.weights.energy * energy / n, direction

    def _change(self, sample: Sample, direction: np.ndarray) -> np.ndarray:
        """Derivative (A, P) of the features as the vectors to the neighbours move along ``direction``."""
        e = sample.environment
        step = STEP / max(float(np.abs(direction).max()), np.finfo(float).tiny)
        ends = [replace(e, vectors=e.vectors + sign * step * direction) for sign in (1, -1)]
        plus, minus = (self.descriptor.features(self.descriptor.moments(end)) for end in ends)
        return (plus - minus) / (2 * step)


def _backward(
    head: ElementNetworks,
    s: int,
    values: np.ndarray,
    along: np.ndarray,
    by_energy: float,
    parts: dict[str, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives (A, h) of Σ_i (by_energy E_i + along_i·∂E_i/∂values_i) by values and by ``along``, for atoms of element s;
    those by the parameters are added to ``parts``."""
    one = np.tanh(values + head.a[s])
    two = np.tanh(one @ head.w[s] + head.b[s])
    one_slope, two_slope = 1 - one**2, 1 - two**2
    one_along = one_slope * along
    inner = one_along @ head.w[s]
    by_inner = two_slope * head.v[s]
    by_two = two_slope * (by_energy - 2 * two * inner) * head.v[s]
    by_one_along = by_inner @ head.w[s].T
    by_one = one_slope * (by_two @ head.w[s].T - 2 * one * along * by_one_along)
    parts["c"][s] += by_energy * len(values)
    parts["v"][s] += (by_energy * two + two_slope * inner).sum(0)
    parts["b"][s] += by_two.sum(0)
    parts["w"][s] += one.T @ by_two + one_along.T @ by_inner
    parts["a"][s] += by_one.sum(0)
    return by_one, one_slope * by_one_along


def train(
    networks: Networks, training: list[Sample], validation: list[Sample], settings, rng: np.random.Generator
) -> tuple[float, np.ndarray]:
    """Adam from drawn parameters: those of the least validation loss seen on the way, and that loss.

    Args:
        settings: ``epochs``, ``batch`` and ``learning_rate`` of the configuration.
    """
    theta = networks.initial(rng)
    mean, square = np.zeros_like(theta), np.zeros_like(theta)
    orders = (rng.permutation(len(training)) for _ in range(settings.epochs))
    batches = [o[k : k + settings.batch] for o in orders for k in range(0, len(o), settings.batch)]
    checks = {len(batches) * (k + 1) // CHECKS for k in range(CHECKS)}
    best = np.inf, theta.copy()
    for step, batch in enumerate(batches, 1):
        gradient = networks.gradient(theta, [training[k] for k in batch])
        mean += (1 - DECAY) * (gradient - mean)
        square += (1 - SQUARED_DECAY) * (gradient**2 - square)
        rate = settings.learning_rate * 0.5 * (1 + np.cos(np.pi * step / len(batches)))
        theta -= rate * mean / (1 - DECAY**step) / (np.sqrt(square / (1 - SQUARED_DECAY**step)) + SMALL)
        if step in checks and (loss := networks.loss(theta, validation)) < best[0]:
            best = loss, theta.copy()
    return best


def fit_behler_parrinello(
    descriptor: Descriptor,
    references: ReferenceEnergies,
    training: list[Frame],
    validation: list[Frame],
    settings,
    weights: Weights,
    rng: np.random.Generator,
) -> Fitted:
    """The networks that validate best of several starts.

    Args:
        settings: ``hidden``, ``starts``, ``epochs``, ``batch`` and ``learning_rate`` of the configuration.
    """
    seen, held_out = (samples_of(frames, descriptor, references) for frames in (training, validation))
    features, kinds = (
        np.concatenate(parts) for parts in zip(*((s.features, s.environment.kinds) for s in seen), strict=True)
    )
    base, spreads = inputs(features, kinds, len(descriptor.elements))
    networks = Networks(descriptor, base, spreads, settings.hidden, weights)
    trained = [train(networks, seen, held_out, settings, rng) for _ in range(settings.starts)]
    loss, theta = min(trained, key=lambda start: start[0])
    first, head = networks.fitted(theta)
    return Fitted(head, networks.n_parameters, loss, first)

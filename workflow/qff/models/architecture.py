"""What every model has in common: a function of parameters and inputs, with derivatives along directions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np
import torch
from ase.data import atomic_numbers

from qff.errors import ConfigError
from qff.systems import System


@dataclass(frozen=True)
class Inputs:
    """Model inputs of a batch of geometries, and how they respond to atomic motion.

    Attributes:
        values: (…, B, F) features.
        tangents: (…, B, K, F) derivatives of the features along K directions.
        directions: (…, B, K, A, 3) Cartesian weight of each direction in 1/Å: F = -Σ_k ∂E/∂k · directions_k.
    """

    values: torch.Tensor
    tangents: torch.Tensor
    directions: torch.Tensor

    def normalised(self, center: torch.Tensor, width: torch.Tensor) -> Inputs:
        """(values - center) / width with center, width (…, F)."""
        return replace(
            self,
            values=(self.values - center[..., None, :]) / width[..., None, :],
            tangents=self.tangents / width[..., None, None, :],
        )

    def normalise_(self, center: torch.Tensor, width: torch.Tensor) -> None:
        """:meth:`normalised` in place, where nothing else holds the inputs: those of large molecules are gigabytes."""
        self.values.sub_(center[..., None, :]).div_(width[..., None, :])
        self.tangents.div_(width[..., None, None, :])

    def along_axes(self) -> Inputs:
        """The same response along the 3A Cartesian axes: less where there are more directions than these."""
        axes = torch.eye(self.directions[0, 0].numel(), dtype=self.values.dtype)
        return Inputs(
            self.values,
            self.directions.flatten(-2).mT @ self.tangents,
            axes.unflatten(-1, (-1, 3)).expand(*self.values.shape[:-1], -1, -1, -1),
        )

    def select(self, index) -> Inputs:
        """Frames ``index``: (n,), or (S, n) to draw a set of frames per ensemble member."""
        return Inputs(self.values[index], self.tangents[index], self.directions[index])


class Architecture(ABC):
    """A model without its trained numbers. ``parameters`` are always one flat float64 vector."""

    #: True if features are centred and scaled with the statistics of the training frames.
    normalise_inputs: bool = False
    #: True if least squares fits the model (:class:`qff.models.linear.LinearArchitecture`): no optimiser is needed.
    linear: bool = False
    #: Training energies are mapped to ± this value (setting ``output_range``). A bounded output of bandwidth Ω has
    #: slope at most Ω sqrt(1 - f²) (Bernstein–Szegő): a circuit needs headroom to be steep where energies are high.
    output_range: float
    #: What the model is invariant under by construction; the contract suite tests each.
    invariances: frozenset[str] = frozenset({"translation", "rotation"})
    #: Frames whose inputs are held at once where they are evaluated and no more; None: all.
    frames_at_once: int | None = None

    def __init__(self, system: System, settings: dict):
        self.system = system
        self.settings = dict(settings)
        self.output_range = float(settings.get("output_range", 0.95))
        if self.output_range <= 0:
            raise ConfigError(f"output_range = {self.output_range}: must be positive")

    @property
    @abstractmethod
    def n_parameters(self) -> int: ...

    @abstractmethod
    def initial_parameters(self, rng: np.random.Generator) -> np.ndarray:
        """Random start, (P,)."""

    @abstractmethod
    def inputs(self, positions: torch.Tensor) -> Inputs:
        """Inputs of geometries (B, A, 3) in Å.

        Raises:
            DomainError: a geometry lies outside the bounds of the model.
        """

    def inside(self, positions) -> np.ndarray:
        """Whether :meth:`inputs` accepts each of the geometries (B, A, 3), (B,) of bool."""
        return self.system.inside(positions)

    @abstractmethod
    def evaluate(self, theta: torch.Tensor, inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor]:
        """Dimensionless output f (S, B) and its derivatives along the input directions (S, B, K).

        ``theta`` is (S, P); input tensors carry a leading dimension S or 1.
        """

    def normalisation(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Center and width (…, F) of features (…, B, F): mean and max - min over frames."""
        spread = values.amax(-2) - values.amin(-2)
        return values.mean(-2), torch.where(spread > 1e-12, spread, 1.0)  # what never changes carries no information

    def linearise(
        self, theta: torch.Tensor, inputs: Inputs
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """What :meth:`evaluate` gives, and its derivatives with respect to the parameters.

        Here for any model by reverse passes, in which every frame is a member of its own: 1 + K passes in all.

        Returns:
            f (S, B), df (S, B, K), ∂f/∂θ (S, B, P), ∂df/∂θ (S, B, K, P).
        """
        members, (frames, directions) = len(theta), inputs.tangents.shape[-3:-1]
        own = theta.detach().repeat_interleave(frames, 0).requires_grad_(True)  # (S B, P)
        single = Inputs(
            inputs.values.expand(members, -1, -1).flatten(0, 1)[:, None],
            inputs.tangents.expand(members, -1, -1, -1).flatten(0, 1)[:, None],
            inputs.directions,
        )
        with torch.enable_grad():
            f, df = self.evaluate(own, single)
            outputs = [f[:, 0], *(df[:, 0, k] for k in range(directions))]
            gradients = [torch.autograd.grad(y.sum(), own, retain_graph=True)[0] for y in outputs]
        stacked = torch.stack(gradients, 1).unflatten(0, (members, frames))
        return (
            f.detach().unflatten(0, (members, frames))[..., 0],
            df.detach().unflatten(0, (members, frames))[:, :, 0],
            stacked[:, :, 0],
            stacked[:, :, 1:],
        )

    def values(self, theta: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Output f (S, B) alone, from features (S or 1, B, F)."""
        empty = values.new_zeros(*values.shape[:2], 0, values.shape[2])
        return self.evaluate(theta, Inputs(values, empty, empty))[0]

    def jacobian(self, theta: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Output f (S, B) and ∂f/∂θ (S, B, P) of every frame, from features (S or 1, B, F).

        Every pair of a member and a frame is one ensemble member with one frame, so that one reverse pass gives
        all gradients; a model that has them cheaper overrides this.
        """
        members, frames = len(theta), values.shape[1]
        leaf = theta.detach().repeat_interleave(frames, 0).requires_grad_(True)
        pairs = values.detach().expand(members, -1, -1).reshape(members * frames, 1, -1)
        f = self.values(leaf, pairs)
        (found,) = torch.autograd.grad(f.sum(), leaf)
        return f.detach().reshape(members, frames), found.reshape(members, frames, -1)

    def describe(self) -> dict:
        """Plain facts for reports and run records."""
        return {"system": self.system.name, "n_parameters": self.n_parameters, **self.settings}


def elements_with_parameters(settings: dict, symbols: list[str]) -> list[str]:
    """Elements that have parameters of their own, in order: those stated (`elements`), then others of the molecule.

    Those stated are for molecules that lack some of them, so that parameters can be moved. A molecule that has more, a
    nitrogen beside H, C and O, gets more parameters, not a refusal.

    Raises:
        ConfigError: one that is no chemical element.
    """
    found = list(dict.fromkeys([*settings.get("elements", ()), *symbols]))
    if unknown := [e for e in found if e not in atomic_numbers]:
        raise ConfigError(f"elements: '{unknown[0]}' is not a chemical element")
    return found


def one_of(key: str, value: str, known: tuple[str, ...]) -> str:
    """A setting that is one of some words.

    Raises:
        ConfigError: it is another one.
    """
    if value not in known:
        raise ConfigError(f"{key} '{value}': known are {', '.join(known)}")
    return value

"""Global extended Kalman filter for energies and forces, as n2p2 trains (Singraber et al., JCTC 15, 3075, 2019)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from qff.models.architecture import Architecture, Inputs
from qff.randomness import generator
from qff.training.optimisers import State

if TYPE_CHECKING:
    from qff.config import TrainingConfig
    from qff.training.loss import EnsembleData

_DECADE = 2.302  # n2p2's η grows by this exponent, a factor of ten, in every epoch
# The process noise falls over most of the training, and in the rest nearly all observations count alike. n2p2's fall
# to 1e-6 within four epochs ends learning early where labels are exact; without a fall noisy labels are followed.
_Q0, _FINAL_Q_ETA, _COOLING = 0.01, 1e-7, 0.7
# Weights stay near their start unless data ask for more (n2p2: 0.01): functions are smoother where no frame is.
_EPSILON = 1.0


@dataclass(frozen=True)
class KalmanFilter:
    """Recursive least squares on linearised observations, for S independent parameter vectors.

    With one observation per update it is n2p2's sequence: η grows, R = 1/η; X = P H; K = X (Hᵀ X + R)⁻¹;
    P ← P - K Xᵀ + q; w ← w + K ξ; q decays. Several observations at once are linearised at the same parameters and
    weigh as much as one after the other: the process noise of an update is q for each of them.

    Attributes:
        epsilon: the covariance starts as P = 1/ε.
        q0, q_min, q_decay: process noise at the start, where it stops to fall, and its exponent per update.
        eta0, eta_max, eta_growth: learning rate (inverse observation noise), where it stops to grow, its exponent.
    """

    epsilon: float = 0.01
    q0: float = 0.01
    q_min: float = 1e-6
    q_decay: float = 0.0
    eta0: float = 0.01
    eta_max: float = 1.0
    eta_growth: float = 0.0

    def start(self, theta: torch.Tensor) -> State:
        """State at parameters (S, P)."""
        identity = torch.eye(theta.shape[1], dtype=theta.dtype)
        return {
            "theta": theta.clone(),
            "covariance": (identity / self.epsilon).repeat(len(theta), 1, 1),
            "q": torch.tensor(self.q0, dtype=theta.dtype),
            "eta": torch.tensor(self.eta0, dtype=theta.dtype),
        }

    def update(self, state: State, error: torch.Tensor, jacobian: torch.Tensor) -> State:
        """State after m observations with errors (reference - prediction) (S, m) and Jacobians (S, m, P).

        The covariance is changed in place: it is by far the largest part of the state.
        """
        covariance, q, eta = state["covariance"], state["q"], state["eta"]
        if eta < self.eta_max:
            eta = eta * math.exp(self.eta_growth)
        image = covariance @ jacobian.mT  # X (S, P, m)
        innovation = jacobian @ image
        innovation.diagonal(dim1=1, dim2=2).add_(1 / eta)
        root = torch.linalg.cholesky_ex(innovation).L  # a member that diverges becomes NaN and harms no other
        gain = torch.linalg.solve_triangular(root, image.mT, upper=False)  # K Xᵀ = gainᵀ gain
        covariance.baddbmm_(gain.mT, gain, alpha=-1)
        covariance.diagonal(dim1=1, dim2=2).add_(q * error.shape[1])
        step = gain.mT @ torch.linalg.solve_triangular(root, error[..., None], upper=False)
        if q > self.q_min:
            q = q * math.exp(-self.q_decay)
        return {"theta": state["theta"] + step[..., 0], "covariance": covariance, "q": q, "eta": eta}


class KalmanTraining:
    """Epochs of the Kalman filter: all energies and a random part of the force components, in random order.

    Errors and Jacobians are in units of the energy scale. A force component weighs (χ/(3A p))^½, p the part of the
    components drawn per epoch, so that the filter minimises the loss of all other optimisers. (With p = 0.1 and
    three atoms n2p2's customary force weight 10 in units of the force spread is χ ≈ 1.)
    """

    def __init__(
        self, architecture: Architecture, training: EnsembleData, shift: torch.Tensor, scale: torch.Tensor,
        config: TrainingConfig,
    ):  # fmt: skip
        self._architecture, self._data, self._block = architecture, training, config.kalman_block
        members, self._frames = training.energies.shape
        components = training.forces[0, 0].numel()
        self._n_forces = round(config.kalman_force_fraction * self._frames * components)
        if not config.force_weight:
            self._n_forces = 0
        weight = math.sqrt(config.force_weight * self._frames / max(self._n_forces, 1))
        # Every observation: (S, B, 1 + 3A), the energy and the weighted force components of a frame.
        energies = (training.energies - shift[:, None]) / scale[:, None]
        forces = training.forces.flatten(2) * (weight / scale)[:, None, None]
        self._targets = torch.cat([energies[..., None], forces], 2)
        self._directions = -weight * training.inputs.directions.expand(members, *[-1] * 4).flatten(3)  # (S, B, K, 3A)
        updates = math.ceil((self._frames + self._n_forces) / self._block)
        eta_max = config.kalman_eta_max / architecture.output_range**2
        q_min = _FINAL_Q_ETA / eta_max
        cooling = math.log(_Q0 / q_min) / (_COOLING * config.steps * updates)
        self._filter = KalmanFilter(
            epsilon=_EPSILON, q0=_Q0, q_min=q_min, q_decay=cooling, eta_growth=_DECADE / updates, eta_max=eta_max
        )

    def start(self, theta: torch.Tensor) -> State:
        return self._filter.start(theta)

    def current(self, state: State) -> torch.Tensor:
        return state["theta"]

    def advance(self, state: State, epoch: int) -> State:
        """State after one more epoch."""
        members = len(self._targets)
        order = torch.tensor(np.stack([self._order(member, epoch) for member in range(members)]))
        for part in order.split(self._block, 1):
            state = self._filter.update(state, *self._observe(state["theta"], part))
        return state

    def _order(self, member: int, epoch: int) -> np.ndarray:
        """Observations (number of frame · (1 + 3A) + 0 for the energy, 1 … for a force component) of an epoch."""
        rng = generator(0, "kalman", member, epoch)
        frames, columns = self._targets.shape[1:]
        forces = rng.permutation(frames * (columns - 1))[: self._n_forces]
        frame, component = np.divmod(forces, columns - 1)
        return rng.permutation(np.concatenate([np.arange(frames) * columns, frame * columns + component + 1]))

    def _observe(self, theta: torch.Tensor, part: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Errors (S, m) and Jacobians (S, m, P) of the observations ``part`` (S, m)."""
        inputs, columns = self._data.inputs, self._targets.shape[2]
        member = torch.arange(len(theta))[:, None]
        frame, column = part // columns, part % columns
        # An observation is a frame of its own with one direction, that of its force component.
        along = self._directions[member, frame, :, (column - 1).clamp(min=0)]  # (S, m, K)
        tangent = torch.einsum("smk,smkf->smf", along, inputs.tangents[member, frame])
        single = Inputs(inputs.values[member, frame], tangent[:, :, None], inputs.directions)
        f, df, jf, jdf = self._architecture.linearise(theta, single)
        is_force = column > 0
        error = self._targets[member, frame, column] - torch.where(is_force, df[..., 0], f)
        return error, torch.where(is_force[..., None], jdf[:, :, 0], jf)

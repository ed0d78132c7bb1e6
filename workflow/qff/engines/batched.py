"""The batched engine: one circuit for many parameter sets and many inputs at once.

On a CPU the program runs on compiled kernels (:mod:`qff.engines.compiled`), on any other device in torch operations
(:mod:`qff.engines.device`); both execute the same schedule (:mod:`qff.engines.schedule`).
"""

from __future__ import annotations

import functools

import torch

from qff.circuits import Circuit
from qff.engines.compiled import CompiledProgram
from qff.engines.device import TorchProgram
from qff.engines.program import capture


class BatchedEngine:
    """Expectation value of a circuit and its derivatives along given input directions.

    Shapes: S parameter sets, B inputs, K directions, F features, P parameters, all float64.
    """

    def __init__(self, circuit: Circuit):
        self.circuit = circuit
        self._captured = capture(circuit)
        self.compiled = CompiledProgram(self._captured)

    @functools.cached_property
    def torch(self) -> TorchProgram:
        """The same circuit for other devices, laid out when one asks for it."""
        return TorchProgram(self._captured)

    def evaluate(
        self, theta: torch.Tensor, phi: torch.Tensor, dphi: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Values and directional derivatives, differentiable in all arguments.

        Args:
            theta: (S, P) parameters.
            phi: (S, B, F) or (1, B, F) features.
            dphi: (S, B, K, F) or (1, B, K, F) derivatives of the features along K input directions, or None.

        Returns:
            f (S, B) and df (S, B, K) with df_k = Σ_F ∂f/∂φ_F dphi_kF (None without directions).
        """
        program = self._program(theta)
        if dphi is None:
            return program.values(theta, phi), None
        return program.evaluate(theta, phi, dphi)

    def value_and_slope(self, theta: torch.Tensor, phi: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Values f (S, B) and their slopes ∂f/∂φ (S, B, F), each differentiable once in θ and φ."""
        return self._program(theta).value_and_slope(theta, phi)

    def expectation(self, phi: torch.Tensor) -> torch.Tensor:
        """Values (S, B) of a circuit without parameters, twice differentiable in φ (S, B, F).

        For models that compute all angles themselves and take forces by automatic differentiation.
        """
        empty = phi.new_zeros(len(phi), 0)
        f, slope = self.value_and_slope(empty, phi)
        return _Attached.apply(phi, f.detach(), slope)

    def jacobian(self, theta: torch.Tensor, phi: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Values (S, B) and their gradients ∂f/∂θ frame by frame, (S, B, P)."""
        return self._program(theta).jacobian(theta, phi)

    def linearise(self, theta: torch.Tensor, phi: torch.Tensor, dphi: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What :meth:`evaluate` gives, with ∂f/∂θ (S, B, P) and ∂df/∂θ (S, B, K, P); on a CPU."""
        return self.compiled.linearise(theta, phi, dphi)

    def _program(self, theta: torch.Tensor) -> CompiledProgram | TorchProgram:
        return self.compiled if theta.device.type == "cpu" else self.torch


class _Attached(torch.autograd.Function):
    """f as a function of φ whose gradient is the given slope: the slope in turn knows its own gradient."""

    @staticmethod
    def forward(ctx, phi, f, slope):
        ctx.save_for_backward(slope)
        return f.clone()

    @staticmethod
    def backward(ctx, gf):
        (slope,) = ctx.saved_tensors
        return gf[..., None] * slope, None, None

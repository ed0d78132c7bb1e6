"""A schedule in plain torch operations: for accelerators, and to check the compiled kernels against."""

from __future__ import annotations

import numpy as np
import torch

from qff.engines.program import Angle, Program, kron, permutation
from qff.engines.schedule import Exchange, Phase, Turn, bit, build_schedule, signs

_HADAMARD = np.array([[1.0, 1.0], [1.0, -1.0]])


class TorchProgram:
    """Values and derivatives of a program by torch's automatic differentiation; shapes as in ``BatchedEngine``."""

    def __init__(self, program: Program):
        self.schedule = build_schedule(program)
        self.n_qubits, self.dimension = program.n_qubits, 2**program.n_qubits
        self._tensors: dict[tuple, torch.Tensor] = {}

    def evaluate(self, theta, phi, dphi) -> tuple[torch.Tensor, torch.Tensor]:
        """f (S, B) and its derivatives df (S, B, K)."""
        f, slope = self.value_and_slope(theta, phi)
        return f, (dphi @ slope[..., None])[..., 0]

    def value_and_slope(self, theta, phi) -> tuple[torch.Tensor, torch.Tensor]:
        """f (S, B) and ∂f/∂φ (S, B, F)."""
        with torch.enable_grad():
            features = phi.expand(len(theta), *phi.shape[1:])
            if not features.requires_grad:
                features = features.detach().requires_grad_(True)
            f = self.values(theta, features)
            keep = theta.requires_grad or phi.requires_grad
            (slope,) = torch.autograd.grad(f.sum(), features, create_graph=keep)
        return f if keep else f.detach(), slope

    def jacobian(self, theta: torch.Tensor, phi: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """f (S, B) and ∂f/∂θ of every frame, (S, B, P): one member for every pair of a member and a frame."""
        members, frames = len(theta), phi.shape[1]
        leaf = theta.detach().repeat_interleave(frames, 0).requires_grad_(True)
        pairs = phi.expand(members, *phi.shape[1:]).reshape(members * frames, 1, -1)
        f = self.values(leaf, pairs)
        (found,) = torch.autograd.grad(f.sum(), leaf)
        return f.detach().reshape(members, frames), found.reshape(members, frames, -1)

    def values(self, theta: torch.Tensor, phi: torch.Tensor) -> torch.Tensor:
        """f (S, B)."""
        state = self._start(theta, phi)
        for index, step in enumerate(self.schedule.steps):
            if isinstance(step, Phase):
                state = self._phase(state, index, step, theta, phi)
            elif isinstance(step, Exchange):
                state = self._exchange(state, index, step, self._angle(step.angle, theta, phi))
            elif isinstance(step, Turn):
                x = torch.stack(torch.broadcast_tensors(*(self._angle(a, theta, phi) for a in step.vector)))
                state = self._turn(state, step, x)
            else:
                state = state @ self._constant(("dense", index), step.matrix.T, state)
        total = 0.0
        for word, coefficient in self.schedule.observable:
            source, phase = permutation(word)
            image = self._constant(("phase", word), phase, state) * state[..., torch.as_tensor(source)]
            total = total + coefficient * (state.conj() * image).sum(-1).real
        return total

    def _constant(self, key, value, like: torch.Tensor) -> torch.Tensor:
        """A constant on the device of a state."""
        key = (key, like.device)
        if key not in self._tensors:
            dtype = torch.complex128 if np.iscomplexobj(value) else torch.float64
            self._tensors[key] = torch.tensor(np.asarray(value), dtype=dtype, device=like.device)
        return self._tensors[key]

    def _angle(self, angle: Angle, theta: torch.Tensor, phi: torch.Tensor) -> torch.Tensor:
        """(S, B), or (S, 1) if it holds no data."""
        found = angle.constant + theta @ theta.new_tensor(angle.theta)[:, None]
        if np.any(angle.phi):
            found = found + phi @ phi.new_tensor(angle.phi)
        if np.any(angle.product):
            found = found + ((theta @ theta.new_tensor(angle.product))[:, None] * phi).sum(-1)
        return found

    def _start(self, theta, phi):
        if isinstance(self.schedule.start, list):
            amplitudes = [self._angle(a, theta, phi).expand(len(theta), phi.shape[1]) for a in self.schedule.start]
            return torch.stack(amplitudes, -1).to(torch.complex128)
        start = torch.tensor(self.schedule.start, device=theta.device)
        return start.expand(len(theta), phi.shape[1], self.dimension)

    def _phase(self, state, index, step, theta, phi):
        factor = self._constant(("constant", index), step.constant, state)
        if step.words:
            gamma = 0.0
            for mask, angle in step.words:
                h = self._constant(("signs", mask), -0.5 * signs(mask, self.dimension), theta)
                gamma = gamma + self._angle(angle, theta, phi)[..., None] * h
            factor = factor * torch.polar(torch.ones_like(gamma), gamma)
        state = state * factor
        if step.hadamards:
            masks = [bit(q, self.n_qubits) & step.hadamards for q in range(self.n_qubits)]
            matrix = kron([_HADAMARD if m else np.eye(2) for m in masks])
            state = state @ self._constant(("hadamard", step.hadamards), matrix.astype(complex), state)
        return state

    def _exchange(self, state, index, step, angle):
        i, j = (bit(q, self.n_qubits) for q in step.wires)
        index = np.arange(self.dimension)
        partner = np.where(((index & i) > 0) != ((index & j) > 0), index ^ i ^ j, index)
        other = state[..., torch.as_tensor(partner, device=state.device)]
        turn = torch.polar(torch.ones_like(angle), 2 * angle)[..., None]
        return state + 0.5 * (turn - 1) * (state - other)

    def _turn(self, state, step, x):
        square = (x * x).sum(0)
        # sin(r/2)/r without its singularity: differentiable at x = 0 as well
        small = square < 1e-4
        r = torch.where(small, torch.ones_like(square), square).sqrt()
        ratio = torch.where(small, 0.5 - square / 48 + square**2 / 3840, torch.sin(r / 2) / r)
        cosine = torch.where(small, 1 - square / 8 + square**2 / 384, torch.cos(r / 2))
        u1, u2, u3 = (ratio * x)[..., None, None]
        u0 = cosine[..., None, None]
        parts = state.reshape(*state.shape[:2], 2**step.wire, 2, -1)
        a, b = parts[..., 0, :], parts[..., 1, :]
        first = torch.complex(u0, -u3) * a + torch.complex(-u2, -u1) * b
        second = torch.complex(u2, -u1) * a + torch.complex(u0, u3) * b
        return torch.stack([first, second], -2).reshape(state.shape)

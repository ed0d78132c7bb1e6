"""The batched engine on a CPU: a program of Pauli rotations run by compiled kernels, with adjoint gradients."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import torch

from qff.engines import kernels
from qff.engines.program import Constant, Program, Rotation, permutation

BLOCK_BYTES = 768 * 1024  # state, adjoint and image of one block of frames: stays in the cache of one core
KEPT_BYTES = 256 * 1024**2  # final states kept for the gradient; beyond, they are computed again


class CompiledProgram:
    """A program as arrays: what every gate does, and how its angles follow from θ and φ."""

    def __init__(self, program: Program, n_parameters: int):
        self.dimension = 2**program.n_qubits
        self.n_parameters = n_parameters
        self._gates: list[tuple] = []
        self._rotations: list[tuple[np.ndarray, float]] = []
        self._diagonals: list[tuple[np.ndarray, np.ndarray]] = []
        self._data: list[np.ndarray] = []
        self._constants: list[np.ndarray] = []
        for gate in program.gates:
            self._add(gate)
        kinds, indices, masks, signs, imaginary = zip(*self._gates, strict=True)
        self.gates = (np.array(kinds), np.array(indices), np.array(masks), np.array(signs), np.array(imaginary))
        size = self.dimension
        self.rotation_theta = np.array([t for t, _ in self._rotations]).reshape(-1, n_parameters)
        self.rotation_constant = np.array([c for _, c in self._rotations])
        self.phase_theta = np.array([t for t, _ in self._diagonals]).reshape(-1, size, n_parameters)
        self.phase_constant = np.array([c for _, c in self._diagonals]).reshape(-1, size)
        self.data_phi = np.array(self._data)
        self.constants = np.array(self._constants).reshape(-1, 2 * size, 2 * size)
        words = [(*_real_form(word), coefficient) for word, coefficient in program.terms]
        self.observable = tuple(np.array(column) for column in zip(*words, strict=True))

    def _add(self, gate: Rotation | Constant) -> None:
        nothing = np.zeros(self.dimension)
        if isinstance(gate, Constant):
            real, imaginary = gate.matrix.real, gate.matrix.imag
            self._constants.append(np.block([[real, -imaginary], [imaginary, real]]))
            self._gates.append((kernels.CONSTANT, len(self._constants) - 1, 0, nothing, False))
            return
        mask, signs, imaginary = _real_form(gate.word)
        if np.any(gate.phi):
            known = [k for k, phi in enumerate(self._data) if np.array_equal(phi, gate.phi)]
            if not known:
                self._data.append(gate.phi)
            place = known[0] if known else len(self._data) - 1
            self._gates.append((kernels.DATA, place, mask, signs, imaginary))
            if not np.any(gate.theta) and gate.constant == 0.0:
                return
        if mask:
            self._rotations.append((gate.theta, gate.constant))
            self._gates.append((kernels.ROTATION, len(self._rotations) - 1, mask, signs, imaginary))
            return
        # Consecutive diagonal gates are one phase per amplitude.
        if not self._gates or self._gates[-1][0] != kernels.DIAGONAL:
            self._diagonals.append((np.zeros((self.dimension, self.n_parameters)), np.zeros(self.dimension)))
            self._gates.append((kernels.DIAGONAL, len(self._diagonals) - 1, 0, nothing, False))
        slopes, constants = self._diagonals[-1]
        slopes += np.outer(-0.5 * signs, gate.theta)
        constants += -0.5 * gate.constant * signs

    def tasks(self, theta: np.ndarray, phi: np.ndarray, dphi: np.ndarray):
        """(member, frames, kernel arguments) for every member and block of frames."""
        half = 0.5 * (theta @ self.rotation_theta.T + self.rotation_constant)
        phases = np.einsum("ndp,sp->snd", self.phase_theta, theta) + self.phase_constant
        angles = (np.cos(half), np.sin(half), np.cos(phases), np.sin(phases))
        data = 0.5 * np.einsum("af,sbf->sab", self.data_phi, phi)
        data_cosine, data_sine = np.cos(data), np.sin(data)
        rates = np.einsum("af,sbkf->sakb", self.data_phi, dphi)
        used = (rates != 0).any((0, 3))
        n_frames, groups = phi.shape[1], dphi.shape[2] + 1
        block = max(1, BLOCK_BYTES // (48 * self.dimension * groups))
        for member, start in product(range(len(theta)), range(0, n_frames, block)):
            frames = slice(start, min(start + block, n_frames))
            row, direction = member % len(phi), member % len(dphi)
            local = (
                np.ascontiguousarray(data_cosine[row][:, frames]),
                np.ascontiguousarray(data_sine[row][:, frames]),
                np.ascontiguousarray(rates[direction][:, :, frames]),
                used,
            )
            yield (
                member,
                frames,
                (self.gates, tuple(a[member] for a in angles), local, self.constants, self.observable),
            )

    def evaluate(
        self, theta: torch.Tensor, phi: torch.Tensor, dphi: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """f (S, B) and df (S, B, K); differentiable in theta."""
        return _Expectation.apply(theta, phi, dphi, self)


class _Expectation(torch.autograd.Function):
    @staticmethod
    def forward(ctx, theta, phi, dphi, program):
        members, frames, directions = len(theta), phi.shape[1], dphi.shape[2]
        f, df = np.empty((members, frames)), np.empty((members, directions, frames))
        bytes_needed = 16 * program.dimension * members * frames * (directions + 1)
        keep = theta.requires_grad and bytes_needed <= KEPT_BYTES
        ctx.program, ctx.tasks = program, list(program.tasks(theta.numpy(), phi.numpy(), dphi.numpy()))

        def run(task):
            member, part, arguments = task
            state, values, slopes = _run_forward(program, arguments, part, directions)
            f[member, part], df[member][:, part] = values, slopes
            return state if keep else None

        ctx.states = _each(run, ctx.tasks)
        ctx.shape = members, directions
        return torch.from_numpy(f), torch.from_numpy(df).transpose(1, 2)

    @staticmethod
    def backward(ctx, gf, gdf):
        program, (members, directions) = ctx.program, ctx.shape
        gf, gdf = gf.numpy(), gdf.numpy().transpose(0, 2, 1)

        def run(work):
            (member, part, arguments), state = work
            if state is None:
                state, _, _ = _run_forward(program, arguments, part, directions)
            rotations = np.zeros(len(program.rotation_constant))
            phases = np.zeros_like(program.phase_constant)
            kernels.backward(
                *arguments, state, np.ascontiguousarray(gf[member, part]), np.ascontiguousarray(gdf[member][:, part]),
                rotations, phases,
            )  # fmt: skip
            return member, rotations @ program.rotation_theta + np.einsum("nd,ndp->p", phases, program.phase_theta)

        gradient = np.zeros((members, program.n_parameters))
        for member, part in _each(run, list(zip(ctx.tasks, ctx.states, strict=True))):
            gradient[member] += part
        ctx.states = [None] * len(ctx.tasks)  # the kernel has used them up
        return torch.from_numpy(gradient), None, None, None


def _run_forward(program, arguments, part, directions):
    n = part.stop - part.start
    state = np.empty((2, program.dimension, (directions + 1) * n))
    values, slopes = np.empty(n), np.empty((directions, n))
    kernels.forward(*arguments, state, values, slopes)
    return state, values, slopes


def _each(function, tasks: list) -> list:
    """Results in the order of the tasks; on as many threads as torch may use."""
    threads = min(torch.get_num_threads(), len(tasks))
    if threads < 2:
        return [function(task) for task in tasks]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, tasks))


def _real_form(word: str) -> tuple[int, np.ndarray, bool]:
    """Pauli word as (mask, signs, imaginary): (P ψ)_i = h_i ψ_{i^mask}, times i if imaginary."""
    source, phase = permutation(word)
    imaginary = bool(np.abs(phase.imag).max() > 0.5)
    return int(source[0]), np.ascontiguousarray(phase.imag if imaginary else phase.real), imaginary


def compile_kernels() -> None:
    """Compile the kernels into their cache, so that no job has to wait for it."""
    from qff.circuits import build_circuit
    from qff.engines.program import capture

    circuit = build_circuit("kiss", n_qubits=2, layers=1)
    program = CompiledProgram(capture(circuit), circuit.n_parameters)
    theta = torch.zeros(1, circuit.n_parameters, dtype=torch.float64, requires_grad=True)
    phi = torch.zeros(1, 2, 2, dtype=torch.float64)
    f, df = program.evaluate(theta, phi, phi[:, :, None])
    (f.sum() + df.sum()).backward()


if __name__ == "__main__":
    compile_kernels()

"""The batched engine on a CPU: a schedule run by compiled kernels, with exact first and second derivatives."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from qff.engines import kernels, quaternions
from qff.engines.angles import Angles
from qff.engines.kernels import FIELDS, LANES, START_SIZE, WORK
from qff.engines.layout import Layout
from qff.engines.program import Program

TILES_PER_TASK = 8  # tiles that a thread takes at a time
COST_PER_THREAD = 50_000  # of tiles · steps · amplitudes, about half a millisecond: less is not worth a second thread
LINE = 64  # bytes of a cache line; vectors that lie across two lines cost a third of the speed
_PLACE = {name: k for k, name in enumerate(FIELDS)}


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


class CompiledProgram:
    """Values and derivatives of a program; shapes as in :class:`qff.engines.batched.BatchedEngine`."""

    def __init__(self, program: Program):
        self.layout = Layout(program)

    def evaluate(
        self, theta: torch.Tensor, phi: torch.Tensor, dphi: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """f (S, B) and its derivatives df (S, B, K); differentiable (once) in θ, φ and dphi."""
        return _Expectation.apply(theta, phi, dphi, self.layout)

    def values(self, theta: torch.Tensor, phi: torch.Tensor) -> torch.Tensor:
        """f (S, B) alone; differentiable (once) in θ and φ."""
        return _Value.apply(theta, phi, self.layout)

    def value_and_slope(self, theta: torch.Tensor, phi: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """f (S, B) and ∂f/∂φ (S, B, F); both differentiable (once) in θ and φ."""
        return _ValueAndSlope.apply(theta, phi, self.layout)

    def jacobian(self, theta: torch.Tensor, phi: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """f (S, B) and ∂f/∂θ of every frame, (S, B, P)."""
        found = _Run(self.layout, theta.detach().numpy(), phi.detach().numpy()).jacobian()
        return tuple(map(torch.from_numpy, found))

    def linearise(self, theta: torch.Tensor, phi: torch.Tensor, dphi: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """f (S, B), df (S, B, K) and their Jacobians ∂f/∂θ (S, B, P), ∂df/∂θ (S, B, K, P)."""
        run = _Run(self.layout, theta.detach().numpy(), phi.detach().numpy())
        _, first = run.evaluate(True)
        f, jacobian = run.jacobian()
        dphi = dphi.detach().numpy()
        df = np.einsum("sbkf,sbf->sbk", dphi, run.slope(first))
        along = [run.jacobian(dphi[:, :, k], first)[1] for k in range(dphi.shape[2])]
        return tuple(torch.from_numpy(x) for x in (f, df, jacobian, np.stack(along, 2)))


class _Slots:
    """Angles of rotations, as the kernels see them: cosine and sine of α/2."""

    result, rate_name = "g_slots", "rates"

    def __init__(self, angles: Angles, theta: np.ndarray, phi: np.ndarray):
        self.angles = angles
        self.weights = angles.weights(theta)
        self.values = angles.values(theta, phi, self.weights)

    def inputs(self) -> dict[str, np.ndarray]:
        return {"cosine": np.cos(0.5 * self.values), "sine": np.sin(0.5 * self.values)}

    def rates(self, v: np.ndarray) -> np.ndarray:
        """What the kernels take as rate, from dα (S, n, B)."""
        return v

    def pull(self, g: np.ndarray) -> np.ndarray:
        """Gradient in the angles (S, n, B) from what the kernels return."""
        return g

    def pull_rate(self, v: np.ndarray, g: np.ndarray) -> np.ndarray | float:
        """Gradient in the angles of g · rates(v)."""
        return 0.0


class _Vectors(_Slots):
    """Vectors of rotations of one qubit; the kernels see quaternions."""

    result, rate_name = "g_vectors", "vector_rates"

    def __init__(self, angles, theta, phi):
        super().__init__(angles, theta, phi)
        self._functions = quaternions.radial(self.values)

    def inputs(self):
        return {"vectors": quaternions.quaternion(self.values, self._functions)}

    def rates(self, v):
        return quaternions.rate(self.values, self._functions, v)

    def pull(self, g):
        return quaternions.pullback(self.values, self._functions, np.ascontiguousarray(g))

    def pull_rate(self, v, g):
        return quaternions.pullback_rate(self.values, self._functions, v, np.ascontiguousarray(g))


class _Start(_Slots):
    """Real amplitudes of an encoded start state."""

    result, rate_name = "g_start", "start_rates"

    def inputs(self):
        return {"start": self.rates(self.values)}

    def rates(self, v):
        return _joined(np.stack([v, np.zeros_like(v)], 2))

    def pull(self, g):
        return g[:, ::2]


class _Run:
    """One evaluation: angles of all members and frames, and the kernel calls on them."""

    def __init__(self, layout: Layout, theta: np.ndarray, phi: np.ndarray):
        self.layout, self.phi = layout, phi
        self.members, self.frames = len(theta), phi.shape[1]
        self.tiles = -(-self.frames // LANES)
        kinds = ((_Slots, layout.slots), (_Vectors, layout.vectors), (_Start, layout.start))
        self.groups = [kind(angles, theta, phi) for kind, angles in kinds if angles.n]
        self._inputs = {"fixed": layout.fixed_phases(theta)}
        for group in self.groups:
            self._inputs |= {k: self._tiled(rows) for k, rows in group.inputs().items()}
        if layout.fixed_start is not None:
            self._inputs["start"] = layout.fixed_start[None]

    def _tiled(self, rows: np.ndarray) -> np.ndarray:
        """(R, n, B) → (R, tiles · n · LANES): frames in lanes, padded with zeros."""
        if pad := self.tiles * LANES - self.frames:
            rows = np.concatenate([rows, np.zeros((*rows.shape[:2], pad))], 2)
        parts = rows.reshape(*rows.shape[:2], self.tiles, LANES).transpose(0, 2, 1, 3)
        return np.ascontiguousarray(parts).reshape(len(rows), -1)  # kernels see addresses, not strides

    def _rows(self, flat: np.ndarray) -> np.ndarray:
        """The reverse: (S, tiles · n · LANES) → (S, n, B)."""
        parts = flat.reshape(len(flat), self.tiles, -1, LANES).transpose(0, 2, 1, 3)
        return parts.reshape(len(flat), -1, self.tiles * LANES)[:, :, : self.frames]

    def _call(self, kernel, flag: bool, results: list[str], **inputs: np.ndarray) -> list[np.ndarray]:
        """Run a kernel for every member and range of tiles, on as many threads as torch may use.

        ``inputs`` have a row for every member, or one row for all. Returns the results as the kernels leave them.
        """
        out = {k: np.empty((self.members, self.tiles * self.layout.sizes[k] * LANES)) for k in results}
        arrays = self._inputs | inputs | out
        places = [(_PLACE[k], _address(a), a.strides[0] if len(a) > 1 else 0) for k, a in arrays.items()]
        threads = min(torch.get_num_threads(), 1 + self.members * self.tiles * self.layout.cost // COST_PER_THREAD)
        step = TILES_PER_TASK if threads > 1 else self.tiles
        tasks = [(s, k, min(k + step, self.tiles)) for s in range(self.members) for k in range(0, self.tiles, step)]
        threads = min(threads, len(tasks))

        def work(share: int) -> None:
            fields, scratch = self.layout.fields.copy(), np.empty(self.layout.work_size + LINE // 8)
            fields[WORK] = -(-_address(scratch) // LINE) * LINE
            fields[START_SIZE] = 0 if self.layout.fixed_start is not None else 2 * self.layout.dimension
            for member, first, last in tasks[share::threads]:
                for place, start, stride in places:
                    fields[place] = start + member * stride
                kernel(fields, first, last, flag)

        if threads < 2:
            work(0)
        else:
            list(_pool(threads).map(work, range(threads)))
        return list(out.values())

    def evaluate(self, slopes: bool) -> tuple[np.ndarray, list[np.ndarray]]:
        """f (S, B) and, if asked for, what the kernels return for every group of data angles."""
        results = ["value", *(g.result for g in self.groups)] if slopes else ["value"]
        value, *found = self._call(kernels.evaluate, slopes, results)
        return np.ascontiguousarray(value[:, : self.frames]), [self._rows(x) for x in found]

    def gradient(self, weight: np.ndarray, rates: list[np.ndarray] | None = None) -> list[np.ndarray]:
        """f as the kernel leaves it, and the gradients of Σ weight f + f' in the fixed angles, also so, and in every
        group (S, n, B).

        f' is the derivative along ``rates``; without them it is left out.
        """
        inputs = {"weight": self._tiled(weight[:, None])}
        for group, v in zip(self.groups, rates or (), strict=False):
            inputs[group.rate_name] = self._tiled(group.rates(v))
        results = ["value", "g_uniform", *(g.result for g in self.groups)]
        value, fixed, *found = self._call(kernels.gradient, rates is not None, results, **inputs)
        return [value, fixed, *(self._rows(x) for x in found)]

    def slope(self, first: list[np.ndarray]) -> np.ndarray:
        """∂f/∂φ (S, B, F) from the slopes of f in every group."""
        found = np.zeros((self.members, *self.phi.shape[1:]))
        for group, g in zip(self.groups, first, strict=True):
            found += group.pull(g).transpose(0, 2, 1) @ group.weights
        return found

    def jacobian(
        self, direction: np.ndarray | None = None, first: list[np.ndarray] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """f (S, B) and ∂f/∂θ (S, B, P), or the latter of f' along ``direction`` (R, B, F) of the features.

        ``first`` holds the slopes of f.
        """
        along = direction is not None
        rates = [g.weights @ direction.transpose(0, 2, 1) for g in self.groups] if along else None
        weight = np.full((self.members, self.frames), 0.0 if along else 1.0)
        value, fixed, *second = self.gradient(weight, rates)
        found = self._rows(fixed).transpose(0, 2, 1) @ self.layout.fixed.theta
        for k, group in enumerate(self.groups):
            g = group.pull(second[k])
            if along:
                g = g + group.pull_rate(rates[k], first[k])
                found = found + group.angles.jacobian_of_weights(group.pull(first[k]), direction)
            found = found + group.angles.jacobian(g, self.phi)
        return np.ascontiguousarray(value[:, : self.frames]), found

    def reverse(self, weight: np.ndarray, direction: np.ndarray | None, first: list[np.ndarray], inputs: bool):
        """Gradient of Σ weight f + f' in θ (S, P) and, if ``inputs``, in φ (S, B, F).

        f' is the derivative along ``direction`` (S, B, F) of the features; ``first`` holds the slopes of f.
        """
        rates = None
        if direction is not None:
            rates = [g.weights @ direction.transpose(0, 2, 1) for g in self.groups]
        _, fixed, *second = self.gradient(weight, rates)
        totals = fixed.reshape(self.members, self.tiles, -1).sum(1)  # the lanes beyond the last frame hold zeros
        g_theta = totals.reshape(self.members, -1, LANES).sum(2) @ self.layout.fixed.theta
        g_phi = np.zeros((self.members, *self.phi.shape[1:])) if inputs else None
        for k, group in enumerate(self.groups):
            g = group.pull(second[k])
            g_weights = 0.0
            if rates is not None:
                g = g + group.pull_rate(rates[k], first[k])
                g_weights = group.pull(first[k]) @ direction
            if group.angles.uses_theta:
                g_theta = g_theta + group.angles.gradient(g, g_weights, self.phi)
            if inputs:
                g_phi += g.transpose(0, 2, 1) @ group.weights
        return g_theta, g_phi


class _Expectation(torch.autograd.Function):
    """(θ, φ, dφ) → (f, df). The gradient needs one direction of the inputs only: the one its own weights choose."""

    @staticmethod
    def forward(ctx, theta, phi, dphi, layout):
        run = _Run(layout, theta.numpy(), phi.numpy())
        f, first = run.evaluate(True)
        slope = run.slope(first)
        ctx.run, ctx.first, ctx.slope, ctx.dphi = run, first, slope, dphi.numpy()
        df = np.einsum("sbkf,sbf->sbk", ctx.dphi, slope)  # quicker than many tiny matrix products
        return torch.from_numpy(f), torch.from_numpy(df)

    @staticmethod
    @once_differentiable
    def backward(ctx, gf, gdf):
        gdf = gdf.numpy()
        direction = np.einsum("sbk,sbkf->sbf", gdf, ctx.dphi)
        g_theta, g_phi = ctx.run.reverse(gf.numpy(), direction, ctx.first, ctx.needs_input_grad[1])
        g_dphi = gdf[..., None] * ctx.slope[:, :, None, :] if ctx.needs_input_grad[2] else None
        return _tensor(g_theta), _shared(g_phi, len(ctx.run.phi)), _shared(g_dphi, len(ctx.dphi)), None


class _ValueAndSlope(torch.autograd.Function):
    """(θ, φ) → (f, ∂f/∂φ). The gradient needs one direction of the inputs only: the weights of the slopes."""

    @staticmethod
    def forward(ctx, theta, phi, layout):
        ctx.set_materialize_grads(False)  # asked for nothing, as on the way to forces, backward has nothing to do
        ctx.run = _Run(layout, theta.numpy(), phi.numpy())
        f, ctx.first = ctx.run.evaluate(True)
        return torch.from_numpy(f), torch.from_numpy(ctx.run.slope(ctx.first))

    @staticmethod
    @once_differentiable
    def backward(ctx, gf, gslope):
        if gf is None and gslope is None:
            return None, None, None
        weight = np.zeros((ctx.run.members, ctx.run.frames)) if gf is None else gf.numpy()
        direction = None if gslope is None else gslope.numpy()
        g_theta, g_phi = ctx.run.reverse(weight, direction, ctx.first, ctx.needs_input_grad[1])
        return _tensor(g_theta), _shared(g_phi, len(ctx.run.phi)), None


class _Value(torch.autograd.Function):
    """(θ, φ) → f."""

    @staticmethod
    def forward(ctx, theta, phi, layout):
        ctx.run = _Run(layout, theta.numpy(), phi.numpy())
        return torch.from_numpy(ctx.run.evaluate(False)[0])

    @staticmethod
    @once_differentiable
    def backward(ctx, gf):
        g_theta, g_phi = ctx.run.reverse(gf.numpy(), None, [], ctx.needs_input_grad[1])
        return _tensor(g_theta), _shared(g_phi, len(ctx.run.phi)), None


def expectations(programs: list[CompiledProgram], phi: torch.Tensor) -> np.ndarray:
    """Values (programs, B) of programs without parameters that differ in nothing but their observable, at features (B, F).

    All angles are prepared once, which takes longer than the states of a small circuit.
    """
    run = _Run(programs[0].layout, np.zeros((1, 0)), phi.numpy()[None])
    found = []
    for program in programs:
        run.layout = program.layout
        found.append(run.evaluate(False)[0][0])
    return np.array(found)


def _address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]  # several times faster than array.ctypes.data


def _tensor(array: np.ndarray | None) -> torch.Tensor | None:
    return None if array is None else torch.from_numpy(np.ascontiguousarray(array))


def _shared(gradient: np.ndarray | None, rows: int) -> torch.Tensor | None:
    """Sum over the members that share an input."""
    if gradient is None or rows == len(gradient):
        return _tensor(gradient)
    return _tensor(gradient.sum(0, keepdims=True))


def _joined(parts: np.ndarray) -> np.ndarray:
    """(S, n, m, B) → (S, n · m, B)."""
    return parts.reshape(len(parts), -1, parts.shape[3])


def compile_kernels() -> None:
    """Compile the kernels into their cache, so that no job has to wait for it."""
    from qff.circuits import build_circuit
    from qff.engines.program import capture

    for circuit in (build_circuit("kiss", n_qubits=2, layers=1), build_circuit("neighbour_pair", layers=1)):
        program = CompiledProgram(capture(circuit))
        theta = torch.zeros(1, circuit.n_parameters, dtype=torch.float64, requires_grad=True)
        phi = torch.zeros(1, 2, circuit.n_features, dtype=torch.float64, requires_grad=True)
        f, df = program.evaluate(theta, phi, phi[:, :, None])
        (f.sum() + df.sum()).backward()


if __name__ == "__main__":
    compile_kernels()

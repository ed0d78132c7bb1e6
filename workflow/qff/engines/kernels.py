"""Compiled kernels of the batched engine: gates applied to many columns at once, and their adjoints.

A state array is (2, d, C): real and imaginary parts, d amplitudes, C columns. Columns come in K+1 groups of B
frames: the state itself, then its tangent along each of K input directions. A rotation is exp(-i α/2 P) with the
Pauli word P written as (P ψ)_i = h_i ψ_{i^x} or i h_i ψ_{i^x}: a mask x, real signs h, and a flag ``imaginary``.
Frames are innermost, so that every inner loop is a long contiguous vector operation.
"""

import numba
import numpy as np

ROTATION, DIAGONAL, DATA, CONSTANT = range(4)

# Sums may be reordered and contracted to fused multiply-adds; NaN and infinity keep their meaning.
_compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "arcp", "reassoc"})


@_compiled
def _mix(a, b, cosine, sine):
    """(a, b) ← (c a + s b, c b - s a)."""
    for k in range(a.shape[0]):
        x = a[k]
        y = b[k]
        a[k] = cosine * x + sine * y
        b[k] = cosine * y - sine * x


@_compiled
def _mix_columns(a, b, cosine, sine, sign):
    """The same with an angle for every column."""
    for k in range(a.shape[0]):
        x = a[k]
        y = b[k]
        s = sign * sine[k]
        a[k] = cosine[k] * x + s * y
        b[k] = cosine[k] * y - s * x


@_compiled
def _add_product(target, source, weight, factor):
    for k in range(target.shape[0]):
        target[k] += factor * weight[k] * source[k]


@_compiled
def _dot(a, b):
    total = 0.0
    for k in range(a.shape[0]):
        total += a[k] * b[k]
    return total


@_compiled
def _rotate(state, x, h, imaginary, cosine, sine):
    """exp(-i α/2 P) with one angle; x ≠ 0."""
    for i in range(state.shape[1]):
        j = i ^ x
        if i < j:
            if imaginary:  # (ψ_i, ψ_j) mix by a real rotation: h_j = -h_i
                _mix(state[0, i], state[0, j], cosine, sine * h[i])
                _mix(state[1, i], state[1, j], cosine, sine * h[i])
            else:  # real part of one with imaginary part of the other: h_j = h_i
                _mix(state[0, i], state[1, j], cosine, sine * h[i])
                _mix(state[0, j], state[1, i], cosine, sine * h[i])


@_compiled
def _rotate_columns(state, x, h, imaginary, cosine, sine, sign):
    """exp(-i α/2 P) with an angle for every column; x = 0 is a phase."""
    for i in range(state.shape[1]):
        j = i ^ x
        if x == 0:
            _mix_columns(state[0, i], state[1, i], cosine, sine, sign * h[i])
        elif i < j:
            if imaginary:
                _mix_columns(state[0, i], state[0, j], cosine, sine, sign * h[i])
                _mix_columns(state[1, i], state[1, j], cosine, sine, sign * h[i])
            else:
                _mix_columns(state[0, i], state[1, j], cosine, sine, sign * h[i])
                _mix_columns(state[0, j], state[1, i], cosine, sine, sign * h[i])


@_compiled
def _add_generator(array, target, source, n, x, h, imaginary, weight, sign):
    """array[target group] += sign · weight · (-i/2) P array[source group]; groups of n columns start there."""
    for i in range(array.shape[1]):
        j = i ^ x
        half = 0.5 * sign * h[i]
        t, s = slice(target, target + n), slice(source, source + n)
        if imaginary:
            _add_product(array[0, i, t], array[0, j, s], weight, half)
            _add_product(array[1, i, t], array[1, j, s], weight, half)
        else:
            _add_product(array[0, i, t], array[1, j, s], weight, half)
            _add_product(array[1, i, t], array[0, j, s], weight, -half)


@_compiled
def _generator_product(adjoint, state, x, h, imaginary):
    """Re ⟨adjoint| (-i/2) P |state⟩, summed over columns."""
    total = 0.0
    for i in range(state.shape[1]):
        j = i ^ x
        if imaginary:
            total += h[i] * (_dot(adjoint[0, i], state[0, j]) + _dot(adjoint[1, i], state[1, j]))
        else:
            total += h[i] * (_dot(adjoint[0, i], state[1, j]) - _dot(adjoint[1, i], state[0, j]))
    return 0.5 * total


@_compiled
def _observe(image, state, n, masks, signs, imaginary, coefficients):
    """image ← O state on the first n columns, O a sum of Pauli words."""
    for i in range(state.shape[1]):
        image[0, i, :n] = 0.0
        image[1, i, :n] = 0.0
        for t in range(len(masks)):
            j = i ^ masks[t]
            w = coefficients[t] * signs[t, i]
            for k in range(n):
                if imaginary[t]:
                    image[0, i, k] -= w * state[1, j, k]
                    image[1, i, k] += w * state[0, j, k]
                else:
                    image[0, i, k] += w * state[0, j, k]
                    image[1, i, k] += w * state[1, j, k]


@_compiled
def _tile(target, values):
    n = values.shape[0]
    for start in range(0, target.shape[0], n):
        target[start : start + n] = values


@_compiled
def forward(gates, angles, data, constants, observable, state, f, df):
    """Run a program from |0…0⟩ for one parameter set and one block of frames.

    Args:
        gates: kind, index, x, h, imaginary of every gate.
        angles: cos and sin of α/2 of rotations (n,), cos and sin of the phases of diagonals (n, d).
        data: cos and sin of α/2 of the distinct data angles (n, B), their rates (n, K, B), and which are used (n, K).
        constants: (n, 2d, 2d) real form of constant gates.
        observable: masks, signs, imaginary, coefficients of its Pauli words.
        state: (2, d, (K+1)B), overwritten with the final state and tangents.
        f, df: (B,), (K, B), overwritten with values and derivatives.
    """
    kind, index, xs, hs, imaginary = gates
    cosine, sine, phase_cosine, phase_sine = angles
    data_cosine, data_sine, rates, used = data
    n, directions = f.shape[0], df.shape[0]
    size, columns = state.shape[1], state.shape[2]
    wide_cosine, wide_sine = np.empty(columns), np.empty(columns)
    state[:] = 0.0
    state[0, 0, :n] = 1.0
    for g in range(len(kind)):
        a = index[g]
        if kind[g] == ROTATION:
            _rotate(state, xs[g], hs[g], imaginary[g], cosine[a], sine[a])
        elif kind[g] == DIAGONAL:
            for i in range(size):
                _mix(state[0, i], state[1, i], phase_cosine[a, i], -phase_sine[a, i])
        elif kind[g] == DATA:
            _tile(wide_cosine, data_cosine[a])
            _tile(wide_sine, data_sine[a])
            _rotate_columns(state, xs[g], hs[g], imaginary[g], wide_cosine, wide_sine, 1.0)
            for k in range(directions):
                if used[a, k]:
                    _add_generator(state, (k + 1) * n, 0, n, xs[g], hs[g], imaginary[g], rates[a, k], 1.0)
        else:
            flat = state.reshape(2 * size, columns)
            flat[:] = np.dot(constants[a], flat)
    image = np.empty((2, size, n))
    _observe(image, state, n, *observable)
    f[:] = 0.0
    df[:] = 0.0
    for part in range(2):
        for i in range(size):
            for b in range(n):
                f[b] += image[part, i, b] * state[part, i, b]
            for k in range(directions):
                for b in range(n):
                    df[k, b] += 2 * image[part, i, b] * state[part, i, (k + 1) * n + b]


@_compiled
def backward(gates, angles, data, constants, observable, state, gf, gdf, rotation_gradient, phase_gradient):
    """Adjoint of :func:`forward`: gradients of Σ gf f + Σ gdf df, added to the last two arguments.

    The program is run backwards on the final ``state`` (which is destroyed), so nothing but it is stored:
    every gate is undone by its inverse, tangents included.
    """
    kind, index, xs, hs, imaginary = gates
    cosine, sine, phase_cosine, phase_sine = angles
    data_cosine, data_sine, rates, used = data
    n, directions = gf.shape[0], gdf.shape[0]
    size, columns = state.shape[1], state.shape[2]
    wide_cosine, wide_sine = np.empty(columns), np.empty(columns)
    image, adjoint = np.empty_like(state), np.empty_like(state)
    _observe(image, state, columns, *observable)
    for part in range(2):
        for i in range(size):
            for b in range(n):
                adjoint[part, i, b] = 2 * gf[b] * image[part, i, b]
            for k in range(directions):
                for b in range(n):
                    c = (k + 1) * n + b
                    adjoint[part, i, b] += 2 * gdf[k, b] * image[part, i, c]
                    adjoint[part, i, c] = 2 * gdf[k, b] * image[part, i, b]
    for g in range(len(kind) - 1, -1, -1):
        a = index[g]
        if kind[g] == ROTATION:
            rotation_gradient[a] += _generator_product(adjoint, state, xs[g], hs[g], imaginary[g])
            _rotate(state, xs[g], hs[g], imaginary[g], cosine[a], -sine[a])
            _rotate(adjoint, xs[g], hs[g], imaginary[g], cosine[a], -sine[a])
        elif kind[g] == DIAGONAL:
            for i in range(size):
                phase_gradient[a, i] += _dot(adjoint[1, i], state[0, i]) - _dot(adjoint[0, i], state[1, i])
                _mix(state[0, i], state[1, i], phase_cosine[a, i], phase_sine[a, i])
                _mix(adjoint[0, i], adjoint[1, i], phase_cosine[a, i], phase_sine[a, i])
        elif kind[g] == DATA:
            for k in range(directions):
                if used[a, k]:  # the generator is anti-Hermitian: its adjoint has the other sign
                    _add_generator(state, (k + 1) * n, 0, n, xs[g], hs[g], imaginary[g], rates[a, k], -1.0)
                    _add_generator(adjoint, 0, (k + 1) * n, n, xs[g], hs[g], imaginary[g], rates[a, k], -1.0)
            _tile(wide_cosine, data_cosine[a])
            _tile(wide_sine, data_sine[a])
            _rotate_columns(state, xs[g], hs[g], imaginary[g], wide_cosine, wide_sine, -1.0)
            _rotate_columns(adjoint, xs[g], hs[g], imaginary[g], wide_cosine, wide_sine, -1.0)
        else:
            flat = state.reshape(2 * size, columns)
            flat[:] = np.dot(constants[a].T, flat)
            flat = adjoint.reshape(2 * size, columns)
            flat[:] = np.dot(constants[a].T, flat)

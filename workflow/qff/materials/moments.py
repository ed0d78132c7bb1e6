"""Invariants of the moments of the neighbourhood of an atom, and their exact derivatives.

The neighbours of one element and one radial function give moments A_{c,abc} = Σ_j R_n(r_j) √(l!/a!b!c!) x^a y^b z^c of
their directions, a+b+c = l. The invariants are the l = 0 moments themselves and, for every l ≤ l_max, the products
Σ_{abc} A_{c,abc} A_{c',abc} = Σ_jk R_n(r_j) R_n'(r_k) cos^l θ_jk: the power spectrum of SOAP (Bartók, Kondor & Csányi,
PRB 87, 184115 (2013)) in powers of the cosine in place of Legendre polynomials, which span the same space (Shapeev,
Multiscale Model. Simul. 14, 1153 (2016)). The cost grows linearly with the number of neighbours.
"""

from __future__ import annotations

from math import factorial

import numba
import numpy as np

# A value cannot be infinite here, and the order of a sum is free: loops over moments become vector instructions.
compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)


def monomials(l_max: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exponents (m, 3) of all monomials up to degree ``l_max``, their weights (m,), and where a degree begins (l_max+2,)."""
    exponents = [(a, b, n - a - b) for n in range(l_max + 1) for a in range(n, -1, -1) for b in range(n - a, -1, -1)]
    weights = [(factorial(sum(e)) / np.prod([factorial(k) for k in e])) ** 0.5 for e in exponents]
    begin = np.cumsum([0, *((n + 1) * (n + 2) // 2 for n in range(l_max + 1))])
    return np.array(exponents), np.array(weights), begin


@compiled
def _radial(r, cutoff, value, slope):
    """Spherical Bessel functions sin(nπr/r_c)/r under 1 - 28x⁶ + 48x⁷ - 21x⁸ (:mod:`qff.models.radial`) and slopes."""
    x = r / cutoff
    smooth = 1 - 28 * x**6 + 48 * x**7 - 21 * x**8
    smooth_slope = (-168 * x**5 + 336 * x**6 - 168 * x**7) / cutoff
    k = np.pi / cutoff
    norm = np.sqrt(2 / cutoff)
    sine, cosine = np.sin(k * r), np.cos(k * r)
    before, now = 0.0, sine
    c_before, c_now = 1.0, cosine
    for n in range(len(value)):
        bare = norm * now / r
        bare_slope = norm * (n + 1) * k * c_now / r - bare / r
        value[n] = bare * smooth
        slope[n] = bare_slope * smooth + bare * smooth_slope
        before, now = now, 2 * cosine * now - before
        c_before, c_now = c_now, 2 * cosine * c_now - c_before


@compiled
def _neighbour(v, cutoff, value, slope, u, powers):
    """Distance of a neighbour at v; within the cutoff also its radial functions, direction, and powers of the latter."""
    r = np.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])
    if r >= cutoff:
        return r
    _radial(r, cutoff, value, slope)
    for a in range(3):
        u[a] = v[a] / r
        powers[a, 0] = 1.0
        for e in range(powers.shape[1] - 1):
            powers[a, e + 1] = powers[a, e] * u[a]
    return r


@compiled
def expand(vectors, kinds, cutoff, n_elements, n_radial, exponents, weights):
    """Moments (A, elements · n_radial, m) of neighbours at ``vectors`` (A, M, 3); ``kinds`` (A, M) is -1 where padded."""
    n_atoms, width = kinds.shape
    n_moments = len(weights)
    l_max = exponents[-1, 2]
    moments = np.zeros((n_atoms, n_elements * n_radial, n_moments))
    value, slope = np.empty(n_radial), np.empty(n_radial)
    powers, u, mono = np.empty((3, l_max + 1)), np.empty(3), np.empty(n_moments)
    for i in range(n_atoms):
        for j in range(width):
            if kinds[i, j] < 0:
                continue
            r = _neighbour(vectors[i, j], cutoff, value, slope, u, powers)
            if r >= cutoff:
                continue
            for m in range(n_moments):
                mono[m] = (
                    weights[m] * powers[0, exponents[m, 0]] * powers[1, exponents[m, 1]] * powers[2, exponents[m, 2]]
                )
            first = kinds[i, j] * n_radial
            for n in range(n_radial):
                for m in range(n_moments):
                    moments[i, first + n, m] += value[n] * mono[m]
    return moments


@compiled
def spectrum(moments, begin):
    """Invariants (A, c + (l_max+1) c(c+1)/2) of moments (A, c, m)."""
    n_atoms, channels, _ = moments.shape
    degrees = len(begin) - 1
    found = np.empty((n_atoms, channels + degrees * channels * (channels + 1) // 2))
    for i in range(n_atoms):
        for c in range(channels):
            found[i, c] = moments[i, c, 0]
        k = channels
        for degree in range(degrees):
            for c in range(channels):
                for d in range(c, channels):
                    total = 0.0
                    for m in range(begin[degree], begin[degree + 1]):
                        total += moments[i, c, m] * moments[i, d, m]
                    found[i, k] = total
                    k += 1
    return found


@compiled
def spectrum_pullback(moments, begin, gradient):
    """Derivatives (A, c, m) by the moments, from derivatives (A, P) by the invariants."""
    n_atoms, channels, _ = moments.shape
    found = np.zeros_like(moments)
    for i in range(n_atoms):
        for c in range(channels):
            found[i, c, 0] = gradient[i, c]
        k = channels
        for degree in range(len(begin) - 1):
            for c in range(channels):
                for d in range(c, channels):
                    g = gradient[i, k]
                    k += 1
                    for m in range(begin[degree], begin[degree + 1]):
                        found[i, c, m] += g * moments[i, d, m]
                        found[i, d, m] += g * moments[i, c, m]
    return found


@compiled
def expand_pullback(vectors, kinds, cutoff, n_radial, exponents, weights, gradient):
    """Derivatives (A, M, 3) by the vectors, from derivatives (A, c, m) by the moments."""
    n_atoms, width = kinds.shape
    n_moments = len(weights)
    l_max = exponents[-1, 2]
    found = np.zeros((n_atoms, width, 3))
    value, slope = np.empty(n_radial), np.empty(n_radial)
    powers, u = np.empty((3, l_max + 1)), np.empty(3)
    along, across = np.empty(n_moments), np.empty(n_moments)
    for i in range(n_atoms):
        for j in range(width):
            if kinds[i, j] < 0:
                continue
            r = _neighbour(vectors[i, j], cutoff, value, slope, u, powers)
            if r >= cutoff:
                continue
            first = kinds[i, j] * n_radial
            along[:] = 0.0
            across[:] = 0.0
            for n in range(n_radial):
                for m in range(n_moments):
                    g = gradient[i, first + n, m]
                    along[m] += slope[n] * g
                    across[m] += value[n] * g
            radial = 0.0
            turn_x, turn_y, turn_z = 0.0, 0.0, 0.0
            for m in range(n_moments):
                a, b, c = exponents[m]
                x, y, z = powers[0, a], powers[1, b], powers[2, c]
                radial += weights[m] * along[m] * x * y * z
                w = weights[m] * across[m] / r
                if a:
                    turn_x += w * a * powers[0, a - 1] * y * z
                if b:
                    turn_y += w * b * x * powers[1, b - 1] * z
                if c:
                    turn_z += w * c * x * y * powers[2, c - 1]
            inward = radial - (u[0] * turn_x + u[1] * turn_y + u[2] * turn_z)
            found[i, j, 0] = turn_x + inward * u[0]
            found[i, j, 1] = turn_y + inward * u[1]
            found[i, j, 2] = turn_z + inward * u[2]
    return found


@compiled
def moment_slopes(vectors, kinds, cutoff, n_radial, exponents, weights):
    """Derivatives (A, M, 3, n_radial · m), by the vector to a neighbour, of the moments of its element."""
    n_atoms, width = kinds.shape
    n_moments = len(weights)
    l_max = exponents[-1, 2]
    found = np.zeros((n_atoms, width, 3, n_radial * n_moments))
    value, slope = np.empty(n_radial), np.empty(n_radial)
    powers, u, turn = np.empty((3, l_max + 1)), np.empty(3), np.empty(3)
    for i in range(n_atoms):
        for j in range(width):
            if kinds[i, j] < 0:
                continue
            r = _neighbour(vectors[i, j], cutoff, value, slope, u, powers)
            if r >= cutoff:
                continue
            for m in range(n_moments):
                a, b, c = exponents[m]
                x, y, z = powers[0, a], powers[1, b], powers[2, c]
                w = weights[m] / r
                turn[0] = w * a * powers[0, a - 1] * y * z if a else 0.0
                turn[1] = w * b * x * powers[1, b - 1] * z if b else 0.0
                turn[2] = w * c * x * y * powers[2, c - 1] if c else 0.0
                inward = u[0] * turn[0] + u[1] * turn[1] + u[2] * turn[2]
                mono = weights[m] * x * y * z
                for n in range(n_radial):
                    for t in range(3):
                        across = turn[t] - inward * u[t]
                        found[i, j, t, n * n_moments + m] = slope[n] * mono * u[t] + value[n] * across
    return found

"""Rotations of one qubit by a vector as quaternions, with the derivatives a gradient needs; compiled.

exp(-i x·σ/2) = u0 - i u·σ with u = (cos(r/2), s x), r = |x|. Shapes: m vectors of three angles each as x (S, 3m, B),
quaternions (S, 4m, B), and the radial functions of :func:`radial` (S, 4m, B).
"""

import numpy as np

from qff.engines.lanes import compiled

SMALL = 0.09  # r², below which a series is as exact, and nothing cancels
_SERIES = (1 / 2, -1 / 48, 1 / 3840, -1 / 645120, 1 / 185794560, -1 / 81749606400)  # of s in powers of r²


@compiled
def radial(x):
    """cos(r/2), s = sin(r/2)/r, t = s'/r and w = t'/r of every vector."""
    members, rows, frames = x.shape
    found = np.empty((members, rows // 3 * 4, frames))
    for member in range(members):
        for k in range(rows // 3):
            for b in range(frames):
                x1, x2, x3 = x[member, 3 * k, b], x[member, 3 * k + 1, b], x[member, 3 * k + 2, b]
                h = x1 * x1 + x2 * x2 + x3 * x3
                r = np.sqrt(h)
                cosine = np.cos(r / 2)
                if h < SMALL:
                    s, t, w = 0.0, 0.0, 0.0
                    for n in range(len(_SERIES) - 1, -1, -1):  # Horner's scheme for s and its derivatives
                        s = _SERIES[n] + h * s
                        if n > 0:
                            t = 2 * n * _SERIES[n] + h * t
                        if n > 1:
                            w = 4 * n * (n - 1) * _SERIES[n] + h * w
                else:
                    sine = np.sin(r / 2)
                    s = sine / r
                    t = (r * cosine / 2 - sine) / (r * h)
                    w = (3 * sine - 1.5 * r * cosine - h * sine / 4) / (r * h * h)
                found[member, 4 * k, b] = cosine
                found[member, 4 * k + 1, b] = s
                found[member, 4 * k + 2, b] = t
                found[member, 4 * k + 3, b] = w
    return found


@compiled
def quaternion(x, functions):
    """u of every vector."""
    found = np.empty_like(functions)
    for member in range(len(x)):
        for k in range(x.shape[1] // 3):
            for b in range(x.shape[2]):
                found[member, 4 * k, b] = functions[member, 4 * k, b]
                for i in range(3):
                    found[member, 4 * k + 1 + i, b] = functions[member, 4 * k + 1, b] * x[member, 3 * k + i, b]
    return found


@compiled
def rate(x, functions, v):
    """Derivative of u along v; x or v may have one member for all."""
    members = max(len(x), len(v))
    found = np.empty((members, x.shape[1] // 3 * 4, x.shape[2]))
    for member in range(members):
        m = member if len(x) > 1 else 0
        n = member if len(v) > 1 else 0
        for k in range(x.shape[1] // 3):
            for b in range(x.shape[2]):
                s, t = functions[m, 4 * k + 1, b], functions[m, 4 * k + 2, b]
                along = 0.0
                for i in range(3):
                    along += x[m, 3 * k + i, b] * v[n, 3 * k + i, b]
                found[member, 4 * k, b] = -0.5 * s * along
                for i in range(3):
                    found[member, 4 * k + 1 + i, b] = s * v[n, 3 * k + i, b] + t * x[m, 3 * k + i, b] * along
    return found


@compiled
def pullback(x, functions, g):
    """Gradient in x from the gradient g in u; x may have one member for all."""
    members, rows, frames = g.shape
    found = np.empty((members, rows // 4 * 3, frames))
    for member in range(members):
        m = member if len(x) > 1 else 0
        for k in range(rows // 4):
            for b in range(frames):
                s, t = functions[m, 4 * k + 1, b], functions[m, 4 * k + 2, b]
                along = -0.5 * s * g[member, 4 * k, b]
                for i in range(3):
                    along += t * g[member, 4 * k + 1 + i, b] * x[m, 3 * k + i, b]
                for i in range(3):
                    found[member, 3 * k + i, b] = s * g[member, 4 * k + 1 + i, b] + along * x[m, 3 * k + i, b]
    return found


@compiled
def pullback_rate(x, functions, v, g):
    """Gradient in x of the sum of g · rate(x, v); x and v may have one member for all."""
    members, rows, frames = g.shape
    found = np.empty((members, rows // 4 * 3, frames))
    for member in range(members):
        m = member if len(x) > 1 else 0
        n = member if len(v) > 1 else 0
        for k in range(rows // 4):
            for b in range(frames):
                s, t, w = functions[m, 4 * k + 1, b], functions[m, 4 * k + 2, b], functions[m, 4 * k + 3, b]
                xv, gx, gv = 0.0, 0.0, 0.0
                for i in range(3):
                    xi, vi, gi = x[m, 3 * k + i, b], v[n, 3 * k + i, b], g[member, 4 * k + 1 + i, b]
                    xv += xi * vi
                    gx += gi * xi
                    gv += gi * vi
                g0 = -0.5 * g[member, 4 * k, b]
                by_x = g0 * t * xv + t * gv + w * gx * xv
                by_v = g0 * s + t * gx
                for i in range(3):
                    found[member, 3 * k + i, b] = (
                        by_x * x[m, 3 * k + i, b] + by_v * v[n, 3 * k + i, b] + t * xv * g[member, 4 * k + 1 + i, b]
                    )
    return found

"""Steps of a schedule on one tile, and what they contribute to a gradient: numba functions without memory of their own.

A state starts at vector ``s`` of the array at address ``x``: real part of amplitude i at s + 2i, imaginary part at
s + 2i + 1.
"""

from qff.engines.lanes import compiled, load, number, splat, store


@compiled
def copy(x, s, y, t, d):
    for i in range(2 * d):
        store(y, t + i, load(x, s + i))


@compiled
def _eight(a, b, c, e, f, g, h, k):
    """Hadamard gates on three qubits: eight amplitudes, first qubit fastest."""
    a, b, c, e, f, g, h, k = a + b, a - b, c + e, c - e, f + g, f - g, h + k, h - k
    a, c, b, e, f, h, g, k = a + c, a - c, b + e, b - e, f + h, f - h, g + k, g - k
    return a + f, b + g, c + h, e + k, a - f, b - g, c - h, e - k


@compiled
def _load_eight(x, o, p, q, r):
    """Hadamard gates on the three qubits of bits p, q, r, of the parts that start at vector o."""
    return _eight(
        load(x, o), load(x, o + 2 * p), load(x, o + 2 * q), load(x, o + 2 * (p | q)), load(x, o + 2 * r),
        load(x, o + 2 * (r | p)), load(x, o + 2 * (r | q)), load(x, o + 2 * (r | p | q)),
    )  # fmt: skip


@compiled
def _store_eight(y, o, p, q, r, a, b, c, e, f, g, h, k):
    store(y, o, a)
    store(y, o + 2 * p, b)
    store(y, o + 2 * q, c)
    store(y, o + 2 * (p | q), e)
    store(y, o + 2 * r, f)
    store(y, o + 2 * (r | p), g)
    store(y, o + 2 * (r | q), h)
    store(y, o + 2 * (r | p | q), k)


@compiled
def _lowest(mask):
    """The three lowest bits of a mask (0 where there is none), and the rest."""
    p = mask & -mask
    mask ^= p
    q = mask & -mask
    mask ^= q
    r = mask & -mask
    return p, q, r, mask ^ r


@compiled
def hadamard(x, s, y, t, d, mask):
    """y_t ← unnormalised Hadamard gates on the qubits of a mask of x_s, up to three at a time."""
    if not mask:
        if x != y or s != t:
            copy(x, s, y, t, d)
        return
    while mask:
        p, q, r, mask = _lowest(mask)
        if r:
            for i in range(d):
                if i & (p | q | r):
                    continue
                for part in range(2):
                    o = 2 * i + part
                    a, b, c, e, f, g, h, k = _load_eight(x, s + o, p, q, r)
                    _store_eight(y, t + o, p, q, r, a, b, c, e, f, g, h, k)
        elif q:
            for i in range(d):
                if i & (p | q):
                    continue
                for part in range(2):
                    o = 2 * i + part
                    a = load(x, s + o)
                    b = load(x, s + o + 2 * p)
                    c = load(x, s + o + 2 * q)
                    e = load(x, s + o + 2 * (p | q))
                    a, b, c, e = a + b, a - b, c + e, c - e
                    store(y, t + o, a + c)
                    store(y, t + o + 2 * p, b + e)
                    store(y, t + o + 2 * q, a - c)
                    store(y, t + o + 2 * (p | q), b - e)
        else:
            for i in range(d):
                if i & p:
                    continue
                for part in range(2):
                    o = 2 * i + part
                    a = load(x, s + o)
                    b = load(x, s + o + 2 * p)
                    store(y, t + o, a + b)
                    store(y, t + o + 2 * p, a - b)
        x, s = y, t


@compiled
def _times_phase(a, b, table, o, shared, sign):
    """(a + ib) exp(±iγ), γ by its cosine and sine at o: numbers for all frames (shared) or vectors."""
    if shared:
        c = splat(number(table, o))
        e = splat(sign * number(table, o + 1))
    else:
        c = load(table, o)
        e = splat(sign) * load(table, o + 1)
    return c * a - e * b, c * b + e * a


@compiled
def _turned(x, s, i, table, row, shared, sign):
    """Amplitude i of x_s times exp(±iγ)."""
    return _times_phase(load(x, s + 2 * i), load(x, s + 2 * i + 1), table, 2 * (row + i), shared, sign)


@compiled
def _turn_store(y, t, i, table, row, shared, a, b):
    """Amplitude i of y_t ← exp(-iγ) (a + ib)."""
    a, b = _times_phase(a, b, table, 2 * (row + i), shared, -1.0)
    store(y, t + 2 * i, a)
    store(y, t + 2 * i + 1, b)


@compiled
def phase(x, s, y, t, d, table, row, shared, sign):
    """y_t ← exp(±iγ) x_s, one phase per amplitude."""
    for i in range(d):
        a, b = _turned(x, s, i, table, row, shared, sign)
        store(y, t + 2 * i, a)
        store(y, t + 2 * i + 1, b)


@compiled
def phase_hadamard(x, s, y, t, d, table, row, shared, mask):
    """y_t ← Hadamard gates on exp(iγ) x_s: phases and the first three gates in one go."""
    p, q, r, rest = _lowest(mask)
    if not r:
        phase(x, s, y, t, d, table, row, shared, 1.0)
        hadamard(y, t, y, t, d, mask)
        return
    for i in range(d):
        if i & (p | q | r):
            continue
        a, a1 = _turned(x, s, i, table, row, shared, 1.0)
        b, b1 = _turned(x, s, i | p, table, row, shared, 1.0)
        c, c1 = _turned(x, s, i | q, table, row, shared, 1.0)
        e, e1 = _turned(x, s, i | p | q, table, row, shared, 1.0)
        f, f1 = _turned(x, s, i | r, table, row, shared, 1.0)
        g, g1 = _turned(x, s, i | r | p, table, row, shared, 1.0)
        h, h1 = _turned(x, s, i | r | q, table, row, shared, 1.0)
        k, k1 = _turned(x, s, i | r | p | q, table, row, shared, 1.0)
        a, b, c, e, f, g, h, k = _eight(a, b, c, e, f, g, h, k)
        a1, b1, c1, e1, f1, g1, h1, k1 = _eight(a1, b1, c1, e1, f1, g1, h1, k1)
        _store_eight(y, t + 2 * i, p, q, r, a, b, c, e, f, g, h, k)
        _store_eight(y, t + 2 * i + 1, p, q, r, a1, b1, c1, e1, f1, g1, h1, k1)
    if rest:
        hadamard(y, t, y, t, d, rest)


@compiled
def hadamard_phase(x, s, y, t, d, table, row, shared, mask):
    """y_t ← exp(-iγ) times Hadamard gates on x_s, the adjoint of :func:`phase_hadamard`."""
    p, q, r, rest = _lowest(mask)
    if not r:
        hadamard(x, s, y, t, d, mask)
        phase(y, t, y, t, d, table, row, shared, -1.0)
        return
    if rest:
        hadamard(x, s, y, t, d, rest)
        x, s = y, t
    for i in range(d):
        if i & (p | q | r):
            continue
        o = s + 2 * i
        a, b, c, e, f, g, h, k = _load_eight(x, o, p, q, r)
        a1, b1, c1, e1, f1, g1, h1, k1 = _load_eight(x, o + 1, p, q, r)
        _turn_store(y, t, i, table, row, shared, a, a1)
        _turn_store(y, t, i | p, table, row, shared, b, b1)
        _turn_store(y, t, i | q, table, row, shared, c, c1)
        _turn_store(y, t, i | p | q, table, row, shared, e, e1)
        _turn_store(y, t, i | r, table, row, shared, f, f1)
        _turn_store(y, t, i | r | p, table, row, shared, g, g1)
        _turn_store(y, t, i | r | q, table, row, shared, h, h1)
        _turn_store(y, t, i | r | p | q, table, row, shared, k, k1)


@compiled
def exchange(x, s, y, t, d, i, j, cosine, sine):
    """y_t ← (1 + (e^{iα} - 1) P) x_s with P the projector on the singlet of two qubits (bits i, j)."""
    half = splat(0.5)
    real = half * (cosine - splat(1.0))
    imaginary = half * sine
    for k in range(d):
        if (k & i) and not (k & j):
            continue
        a = load(x, s + 2 * k)
        b = load(x, s + 2 * k + 1)
        if (k & j) and not (k & i):
            m = k ^ i ^ j
            c = load(x, s + 2 * m)
            e = load(x, s + 2 * m + 1)
            u = a - c
            v = b - e
            p = real * u - imaginary * v
            q = real * v + imaginary * u
            store(y, t + 2 * m, c - p)
            store(y, t + 2 * m + 1, e - q)
            a = a + p
            b = b + q
        store(y, t + 2 * k, a)
        store(y, t + 2 * k + 1, b)


@compiled
def add_exchange(x, s, y, t, d, i, j, rate):
    """y_t += rate · iP x_s."""
    half = splat(0.5) * rate
    for k in range(d):
        if (k & j) and not (k & i):
            m = k ^ i ^ j
            u = half * (load(x, s + 2 * k) - load(x, s + 2 * m))
            v = half * (load(x, s + 2 * k + 1) - load(x, s + 2 * m + 1))
            store(y, t + 2 * k, load(y, t + 2 * k) - v)
            store(y, t + 2 * k + 1, load(y, t + 2 * k + 1) + u)
            store(y, t + 2 * m, load(y, t + 2 * m) + v)
            store(y, t + 2 * m + 1, load(y, t + 2 * m + 1) - u)


@compiled
def exchange_slope(x, s, y, t, d, i, j):
    """Re ⟨x_s| iP |y_t⟩."""
    total = splat(0.0)
    for k in range(d):
        if (k & j) and not (k & i):
            m = k ^ i ^ j
            a = load(x, s + 2 * k) - load(x, s + 2 * m)
            b = load(x, s + 2 * k + 1) - load(x, s + 2 * m + 1)
            c = load(y, t + 2 * k) - load(y, t + 2 * m)
            e = load(y, t + 2 * k + 1) - load(y, t + 2 * m + 1)
            total = total + (b * c - a * e)
    return splat(0.5) * total


@compiled
def quaternion(x, s, y, t, d, bit, u, o, sign, add):
    """y_t ← (u0 - i (u1 X + u2 Y + u3 Z)) x_s on one qubit, u vectors o … o+3; ``sign`` = -1 takes the adjoint.

    ``add``: 1.0 adds to y_t what it holds, 0.0 overwrites it.
    """
    g = splat(sign)
    u0 = load(u, o)
    u1 = g * load(u, o + 1)
    u2 = g * load(u, o + 2)
    u3 = g * load(u, o + 3)
    for k in range(d):
        if k & bit:
            continue
        m = k | bit
        a = load(x, s + 2 * k)
        b = load(x, s + 2 * k + 1)
        c = load(x, s + 2 * m)
        e = load(x, s + 2 * m + 1)
        p = u0 * a + u3 * b + u1 * e - u2 * c
        q = u0 * b - u3 * a - u1 * c - u2 * e
        v = u1 * b + u2 * a + u0 * c - u3 * e
        w = u2 * b - u1 * a + u0 * e + u3 * c
        if add != 0.0:
            p = p + load(y, t + 2 * k)
            q = q + load(y, t + 2 * k + 1)
            v = v + load(y, t + 2 * m)
            w = w + load(y, t + 2 * m + 1)
        store(y, t + 2 * k, p)
        store(y, t + 2 * k + 1, q)
        store(y, t + 2 * m, v)
        store(y, t + 2 * m + 1, w)


@compiled
def add_quaternion_slopes(x, s, y, t, d, bit, g, o):
    """g[o … o+3] += Re ⟨x_s| (1, -iX, -iY, -iZ) |y_t⟩."""
    g0 = load(g, o)
    g1 = load(g, o + 1)
    g2 = load(g, o + 2)
    g3 = load(g, o + 3)
    for k in range(d):
        if k & bit:
            continue
        m = k | bit
        a = load(x, s + 2 * k)
        b = load(x, s + 2 * k + 1)
        c = load(x, s + 2 * m)
        e = load(x, s + 2 * m + 1)
        p = load(y, t + 2 * k)
        q = load(y, t + 2 * k + 1)
        v = load(y, t + 2 * m)
        w = load(y, t + 2 * m + 1)
        g0 = g0 + (a * p + b * q + c * v + e * w)
        g1 = g1 + (a * w - b * v + c * q - e * p)
        g2 = g2 + (c * p + e * q - a * v - b * w)
        g3 = g3 + (a * q - b * p + e * v - c * w)
    store(g, o, g0)
    store(g, o + 1, g1)
    store(g, o + 2, g2)
    store(g, o + 3, g3)


@compiled
def dense(x, s, y, t, d, real, imaginary, adjoint):
    """y_t ← M x_s, or M† x_s."""
    for i in range(d):
        p = splat(0.0)
        q = splat(0.0)
        for k in range(d):
            re = splat(number(real, k * d + i if adjoint else i * d + k))
            im = splat(number(imaginary, k * d + i if adjoint else i * d + k) * (-1.0 if adjoint else 1.0))
            v = load(x, s + 2 * k)
            w = load(x, s + 2 * k + 1)
            p = p + (re * v - im * w)
            q = q + (re * w + im * v)
        store(y, t + 2 * i, p)
        store(y, t + 2 * i + 1, q)


@compiled
def add_overlap(x, s, y, t, d, q, fresh):
    """q_i (+)= Re(conj(x_i) i y_i): what a change of the phase of amplitude i brings."""
    for i in range(d):
        value = load(x, s + 2 * i + 1) * load(y, t + 2 * i) - load(x, s + 2 * i) * load(y, t + 2 * i + 1)
        if not fresh:
            value = value + load(q, i)
        store(q, i, value)


@compiled
def walsh(q, d):
    """Walsh transform in place: q_m ← Σ_i (-1)^{|i & m|} q_i, the sum with the signs of the word of Zs on mask m."""
    hadamard(
        q, 0, q, 0, d // 2, d // 2 - 1
    )  # a state of half the size, whose real and imaginary parts are neighbours
    for i in range(0, d, 2):
        a = load(q, i)
        b = load(q, i + 1)
        store(q, i, a + b)
        store(q, i + 1, a - b)

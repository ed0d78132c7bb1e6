"""Compiled kernels of the batched engine: a schedule run on a tile of frames, with adjoints and their tangents.

A tile is ``LANES`` frames, one per lane of a vector register, and goes through a whole schedule while its states
stay in the cache. A state is ``2 d`` vectors (real and imaginary part of every amplitude); a *history* holds the
states before every step, so nothing has to be inverted. With U_t the step t and O the observable:

    ψ_{t+1} = U_t ψ_t                       λ_t = U_t† λ_{t+1},  λ_T = 2 O ψ_T
    ψ'_{t+1} = U_t ψ'_t + U'_t ψ_t          μ_t = U_t† μ_{t+1} + U'_t† λ_{t+1},  μ_T = g λ_T + 2 O ψ'_T

λ gives the gradient of f in every angle. ψ' is the tangent along one direction of the data angles; λ and μ together
give the gradient of g f + f' (f' the derivative along that direction), which is all that a loss of energies and
forces needs, however many inputs there are: the loss's own weights choose the direction.

All numba code is in this one file, because its cache looks at the file of a function only.
"""

import operator

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, overload, register_model

LANES = 4
PHASE, EXCHANGE, VECTOR, DENSE = range(4)  # kinds of steps

# A kernel gets one array of integers: sizes, and addresses of its arrays.
FIELDS = (
    "n_steps", "dimension", "n_slots", "n_vectors", "n_tables", "n_terms", "n_words",  # sizes
    "steps", "table_first", "table_signs", "table_masks", "table_slots", "table_constants",  # the program
    "dense_real", "dense_imaginary", "term_masks", "term_imaginary", "term_weights",
    "uniform_first", "uniform_masks",
    "fixed_cosine", "fixed_sine", "cosine", "sine", "vectors", "start", "start_size",  # angles of one call
    "weight", "rates", "vector_rates", "start_rates",  # what is differentiated
    "value", "g_uniform", "g_slots", "g_vectors", "g_start", "work",  # results, scratch
)  # fmt: skip
(
    N_STEPS, DIMENSION, N_SLOTS, N_VECTORS, N_TABLES, N_TERMS, N_WORDS,
    STEPS, TABLE_FIRST, TABLE_SIGNS, TABLE_MASKS, TABLE_SLOTS, TABLE_CONSTANTS,
    DENSE_REAL, DENSE_IMAGINARY, TERM_MASKS, TERM_IMAGINARY, TERM_WEIGHTS,
    UNIFORM_FIRST, UNIFORM_MASKS,
    FIXED_COSINE, FIXED_SINE, COSINE, SINE, VECTORS, START, START_SIZE,
    WEIGHT, RATES, VECTOR_RATES, START_RATES,
    VALUE, G_UNIFORM, G_SLOTS, G_VECTORS, G_START, WORK,
) = range(len(FIELDS))  # fmt: skip

_compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})


# --- vectors of LANES doubles --------------------------------------------------------------------------------


class Lanes(types.Type):
    def __init__(self):
        super().__init__(name=f"float64x{LANES}")


_lanes = Lanes()
_llvm_lanes = ir.VectorType(ir.DoubleType(), LANES)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, _llvm_lanes)


def _pointer(builder, address, index, stride, target):
    """Pointer to element ``index`` of ``stride`` bytes from an integer address."""
    offset = builder.mul(index, ir.Constant(index.type, stride))
    return builder.inttoptr(builder.add(address, offset), target.as_pointer())


def _reader(result, llvm_type, stride):
    def read(typing, address, index):
        def emit(context, builder, signature, arguments):
            return builder.load(_pointer(builder, *arguments, stride, llvm_type), align=8)

        return result(types.intp, types.intp), emit

    return intrinsic(read)


load = _reader(_lanes, _llvm_lanes, 8 * LANES)  # vector number `index` from an address
number = _reader(types.float64, ir.DoubleType(), 8)
integer = _reader(types.int64, ir.IntType(64), 8)


@intrinsic
def store(typing, address, index, value):
    def emit(context, builder, signature, arguments):
        address, index, value = arguments
        builder.store(value, _pointer(builder, address, index, 8 * LANES, _llvm_lanes), align=8)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, _lanes), emit


@intrinsic
def address(typing, array):
    """Where the data of an array are; the caller keeps the array alive."""

    def emit(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.intp(array), emit


@intrinsic
def splat(typing, number):
    """The same number in all lanes."""

    def emit(context, builder, signature, arguments):
        one = builder.insert_element(ir.Constant(_llvm_lanes, ir.Undefined), arguments[0], ir.IntType(32)(0))
        return builder.shuffle_vector(
            one, ir.Constant(_llvm_lanes, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
        )

    return _lanes(types.float64), emit


def _operator(python, llvm):
    @intrinsic
    def instruction(typing, a, b):
        def emit(context, builder, signature, arguments):
            return getattr(builder, llvm)(*arguments)

        return _lanes(_lanes, _lanes), emit

    @overload(python, inline="always")
    def _(a, b):
        if isinstance(a, Lanes) and isinstance(b, Lanes):
            return lambda a, b: instruction(a, b)


for _python, _llvm in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul")):
    _operator(_python, _llvm)


# --- steps ---------------------------------------------------------------------------------------------------
# A state starts at vector `s` of a history x: real part of amplitude i at s + 2i, imaginary part at s + 2i + 1.


@_compiled
def _hadamard(x, s, d, mask):
    """Unnormalised Hadamard gates on the qubits of a mask, in place, up to three at a time."""
    rest = mask
    while rest:
        p = rest & -rest
        rest ^= p
        q = rest & -rest
        rest ^= q
        r = rest & -rest
        rest ^= r
        if r:
            for i in range(d):
                if i & (p | q | r):
                    continue
                for o in range(s + 2 * i, s + 2 * i + 2):
                    a = load(x, o)
                    b = load(x, o + 2 * p)
                    c = load(x, o + 2 * q)
                    e = load(x, o + 2 * (p | q))
                    f = load(x, o + 2 * r)
                    g = load(x, o + 2 * (r | p))
                    h = load(x, o + 2 * (r | q))
                    k = load(x, o + 2 * (r | p | q))
                    a, b, c, e, f, g, h, k = a + b, a - b, c + e, c - e, f + g, f - g, h + k, h - k
                    a, c, b, e, f, h, g, k = a + c, a - c, b + e, b - e, f + h, f - h, g + k, g - k
                    store(x, o, a + f)
                    store(x, o + 2 * p, b + g)
                    store(x, o + 2 * q, c + h)
                    store(x, o + 2 * (p | q), e + k)
                    store(x, o + 2 * r, a - f)
                    store(x, o + 2 * (r | p), b - g)
                    store(x, o + 2 * (r | q), c - h)
                    store(x, o + 2 * (r | p | q), e - k)
        elif q:
            for i in range(d):
                if i & (p | q):
                    continue
                for o in range(s + 2 * i, s + 2 * i + 2):
                    a = load(x, o)
                    b = load(x, o + 2 * p)
                    c = load(x, o + 2 * q)
                    e = load(x, o + 2 * (p | q))
                    a, b, c, e = a + b, a - b, c + e, c - e
                    store(x, o, a + c)
                    store(x, o + 2 * p, b + e)
                    store(x, o + 2 * q, a - c)
                    store(x, o + 2 * (p | q), b - e)
        else:
            for i in range(d):
                if i & p:
                    continue
                for o in range(s + 2 * i, s + 2 * i + 2):
                    a = load(x, o)
                    b = load(x, o + 2 * p)
                    store(x, o, a + b)
                    store(x, o + 2 * p, a - b)


@_compiled
def _copy(x, s, y, t, d):
    for i in range(2 * d):
        store(y, t + i, load(x, s + i))


@_compiled
def _turn(x, s, y, t, d, cosine, sine, row, sign):
    """y_t ← exp(±i γ) x_s, one phase per amplitude: rows of cosines and sines, the same for all frames."""
    for i in range(d):
        a = load(x, s + 2 * i)
        b = load(x, s + 2 * i + 1)
        c = splat(number(cosine, row + i))
        e = splat(sign * number(sine, row + i))
        store(y, t + 2 * i, c * a - e * b)
        store(y, t + 2 * i + 1, c * b + e * a)


@_compiled
def _turn_frames(x, s, y, t, d, table, row, sign):
    """The same with phases of every frame: ``table`` is laid out like a history."""
    g = splat(sign)
    for i in range(d):
        a = load(x, s + 2 * i)
        b = load(x, s + 2 * i + 1)
        c = load(table, row + 2 * i)
        e = g * load(table, row + 2 * i + 1)
        store(y, t + 2 * i, c * a - e * b)
        store(y, t + 2 * i + 1, c * b + e * a)


@_compiled
def _exchange(x, s, y, t, d, i, j, cosine, sine):
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


@_compiled
def _add_exchange(x, s, y, t, d, i, j, rate):
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


@_compiled
def _exchange_slope(x, s, y, t, d, i, j):
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


@_compiled
def _quaternion(x, s, y, t, d, bit, u, o, sign, add):
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


@_compiled
def _add_quaternion_slopes(x, s, y, t, d, bit, g, o):
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


@_compiled
def _dense(x, s, y, t, d, real, imaginary, adjoint):
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


# --- data tables and contractions ------------------------------------------------------------------------------
# `c` is the address of the fields.


@_compiled
def _frame_tables(c, tile, table, speed):
    """Phases exp(iγ) of every frame, γ = -½ Σ_w h_w α_w over the words of a table, and dγ along the direction."""
    d = integer(c, DIMENSION)
    rates = integer(c, RATES)
    for f in range(integer(c, N_TABLES)):
        row = f * 2 * d
        for i in range(2 * d):
            store(table, row + i, splat(number(integer(c, TABLE_CONSTANTS), row + i)))
        for i in range(d):
            store(speed, f * d + i, splat(0.0))
        for w in range(integer(integer(c, TABLE_FIRST), f), integer(integer(c, TABLE_FIRST), f + 1)):
            signs = integer(c, TABLE_SIGNS) + 8 * w * d
            slot = tile * integer(c, N_SLOTS) + integer(integer(c, TABLE_SLOTS), w)
            x = load(integer(c, COSINE), slot)
            y = load(integer(c, SINE), slot)
            for i in range(d):
                h = splat(number(signs, i))
                a = load(table, row + 2 * i)
                b = load(table, row + 2 * i + 1)
                store(table, row + 2 * i, a * x + b * h * y)
                store(table, row + 2 * i + 1, b * x - a * h * y)
            if rates:
                v = splat(-0.5) * load(rates, slot)
                for i in range(d):
                    store(speed, f * d + i, load(speed, f * d + i) + splat(number(signs, i)) * v)


@_compiled
def _add_overlap(x, s, y, t, d, q, fresh):
    """q_i (+)= Re(conj(x_i) i y_i): what a change of the phase of amplitude i brings."""
    for i in range(d):
        value = load(x, s + 2 * i + 1) * load(y, t + 2 * i) - load(x, s + 2 * i) * load(y, t + 2 * i + 1)
        if not fresh:
            value = value + load(q, i)
        store(q, i, value)


@_compiled
def _walsh(q, d):
    """Walsh transform in place: q_m ← Σ_i (-1)^{|i & m|} q_i, the sum with the signs of the word of Zs on mask m."""
    _hadamard(q, 0, d // 2, d // 2 - 1)  # a state of half the size, whose real and imaginary parts are neighbours
    for i in range(0, d, 2):
        a = load(q, i)
        b = load(q, i + 1)
        store(q, i, a + b)
        store(q, i + 1, a - b)


@_compiled
def _add_slot_slopes(c, f, q, tile):
    """Slopes -½ Σ_i h_wi q_i of the data words of a table, added to their slots; q is transformed."""
    for w in range(integer(integer(c, TABLE_FIRST), f), integer(integer(c, TABLE_FIRST), f + 1)):
        o = 8 * LANES * (tile * integer(c, N_SLOTS) + integer(integer(c, TABLE_SLOTS), w)) + integer(c, G_SLOTS)
        store(o, 0, load(o, 0) - splat(0.5) * load(q, integer(integer(c, TABLE_MASKS), w)))


@_compiled
def _store_uniform_slopes(c, f, q, tile):
    """Slopes of the other words of a table; each word has one place."""
    for w in range(integer(integer(c, UNIFORM_FIRST), f), integer(integer(c, UNIFORM_FIRST), f + 1)):
        slope = splat(-0.5) * load(q, integer(integer(c, UNIFORM_MASKS), w))
        store(integer(c, G_UNIFORM), tile * integer(c, N_WORDS) + w, slope)


@_compiled
def _observe(c, x, s, y, t, factor, add):
    """y_t (+)= factor · O x_s."""
    d = integer(c, DIMENSION)
    for i in range(d):
        p = splat(0.0)
        q = splat(0.0)
        for k in range(integer(c, N_TERMS)):
            j = i ^ integer(integer(c, TERM_MASKS), k)
            h = splat(number(integer(c, TERM_WEIGHTS), k * d + i) * factor)
            a = load(x, s + 2 * j)
            b = load(x, s + 2 * j + 1)
            if integer(integer(c, TERM_IMAGINARY), k):
                p = p - h * b
                q = q + h * a
            else:
                p = p + h * a
                q = q + h * b
        if add:
            p = p + load(y, t + 2 * i)
            q = q + load(y, t + 2 * i + 1)
        store(y, t + 2 * i, p)
        store(y, t + 2 * i + 1, q)


@_compiled
def _twice(c, o):
    """cos 2α and sin 2α from those of α/2: an exchange turns the singlet by twice the Ising angle."""
    x = load(integer(c, COSINE), o)
    y = load(integer(c, SINE), o)
    x, y = x * x - y * y, x * y + x * y
    return x * x - y * y, x * y + x * y


# --- passes --------------------------------------------------------------------------------------------------


@_compiled
def _step(c, t):
    """Kind and arguments of step t."""
    o = integer(c, STEPS) + 32 * t
    return integer(o, 0), integer(o, 1), integer(o, 2), integer(o, 3)


@_compiled
def _forward(c, tile, table, psi):
    """ψ history from the start state."""
    d = integer(c, DIMENSION)
    offset = tile * integer(c, START_SIZE)
    _copy(integer(c, START), offset, psi, 0, d)
    for t in range(integer(c, N_STEPS)):
        s = 2 * d * t
        n = s + 2 * d
        kind, a, b, m = _step(c, t)
        if kind == PHASE:
            if a >= 0:
                _turn(psi, s, psi, n, d, integer(c, FIXED_COSINE), integer(c, FIXED_SINE), a * d, 1.0)
                s = n
            if b >= 0:
                _turn_frames(psi, s, psi, n, d, table, b * 2 * d, 1.0)
            _hadamard(psi, n, d, m)
        elif kind == EXCHANGE:
            x, y = _twice(c, tile * integer(c, N_SLOTS) + a)
            _exchange(psi, s, psi, n, d, b, m, x, y)
        elif kind == VECTOR:
            o = 4 * (tile * integer(c, N_VECTORS) + a)
            _quaternion(psi, s, psi, n, d, b, integer(c, VECTORS), o, 1.0, 0.0)
        else:
            o = 8 * d * d * a
            _dense(psi, s, psi, n, d, integer(c, DENSE_REAL) + o, integer(c, DENSE_IMAGINARY) + o, False)


@_compiled
def _undo(c, tile, table, t, x, s, y, n):
    """y_n ← U_t† x_s."""
    d = integer(c, DIMENSION)
    kind, a, b, m = _step(c, t)
    if kind == PHASE:
        _copy(x, s, y, n, d)
        _hadamard(y, n, d, m)
        if a >= 0:
            _turn(y, n, y, n, d, integer(c, FIXED_COSINE), integer(c, FIXED_SINE), a * d, -1.0)
        if b >= 0:
            _turn_frames(y, n, y, n, d, table, b * 2 * d, -1.0)
    elif kind == EXCHANGE:
        p, q = _twice(c, tile * integer(c, N_SLOTS) + a)
        _exchange(x, s, y, n, d, b, m, p, splat(-1.0) * q)
    elif kind == VECTOR:
        o = 4 * (tile * integer(c, N_VECTORS) + a)
        _quaternion(x, s, y, n, d, b, integer(c, VECTORS), o, -1.0, 0.0)
    else:
        o = 8 * d * d * a
        _dense(x, s, y, n, d, integer(c, DENSE_REAL) + o, integer(c, DENSE_IMAGINARY) + o, True)


@_compiled
def _clear(c, tile):
    for i in range(integer(c, N_SLOTS)):
        store(integer(c, G_SLOTS), tile * integer(c, N_SLOTS) + i, splat(0.0))
    for i in range(4 * integer(c, N_VECTORS)):
        store(integer(c, G_VECTORS), tile * 4 * integer(c, N_VECTORS) + i, splat(0.0))


@_compiled
def _slopes(c, tile, table, psi, lam, q):
    """λ history from its end, and what it says about the data angles."""
    d = integer(c, DIMENSION)
    _clear(c, tile)
    for t in range(integer(c, N_STEPS) - 1, -1, -1):
        s = 2 * d * t
        n = s + 2 * d
        kind, a, b, m = _step(c, t)
        _undo(c, tile, table, t, lam, n, lam, s)
        if kind == PHASE and b >= 0:
            _add_overlap(lam, s, psi, s, d, q, True)
            _walsh(q, d)
            _add_slot_slopes(c, b, q, tile)
        elif kind == EXCHANGE:
            o = tile * integer(c, N_SLOTS) + a
            slope = load(integer(c, G_SLOTS), o) + splat(2.0) * _exchange_slope(lam, n, psi, n, d, b, m)
            store(integer(c, G_SLOTS), o, slope)
        elif kind == VECTOR:
            o = 4 * (tile * integer(c, N_VECTORS) + a)
            _add_quaternion_slopes(lam, n, psi, s, d, b, integer(c, G_VECTORS), o)


@_compiled
def _tangents(c, tile, table, speed, psi, tan):
    """ψ' history along the rates of the data angles."""
    d = integer(c, DIMENSION)
    offset = tile * integer(c, START_SIZE)
    for i in range(2 * d):
        store(tan, i, load(integer(c, START_RATES), offset + i) if integer(c, START_RATES) else splat(0.0))
    for t in range(integer(c, N_STEPS)):
        s = 2 * d * t
        n = s + 2 * d
        kind, a, b, m = _step(c, t)
        if kind == PHASE:
            if b >= 0:
                for i in range(d):
                    v = load(speed, b * d + i)
                    p = load(tan, s + 2 * i) - v * load(psi, s + 2 * i + 1)
                    store(tan, n + 2 * i + 1, load(tan, s + 2 * i + 1) + v * load(psi, s + 2 * i))
                    store(tan, n + 2 * i, p)
                s = n
            if a >= 0:
                _turn(tan, s, tan, n, d, integer(c, FIXED_COSINE), integer(c, FIXED_SINE), a * d, 1.0)
                s = n
            if b >= 0:
                _turn_frames(tan, s, tan, n, d, table, b * 2 * d, 1.0)
            _hadamard(tan, n, d, m)
        elif kind == EXCHANGE:
            o = tile * integer(c, N_SLOTS) + a
            x, y = _twice(c, o)
            _exchange(tan, s, tan, n, d, b, m, x, y)
            _add_exchange(psi, n, tan, n, d, b, m, splat(2.0) * load(integer(c, RATES), o))
        elif kind == VECTOR:
            o = 4 * (tile * integer(c, N_VECTORS) + a)
            _quaternion(tan, s, tan, n, d, b, integer(c, VECTORS), o, 1.0, 0.0)
            _quaternion(psi, s, tan, n, d, b, integer(c, VECTOR_RATES), o, 1.0, 1.0)
        else:
            o = 8 * d * d * a
            _dense(tan, s, tan, n, d, integer(c, DENSE_REAL) + o, integer(c, DENSE_IMAGINARY) + o, False)


@_compiled
def work_size(n_steps, dimension, n_tables):
    """Doubles of scratch space that a kernel needs."""
    return 2 * dimension * LANES * (3 * (n_steps + 1) + 2 + 2 * n_tables + 1)


@_compiled
def _places(c):
    """Addresses of the parts of the scratch space: ψ, λ, ψ' histories, two states μ, tables, their rates, overlaps."""
    state = 16 * integer(c, DIMENSION) * LANES
    history = state * (integer(c, N_STEPS) + 1)
    tables = state * integer(c, N_TABLES)
    w = integer(c, WORK)
    mu = w + 3 * history
    return w, w + history, w + 2 * history, mu, mu + 2 * state, mu + 2 * state + tables, mu + 2 * state + 2 * tables


@_compiled
def evaluate(fields, first, last, slopes):
    """Values of tiles first … last-1 and, if ``slopes``, their derivatives in all data angles (g_slots, g_vectors)
    and in the amplitudes of the start state (g_start)."""
    c = address(fields)
    d, end = integer(c, DIMENSION), 2 * integer(c, DIMENSION) * integer(c, N_STEPS)
    psi, lam, _, _, table, speed, q = _places(c)
    for tile in range(first, last):
        _frame_tables(c, tile, table, speed)
        _forward(c, tile, table, psi)
        _observe(c, psi, end, lam, end, 2.0, False)
        total = splat(0.0)
        for i in range(2 * d):
            total = total + load(psi, end + i) * load(lam, end + i)
        store(integer(c, VALUE), tile, splat(0.5) * total)
        if slopes:
            _slopes(c, tile, table, psi, lam, q)
            if integer(c, G_START):
                _copy(lam, 0, integer(c, G_START), tile * 2 * d, d)


@_compiled
def gradient(fields, first, last, tangent):
    """Gradient of weight · f + f' for tiles first … last-1 (g_uniform, g_slots, g_vectors, g_start).

    f' is the derivative along the rates; without ``tangent`` it is left out, and the rates are not read.
    """
    c = address(fields)
    d, steps = integer(c, DIMENSION), integer(c, N_STEPS)
    end = 2 * d * steps
    psi, lam, tan, mu, table, speed, q = _places(c)
    for tile in range(first, last):
        _frame_tables(c, tile, table, speed)
        _forward(c, tile, table, psi)
        _observe(c, psi, end, lam, end, 2.0, False)
        weight = load(integer(c, WEIGHT), tile)
        here, there = 0, 2 * d
        for i in range(2 * d):
            store(mu, here + i, weight * load(lam, end + i))
        if tangent:
            _tangents(c, tile, table, speed, psi, tan)
            _observe(c, tan, end, mu, here, 2.0, True)
        _clear(c, tile)
        for t in range(steps - 1, -1, -1):
            s = 2 * d * t
            n = s + 2 * d
            kind, a, b, m = _step(c, t)
            o = tile * integer(c, N_SLOTS) + a
            v = 4 * (tile * integer(c, N_VECTORS) + a)
            if kind == EXCHANGE:
                slope = _exchange_slope(mu, here, psi, n, d, b, m)
                if tangent:
                    slope = slope + _exchange_slope(lam, n, tan, n, d, b, m)
                    # U'† λ with U' = rate iP U: -rate iP λ, before the step is undone
                    _add_exchange(lam, n, mu, here, d, b, m, splat(-2.0) * load(integer(c, RATES), o))
                store(integer(c, G_SLOTS), o, load(integer(c, G_SLOTS), o) + splat(2.0) * slope)
            elif kind == VECTOR:
                _add_quaternion_slopes(mu, here, psi, s, d, b, integer(c, G_VECTORS), v)
                if tangent:
                    _add_quaternion_slopes(lam, n, tan, s, d, b, integer(c, G_VECTORS), v)
            _undo(c, tile, table, t, mu, here, mu, there)
            if tangent:
                _undo(c, tile, table, t, lam, n, lam, s)
                if kind == VECTOR:
                    _quaternion(lam, n, mu, there, d, b, integer(c, VECTOR_RATES), v, -1.0, 1.0)
                elif kind == PHASE and b >= 0:
                    for i in range(d):
                        w = load(speed, b * d + i)
                        store(mu, there + 2 * i, load(mu, there + 2 * i) + w * load(lam, s + 2 * i + 1))
                        store(mu, there + 2 * i + 1, load(mu, there + 2 * i + 1) - w * load(lam, s + 2 * i))
            if kind == PHASE:
                _add_overlap(mu, there, psi, s, d, q, True)
                if tangent:
                    _add_overlap(lam, s, tan, s, d, q, False)
                _walsh(q, d)
                if a >= 0:
                    _store_uniform_slopes(c, a, q, tile)
                if b >= 0:
                    _add_slot_slopes(c, b, q, tile)
            here, there = there, here
        if integer(c, G_START):
            _copy(mu, here, integer(c, G_START), tile * 2 * d, d)

"""Compiled kernels of the batched engine: a schedule run on a tile of frames, with adjoints and their tangents.

A tile is ``LANES`` frames, one per lane of a vector register, and goes through a whole schedule while its states
stay in the cache. A state is ``2 d`` vectors (real and imaginary part of every amplitude); ψ and ψ' are kept as
*histories* of the states before every step, so nothing has to be inverted. With U_t the step t and O the observable:

    ψ_{t+1} = U_t ψ_t                       λ_t = U_t† λ_{t+1},  λ_T = 2 O ψ_T
    ψ'_{t+1} = U_t ψ'_t + U'_t ψ_t          μ_t = U_t† μ_{t+1} + U'_t† λ_{t+1},  μ_T = g λ_T + 2 O ψ'_T

λ gives the gradient of f in every angle. ψ' is the tangent along one direction of the data angles; λ and μ together
give the gradient of g f + f' (f' the derivative along that direction), which is all that a loss of energies and
forces needs, however many inputs there are: the loss's own weights choose the direction.
"""

from qff.engines.lanes import LANES, address, compiled, integer, load, number, splat, store
from qff.engines.steps import (
    add_exchange,
    add_overlap,
    add_quaternion_slopes,
    copy,
    dense,
    exchange,
    exchange_slope,
    hadamard_phase,
    phase,
    phase_hadamard,
    quaternion,
    walsh,
)

PHASE, EXCHANGE, VECTOR, DENSE = range(4)  # kinds of steps

# A kernel gets one array of integers: sizes, and addresses of its arrays.
FIELDS = (
    "n_steps", "dimension", "n_slots", "n_vectors", "n_tables", "n_terms", "n_words",  # sizes
    "steps", "table_first", "table_signs", "table_masks", "table_slots", "table_constants",  # the program
    "dense_real", "dense_imaginary", "term_masks", "term_imaginary", "term_weights",
    "uniform_first", "uniform_masks",
    "fixed", "cosine", "sine", "vectors", "start", "start_size",  # angles of one call
    "weight", "rates", "vector_rates", "start_rates",  # what is differentiated
    "value", "g_uniform", "g_slots", "g_vectors", "g_start", "work",  # results, scratch
)  # fmt: skip
(
    N_STEPS, DIMENSION, N_SLOTS, N_VECTORS, N_TABLES, N_TERMS, N_WORDS,
    STEPS, TABLE_FIRST, TABLE_SIGNS, TABLE_MASKS, TABLE_SLOTS, TABLE_CONSTANTS,
    DENSE_REAL, DENSE_IMAGINARY, TERM_MASKS, TERM_IMAGINARY, TERM_WEIGHTS,
    UNIFORM_FIRST, UNIFORM_MASKS,
    FIXED, COSINE, SINE, VECTORS, START, START_SIZE,
    WEIGHT, RATES, VECTOR_RATES, START_RATES,
    VALUE, G_UNIFORM, G_SLOTS, G_VECTORS, G_START, WORK,
) = range(len(FIELDS))  # fmt: skip


# --- data tables and contractions ------------------------------------------------------------------------------
# `c` is the address of the fields.


@compiled
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


@compiled
def _add_slot_slopes(c, f, q, tile):
    """Slopes -½ Σ_i h_wi q_i of the data words of a table, added to their slots; q is transformed."""
    for w in range(integer(integer(c, TABLE_FIRST), f), integer(integer(c, TABLE_FIRST), f + 1)):
        o = 8 * LANES * (tile * integer(c, N_SLOTS) + integer(integer(c, TABLE_SLOTS), w)) + integer(c, G_SLOTS)
        store(o, 0, load(o, 0) - splat(0.5) * load(q, integer(integer(c, TABLE_MASKS), w)))


@compiled
def _store_uniform_slopes(c, f, q, tile):
    """Slopes of the other words of a table; each word has one place."""
    for w in range(integer(integer(c, UNIFORM_FIRST), f), integer(integer(c, UNIFORM_FIRST), f + 1)):
        slope = splat(-0.5) * load(q, integer(integer(c, UNIFORM_MASKS), w))
        store(integer(c, G_UNIFORM), tile * integer(c, N_WORDS) + w, slope)


@compiled
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


@compiled
def _twice(c, o):
    """cos 2α and sin 2α from those of α/2: an exchange turns the singlet by twice the Ising angle."""
    x = load(integer(c, COSINE), o)
    y = load(integer(c, SINE), o)
    x, y = x * x - y * y, x * y + x * y
    return x * x - y * y, x * y + x * y


# --- passes --------------------------------------------------------------------------------------------------


@compiled
def _step(c, t):
    """Kind and arguments of step t."""
    o = integer(c, STEPS) + 32 * t
    return integer(o, 0), integer(o, 1), integer(o, 2), integer(o, 3)


@compiled
def _apply_phase(c, x, s, y, t, table, a, b, mask):
    """y_t ← the Hadamard gates of a step on the phases of its tables a (fixed) and b (data), -1 for none, of x_s."""
    d = integer(c, DIMENSION)
    if b < 0:
        phase_hadamard(x, s, y, t, d, integer(c, FIXED), a * d, True, mask)
        return
    if a >= 0:
        phase(x, s, y, t, d, integer(c, FIXED), a * d, True, 1.0)
        x, s = y, t
    phase_hadamard(x, s, y, t, d, table, b * d, False, mask)


@compiled
def _start(c, tile, psi, tan, tangent):
    d = integer(c, DIMENSION)
    offset = tile * integer(c, START_SIZE)
    copy(integer(c, START), offset, psi, 0, d)
    if tangent:
        for i in range(2 * d):
            store(tan, i, load(integer(c, START_RATES), offset + i) if integer(c, START_RATES) else splat(0.0))


@compiled
def _forward(c, tile, table, speed, psi, tan, tangent):
    """ψ history from the start state and, if ``tangent``, ψ' along the rates of the data angles."""
    d = integer(c, DIMENSION)
    _start(c, tile, psi, tan, tangent)
    for t in range(integer(c, N_STEPS)):
        s = 2 * d * t
        n = s + 2 * d
        kind, a, b, m = _step(c, t)
        if kind == PHASE:
            _apply_phase(c, psi, s, psi, n, table, a, b, m)
            if tangent:
                r = s
                if b >= 0:
                    r = n
                    for i in range(d):
                        v = load(speed, b * d + i)
                        store(tan, n + 2 * i, load(tan, s + 2 * i) - v * load(psi, s + 2 * i + 1))
                        store(tan, n + 2 * i + 1, load(tan, s + 2 * i + 1) + v * load(psi, s + 2 * i))
                _apply_phase(c, tan, r, tan, n, table, a, b, m)
        elif kind == EXCHANGE:
            o = tile * integer(c, N_SLOTS) + a
            x, y = _twice(c, o)
            exchange(psi, s, psi, n, d, b, m, x, y)
            if tangent:
                exchange(tan, s, tan, n, d, b, m, x, y)
                add_exchange(psi, n, tan, n, d, b, m, splat(2.0) * load(integer(c, RATES), o))
        elif kind == VECTOR:
            o = 4 * (tile * integer(c, N_VECTORS) + a)
            quaternion(psi, s, psi, n, d, b, integer(c, VECTORS), o, 1.0, 0.0)
            if tangent:
                quaternion(tan, s, tan, n, d, b, integer(c, VECTORS), o, 1.0, 0.0)
                quaternion(psi, s, tan, n, d, b, integer(c, VECTOR_RATES), o, 1.0, 1.0)
        else:
            o = 8 * d * d * a
            dense(psi, s, psi, n, d, integer(c, DENSE_REAL) + o, integer(c, DENSE_IMAGINARY) + o, False)
            if tangent:
                dense(tan, s, tan, n, d, integer(c, DENSE_REAL) + o, integer(c, DENSE_IMAGINARY) + o, False)


@compiled
def _undo(c, tile, table, t, x, s, y, n):
    """y_n ← U_t† x_s."""
    d = integer(c, DIMENSION)
    kind, a, b, m = _step(c, t)
    if kind == PHASE:
        if b < 0:
            hadamard_phase(x, s, y, n, d, integer(c, FIXED), a * d, True, m)
        else:
            hadamard_phase(x, s, y, n, d, table, b * d, False, m)
            if a >= 0:
                phase(y, n, y, n, d, integer(c, FIXED), a * d, True, -1.0)
    elif kind == EXCHANGE:
        p, q = _twice(c, tile * integer(c, N_SLOTS) + a)
        exchange(x, s, y, n, d, b, m, p, splat(-1.0) * q)
    elif kind == VECTOR:
        o = 4 * (tile * integer(c, N_VECTORS) + a)
        quaternion(x, s, y, n, d, b, integer(c, VECTORS), o, -1.0, 0.0)
    else:
        o = 8 * d * d * a
        dense(x, s, y, n, d, integer(c, DENSE_REAL) + o, integer(c, DENSE_IMAGINARY) + o, True)


@compiled
def _clear(c, tile):
    for i in range(integer(c, N_SLOTS)):
        store(integer(c, G_SLOTS), tile * integer(c, N_SLOTS) + i, splat(0.0))
    for i in range(4 * integer(c, N_VECTORS)):
        store(integer(c, G_VECTORS), tile * 4 * integer(c, N_VECTORS) + i, splat(0.0))


@compiled
def _slopes(c, tile, table, psi, lam, q):
    """What λ says about the data angles; its last state is given in the first half of ``lam``, its first returned."""
    d = integer(c, DIMENSION)
    here, there = 0, 2 * d
    _clear(c, tile)
    for t in range(integer(c, N_STEPS) - 1, -1, -1):
        s = 2 * d * t
        n = s + 2 * d
        kind, a, b, m = _step(c, t)
        _undo(c, tile, table, t, lam, here, lam, there)
        if kind == PHASE and b >= 0:
            add_overlap(lam, there, psi, s, d, q, True)
            walsh(q, d)
            _add_slot_slopes(c, b, q, tile)
        elif kind == EXCHANGE:
            o = tile * integer(c, N_SLOTS) + a
            slope = load(integer(c, G_SLOTS), o) + splat(2.0) * exchange_slope(lam, here, psi, n, d, b, m)
            store(integer(c, G_SLOTS), o, slope)
        elif kind == VECTOR:
            o = 4 * (tile * integer(c, N_VECTORS) + a)
            add_quaternion_slopes(lam, here, psi, s, d, b, integer(c, G_VECTORS), o)
        here, there = there, here
    return here


@compiled
def work_size(n_steps, dimension, n_tables):
    """Doubles of scratch space that a kernel needs."""
    return 2 * dimension * LANES * (2 * (n_steps + 1) + 4 + 2 * n_tables + 1)


@compiled
def _places(c):
    """Addresses of the parts of the scratch space: ψ and ψ' histories, two states each of λ and μ, tables, their
    rates, overlaps."""
    state = 16 * integer(c, DIMENSION) * LANES
    history = state * (integer(c, N_STEPS) + 1)
    tables = state * integer(c, N_TABLES)
    w = integer(c, WORK)
    lam = w + 2 * history
    table = lam + 4 * state
    return w, w + history, lam, lam + 2 * state, table, table + tables, table + 2 * tables


@compiled
def _store_value(c, tile, psi, end, lam):
    """f from the last state of ψ and 2 O ψ in the first half of ``lam``."""
    total = splat(0.0)
    for i in range(2 * integer(c, DIMENSION)):
        total = total + load(psi, end + i) * load(lam, i)
    store(integer(c, VALUE), tile, splat(0.5) * total)


@compiled
def evaluate(fields, first, last, slopes):
    """Values of tiles first … last-1 and, if ``slopes``, their derivatives in all data angles (g_slots, g_vectors)
    and in the amplitudes of the start state (g_start)."""
    c = address(fields)
    d = integer(c, DIMENSION)
    end = 2 * d * integer(c, N_STEPS)
    psi, tan, lam, _, table, speed, q = _places(c)
    for tile in range(first, last):
        _frame_tables(c, tile, table, speed)
        _forward(c, tile, table, speed, psi, tan, False)
        _observe(c, psi, end, lam, 0, 2.0, False)
        _store_value(c, tile, psi, end, lam)
        if slopes:
            here = _slopes(c, tile, table, psi, lam, q)
            if integer(c, G_START):
                copy(lam, here, integer(c, G_START), tile * 2 * d, d)


@compiled
def gradient(fields, first, last, tangent):
    """Values of tiles first … last-1 and gradient of weight · f + f' (g_uniform, g_slots, g_vectors, g_start).

    f' is the derivative along the rates; without ``tangent`` it is left out, and the rates are not read.
    """
    c = address(fields)
    d, steps = integer(c, DIMENSION), integer(c, N_STEPS)
    end = 2 * d * steps
    psi, tan, lam, mu, table, speed, q = _places(c)
    for tile in range(first, last):
        _frame_tables(c, tile, table, speed)
        _forward(c, tile, table, speed, psi, tan, tangent)
        here, there = 0, 2 * d
        _observe(c, psi, end, lam, here, 2.0, False)
        _store_value(c, tile, psi, end, lam)
        weight = load(integer(c, WEIGHT), tile)
        for i in range(2 * d):
            store(mu, here + i, weight * load(lam, here + i))
        if tangent:
            _observe(c, tan, end, mu, here, 2.0, True)
        _clear(c, tile)
        for t in range(steps - 1, -1, -1):
            s = 2 * d * t
            n = s + 2 * d
            kind, a, b, m = _step(c, t)
            o = tile * integer(c, N_SLOTS) + a
            v = 4 * (tile * integer(c, N_VECTORS) + a)
            if kind == EXCHANGE:
                slope = exchange_slope(mu, here, psi, n, d, b, m)
                if tangent:
                    slope = slope + exchange_slope(lam, here, tan, n, d, b, m)
                    # U'† λ with U' = rate iP U: -rate iP λ, before the step is undone
                    add_exchange(lam, here, mu, here, d, b, m, splat(-2.0) * load(integer(c, RATES), o))
                store(integer(c, G_SLOTS), o, load(integer(c, G_SLOTS), o) + splat(2.0) * slope)
            elif kind == VECTOR:
                add_quaternion_slopes(mu, here, psi, s, d, b, integer(c, G_VECTORS), v)
                if tangent:
                    add_quaternion_slopes(lam, here, tan, s, d, b, integer(c, G_VECTORS), v)
            _undo(c, tile, table, t, mu, here, mu, there)
            if tangent:
                _undo(c, tile, table, t, lam, here, lam, there)
                if kind == VECTOR:
                    quaternion(lam, here, mu, there, d, b, integer(c, VECTOR_RATES), v, -1.0, 1.0)
                elif kind == PHASE and b >= 0:
                    for i in range(d):
                        w = load(speed, b * d + i)
                        x = there + 2 * i
                        store(mu, x, load(mu, x) + w * load(lam, x + 1))
                        store(mu, x + 1, load(mu, x + 1) - w * load(lam, x))
            if kind == PHASE:
                add_overlap(mu, there, psi, s, d, q, True)
                if tangent:
                    add_overlap(lam, there, tan, s, d, q, False)
                walsh(q, d)
                if a >= 0:
                    _store_uniform_slopes(c, a, q, tile)
                if b >= 0:
                    _add_slot_slopes(c, b, q, tile)
            here, there = there, here
        if integer(c, G_START):
            copy(mu, here, integer(c, G_START), tile * 2 * d, d)

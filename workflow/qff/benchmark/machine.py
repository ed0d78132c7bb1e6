"""What the machine can do, and what the engine asks of it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from qff.benchmark.workloads import Workload
from qff.engines import kernels
from qff.engines.compiled import CompiledProgram, _Run
from qff.engines.layout import Layout
from qff.engines.program import capture


def _best(function, seconds: float = 1.0) -> float:
    """Shortest time (s) of a call, over about ``seconds``."""
    function()
    times = []
    while sum(times) < seconds:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def limits() -> dict[str, float]:
    """GFLOP/s of a matrix product, GB/s (read and written) of a copy in memory and in the cache; one thread."""
    a = np.random.default_rng(0).normal(size=(1024, 1024))
    b, out = a.T.copy(), np.empty_like(a)
    product = _best(lambda: np.matmul(a, b, out=out))
    found = {"matrix_product_gflops": 2 * 1024**3 / product / 1e9}
    for name, size in (("memory", 2**25), ("cache", 2**14)):
        source, target = np.ones(size), np.ones(size)

        repeats = max(1, 2**18 // size)

        def copy(source=source, target=target, repeats=repeats):
            for _ in range(repeats):
                np.copyto(target, source)

        found[f"copy_{name}_gbs"] = 16 * size * repeats / _best(copy) / 1e9
    return found


def work(layout: Layout) -> dict[str, tuple[float, float]]:
    """(floating-point operations, bytes of states read and written) per frame of the two kernels.

    Counted from the steps: what the algorithm needs, not what a processor happens to do.
    """
    d = layout.dimension
    state = 16 * d
    apply = extra = overlaps = 0.0
    touched = 0.0
    for kind, a, b, mask in layout._steps:
        if kind == kernels.PHASE:
            data = b >= 0
            gates = int(mask).bit_count()
            apply += 6 * d * ((a >= 0) + data) + 2 * d * gates
            extra += 4 * d * data
            overlaps += 3 * d + d * np.log2(d)
            touched += state * (2 + 2 * (max(gates - 1, 0) // 3))
        elif kind == kernels.EXCHANGE:
            apply += 3 * d
            extra += 2 * d
            overlaps += 2 * d
            touched += 2 * state
        elif kind == kernels.VECTOR:
            apply += 14 * d
            extra += 14 * d
            overlaps += 16 * d
            touched += 2 * state
        else:
            apply += 8 * d * d
            touched += 2 * state
    data_share = sum(kind != kernels.PHASE or b >= 0 for kind, _, b, _ in layout._steps) / len(layout._steps)
    return {
        "evaluate": (2 * apply + data_share * overlaps, 2 * touched + 2 * state * len(layout._steps) * data_share),
        "gradient": (4 * apply + 2 * extra + 2 * overlaps, 4 * touched + 4 * state * len(layout._steps)),
    }


def achieved(workload: Workload) -> dict[str, float | str]:
    """Rates of the kernels on a workload, and the share of the time outside of them."""
    circuit = workload.build()
    theta, phi = workload.arguments(circuit)
    layout = CompiledProgram(capture(circuit)).layout
    run = _Run(layout, theta, phi[None])
    _, first = run.evaluate(True)
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(workload.members, *phi.shape))
    weight = np.ones((workload.members, workload.frames))
    single = _Run(layout, theta[:1], phi[None, :1])
    _, first_single = single.evaluate(True)
    found: dict[str, float | str] = {"workload": workload.name}
    frames = workload.frames * workload.members
    total = operations = moved = 0.0
    for name, call, overhead in (
        ("evaluate", lambda: run.evaluate(True), lambda: single.evaluate(True)),
        (
            "gradient",
            lambda: run.reverse(weight, direction, first, False),
            lambda: single.reverse(weight[:1, :1], direction[:1, :1], first_single, False),
        ),
    ):
        seconds = _best(call) - _best(overhead, 0.3)
        flops, size = work(layout)[name]
        total, operations, moved = total + seconds, operations + flops * frames, moved + size * frames
    found |= {
        "kernels_ms": total * 1e3,
        "gflops": operations / total / 1e9,
        "gbs": moved / total / 1e9,
        "scratch_kib": layout.work_size * 8 / 1024,
    }
    return found


def cache_kib() -> dict[str, float]:
    """Sizes of the caches of the first core, where the system tells."""
    found = {}
    for index in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        level, kind = ((index / k).read_text().strip() for k in ("level", "type"))
        if kind != "Instruction":
            found[f"l{level}_kib"] = float((index / "size").read_text().strip().rstrip("K"))
    return found

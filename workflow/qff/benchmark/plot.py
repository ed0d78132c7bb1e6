"""Figure of the benchmark: times of all engines, and growth with frames and seeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

COLOURS = {
    "ours": "#0072B2",
    "pennylane-torch": "#D55E00",
    "pennylane-jax": "#E69F00",
    "tensorcircuit-jax": "#CC79A7",
    "pennylane-lightning": "#999999",
    "qiskit-aer": "#56B4E9",
    "qiskit-machine-learning": "#009E73",
}


def linear_fit(n: np.ndarray, time_ms: np.ndarray) -> tuple[float, float, float]:
    """Slope (ms), offset (ms) of t = offset + slope n with relative weights, and largest relative deviation."""
    slope, offset = np.polyfit(n, time_ms, 1, w=1 / time_ms)
    return float(slope), float(offset), float(np.abs((offset + slope * n) / time_ms - 1).max())


def plot(folder: Path) -> None:
    """Write ``engine.png`` from the tables in a folder."""
    from matplotlib.figure import Figure

    table = pd.read_csv(folder / "engine.csv")
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[2.2, 1])
    names = list(dict.fromkeys(table.workload))
    for engine, colour in COLOURS.items():
        rows = table[table.engine == engine]
        if len(rows):
            x = [names.index(w) for w in rows.workload]
            error = [rows.median_ms - rows.min_ms, rows.max_ms - rows.median_ms]
            left.errorbar(x, rows.median_ms, error, fmt="o", ms=5, capsize=2, lw=0.8, color=colour, label=engine)
    left.set_yscale("log")
    left.set_xticks(range(len(names)), names, rotation=30, ha="right")
    left.set_ylabel("time of one call (ms), median and range")
    left.grid(axis="y", lw=0.3)
    left.legend(fontsize=8, ncols=2)
    if (folder / "growth.csv").is_file():
        growth = pd.read_csv(folder / "growth.csv")
        for (name, variable), rows in growth.groupby(["workload", "variable"]):
            n, t = rows.n.to_numpy(float), rows.median_ms.to_numpy()
            slope, offset, _ = linear_fit(n, t)
            (line,) = right.plot(
                n,
                t,
                "o",
                ms=4,
                label=f"{name}: {slope * 1e3:.3g} µs per {'frame' if variable == 'frames' else 'seed'}",
            )
            right.plot(n, offset + slope * n, lw=0.8, color=line.get_color())
        right.set_xscale("log")
        right.set_yscale("log")
        right.set_xlabel("frames or seeds")
        right.set_ylabel("time (ms) and linear fit")
        right.grid(lw=0.3)
        right.legend(fontsize=8)
    figure.savefig(folder / "engine.png", dpi=130)

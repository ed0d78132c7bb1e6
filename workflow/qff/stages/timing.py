"""The architecture draft: its Figure 2."""

from __future__ import annotations

from pathlib import Path

from qff.config import HybridConfig, ModelConfig, validate
from qff.hybrid.timing import advantage, exponents, time_calls
from qff.metrics import metric_rows, metric_table
from qff.provenance import write_csv
from qff.stages.common import Context, flat

TIMED_SYSTEM = "h2o"  # what the clusters are made of
BENCHMARK = "ccsd_t"


def time_methods(
    *, context: dict, settings: dict, models: dict, table_path: str, metrics_path: str, run_path: str
) -> None:
    """Wall time of every method against the number of atoms, in one process, and the exponents."""
    timing = validate(HybridConfig, settings, "hybrid").timing
    record = Context(**context).record("hybrid", [], system=TIMED_SYSTEM)
    entries = {name: validate(ModelConfig, entry, f"model {name}") for name, entry in models.items()}
    table = time_calls(timing.molecules, timing.basis, entries, timing.repetitions)
    write_csv(table_path, table)
    rows, fitted = [], exponents(table)
    for method, ends in fitted.items():
        quantities = {"time_exponent": ends}
        if method != BENCHMARK and BENCHMARK in fitted:
            quantities[f"time_exponent_below_{BENCHMARK}"] = advantage(ends, fitted[BENCHMARK])
        for place, variant in enumerate(("", "_low", "_high")):
            found = {q: ("1", values[place]) for q, values in quantities.items()}
            rows += metric_rows(found, system=TIMED_SYSTEM, model=method, variant=f"wall_time{variant}")
        found = {q: ("1", values[0]) for q, values in quantities.items()}
        sizes = table[table.method == method].atoms
        record.add(
            f"timing-{method}",
            params={
                "basis": timing.basis,
                "atoms": f"{sizes.min()}–{sizes.max()}",
                "repetitions": timing.repetitions,
            },
            metrics=flat(found),
            artifacts=[Path(table_path).name],
            model=method,
        )
    write_csv(metrics_path, metric_table(rows))
    record.write(run_path, [table_path, metrics_path])

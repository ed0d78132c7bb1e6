"""The architecture draft: its binding case."""

from __future__ import annotations

from pathlib import Path

from qff.hybrid.binding import deviations, read_binding
from qff.metrics import metric_rows, metric_table
from qff.provenance import write_csv
from qff.stages.common import Context, flat

BOUND = "dyad"  # system of the rows: no system of the study


def compare_binding(
    *, context: dict, structure_path: str, frozen_path: str, table_path: str, metrics_path: str, run_path: str
) -> None:
    """Bring frozen interaction energies into the study, and what every method lacks of the reference's."""
    record = Context(**context).record("hybrid", [structure_path, frozen_path], system=BOUND)
    table = read_binding(Path(frozen_path), Path(structure_path))
    write_csv(table_path, table)
    rows = []
    for method, quantities in deviations(table).items():
        for place, end in enumerate(("", "_low", "_high")):
            found = {q: ("kcal/mol", values[place]) for q, values in quantities.items()}
            rows += metric_rows(found, system=BOUND, model=method, variant=end)
        found = {q: ("kcal/mol", values[0]) for q, values in quantities.items()}
        record.add(
            f"binding-{method}", params={}, metrics=flat(found), artifacts=[Path(table_path).name], model=method
        )
    write_csv(metrics_path, metric_table(rows))
    record.write(run_path, [table_path, metrics_path])

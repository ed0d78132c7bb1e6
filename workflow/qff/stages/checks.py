"""Stage 1, beside the labels: frozen comparisons of them, as numbers of the study."""

from __future__ import annotations

from pathlib import Path

from qff.config import ReferenceConfig
from qff.data import read_frames
from qff.metrics import metric_rows, metric_table
from qff.provenance import write_csv
from qff.randomness import generator
from qff.reference.checks import read_checks, recheck_level, summarise
from qff.stages.common import Context, flat, system_from


def check_labels(
    *, context: dict, system: str, config: dict, reference: dict, checks_path: str, labels_path: str, table_path: str,
    metrics_path: str, run_path: str,
) -> None:  # fmt: skip
    """Bring frozen comparisons of the labels into the study, and recompute one energy of the check basis or method."""
    place, molecule = Context(**context), system_from(system, config)
    frames = read_frames(labels_path, molecule.symbols)
    table = read_checks(Path(checks_path), molecule.config, frames)
    tolerance = ReferenceConfig(**reference).energy_tolerance_mev
    difference = recheck_level(
        table, frames, molecule.config, tolerance, generator(place.seed, "recheck basis", system)
    )
    found = summarise(table, frames, molecule.config)
    level = molecule.config.reference
    kind = "method" if level.check_method else "basis"
    found[""][f"{kind}_recheck_difference"] = ("meV", difference)
    write_csv(table_path, table)
    rows = [
        row
        for variant, values in found.items()
        for row in metric_rows(values, system=system, model="reference", variant=variant)
    ]
    write_csv(metrics_path, metric_table(rows))
    record = place.record("reference", [checks_path, labels_path], system=system)
    record.add(
        f"checks-{system}",
        params={"basis": level.basis, f"check_{kind}": getattr(level, f"check_{kind}")},
        metrics={
            f"{name}_{variant}" if variant else name: value
            for variant, values in found.items()
            for name, value in flat(values).items()
        },
        artifacts=[Path(table_path).name, Path(metrics_path).name],
    )
    record.write(run_path, [table_path, metrics_path])

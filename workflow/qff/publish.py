"""Make a finished study the published record: python -m qff.publish results/study [results/published].

The record is what the README quotes and every later report compares with: verdicts, numbers, pictures, settings, and
a compact account of all runs. Frozen reference labels beside it are left alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from qff.command import reported
from qff.config import read_yaml
from qff.errors import DataError
from qff.provenance import file_digest, write_json
from qff.report.provenance import merged, read_records, shown

STAGES = (
    "reference", "data", "train", "evaluate", "capacity", "scaling", "transfer", "dynamics", "quantum", "hybrid",
    "materials", "claims",
)  # fmt: skip
FILES = ("claims.csv", "metrics.csv", "config.yaml")
TIMINGS = "timings.csv"  # of studies that time something
ASIDE = ".new-"  # folder in which a record is assembled
LARGEST_RECORD = 20_000_000  # bytes; it is kept in git


def check_complete(results: Path) -> list[dict]:
    """Run records of a complete study.

    Raises:
        DataError: names what is missing, still running, or changed since it was judged.
    """
    wanted = [*FILES, "run.json", "report.html", "figures"]
    if absent := [name for name in wanted if not (results / name).exists()]:
        raise DataError(f"{results}: not a complete study, no {', '.join(absent)}; run it to its end (make study)")
    if running := sorted(results.rglob("live.json")):
        raise DataError(f"{running[0].parent}: still training; wait for the end of the study")
    records = read_records(results)
    found = {record["stage"] for record in records}
    config = read_yaml(results / "config.yaml")
    optional = {
        "capacity": config["capacity"]["models"],
        "scaling": (config["scaling"]["sizes"] and config["scaling"]["models"]) or config["scaling"].get("sweeps"),
        "dynamics": config["dynamics"]["models"],
        # Records of before had none of these.
        "transfer": config.get("transfer", {}).get("models"),
        "quantum": config.get("quantum", {}).get("models"),
        "hybrid": set(config.get("hybrid", {}).get("systems", ())) & set(config["systems"]),
        "materials": config.get("materials", {}).get("sets"),
    }
    if lost := [s for s in STAGES if s not in found and optional.get(s, True)]:
        raise DataError(f"{results}: no run record of {', '.join(lost)}; run the study to its end (make study)")
    judged = json.loads((results / "run.json").read_text(encoding="utf-8"))
    digests = {Path(p).name: digest for p, digest in {**judged["inputs"], **judged["outputs"]}.items()}
    for name in ("claims.csv", "metrics.csv", *_timings(results)):
        if digests.get(name) != file_digest(results / name):
            raise DataError(
                f"{results / name}: changed since the claims were judged; run the study again (make study)"
            )
    return records


def _timings(results: Path) -> list[str]:
    """The table of timings, if there is one."""
    return [TIMINGS] if (results / TIMINGS).is_file() else []


def compact(records: list[dict]) -> dict[str, list[dict]]:
    """Per stage, what was run with which code and what came out; no paths, no times of the day."""
    stages: dict[str, list[dict]] = {}
    for record in records:
        stages.setdefault(record["stage"], []).append(
            {
                "code_digest": record["code_digest"],
                "git": record["git"],
                "seconds": round(record["seconds"], 3),
                "inputs": {shown(path): digest for path, digest in record["inputs"].items()},
                "runs": [{k: run[k] for k in ("name", "params", "metrics")} for run in record["runs"]],
            }
        )
    return {stage: stages[stage] for stage in STAGES if stage in stages}


def publish(results: Path, target: Path) -> list[Path]:
    """Copy the record of ``results`` to ``target``: assembled aside, then moved into place, runs.json last.

    Returns:
        the published files.

    Raises:
        DataError: the study is incomplete, or its record too large for git.
    """
    records = check_complete(results)
    target.mkdir(parents=True, exist_ok=True)
    for left_over in target.glob(f"{ASIDE}*"):  # of a killed attempt
        shutil.rmtree(left_over)
    with tempfile.TemporaryDirectory(prefix=ASIDE, dir=target) as name:
        fresh = Path(name)
        names = [*FILES, *_timings(results)]
        for file in names:
            shutil.copyfile(results / file, fresh / file)
        (fresh / "figures").mkdir()
        for figure in sorted((results / "figures").glob("*.svg")):
            shutil.copyfile(figure, fresh / "figures" / figure.name)
        write_json(fresh / "versions.json", merged(records, "versions"))
        files = sorted(p for p in fresh.rglob("*") if p.is_file())
        digests = {p.relative_to(fresh).as_posix(): file_digest(p) for p in files}
        write_json(fresh / "runs.json", {"files": digests, "stages": compact(records)})
        size = sum(p.stat().st_size for p in fresh.rglob("*"))
        if size > LARGEST_RECORD:
            raise DataError(
                f"the record takes {size / 1e6:.1f} MB, more than {LARGEST_RECORD / 1e6:g} MB; draw fewer points"
            )
        _replace(fresh, target, [*names, "versions.json", "figures", "runs.json"])
    return [target / name for name in [*digests, "runs.json"]]


def _replace(fresh: Path, target: Path, names: list[str]) -> None:
    """Move files and folders into place; a folder of the same name gives way."""
    for name in names:
        if (target / name).is_dir():
            (target / name).rename(fresh / f"old-{name}")
        os.replace(fresh / name, target / name)


@reported
def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="results folder of a finished study, such as results/study")
    parser.add_argument("target", type=Path, nargs="?", default=Path("results/published"))
    arguments = parser.parse_args(words)
    files = publish(arguments.results, arguments.target)
    size = sum(p.stat().st_size for p in files)
    print(f"{len(files)} files, {size / 1e6:.2f} MB in {arguments.target}; now: make docs, and commit them")
    return 0


if __name__ == "__main__":
    sys.exit(main())

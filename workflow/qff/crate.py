"""A finished study as a Workflow Run RO-Crate: python -m qff.crate results/study [folder].

A folder that anybody can read without this program: the workflow and its configuration, what came in and what came out
with sha256 and size, and who made what when with which code and versions (https://w3id.org/ro/wfrun/workflow/0.5).
Needs the package rocrate (requirements-crate.lock).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from qff.command import reported
from qff.errors import DataError
from qff.provenance import file_digest
from qff.publish import check_complete
from qff.report.provenance import commits, merged, read_invocations, read_records

PROFILES = {  # what the crate conforms to
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
LICENCE = "https://spdx.org/licenses/MIT"
REPOSITORY = ("Snakefile", "requirements.lock", "README.md", "LICENSE", "CITATION.cff")
FOLDERS = ("config", "workflow", "envs")
TYPES = {
    ".csv": "text/csv", ".json": "application/json", ".yaml": "application/yaml", ".html": "text/html", ".svg": "image/svg+xml",
    ".safetensors": "application/octet-stream", ".extxyz": "chemical/x-xyz", ".tsv": "text/tab-separated-values",
}  # fmt: skip


def outputs(results: Path, records: list[dict]) -> list[Path]:
    """Files that the run records account for as theirs, the records themselves, and the report with its figures.

    Raises:
        DataError: a file has changed since its job wrote it.
    """
    found = {results / name: None for name in ("claims.csv", "metrics.csv", "config.yaml", "report.html")}
    found |= dict.fromkeys(results.glob("timings.csv"))
    found |= dict.fromkeys(sorted((results / "figures").glob("*.svg")) + sorted(results.rglob("run.json")))
    for path, digest in ((Path(p), d) for record in records for p, d in record["outputs"].items()):
        own = results / path.relative_to(f"results/{results.name}") if not path.is_absolute() else path
        if not own.is_file() or file_digest(own) != digest:
            raise DataError(f"{own}: missing, or changed since its job wrote it; run the study again (make study)")
        found[own] = None
    return list(found)


def write_crate(results: Path, target: Path) -> Path:
    """Assemble the crate in a folder that does not exist yet; returns its metadata file.

    Raises:
        DataError: the study is incomplete or changed, or the folder exists.
    """
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

    if target.exists():
        raise DataError(f"{target}: exists; remove it, or name another folder")
    check_complete(results)
    records = read_records(results)
    invocations = [i for i in read_invocations(results) if i.get("status") == "success"] or read_invocations(results)
    if not invocations:
        raise DataError(f"{results}: no record of an invocation; run the study again (make study)")
    last, own = invocations[-1], f"results/{results.name}/"
    crate = ROCrate(version="1.1")
    crate.name = f"Quantum neural network force fields, reproduced: run “{results.name}”"
    crate.description = (
        "Reproducibility study of quantum neural network force fields: one run with its inputs and outputs."
    )
    crate.datePublished = datetime.now(UTC)
    crate.license = crate.add(
        ContextEntity(
            crate, LICENCE, properties={"@type": "CreativeWork", "name": "MIT License", "identifier": "MIT"}
        )
    )
    for uri, name in PROFILES.items():
        work = {"@type": "CreativeWork", "name": name, "version": uri.rpartition("/")[2]}
        crate.root_dataset.append_to("conformsTo", crate.add(ContextEntity(crate, uri, properties=work)))

    def add_file(path: Path, place: str):
        about = {"name": place, "sha256": file_digest(path), "contentSize": str(path.stat().st_size)}
        about |= {"encodingFormat": TYPES[path.suffix]} if path.suffix in TYPES else {}
        return crate.add_file(path, place, properties=about)

    version = merged(records, "versions").get("snakemake", "")
    workflow = crate.add_workflow("Snakefile", "Snakefile", main=True, lang="snakemake", lang_version=version)
    workflow["name"], workflow["license"] = "Quantum neural network force fields, reproduced?", {"@id": LICENCE}
    workflow["softwareRequirements"] = [{"@id": "requirements.lock"}]
    for name in REPOSITORY[1:]:
        if Path(name).is_file():
            add_file(Path(name), name)
    for name in FOLDERS:
        for path in sorted(p for p in Path(name).rglob("*") if p.is_file() and "__pycache__" not in p.parts):
            add_file(path, path.as_posix())
    entered = {p: d for record in records for p, d in record["inputs"].items() if not p.startswith(own)}
    objects = []
    for place, digest in sorted(entered.items()):
        path = Path(place)
        if path.is_absolute() or not path.is_file() or file_digest(path) != digest:  # a set that others keep
            about = {"@type": "CreativeWork", "name": path.name, "sha256": digest}
            objects.append(crate.add(ContextEntity(crate, f"#input-{digest[:16]}", properties=about)))
        else:
            objects.append(crate.get(place) or add_file(path, place))
    written = [add_file(p, own + p.relative_to(results).as_posix()) for p in outputs(results, records)]
    settings = {"@type": "PropertyValue", "name": "configuration", "value": json.dumps(last.get("config", {}))}
    objects.append(crate.add(ContextEntity(crate, "#configuration", properties=settings)))
    about = {
        "name": f"Run {last['id']} of the study",
        "description": f"{last.get('command', '')}; git {commits(records)}; "
        + ", ".join(f"{k} {v}" for k, v in merged(records, "versions").items()),
        "startTime": min(r["started"] for r in records),
        "endTime": last.get("finished", max(r["started"] for r in records)),
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }
    action = crate.add_action(
        workflow, f"#{last['id']}", object=objects, result=written, properties={"@type": "CreateAction", **about}
    )
    crate.root_dataset.append_to("mentions", action)
    with tempfile.TemporaryDirectory(prefix=".crate-", dir=target.parent) as folder:
        crate.write(Path(folder) / "crate")
        shutil.move(Path(folder) / "crate", target)
    return target / "ro-crate-metadata.json"


@reported
def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="results folder of a finished study, such as results/study")
    parser.add_argument("target", type=Path, nargs="?", help="folder to make (default: results/<profile>-crate)")
    options = parser.parse_args(words)
    target = options.target or options.results.with_name(f"{options.results.name}-crate")
    print(write_crate(options.results, target))
    return 0


if __name__ == "__main__":
    sys.exit(main())

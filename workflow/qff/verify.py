"""Is the published record consistent? python -m qff.verify [results/published]: exit 1 on any contradiction.

Judges the claims again from the record's own numbers, and holds its files against each other: digests, verdicts,
run records, frozen labels and the table of the README. It recomputes no number; ``make study`` does.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from qff import readme
from qff.claims import judge, load_claims
from qff.errors import DataError, QffError
from qff.provenance import file_digest
from qff.report.published import judged_numbers, read_numbers

CLAIMS = Path("config/claims.yaml")
JUDGED = ["measure", "quantity", "unit", "rule", "n_seeds", "measure_verdict", "verdict"]
ESTIMATED = ["ours", "ci_low", "ci_high"]
TOLERANCE = 1e-9  # relative: sums in another order on another machine


def _json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: unreadable ({error}); restore it with git") from error


def _csv(path: Path, read=pd.read_csv) -> pd.DataFrame:
    try:
        return read(path)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: unreadable ({error}); restore it with git") from error


def check_digests(record: Path) -> list[str]:
    """Files of the record that are missing, changed, or not accounted for in ``runs.json``."""
    stated, found = _json(record / "runs.json")["files"], []
    for name, digest in stated.items():
        if not (record / name).is_file():
            found.append(f"{record / name}: missing")
        elif file_digest(record / name) != digest:
            found.append(f"{record / name}: not the file of which runs.json holds the digest")
    present = {p.relative_to(record).as_posix() for p in (record / "figures").glob("*")}
    return found + [f"{record / name}: not in runs.json" for name in sorted(present - stated.keys())]


def check_verdicts(record: Path, claims_path: Path = CLAIMS) -> list[str]:
    """Claims whose verdict, estimate or interval does not follow from the record's own numbers."""
    table, known = _csv(record / "claims.csv"), load_claims(claims_path)
    recorded, found = list(dict.fromkeys(table.claim_id)), []
    found += [f"{record / 'claims.csv'}: {claim}: not in {claims_path}" for claim in recorded if claim not in known]
    judged_as = dict(zip(table.claim_id, table.system, strict=True))
    stand_ins = {known[c].system: s for c, s in judged_as.items() if c in known and known[c].system != s}
    again = judge(known, _csv(record, judged_numbers), "", stand_ins)
    for claim in (c for c in recorded if c in known):
        then, now = (t[t.claim_id == claim].reset_index(drop=True) for t in (table, again))
        if len(then) != len(now):
            found.append(f"{claim}: {len(then)} measures in the record, {len(now)} in {claims_path}")
            continue
        for column in (*JUDGED, *ESTIMATED):
            a, b = then[column], now[column]
            if column in ESTIMATED:
                same = np.isclose(a, b, rtol=TOLERANCE, atol=0, equal_nan=True)
            else:
                same = (a.fillna("").astype(str) == b.fillna("").astype(str)).to_numpy()
            found += [
                f"{claim}, {then.measure[i]}: {column} {a[i]} recorded, {b[i]} judged" for i in np.where(~same)[0]
            ]
    return found


def check_runs(record: Path) -> list[str]:
    """Run records that contradict the tables: verdicts of the claims, errors of every model and seed."""
    stages, table = _json(record / "runs.json")["stages"], _csv(record / "claims.csv")
    verdicts, found = dict(zip(table.claim_id, table.verdict, strict=True)), []
    for run in (run for entry in stages.get("claims", []) for run in entry["runs"]):
        if run["params"]["verdict"] != verdicts.pop(run["name"], None):
            found.append(f"{run['name']}: its run says {run['params']['verdict']}, claims.csv says otherwise")
    found += [f"{claim}: a verdict without a run" for claim in verdicts]
    numbers = _csv(record / "metrics.csv", read_numbers)
    for quantity, metric in {"energy_rmse": "energy_rmse_mev", "force_rmse": "force_rmse_ev_per_ang"}.items():
        errors = numbers[(numbers.quantity == quantity) & (numbers.split == "test") & (numbers.variant == "")]
        values = {f"{r.model}-{r.system}-s{r.seed:.0f}": r.value for r in errors.itertuples()}
        for run in (run for entry in stages.get("evaluate", []) for run in entry["runs"]):
            stated, tabulated = run["metrics"].get(f"test_{metric}"), values.get(run["name"], np.nan)
            if stated is not None and not np.isclose(stated, tabulated, rtol=TOLERANCE, atol=0):
                found.append(f"{run['name']}: {quantity} {stated} in its run, {tabulated} in metrics.csv")
    return found


def check_evidence(record: Path) -> list[str]:
    """Tested claims whose figure is not in the record."""
    table = _csv(record / "claims.csv")
    tested = table[table.verdict != "not_tested"].drop_duplicates("claim_id")
    return [
        f"{r.claim_id}: no figures/{r.evidence}.svg"
        for r in tested.itertuples()
        if not (record / "figures" / f"{r.evidence}.svg").is_file()
    ]


def check_labels(record: Path) -> list[str]:
    """Frozen labels that are not those of their provenance, or not those that the runs read."""
    found, folder = [], record / "reference"
    digests = {path.name: file_digest(path) for path in folder.glob("*.*")}
    runs = _json(record / "runs.json")["stages"].get("reference", [])
    read = {path: digest for entry in runs for path, digest in entry["inputs"].items()}
    for path in sorted(folder.glob("*.json")):
        stated = _json(path)
        name = stated["file"]
        if name not in digests:
            found.append(f"{folder / name}: missing")
        elif stated["sha256"] != digests[name]:
            found.append(f"{folder / name}: not the file that {path.name} describes")
        elif read.get((folder / name).as_posix(), digests[name]) != digests[name]:
            found.append(f"{folder / name}: not the file that the published runs read")
        if stated.get("labels_sha256") not in (None, *digests.values()):
            found.append(f"{path}: a comparison of labels that are not here")
    return found


def check_readme(record: Path, text_path: Path = readme.README) -> list[str]:
    """A table in the README that is not made from this record."""
    if record / "claims.csv" != readme.CLAIMS:
        return []
    text = text_path.read_text(encoding="utf-8")
    return (
        [] if readme.refreshed(text, readme.CLAIMS) == text else [f"{text_path}: its table differs; run 'make docs'"]
    )


CHECKS: dict[str, Callable[[Path], list[str]]] = {
    "digests of the files": check_digests,
    "verdicts, judged again": check_verdicts,
    "run records and tables": check_runs,
    "figures of the claims": check_evidence,
    "frozen labels": check_labels,
    "table of the README": check_readme,
}


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path, nargs="?", default=Path("results/published"))
    record, contradictions = parser.parse_args(words).record, 0
    for name, check in CHECKS.items():
        try:
            found = check(record)
        except QffError as error:
            found = [str(error)]
        print(f"{'FAILED' if found else 'ok':8s}{name}")
        for line in found:
            print(f"        {line}", file=sys.stderr)
        contradictions += len(found)
    print(f"{record}: {contradictions} contradictions" if contradictions else f"{record}: consistent")
    return 1 if contradictions else 0


if __name__ == "__main__":
    sys.exit(main())

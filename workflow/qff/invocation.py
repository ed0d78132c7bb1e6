"""One run of Snakemake: its identity for the jobs, its record, and the summary at its end."""

from __future__ import annotations

import csv
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from qff.config import Config
from qff.jobs import driver_id
from qff.provenance import git_state, versions, write_json


class Invocation:
    """The driving process of a study. Jobs inherit its identity through the environment."""

    def __init__(self, config: Config):
        self.config = config
        if "QFF_INVOCATION" not in os.environ:
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
            os.environ["QFF_INVOCATION"] = f"{stamp}-{secrets.token_hex(3)}"
            os.environ["QFF_DRIVER"] = driver_id()
        self.id = os.environ["QFF_INVOCATION"]
        self.results = Path("results") / config.profile
        self._clock = time.perf_counter()

    @property
    def path(self) -> Path:
        return self.results / "invocations" / f"{self.id}.json"

    def start(self) -> None:
        write_json(
            self.path,
            {
                "id": self.id,
                "profile": self.config.profile,
                "started": datetime.now(UTC).isoformat(timespec="seconds"),
                "command": " ".join(sys.argv),
                "git": git_state(),
                "versions": versions(),
                "config": self.config.model_dump(mode="json"),
            },
        )

    def finish(self, status: str) -> None:
        for timer in filter(lambda t: isinstance(t, threading.Timer), threading.enumerate()):
            timer.cancel()  # of the scheduler (profiles/): the process would wait for each to run out
        record = json.loads(self.path.read_text(encoding="utf-8"))
        record |= {
            "status": status,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": time.perf_counter() - self._clock,
        }
        write_json(self.path, record)
        # The last word of this invocation for MLflow, and whatever an unreachable store missed before.
        subprocess.run(
            [sys.executable, "-m", "qff.tracking", "sync", str(self.results), "--uri", self.config.tracking.uri]
        )

    def summary(self) -> None:
        """What was found and where to look; nothing after a part of the study (``--until``), which has no verdicts."""
        if not (self.results / "claims.csv").is_file():
            return
        with open(self.results / "claims.csv", encoding="utf-8", newline="") as handle:
            verdicts = {row["claim_id"]: row["verdict"] for row in csv.DictReader(handle)}
        lines = ["", f"Study '{self.config.profile}' is complete ({time.perf_counter() - self._clock:.0f} s)."]
        lines += [f"  {verdict:28s}{claim}" for claim, verdict in verdicts.items()]
        lines.append("  in all: " + ", ".join(f"{n} {v}" for v, n in Counter(verdicts.values()).items()))
        lines.append(f"  report   {self.results}/report.html   (make report)")
        lines.append(f"  claims   {self.results}/claims.csv, numbers {self.results}/metrics.csv")
        lines.append("  runs     make ui   (MLflow on 127.0.0.1)")
        if (self.results / "tracking" / "pending").exists():
            lines.append("  MLflow   the store could not be reached; 'make sync' catches up")
        print("\n".join(lines), file=sys.stderr)

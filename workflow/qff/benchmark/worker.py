"""One engine on one workload in a process of its own: memory and first call are its own too.

Protocol: a line of JSON when ready; then for each number n read, n calls are timed and answered with a line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    engine, name, changes = sys.argv[1:4]
    from dataclasses import replace

    from qff.benchmark.workloads import WORKLOADS

    workload = replace(WORKLOADS[name], **json.loads(changes))
    if engine in ("ours", "pennylane-torch"):
        import torch

        torch.set_num_threads(workload.threads)
    from qff.benchmark.engines import prepare

    try:
        run, share = prepare(engine, workload)
    except ModuleNotFoundError as error:
        print(json.dumps({"missing": error.name}), flush=True)
        return
    before = _peak_mib()
    start = time.perf_counter()
    result = run()
    first = time.perf_counter() - start
    print(json.dumps({"first": first, "share": share, "sum": float(abs(result).sum())}), flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        print(json.dumps({"times": times, "memory_mib": _peak_mib() - before}), flush=True)


if __name__ == "__main__":
    main()

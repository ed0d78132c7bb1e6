"""What the command lines that measure a record of Table 1 have in common."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from qff.errors import QffError


def print_record(measure: Callable[[], dict]) -> int:
    """Print a record as JSON, or what stood in its way; the exit status."""
    try:
        print(json.dumps(measure(), indent=1))
    except QffError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0

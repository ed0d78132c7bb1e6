"""What the command lines of the package have in common: an error of the user's is one line and exit status 1."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

from qff.errors import QffError

Main = Callable[[list[str] | None], int]


def reported(main: Main) -> Main:
    """Wrap the main function of a command line: a QffError becomes one line on stderr and the exit status 1."""

    @functools.wraps(main)
    def wrapper(words: list[str] | None = None) -> int:
        try:
            return main(words)
        except QffError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1

    return wrapper

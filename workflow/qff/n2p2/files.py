"""Lines of n2p2's text files, and errors that name them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qff.errors import DataError


@dataclass(frozen=True)
class Line:
    """Words of a line that is neither blank nor a comment."""

    path: Path
    number: int
    words: list[str]

    def error(self, message: str) -> DataError:
        return DataError(f"{self.path}, line {self.number}: {message} (got '{' '.join(self.words)}')")

    def numbers(self, words: list[str], kind: type = float) -> list:
        """Words as numbers.

        Raises:
            DataError: a word is no number of this kind; it names file and line.
        """
        try:
            return [kind(w) for w in words]
        except ValueError:
            raise self.error(f"expected {'integers' if kind is int else 'numbers'}") from None


def read_lines(path: Path) -> Iterator[Line]:
    """Lines without comments (# to the end of the line).

    Raises:
        DataError: the file is missing or not text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file; a potential of n2p2 has input.nn, scaling.data and weights.ZZZ.data"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: unreadable ({error})") from None
    for number, line in enumerate(text.splitlines(), 1):
        if words := line.partition("#")[0].split():
            yield Line(path, number, words)


def exact(value: float) -> str:
    """A number in 17 digits, from which the same bits are read again."""
    return f"{value:24.16E}"

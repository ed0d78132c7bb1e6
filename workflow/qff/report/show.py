"""Say where the report of a study is, and open it where there is a desktop: python -m qff.report.show results/study."""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from pathlib import Path


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="results folder of a study, such as results/study")
    report = parser.parse_args(words).results / "report.html"
    if not report.is_file():
        print(f"{report}: not there yet; run the study first (make study)", file=sys.stderr)
        return 1
    print(report)
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin":
        webbrowser.open(report.resolve().as_uri())
    return 0


if __name__ == "__main__":
    sys.exit(main())

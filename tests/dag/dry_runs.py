"""Snakemake in an empty folder that has the files of the repository, and the rules as text."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted((ROOT / "workflow/rules").glob("*.smk"))


def inherited() -> dict[str, str]:
    """The environment without what an outer run of the study may have left in it."""
    outer = ("QFF_", "PYTHONPATH", "PYTHONHASHSEED")
    return {k: v for k, v in os.environ.items() if not k.startswith(outer)}


def snakemake(*arguments, cwd=ROOT, **environment):
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=cwd,
        env=inherited() | environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


def place(tmp_path):
    """An empty folder that has the repository's files but no results."""
    tmp_path.mkdir(exist_ok=True)
    for name in ("Snakefile", "workflow", "config", "docs", "envs"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "results").mkdir()
    (tmp_path / "results/published").symlink_to(ROOT / "results/published")
    return tmp_path


def fresh(tmp_path, *arguments, **environment):
    """A dry run without any results."""
    return snakemake("-n", "--cores", "1", *arguments, cwd=place(tmp_path), **environment)


def edited(tmp_path):
    """The same with a copy of the package, to be edited."""
    place(tmp_path)
    (tmp_path / "workflow").unlink()
    shutil.copytree(ROOT / "workflow", tmp_path / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def rules():
    """(file, name, body) of every rule."""
    found = []
    for path in RULES:
        parts = re.split(r"^\s*rule (\w+):", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        found += [(path.name, name, body) for name, body in zip(parts[1::2], parts[2::2], strict=True)]
    return found

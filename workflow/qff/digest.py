"""Digest of the code a result depends on.

Snakemake notices edits of scripts, not of imported packages. Each rule therefore carries, as a parameter, a
digest of the modules its stage imports, directly or not. Imports are read from the syntax tree, so that nothing
heavy is loaded for a dry run.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
# Where results go and what is said about them, not what they are: edits here must not re-run the study. The
# configuration reaches jobs by value, as parameters of their own.
_IGNORED = {"qff.config", "qff.jobs", "qff.provenance", "qff.errors", "qff.tracking", "qff.digest", "qff.invocation"}


def _file(module: str) -> Path | None:
    """Source file of a module of this package, or None for others."""
    parts = module.split(".")
    if parts[0] != "qff":
        return None
    path = PACKAGE.joinpath(*parts[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@functools.cache
def _imports(module: str) -> frozenset[str]:
    """Modules of this package that a module imports, at any level of nesting, or names as ``qff.module:object``."""
    path = _file(module)
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and re.fullmatch(r"qff\.[\w.]+:\w+", str(node.value)):
            found.add(node.value.partition(":")[0])
    return frozenset(name for name in found if _file(name) is not None)


@functools.cache
def _packages(module: str) -> frozenset[str]:
    """Packages whose ``__init__`` runs before a module, as far as they hold more than a docstring."""
    parts = module.split(".")
    names = (".".join(parts[:n]) for n in range(2, len(parts)))
    return frozenset(n for n in names if len(ast.parse(_file(n).read_text(encoding="utf-8")).body) > 1)


@functools.cache
def closure(*modules: str) -> tuple[str, ...]:
    """All modules of this package that importing the given ones runs, themselves included.

    Raises:
        ValueError: a module does not exist.
    """
    waiting, seen = list(modules), set()
    while waiting:
        module = waiting.pop()
        if module in seen or module in _IGNORED:
            continue
        if _file(module) is None:
            raise ValueError(f"no module '{module}' in {PACKAGE}")
        seen.add(module)
        waiting += _imports(module) | _packages(module)
    return tuple(sorted(seen))


@functools.cache
def code_digest(*modules: str) -> str:
    """Digest of the contents of the import closure."""
    digest = hashlib.sha256()
    for module in closure(*modules):
        digest.update(module.encode())
        digest.update(_file(module).read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def tracked_digest(path: str) -> str:
    """Digest of a file kept in git: a fresh clone's new modification times are no change."""
    file = Path(path)
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else "missing"

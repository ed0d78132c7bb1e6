"""Entries of the claims file, those that are stated for several systems written out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qff.config import read_yaml
from qff.errors import ConfigError


def read_entries(path: str | Path) -> Any:
    """Content of the file, in which a claim with ``also: {word: system}`` stands for one claim of every such system, too.

    The word takes the place of the second part of the claim's id (``paper.molecule.claim``), and of those ids under
    ``requires`` that have the same one; the system that of the claim's own, also at the end of ``evidence``.

    Raises:
        ConfigError: not valid YAML, ``also`` is no such mapping, or it makes an id that exists already.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        return content
    found: dict[str, Any] = {}
    for name, claim in content.items():
        if not isinstance(claim, dict) or "also" not in claim:
            found[name] = claim
            continue
        found[name] = {k: v for k, v in claim.items() if k != "also"}
        also = claim["also"]
        if not isinstance(also, dict) or not all(isinstance(x, str) for pair in also.items() for x in pair):
            raise ConfigError(f"{path}, {name}: also: expected a mapping of words, for the ids, to systems")
        for word, system in also.items():
            other = _renamed(name, name, word)
            if other in content or other in found:
                raise ConfigError(f"{path}, {name}: also: '{word}' makes the claim '{other}', which is there already")
            found[other] = _of_system(found[name], name, word, system)
    return found


def _of_system(claim: dict[str, Any], name: str, word: str, system: str) -> dict[str, Any]:
    """The claim of another system; what is wrong with it is said when it is checked."""
    changed = {**claim, "system": system}
    if isinstance(evidence := claim.get("evidence"), str):
        changed["evidence"] = f"{evidence.removesuffix('_' + str(claim.get('system')))}_{system}"
    if isinstance(requires := claim.get("requires"), list):
        changed["requires"] = [_renamed(str(r), name, word) for r in requires]
    return changed


def _renamed(claim_id: str, like: str, word: str) -> str:
    """An id with another second part, if it has that of ``like``."""
    parts, own = claim_id.split("."), like.split(".")
    return ".".join([parts[0], word, *parts[2:]]) if parts[1:2] == own[1:2] else claim_id

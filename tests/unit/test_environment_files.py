"""The conda environments: as the lock has them, and enough for the rules that declare them."""

import ast
import functools
import re
import sys
from pathlib import Path

import pytest
import yaml
from packaging.utils import canonicalize_name
from qff import environments
from qff.digest import _file, closure
from qff.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
DISTRIBUTIONS = {"markdown_it": "markdown-it-py", "yaml": "pyyaml"}  # where the names differ
RULE = re.compile(r"^ *rule (\w+):\n(.*?)(?=^ *rule |\Z)", re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


def rules() -> dict[str, tuple[str, str]]:
    """Rule → its script and the group of its conda environment."""
    found = {}
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for name, body in RULE.findall(path.read_text(encoding="utf-8")):
            declared = re.search(r'conda:\s+"\.\./\.\./envs/(\w+)\.yaml"', body)
            assert declared, f"{name} ({path.name}) declares no conda environment"
            found[name] = re.search(r'script:\s+"\.\./scripts/(\w+)\.py"', body)[1], declared[1]
    return found


@functools.cache
def imports(module: str) -> frozenset[str]:
    """Top-level packages that a module of ours imports, at any level of nesting."""
    found = set()
    for node in ast.walk(ast.parse(_file(module).read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
        found |= {name.partition(".")[0] for name in names}
    return frozenset(found - {"qff"} - set(sys.stdlib_module_names))


def foreign_imports(script: str) -> set[str]:
    """Distributions that a rule's script imports through this package."""
    modules = re.findall(r"from (qff[\w.]*) import", (ROOT / f"workflow/scripts/{script}.py").read_text("utf-8"))
    of_all = (*closure(*modules), *modules, "qff.config", "qff.provenance")
    return {canonicalize_name(DISTRIBUTIONS.get(n, n)) for module in of_all for n in imports(module)}


def test_files_are_as_the_lock_has_them(capsys):
    assert environments.main(["--check"]) == 0, capsys.readouterr().err


def test_a_drift_is_found_and_mended(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    Path("requirements.lock").write_text(lock, encoding="utf-8")
    assert environments.main(["--check"]) == 1
    assert environments.main([]) == 0
    assert environments.main(["--check"]) == 0
    Path("requirements.lock").write_text(re.sub(r"(?m)^numpy==.*$", "numpy==9.9.9", lock), encoding="utf-8")
    assert environments.main(["--check"]) == 1
    assert "envs/learning.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("group", environments.GROUPS)
def test_an_environment_is_valid_and_exactly_pinned(group):
    content = yaml.safe_load((ROOT / f"envs/{group}.yaml").read_text(encoding="utf-8"))
    assert content.keys() == {"name", "channels", "dependencies"}
    *conda, pip = content["dependencies"]
    assert all(re.fullmatch(r"[a-z]+=\d+(\.\d+)+", pin) for pin in conda)
    assert [pin.partition("=")[0] for pin in conda] == ["python", "pip"]
    lock = set((ROOT / "requirements.lock").read_text(encoding="utf-8").split())
    assert set(pip["pip"]) <= lock
    assert (set(pip["pip"]) == lock) == (group == "dev")


@pytest.mark.parametrize(("script", "group"), rules().values(), ids=rules())
def test_a_rule_finds_what_it_imports(script, group):
    content = yaml.safe_load((ROOT / f"envs/{group}.yaml").read_text(encoding="utf-8"))
    present = {canonicalize_name(line.partition("==")[0]) for line in content["dependencies"][-1]["pip"]}
    assert foreign_imports(script) <= present


@pytest.mark.parametrize(
    ("lock", "message"), [("numpy>=2\n", "'numpy>=2' pins no version"), ("ase==3.29.0\n", "no 'numpy'")]
)
def test_a_bad_lock_is_refused(tmp_path, lock, message):
    (tmp_path / "lock").write_text(lock, encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(message)):
        environments.environment("reference", environments.read_lock(tmp_path / "lock"))

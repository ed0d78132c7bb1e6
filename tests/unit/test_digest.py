"""The code digest: what a stage uses changes it, nothing else does."""

import ast
import os
import shutil
import subprocess
import sys

import pytest
from qff import digest


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package to edit."""
    copy = tmp_path / "qff"
    shutil.copytree(digest.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(digest, "PACKAGE", copy)
    forget()
    yield copy
    forget()


def forget():
    for function in (digest._imports, digest._packages, digest.closure, digest.code_digest):
        function.cache_clear()


def test_closures():
    data, train = digest.closure("qff.stages.data"), digest.closure("qff.stages.train")
    assert not [m for m in data if m.startswith(("qff.models", "qff.engines", "qff.training"))]
    models = {f"qff.models.{p.stem}" for p in (digest.PACKAGE / "models").glob("*.py")} - {"qff.models.__init__"}
    assert models - {"qff.models.mixture"} <= set(train)  # those imported inside functions too
    assert "qff.models.mixture" in digest.closure("qff.stages.transfer")
    assert "qff.engines.batched" in train
    assert "qff.capacity" not in train
    with pytest.raises(ValueError, match=r"no module 'qff.stages.trian'"):
        digest.closure("qff.stages.trian")


@pytest.mark.parametrize(
    ("edited", "changes"),
    [
        ("models/nn.py", {"train", "evaluate", "capacity", "scaling", "dynamics"}),
        ("capacity.py", {"capacity"}),
        ("dynamics/diatomic.py", {"dynamics"}),
        ("claims.py", {"claims"}),
        ("reference/labels.py", {"reference", "dynamics"}),
        ("training/optimisers.py", {"train", "scaling"}),
        ("tracking.py", set()),
        ("jobs.py", set()),
        ("models/__init__.py", {"train", "evaluate", "capacity", "scaling", "dynamics"}),
        ("training/__init__.py", {"train", "scaling"}),
        ("data.py", {"reference", "data", "train", "evaluate", "capacity", "scaling", "dynamics"}),
        ("stages/data.py", {"data"}),
        ("report/build.py", set()),
    ],
)
def test_an_edit_changes_the_digests_of_its_users(package, edited, changes):
    stages = ("reference", "data", "train", "evaluate", "capacity", "scaling", "dynamics", "claims")
    before = {s: digest.code_digest(f"qff.stages.{s}") for s in stages}
    with open(package / edited, "a", encoding="utf-8") as handle:
        handle.write("\n# edited\n")
    forget()
    after = {s: digest.code_digest(f"qff.stages.{s}") for s in stages}
    assert {s for s in stages if before[s] != after[s]} == changes


@pytest.mark.parametrize(
    "lazy",
    [
        "def f():\n    from qff.units import EV_IN_MEV\n",
        "def f():\n    from qff import units\n",
        "def f():\n    import qff.units\n",
        "class A:\n    def f(self):\n        if self:\n            import qff.units as u\n",
        "from pkgutil import resolve_name\nKINDS = {'a': 'qff.units:EV_IN_MEV'}\nresolve_name(KINDS['a'])\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from qff.units import EV_IN_MEV\n",
    ],
)
def test_imports_anywhere_in_a_module_count(package, lazy):
    (package / "stages/lazy.py").write_text('"""A stage."""\n' + lazy)
    assert set(digest.closure("qff.stages.lazy")) - {"qff"} == {"qff.stages.lazy", "qff.units"}
    before = digest.code_digest("qff.stages.lazy")
    (package / "units.py").write_text("EV_IN_MEV = 1\n")
    forget()
    assert digest.code_digest("qff.stages.lazy") != before


def test_code_of_a_package_counts_for_its_modules(package):
    """Python runs ``__init__`` before a module; one that only describes the package is left out."""
    assert "qff.stages" not in digest.closure("qff.stages.data")
    before = digest.code_digest("qff.stages.data")
    with open(package / "stages/__init__.py", "a", encoding="utf-8") as handle:
        handle.write("\nimport qff.units\n")
    forget()
    assert {"qff.stages", "qff.units"} <= set(digest.closure("qff.stages.data"))
    assert digest.code_digest("qff.stages.data") != before


def test_a_new_or_renamed_module_changes_the_digest(package):
    before = digest.code_digest("qff.stages.claims")
    (package / "claims.py").rename(package / "judging.py")
    stage = package / "stages/claims.py"
    stage.write_text(stage.read_text().replace("qff.claims", "qff.judging"))
    forget()
    assert "qff.judging" in digest.closure("qff.stages.claims")
    assert digest.code_digest("qff.stages.claims") != before


def test_the_package_imports_itself_by_full_names():
    """Relative and computed imports would escape the digest."""
    for path in digest.PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}, line {node.lineno}: relative import"
            called = getattr(getattr(node, "func", None), "attr", getattr(getattr(node, "func", None), "id", ""))
            assert called not in ("import_module", "__import__"), f"{path}, line {node.lineno}: computed import"


def test_every_process_finds_the_same_digest():
    command = "from qff.digest import code_digest; print(code_digest('qff.stages.train', 'qff.stages.dynamics'))"
    found = {
        subprocess.run(
            [sys.executable, "-c", command],
            env={**os.environ, "PYTHONPATH": "workflow", "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(found) == 1


def test_tracked_files_count_by_content(tmp_path):
    path = tmp_path / "labels.extxyz"
    assert digest.tracked_digest(str(path)) == "missing"
    digest.tracked_digest.cache_clear()
    path.write_text("a")
    first = digest.tracked_digest(str(path))
    digest.tracked_digest.cache_clear()
    path.write_text("b")
    assert digest.tracked_digest(str(path)) != first
    digest.tracked_digest.cache_clear()

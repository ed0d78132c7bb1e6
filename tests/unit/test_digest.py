"""The code digest: what a stage uses changes it, nothing else does."""

import shutil

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
    for function in (digest._imports, digest.closure, digest.code_digest):
        function.cache_clear()


def test_closures():
    data, train = digest.closure("qff.stages.data"), digest.closure("qff.stages.train")
    assert not [m for m in data if m.startswith(("qff.models", "qff.engines", "qff.training"))]
    models = {f"qff.models.{p.stem}" for p in (digest.PACKAGE / "models").glob("*.py")} - {"qff.models.__init__"}
    assert models <= set(train)  # those imported inside functions too
    assert "qff.engines.batched" in train
    assert "qff.capacity" not in train
    with pytest.raises(ValueError, match=r"no module 'qff.stages.trian'"):
        digest.closure("qff.stages.trian")


@pytest.mark.parametrize(
    ("edited", "changes"),
    [
        ("models/nn.py", {"train", "evaluate", "capacity", "scaling", "dynamics"}),
        ("capacity.py", {"capacity"}),
        ("dynamics.py", {"dynamics"}),
        ("claims.py", {"claims"}),
        ("reference/labels.py", {"reference", "dynamics"}),
        ("training/optimisers.py", {"train", "scaling"}),
        ("tracking.py", set()),
        ("jobs.py", set()),
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

"""What a full disk, a kill or a hostile file may do: an error that says so, and never a half-written result."""

import os
import random
import re
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from qff.config import read_yaml
from qff.errors import ConfigError, DataError
from qff.provenance import write_text
from qff.reference.imported import LAYOUTS, read_raw

ROOT = Path(__file__).resolve().parents[2]
LETTERS = "abcdefgh"


def in_a_child(function) -> int:
    """Run a function in a process of its own; returns its wait status."""
    child = os.fork()
    if child == 0:
        try:
            function()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return child


def test_a_full_disk_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "metrics.csv"
    write_text(path, "old")

    def fill():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails, as it does on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            write_text(path, "x" * 100_000)
        except OSError:
            os._exit(7)

    _, status = os.waitpid(in_a_child(fill), 0)
    assert os.waitstatus_to_exitcode(status) == 7
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["metrics.csv"]


def test_killed_while_writing_a_file_is_old_or_new_never_half(tmp_path):
    """kill -9 at 30 random moments of a process that does nothing but write."""
    path, size, rng = tmp_path / "labels.csv", 300_000, random.Random(0)
    write_text(path, LETTERS[0] * size)

    def write_forever():
        while True:
            for letter in LETTERS:
                write_text(path, letter * size)

    seen = set()
    for _ in range(30):
        child = in_a_child(write_forever)
        time.sleep(rng.uniform(0.005, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        text = path.read_text()
        assert len(text) == size
        assert len(set(text)) == 1
        seen.add(text[0])
    assert len(seen) > 1, "nothing was written between the kills"


def test_hostile_yaml_is_refused_and_does_nothing(tmp_path):
    victim = tmp_path / "victim"
    texts = (
        f"a: !!python/object/apply:os.system ['touch {victim}']",
        f"!!python/object/new:subprocess.Popen [[touch, {victim}]]",
        "a: !!python/name:os.system",
        "a: 2022-13-45",
        "a: &a [*a",
        "[" * 100_000,
    )
    for text in texts:
        (tmp_path / "hostile.yaml").write_text(text)
        with pytest.raises(ConfigError, match="not valid YAML"):
            read_yaml(tmp_path / "hostile.yaml")
    assert not victim.exists()


class Touch:
    """Pickle of this touches a file when it is read."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_pickle_is_never_loaded(tmp_path):
    victim, (layout, keys) = tmp_path / "victim", next(iter(LAYOUTS.items()))
    arrays = {keys.numbers: np.array([8, 1, 1]), keys.positions: np.array([Touch(victim)], dtype=object)}
    np.savez(tmp_path / "set.npz", **arrays, **{keys.energies: np.zeros(1)})
    with pytest.raises(DataError, match="not a readable"):
        read_raw(tmp_path / "set.npz", layout)
    assert not victim.exists()
    sources = {p: p.read_text(encoding="utf-8") for p in (ROOT / "workflow").rglob("*.py")}
    risky = re.compile(
        r"^\s*(import|from) (pickle|dill|joblib|cloudpickle)\b|torch\.load|allow_pickle=True"
        r"|yaml\.(unsafe_|full_)?load\((?!.*_Loader)",
        re.MULTILINE,
    )
    assert [p.name for p, text in sources.items() if risky.search(text)] == []


def test_servers_of_ours_listen_to_this_machine_only():
    lines = [line for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines() if "mlflow ui" in line]
    assert lines
    assert all("--host 127.0.0.1" in line for line in lines)

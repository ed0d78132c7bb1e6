"""What the README tells a user to type, typed."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from qff.config import ModelConfig, validate
from qff.models import build_architecture
from qff.models.potential import Potential
from qff.systems import System

README = Path("README.md").resolve()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def lih(study):
    return System("lih", study.systems["lih"])


def test_a_potential_drives_ase(study, lih, tmp_path, monkeypatch, capsys):
    """With an untrained one in the place of the file that a study leaves."""
    (code,) = (block for block in blocks("python") if "PotentialCalculator" in block)
    architecture = build_architecture(lih, study.models["qnn"])
    parameters = architecture.initial_parameters(np.random.default_rng(0))
    center, width = np.zeros(1), np.ones(1)
    potential = Potential(architecture, study.models["qnn"], parameters, center, width, -7.0, 2.0)
    file = tmp_path / re.search(r'"(results/[^"]+)"', code).group(1)
    file.parent.mkdir(parents=True)
    potential.save(file)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    printed = np.array(re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", capsys.readouterr().out), float)
    energies, forces = potential.energy_and_forces(np.array([[[0, 0, 0], [0, 0, 1.7]]]))
    np.testing.assert_allclose(printed, [*energies, *forces.ravel()], rtol=1e-6, atol=1e-6)


def test_a_circuit_of_ones_own_is_a_model(lih, tmp_path, monkeypatch):
    """The file and the entry, as they stand there."""
    (code,) = (block for block in blocks("python") if block.startswith("# my_circuits.py"))
    (entry,) = (block for block in blocks("yaml") if "my_circuits.py:ring" in block)
    (tmp_path / "my_circuits.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    ((name, settings),) = yaml.safe_load(entry).items()
    architecture = build_architecture(lih, validate(ModelConfig, {"name": name, **settings}, "README"))
    rng = np.random.default_rng(1)
    theta = torch.tensor(architecture.initial_parameters(rng))[None]
    inputs = architecture.inputs(torch.tensor([[[0.0, 0.0, 0.0], [0.0, 0.0, 1.6]]]).double())
    f, df = architecture.evaluate(theta, inputs.select((None, ...)))
    assert architecture.n_parameters == 48
    assert abs(float(f)) <= 1
    assert float(df.abs().max()) > 0

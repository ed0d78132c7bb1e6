"""Training on several molecules at once: the same energies as apart, and errors on a molecule never seen."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from qff.config import ModelConfig, TrainingConfig, read_yaml
from qff.data import read_frames
from qff.errors import ConfigError
from qff.models import build_architecture
from qff.models.mixture import Mixture
from qff.randomness import generator
from qff.stages.common import system_from
from qff.stages.transfer import train_jointly
from qff.training.ensemble import build_ensemble
from qff.training.joint import joint_ensemble

SYSTEMS = {name: read_yaml("config/systems.yaml")[name] for name in ("h2o", "h3o")}
SETTINGS = {
    "form": "revised",
    "layers": 1,
    "cutoff_ang": 5.0,
    "n_radial": 3,
    "elements": ["H", "O"],
    "output_range": 0.9,
}
ENTRY = {"name": "pairs", "label": "pairs", "kind": "neighbour_pairs", "systems": {"default": SETTINGS}}
LABELS = {name: f"results/published/reference/{name}.extxyz" for name in SYSTEMS}
SPLITS = [{"train": list(range(9)), "validation": [20, 21, 22], "test": list(range(30, 40))}] * 2


@pytest.fixture(scope="module")
def parts():
    """Architecture and frames of each molecule."""
    entry = ModelConfig(**ENTRY)
    molecules = [system_from(name, config) for name, config in SYSTEMS.items()]
    return [(build_architecture(m, entry), read_frames(LABELS[m.name], m.symbols)) for m in molecules]


def test_a_mixture_gives_every_molecule_its_own_energy(parts):
    mixture = Mixture([a for a, _ in parts])
    theta = torch.as_tensor(mixture.initial_parameters(generator(1, "mixture")))[None]
    apart = [a.inputs(torch.as_tensor(f.positions[:3])).select((None, ...)) for a, f in parts]
    both = [mixture.number_inputs(k, own) for k, own in enumerate(apart)]
    turn = torch.tensor([0, 3, 1, 4, 2, 5])  # molecules in turn
    joined = type(both[0])(
        *(torch.cat([getattr(x, k) for x in both], 1)[:, turn] for k in both[0].__dataclass_fields__)
    )
    f, df = mixture.evaluate(theta, joined)
    for k, (own, (architecture, _)) in enumerate(zip(apart, parts, strict=True)):
        f_own, df_own = architecture.evaluate(theta, own)
        torch.testing.assert_close(f[:, k::2], f_own, rtol=1e-12, atol=1e-13)
        size = df_own.shape[-1]
        torch.testing.assert_close(df[:, k::2, :size], df_own, rtol=1e-12, atol=1e-13)
        assert not df[:, k::2, size:].any()


def test_alone_a_molecule_is_trained_as_ever(parts):
    settings = TrainingConfig(optimiser="adam", steps=5, batch=3, curve_points=5)
    alone = build_ensemble(*parts[0], SPLITS)
    initial = np.array([[alone.architecture.initial_parameters(generator(2, seed))] for seed in range(2)])
    expected = alone.train(initial, settings)
    found = joint_ensemble([alone]).train(initial, settings)
    np.testing.assert_allclose(found.parameters, expected.parameters, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.curves.train_loss_ev2, expected.curves.train_loss_ev2, rtol=1e-8)


def test_parameters_of_atoms_cannot_be_shared(parts):
    entry = ModelConfig(**ENTRY | {"systems": {"default": SETTINGS | {"elements": ["H", "O", "C"]}}})
    other = build_architecture(parts[1][0].system, entry)
    with pytest.raises(
        ConfigError, match=r"model for h3o: its .* parameters are not those for h2o; only models with"
    ):
        Mixture([parts[0][0], other])


def run_stage(tmp_path, seen, systems=SYSTEMS, **training) -> pd.DataFrame:
    """Numbers of the stage."""
    for name in systems:
        (tmp_path / f"{name}.json").write_text(json.dumps({"splits": SPLITS}))
    train_jointly(
        context={"profile": "test", "seed": 3, "code_digest": "0"},
        systems=systems,
        seen=seen,
        model=ENTRY,
        training={"optimiser": "adam", "batch": 6, "curve_points": 5, **training},
        n_train=6,
        n_seeds=2,
        labels_paths=[f"results/published/reference/{name}.extxyz" for name in systems],
        splits_paths=[str(tmp_path / f"{name}.json") for name in systems],
        metrics_path=str(tmp_path / "metrics.csv"),
        run_path=str(tmp_path / "run.json"),
    )
    return pd.read_csv(tmp_path / "metrics.csv")


@pytest.mark.parametrize("seen", [["h2o", "h3o"], ["h2o"]])
def test_the_stage(tmp_path, seen):
    table = run_stage(tmp_path, seen, steps=80, learning_rate=0.1)
    assert not (tmp_path / "checkpoint.safetensors").exists()
    variants = table.groupby("system").variant.unique().str[0].to_dict()
    assert variants == {name: "transfer_seen" if name in seen else "transfer_unseen" for name in SYSTEMS}
    skill = table[table.quantity == "force_skill"].groupby("system").value.median()
    assert skill["h2o"] > 0.2, skill  # learnt
    assert table.value.notna().all()
    assert len(json.loads((tmp_path / "run.json").read_text())["runs"]) == 2


def test_a_molecule_of_other_elements_is_refused_before_anything_is_trained(tmp_path):
    """Its model would have more parameters than those that are trained."""
    systems = {name: read_yaml("config/systems.yaml")[name] for name in ("h2o", "lih")}
    with pytest.raises(ConfigError, match=r"model for lih: its \d+ parameters are not those for h2o; .*elements"):
        run_stage(tmp_path, ["h2o"], systems, steps=10**6)


def test_equally_many_parameters_of_other_elements_are_refused(parts):
    """Or the parameters of one element would silently be taken for those of another."""
    one, other = (
        build_architecture(
            parts[0][0].system, ModelConfig(**ENTRY | {"systems": {"default": SETTINGS | {"elements": e}}})
        )
        for e in (["H", "O"], ["O", "H"])
    )
    assert one.n_parameters == other.n_parameters
    with pytest.raises(ConfigError, match="parameters are not those for h2o"):
        Mixture([one, other])


def test_of_several_starts_the_best_is_kept(tmp_path):
    """Hardly trained, a potential is the start that validates best."""
    untrained = {"steps": 1, "learning_rate": 1e-9}
    tables = [run_stage(tmp_path, ["h2o"], **untrained, starts=k) for k in (1, 6)]
    one, six = (t[(t.system == "h2o") & (t.quantity == "force_mae")].value.to_numpy() for t in tables)
    assert len(one) == len(six) == 2
    assert six.mean() < one.mean()

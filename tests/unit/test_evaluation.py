"""Errors on test frames: of all atoms, of hydrogens alone, and of every part of a set."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from qff.data import read_frames
from qff.errors import DataError
from qff.evaluation import bootstrap_interval, errors, hydrogen_components, interpolated
from qff.models import build_architecture
from qff.provenance import write_json
from qff.stages.common import read_splits
from qff.stages.data import split_data
from qff.stages.evaluate import evaluate_model
from qff.systems import System
from qff.training.ensemble import build_ensemble, initial_ensemble

CONTEXT = {"profile": "test", "seed": 0, "code_digest": "0"}


def water_table(n_frames: int = 3) -> pd.DataFrame:
    """Wrong by 1 meV in energy, by 0.3 eV/Å on oxygen (atom 0), by ±0.1 eV/Å on hydrogens."""
    rows = []
    for frame in range(n_frames):
        rows.append({"frame": frame, "component": -1, "reference": -1.0, "predicted": -1.0 + 1e-3})
        for component in range(9):
            wrong = 0.3 if component < 3 else 0.1 * (-1) ** component
            rows.append({"frame": frame, "component": component, "reference": 2.0, "predicted": 2.0 + wrong})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("symbols", "components"),
    [(["O", "H", "H"], [3, 4, 5, 6, 7, 8]), (["H", "Li"], [0, 1, 2]), (["H", "H"], []), (["C", "O"], [])],
)
def test_which_components_are_of_hydrogen(symbols, components):
    assert hydrogen_components(symbols).tolist() == components


def test_hydrogens_are_judged_apart():
    found = errors(water_table(), ["O", "H", "H"])
    expected = {
        "energy_rmse": 1.0,
        "energy_mae": 1.0,
        "force_rmse": np.sqrt((3 * 0.3**2 + 6 * 0.1**2) / 9),
        "force_mae": (3 * 0.3 + 6 * 0.1) / 9,
        "force_rmse_h": 0.1,
        "force_mae_h": 0.1,
    }
    assert {k: v for k, (_, v) in found.items()} == pytest.approx(expected)
    assert found["force_rmse_h"][0] == "eV/Ang"
    assert set(errors(water_table(), ["O", "O", "O"])) == {"energy_rmse", "energy_mae", "force_rmse", "force_mae"}


def test_intervals_are_of_the_same_quantities():
    """Equal frames leave no doubt; unequal ones spread around the value of all."""
    rng = np.random.default_rng(0)
    symbols, table = ["O", "H", "H"], water_table(40)
    exact = {k: v for k, (_, v) in errors(table, symbols).items()}
    for quantity, bounds in bootstrap_interval(table, symbols, rng).items():
        assert bounds == pytest.approx((exact[quantity], exact[quantity]))
    table.predicted += rng.normal(0, 0.05, len(table))
    exact = {k: v for k, (_, v) in errors(table, symbols).items()}
    bounds = bootstrap_interval(table, symbols, rng)
    assert set(bounds) == set(exact)
    for quantity, (low, high) in bounds.items():
        assert low < exact[quantity] < high


def test_frames_between_those_of_training(study):
    """LiH, trained on distances of frames 40 to 80: what is longer or shorter is left out. None without coordinates."""
    frames = read_frames(study.systems["lih"].reference.frozen)
    split = {"train": [40, 60, 80], "test": [0, 39, 41, 79, 81, 159]}
    assert interpolated(System("lih", study.systems["lih"]), frames, split) == [41, 79]
    assert interpolated(System("ethanol", study.systems["ethanol"]), frames, split) == []


def test_every_part_of_the_set_has_its_errors(study, tmp_path):
    """Of an untrained network for H2O: train, validation and test of the thermal part, and the grid."""
    config = study.systems["h2o"]
    paths = {k: str(tmp_path / k) for k in ("splits", "coordinates", "metrics", "intervals", "predictions", "run")}
    common = {
        "context": CONTEXT, "system": "h2o", "config": config.model_dump(mode="json"), "labels_path": config.reference.frozen,
        "splits_path": paths["splits"], "run_path": paths["run"],
    }  # fmt: skip
    split_data(**common, n_seeds=1, coordinates_path=paths["coordinates"])
    frames = read_frames(config.reference.frozen)
    architecture = build_architecture(System("h2o", config), study.models["nn"])
    splits = read_splits(paths["splits"], len(frames))
    ensemble = build_ensemble(architecture, frames, splits)
    (potential,) = ensemble.potentials(study.models["nn"], initial_ensemble(architecture, 0, "nn", 1)[:, 0])
    model = tmp_path / "model.safetensors"
    potential.save(model)
    evaluate_model(
        **common, model_paths=[str(model)],
        **{f"{k}_path": paths[k] for k in ("metrics", "intervals", "predictions")},
    )  # fmt: skip
    metrics = pd.read_csv(paths["metrics"])
    found = metrics[metrics.quantity == "force_rmse_h"].set_index("split").value
    assert set(found.index) == {"train", "validation", "test", "grid", "interpolated"}
    (run,) = json.loads(Path(paths["run"]).read_text(encoding="utf-8"))["runs"]
    assert run["tags"] == {"system": "h2o", "model": "nn", "role": "comparison", "seed": "0"}
    assert run["metrics"]["grid_force_rmse_h_ev_per_ang"] == pytest.approx(found["grid"])
    assert "test_energy_rmse_mev" in run["metrics"]
    assert len(pd.read_csv(paths["predictions"])) == len(splits[0]["test"]) * 10
    inside = interpolated(System("h2o", config), frames, splits[0])
    _, forces = potential.energy_and_forces(frames.positions[inside])
    difference = (forces - frames.forces[inside])[:, 1:]
    assert found["interpolated"] == pytest.approx(np.sqrt((difference**2).mean()))
    _, forces = potential.energy_and_forces(frames.positions[1000:])
    difference = (forces - frames.forces[1000:])[:, 1:]
    assert found["grid"] == pytest.approx(np.sqrt((difference**2).mean()))
    write_json(paths["splits"], {"splits": [{"train": [0], "grid": [5000]}]})
    with pytest.raises(DataError, match="refers to frame 5000"):
        read_splits(paths["splits"], len(frames))

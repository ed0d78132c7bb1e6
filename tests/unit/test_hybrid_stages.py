"""The four steps of the draft, one after the other, on real labels."""

import json
from pathlib import Path

import pandas as pd
import pytest
from qff.config import load_study, read_yaml
from qff.data import read_frames, split_frames
from qff.models import load
from qff.provenance import write_json
from qff.stages.evaluate import evaluate_model
from qff.stages.hybrid import initialise_circuit, pretrain_network, train_hybrid
from qff.stages.table_one import compare_methods
from qff.stages.timing import time_methods
from qff.stages.vqe import solve_bonds, solve_vqe

STUDY = load_study(read_yaml("config/config.yaml"))
SYSTEM, SEEDS = "h2o", 2
CONTEXT = {"profile": "test", "seed": 1, "code_digest": "0" * 16}
SETTINGS = {
    "systems": [SYSTEM],
    "models": ["hybrid", "hybrid_no_circuit"],
    "candidates": 2,
    "bonds": {"kinds": ["H-O"], "basis": "sto-3g", "distances_ang": [0.7, 0.9, 1.2, 1.7, 2.6]},
    "timing": {"molecules": {"ccsd_t": [1, 2, 3], "hybrid": [1, 2, 3]}, "repetitions": 1},
}
TRAINING = {"optimiser": "adam", "steps": 30, "batch": 10, "learning_rate": 0.005, "curve_points": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the rules leave, step by step."""
    root = tmp_path_factory.mktemp("hybrid")
    system = STUDY.systems[SYSTEM]
    labels = system.reference.frozen
    frames = read_frames(labels)
    splits = [split_frames(frames, system.split, 1, SYSTEM, seed) for seed in range(SEEDS)]
    for split in splits:  # a few frames: it is the steps that are tested
        split["train"], split["validation"] = split["train"][:40], split["validation"][:20]
    write_json(root / "splits.json", {"splits": [{k: s[k] for k in ("train", "validation", "test")} for s in splits]})
    common = {"context": CONTEXT, "system": SYSTEM, "config": system.model_dump(mode="json")}
    data = {"labels_path": labels, "splits_path": str(root / "splits.json")}

    def models(place: str) -> list[str]:
        return [str(root / place / f"model_s{seed}.safetensors") for seed in range(SEEDS)]

    def files(place: str, *names: str) -> dict[str, str]:
        return {f"{name}_path": str(root / place / f"{name}.{'json' if name == 'run' else 'csv'}") for name in names}

    bonds = {"bonds_path": str(root / "bonds/table.csv")}
    solve_bonds(context=CONTEXT, settings=SETTINGS, **files("bonds", "table", "run"))
    entry = STUDY.models["hybrid"].model_dump(mode="json")
    pretrain_network(
        **common, **data, **bonds, model=entry, training=TRAINING, settings=SETTINGS, model_paths=models("pretrained"),
        **files("pretrained", "curves", "run"),
    )  # fmt: skip
    for name in SETTINGS["models"]:
        initialise_circuit(
            **common, **data, **bonds, model=STUDY.models[name].model_dump(mode="json"), settings=SETTINGS,
            pretrained_paths=models("pretrained"), model_paths=models(f"{name}/initial"), **files(f"{name}/initial", "run"),
        )  # fmt: skip
        train_hybrid(
            **common, **data, training=TRAINING, initial_paths=models(f"{name}/initial"), model_paths=models(name),
            **files(name, "curves", "run"),
        )  # fmt: skip
        evaluate_model(
            **common, **data, model_paths=models(name),
            **files(f"{name}/evaluation", "metrics", "intervals", "predictions", "run"),
        )  # fmt: skip
    compare_methods(
        context=CONTEXT, cells_path="config/table_one.yaml",
        metrics_paths=[str(root / name / "evaluation/metrics.csv") for name in SETTINGS["models"]],
        **files("", "table", "metrics", "run"),
    )  # fmt: skip
    return root


def energies(path: Path):
    frames = read_frames(STUDY.systems[SYSTEM].reference.frozen)
    return load(path).energy_and_forces(frames.positions[:5])[0]


def test_end_to_end_training_starts_where_pretraining_ended(folder):
    for name in SETTINGS["models"]:
        for seed in range(SEEDS):
            file = f"model_s{seed}.safetensors"
            before = energies(folder / "pretrained" / file)
            assert energies(folder / name / "initial" / file) == pytest.approx(before, abs=1e-9)
            assert abs(energies(folder / name / file) - before).max() > 1e-6


def test_the_circuit_sees_what_vqe_found(folder):
    found = load(folder / "hybrid/model_s0.safetensors").architecture
    plain = load(folder / "hybrid_no_circuit/model_s0.safetensors").architecture
    table = pd.read_csv(folder / "bonds/table.csv")
    assert table.casci_error_hartree.abs().max() < 1e-6
    assert found.settings["bonds"]["H-O"]["amplitude"] == pytest.approx(table.amplitude.tolist())
    assert found.n_parameters > plain.n_parameters


def test_every_step_leaves_a_record(folder):
    steps = {"pretrained": "pretraining", "hybrid/initial": "initialisation", "hybrid": "end_to_end"}
    for place, step in steps.items():
        record = json.loads((folder / place / "run.json").read_text())
        assert record["stage"] == "hybrid"
        assert [r["params"]["step"] for r in record["runs"]] == [step] * SEEDS
        assert "bonds" not in record["runs"][0]["params"]
    record = json.loads((folder / "hybrid/run.json").read_text())
    assert pd.read_csv(folder / "hybrid" / record["runs"][1]["series"]).step.tolist() == [10, 20, 30]


def test_table_one_holds_the_errors_of_the_seeds(folder):
    table = pd.read_csv(folder / "table.csv").set_index(["system", "method", "quantity"])
    errors = pd.read_csv(folder / "hybrid/evaluation/metrics.csv")
    errors = errors[(errors.quantity == "energy_rmse") & (errors.split == "test")].value / 43.3641
    cell = table.loc[("h2o", "hybrid", "energy_rmse")]
    assert [cell.low, cell.high, cell.n] == pytest.approx([errors.min(), errors.max(), SEEDS], rel=1e-5)
    assert table.loc[("ethane", "amber", "force_rmse"), "reason"].startswith("GAFF")


def test_scan_and_times(tmp_path):
    scan = STUDY.config.hybrid.vqe["lih"].model_copy(update={"distances_ang": [1.6, 2.4], "basis": "sto-3g"})
    paths = {f"{n}_path": str(tmp_path / f"{n}.csv") for n in ("table", "metrics")} | {
        "run_path": str(tmp_path / "run.json")
    }
    config = STUDY.systems["lih"].model_dump(mode="json")
    solve_vqe(context=CONTEXT, system="lih", config=config, settings=scan.model_dump(mode="json"), **paths)
    found = pd.read_csv(tmp_path / "metrics.csv", keep_default_na=False)
    assert set(found.variant) == {"", "_low", "_high"}
    assert found[found.quantity == "casci_error_max"].value.max() < 1e-6
    models = {"hybrid": STUDY.models["hybrid"].model_dump(mode="json")}
    time_methods(context=CONTEXT, settings=SETTINGS, models=models, **paths)
    assert pd.read_csv(tmp_path / "table.csv").groupby("method").atoms.apply(list).to_dict() == {
        "ccsd_t": [3, 6, 9],
        "hybrid": [3, 6, 9],
    }
    found = pd.read_csv(tmp_path / "metrics.csv", keep_default_na=False)
    ends = found[found.quantity == "time_exponent_below_ccsd_t"].set_index("variant").value
    assert ends["wall_time_low"] <= ends["wall_time"] <= ends["wall_time_high"]

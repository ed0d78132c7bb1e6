"""The stages with shots and noise, on labels of the study and an untrained QNN."""

import json

import numpy as np
import pandas as pd
import pytest
from qff.config import ModelConfig
from qff.data import read_frames
from qff.figures import style
from qff.figures.hardware import hardware_figure
from qff.hardware.trainability import power_law_misfit
from qff.models import Potential, build_architecture
from qff.report.hardware import hardware_tables, hardware_words
from qff.report.published import read_numbers
from qff.stages.hardware import measure_hardware
from qff.stages.measured import simulate_measured
from qff.systems import System

LABELS = "results/published/reference/h2o.extxyz"
SETTINGS = {
    "models": ["qnn"],
    "shots": {"counts": [100, 10000], "repetitions": 200, "frames": 1, "aer_repetitions": 10},
    "noise": {"frames": 1, "two_qubit": [0.001], "readout": [0.01], "t1_us": [100.0], "folding": [1, 3]},
    "maps": {"line": 3},
    "dynamics": {"shots": [10000], "trajectories": 2, "length_fs": 5.0},
    "spsa": {"steps": 5, "batch": 4, "shots": [100], "seeds": 1},
    "trainability": {"qubits": [2, 4, 6], "layers": [1], "samples": 10, "repetitions": 2},
}
CONTEXT = {"profile": "test", "seed": 1, "code_digest": "0" * 64}


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory):
    place = tmp_path_factory.mktemp("quantum")
    entry = study.models["qnn"].model_copy(deep=True)
    entry.systems["h2o"]["layers"] = 2
    system = System("h2o", study.systems["h2o"])
    architecture = build_architecture(system, ModelConfig.model_validate(entry.model_dump()))
    frames = read_frames(LABELS, system.symbols)
    splits = [{"train": list(range(8)), "validation": [8, 9], "test": list(range(10, 16))}]
    (place / "splits.json").write_text(json.dumps({"splits": splits}))
    rng, zero = np.random.default_rng(0), np.zeros(architecture.circuit.n_features)
    theta = rng.normal(0, 0.4, architecture.n_parameters)
    energies = frames.energies[:8]
    Potential(architecture, entry, theta, zero, zero + 1, float(energies.mean()), float(np.ptp(energies))).save(
        place / "model.safetensors"
    )
    common = {
        "context": CONTEXT, "system": "h2o", "config": study.systems["h2o"].model_dump(mode="json"), "settings": SETTINGS,
        "labels_path": LABELS, "splits_path": str(place / "splits.json"),
        "model_paths": [str(place / "model.safetensors")],
    }  # fmt: skip
    measure_hardware(
        **common, twin_paths=[], shots_path=str(place / "shots.csv"), noise_path=str(place / "noise.csv"),
        timing_path=str(place / "timing.csv"), metrics_path=str(place / "metrics.csv"), run_path=str(place / "run.json"),
    )  # fmt: skip
    simulate_measured(
        **common, temperature_path=str(place / "temperature.csv"), gradients_path=str(place / "gradients.csv"),
        metrics_path=str(place / "measured.csv"), run_path=str(place / "measured.json"),
    )  # fmt: skip
    return place


def numbers(folder):
    return pd.concat([read_numbers(folder / name) for name in ("metrics.csv", "measured.csv")], ignore_index=True)


def test_every_number_has_its_place_once(folder):
    table = numbers(folder)
    assert not table.duplicated(["system", "model", "variant", "seed", "split", "quantity"]).any()
    of = table.set_index(["quantity", "variant"]).value
    assert of["shot_exponent_energy", ""] == pytest.approx(-0.5, abs=0.05)
    assert of["circuits_force", ""] == 2 * 3 * 3
    assert of["two_qubit_gates", "line"] > of["two_qubit_gates", "all_to_all"]
    assert of["noise_error_energy", "gates_0.001_none"] > of["noise_error_energy", "gates_0.001_linear"] > 0
    assert of["energy_drift_predicted", "nve_10000"] > of["energy_drift_predicted", "nve_exact"] == 0
    assert of["executions_training", "spsa_100"] == 100 * of["executions_training", "spsa_exact"]
    slopes = table[table.quantity == "gradient_variance_slope"]
    assert sorted(slopes.model) == ["equivariant", "equivariant", "qnn", "qnn"]
    misfits = table[table.quantity == "gradient_variance_power_law_misfit"]
    assert len(misfits) == 4
    assert (misfits.value > 0).all()


def test_records_name_every_run(folder):
    for name, runs in (("run.json", 2), ("measured.json", 8)):
        record = json.loads((folder / name).read_text())
        assert record["stage"] == "quantum"
        assert len({run["key"] for run in record["runs"]}) == len(record["runs"]) == runs
        assert all(run["tags"]["system"] == "h2o" for run in record["runs"])
        assert "timing.csv" not in " ".join(a for run in record["runs"] for a in run["artifacts"])


def test_the_figure_and_tables_show_them(folder, tmp_path):
    tables = [pd.read_csv(folder / f"{name}.csv") for name in ("shots", "noise", "temperature", "gradients")]
    settings = {
        "energy_error_ev": 0.04, "force_error_ev_per_ang": 0.05, "dynamics": {"temperature_k": 300.0},
        "noise": {"device": {"executions_per_second": 5e3, "one_qubit": 0.1, "two_qubit": 0.2, "readout": 0.3, "source": "a"}},
    }  # fmt: skip
    style.save(hardware_figure(*tables, settings), str(tmp_path / "a.svg"), str(tmp_path / "a.png"))
    assert (tmp_path / "a.svg").stat().st_size > 10000
    found = hardware_tables(
        numbers(folder), ["qnn"], {"qnn": "QNN"}, pd.read_csv(folder / "timing.csv"), "metrics.csv"
    )
    assert [len(t.rows) for t in found] == [4, 10, 12, 2, 5, 2, 2]
    assert all(len(row) == len(t.header) for t in found for row in t.rows)
    errors = {tuple(row[:2]): row[2:] for row in found[0].rows}
    assert set(errors) == {
        ("exact distribution", "100"),
        ("exact distribution", "10000"),
        ("Aer", "100"),
        ("fitted exponent of S", ""),
    }
    assert float(errors["Aer", "100"][2]) < float(errors["Aer", "100"][1]) < float(errors["Aer", "100"][3])
    assert [float(x.replace("−", "-")) for x in errors["fitted exponent of S", ""][:2]] == pytest.approx(
        [-0.5, -0.5], abs=0.05
    )
    assert "5000 circuits per second" in hardware_words(settings)[0]


def test_polynomial_and_exponential_decay_are_told_apart():
    qubits = [4, 6, 8, 10]
    assert power_law_misfit(qubits, [n**-2.0 * (1 + 0.01 * (n % 4)) for n in qubits]) < 0.2
    assert power_law_misfit(qubits, [2.0**-n * (1 + 0.01 * (n % 4)) for n in qubits]) > 5
    assert np.isnan(power_law_misfit(qubits[:2], [1.0, 0.5]))

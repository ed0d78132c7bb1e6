"""Models made of many circuits with shots and noise."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from qff.circuits import build_circuit
from qff.config import ModelConfig, QuantumConfig
from qff.data import read_frames
from qff.engines.aer import AerEngine
from qff.errors import UnsupportedOperation
from qff.hardware import spsa
from qff.hardware.composed import MeasuredCircuits, MeasuredPotential, measured, squared
from qff.models import Potential, build_architecture
from qff.report.hardware import hardware_tables
from qff.report.published import read_numbers
from qff.stages.composed import measure_composed, noise_errors
from qff.stages.measured import simulate_composed
from qff.systems import System

LABELS = "results/published/reference/h2o.extxyz"
POSITIONS = np.array([[[0, 0, 0], [0.97, 0, 0.1], [-0.25, 0.93, 0]]])
ATOMS = {"cutoff_ang": 4.0, "radial": [[4.0, 0.8], [4.0, 1.4]], "heads": 2, "n_qubits": 2, "layers": 1}
MODELS = {
    "original": ("neighbour_pairs", {"form": "original", "layers": 1}),
    "revised": ("neighbour_pairs", {"form": "revised", "layers": 1, "cutoff_ang": 3.0, "n_radial": 2}),
    "atoms": ("atomic_circuits", ATOMS),
    "hybrid": ("hybrid", {**ATOMS, "hidden": [3], "mixing": 2, "branch": "circuit"}),
}


def potential(study, kind, **settings):
    model = ModelConfig(name="mine", label="mine", kind=kind, systems={"h2o": settings})
    architecture = build_architecture(System("h2o", study.systems["h2o"]), model)
    theta = np.random.default_rng(1).normal(0, 0.4, architecture.n_parameters)
    empty = np.zeros(architecture.inputs(torch.tensor(POSITIONS)).values.shape[1])
    return Potential(architecture, model, theta, empty, empty + 1, energy_shift=-2.0, energy_scale=3.0)


@pytest.mark.parametrize("name", MODELS)
def test_measured_circuits_without_shots_give_the_exact_forces(study, name):
    model = potential(study, MODELS[name][0], **MODELS[name][1])
    device, circuits = measured(model, np.random.default_rng(0))
    for ours, exact in zip(device.energy_and_forces(POSITIONS), model.energy_and_forces(POSITIONS), strict=True):
        np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-8)
    assert circuits.n_shifted > 0
    circuits.shots = 100
    noisy = device.energy_and_forces(POSITIONS)[1]
    assert np.abs(noisy - model.energy_and_forces(POSITIONS)[1]).max() > 1e-4


def test_circuits_of_a_force_call_are_counted(study):
    """Two heads for each of three atoms; 2 qubits, (2 + 1) · 2 angles, each shifted both ways, in one basis."""
    device, circuits = measured(potential(study, "atomic_circuits", **ATOMS), np.random.default_rng(0))
    for _ in range(2):  # the same angles again are the same circuits
        device.energy_and_forces(POSITIONS)
        assert circuits.n_shifted == 2 * 3 * 2 * 6


@pytest.mark.parametrize("name", MODELS)
def test_measured_forces_scatter_around_the_exact_ones_as_their_covariance_says(study, name):
    """400 measurements of two frames: means within 5 standard errors, a false alarm in 50,000 for 18 components each time;
    covariances within 6 of theirs, √((c_ii c_jj + c_ij²)/400), a false alarm in millions."""
    model = potential(study, MODELS[name][0], **MODELS[name][1])
    both = np.concatenate([POSITIONS, POSITIONS * 1.03])
    energy, exact = model.energy_and_forces(both)
    device = MeasuredPotential(model, 10_000, np.random.default_rng(5))
    energies, _, covariance = device.measure(both)
    np.testing.assert_allclose(energies, energy, rtol=0, atol=1e-10)
    _, circuits = measured(model, np.random.default_rng(6))
    drawing = replace(model, architecture=model.architecture.with_circuits(circuits))
    circuits.shots = 10_000
    forces = np.array([drawing.energy_and_forces(both)[1].reshape(2, -1) for _ in range(400)])
    exact = exact.reshape(2, -1)
    for k, own in enumerate(covariance):
        spread = np.sqrt(np.diag(own))
        assert (np.abs(forces[:, k].mean(0) - exact[k]) < 5 * spread / 20 + 1e-7).all()
        assert (
            np.abs(np.cov(forces[:, k].T) - own) < 6 * np.sqrt((np.outer(spread, spread) ** 2 + own**2) / 400)
        ).all()
    assert not MeasuredPotential(model, None, np.random.default_rng(5)).measure(both)[2].any()


@pytest.mark.parametrize("name", ["original", "revised", "hybrid"])
def test_spsa_trains_a_model_of_many_circuits(study, name):
    """From 0.2 rad beside parameters that made the labels: the loss falls to a half, with 1,000 shots too."""
    model, rng = potential(study, MODELS[name][0], **MODELS[name][1]), np.random.default_rng(3)
    positions = POSITIONS + rng.normal(0, 0.06, (30, 3, 3))
    labels = model.energy_and_forces(positions)[0]
    start = model.parameters + rng.normal(0, 0.2, model.n_parameters)

    def loss(theta):
        return float(((replace(model, parameters=theta).energy_and_forces(positions)[0] - labels) ** 2).mean())

    circuits = {"original": 3, "revised": 3 + 6, "hybrid": 6}[name]  # of a frame: pairs, pairs and singles, heads
    bases = 1 if name == "hybrid" else 3
    for shots in (None, 1000):
        found = spsa.train(model, start, positions, labels, 300, 10, shots, np.random.default_rng(1))
        assert loss(found.parameters) < 0.5 * loss(start), (name, shots)
        assert found.executions == 2 * 10 * 320 * circuits * bases * (shots or 1)


def test_squares_of_readouts():
    assert dict(squared([("ZI", 0.5), ("IZ", 0.5)])) == {"II": 0.5, "ZZ": 0.5}
    assert dict(squared([("XX", 2.0)])) == {"II": 4.0}


@pytest.mark.parametrize("name", ["reuploading", "neighbour_pair"])
def test_aer_has_the_same_mean_and_spread(name):
    """300 values of 100 shots each: mean within 4 standard errors, a false alarm in 16,000; spread within 4 of its own."""
    circuit = build_circuit(name, layers=1, **({"n_qubits": 3} if name == "reuploading" else {}))
    angles = torch.tensor(np.random.default_rng(2).normal(size=(1, 1, circuit.n_features)))
    ours = MeasuredCircuits(circuit, np.random.default_rng(3))
    exact = float(ours(angles)[0])
    ours.shots, repetitions = 100, 300
    drawn = np.array([float(ours(angles)[0]) for _ in range(repetitions)])
    engine = AerEngine(circuit, shots=100, seed=4)
    counted = engine.evaluate(torch.zeros(1, 0).double(), angles.expand(1, repetitions, -1))[0][0].numpy()
    for values in (drawn, counted):
        assert abs(values.mean() - exact) < 4 * values.std() / np.sqrt(repetitions)
    assert abs(np.log(drawn.std() / counted.std())) < 4 / np.sqrt(repetitions)


@pytest.mark.parametrize("name", ["original", "revised"])
def test_noise_of_no_strength_changes_nothing(study, name):
    """Circuits compiled to the gates of a device, pure states and mixed: without errors they give the exact potential."""
    options = QuantumConfig(noise={"two_qubit": [0.0, 1e-3], "readout": [0.0, 0.01], "t1_us": [1e12]})
    model = potential(study, MODELS[name][0], **MODELS[name][1])

    def predict(runs):
        own = model if runs is None else replace(model, architecture=model.architecture.with_circuits(runs[0]))
        return own.energy_and_forces(POSITIONS)

    found = noise_errors([model.architecture.circuit], predict, options.noise, True)
    assert len(found) == 6 + 3 + 8  # readout errors divided out; gates, relaxation and device extrapolated twice
    for variant, values in found.items():
        energy = values["noise_error_energy"][1]  # meV
        if variant.startswith(("gates_0_", "readout_0_", "relaxation_1e+12_")) or variant == "readout_0.01_readout":
            assert energy < 1e-6, variant
            assert values.get("noise_error_force", ("", 0.0))[1] < 1e-6, variant
        else:
            assert energy > 0.01, variant
        if variant.endswith("_none"):
            assert values["noise_error_force"][1] > 1e-4 or "_0_" in variant or "1e+12" in variant
    for kind in ("gates_0.001", "device_1"):
        none, linear, richardson = (
            found[f"{kind}_{k}"]["noise_error_energy"][1] for k in ("none", "linear", "richardson")
        )
        assert richardson < linear < none, kind


def test_other_models_are_refused(study):
    for kind, settings in (("nn", {"hidden": [3]}), ("hybrid", {**MODELS["hybrid"][1], "branch": "tanh"})):
        with pytest.raises(UnsupportedOperation, match="'mine' is not made of circuits"):
            measured(potential(study, kind, **settings), np.random.default_rng(0))


def test_the_stage_measures_a_model(study, tmp_path):
    model = potential(study, *MODELS["hybrid"][:1], **MODELS["hybrid"][1])
    model.save(tmp_path / "model.safetensors")
    frames = read_frames(LABELS, model.system.symbols)
    splits = [{"train": [0, 1], "validation": [2], "test": list(range(3, 40))}]
    assert len(frames) > 40
    (tmp_path / "splits.json").write_text(json.dumps({"splits": splits}))
    settings = {
        "composed": {"models": {"mine": None}, "repetitions": 100, "dynamics_shots": [100], "training_shots": [50]},
        "spsa": {"steps": 5, "batch": 4, "seeds": 1},
        "dynamics": {"trajectories": 2, "length_fs": 5.0},
        "shots": {"counts": [1000, 100000]},
        "noise": {"two_qubit": [1e-3], "readout": [0.01]},
        "maps": {"line": 2},
    }
    common = {
        "context": {"profile": "test", "seed": 1, "code_digest": "0" * 64}, "system": "h2o",
        "config": study.systems["h2o"].model_dump(mode="json"), "settings": settings, "labels_path": LABELS,
        "splits_path": str(tmp_path / "splits.json"),
    }  # fmt: skip
    measure_composed(
        **common, model_path=str(tmp_path / "model.safetensors"), twin_paths=[], timing_path=str(tmp_path / "timing.csv"),
        metrics_path=str(tmp_path / "metrics.csv"), run_path=str(tmp_path / "run.json"),
    )  # fmt: skip
    simulate_composed(
        **common,
        model_paths=[str(tmp_path / "model.safetensors")],
        metrics_path=str(tmp_path / "measured.csv"),
        run_path=str(tmp_path / "measured.json"),
    )
    table = pd.concat([read_numbers(tmp_path / f"{name}.csv") for name in ("metrics", "measured")], ignore_index=True)
    of = table.set_index(["quantity", "variant"]).value
    for quantity in ("energy", "force"):
        assert of[f"shot_exponent_{quantity}", ""] == pytest.approx(-0.5, abs=0.05)
    assert of["circuits_force", ""] == 72
    assert of["executions_force", ""] == 72 * of["shots_force", ""]
    reached = of["standard_error_force_worst", "binomial_100000"] * np.sqrt(1e5 / of["shots_force", ""])
    assert reached == pytest.approx(0.05, rel=0.02)
    assert of["noise_error_force", "device_1_none"] > of["noise_error_force", "gates_0.001_none"] > 0
    found = hardware_tables(table, ["mine"], {"mine": "mine"}, pd.read_csv(tmp_path / "timing.csv"), "metrics.csv")
    assert [len(t.rows) for t in found] == [3, 9, 4 + 2 + 6, 2, 5, 2, 0]
    heating = of["energy_drift_predicted"]
    assert set(heating.index) == {"nve_exact", "langevin_exact", "nve_100", "langevin_100", "absorbing_100"}
    assert heating["nve_exact"] == 0 < heating["nve_100"]
    assert 0 < of["absorbed_noise", "absorbing_100"] <= 1
    assert of["executions_training", "spsa_50"] == 50 * of["executions_training", "spsa_exact"] > 0
    assert len(json.loads((tmp_path / "measured.json").read_text())["runs"]) == 5 + 2

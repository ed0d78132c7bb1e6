"""Circuits on amplitudes, loaded and read out as on a device."""

import json
from dataclasses import replace

import numpy as np
import pennylane as qml
import pytest
import torch
from qff.config.materials import MaterialsConfig
from qff.engines.aer import AerEngine
from qff.engines.program import capture
from qff.errors import UnsupportedOperation
from qff.hardware.amplitudes import MeasuredHead, element_circuits, loading_angles
from qff.hardware.composed import Readout
from qff.materials.circuit import AmplitudeCircuit
from qff.materials.heads import CircuitHead, QuadraticHead
from qff.materials.potential import load
from qff.report.materials import quantum_tables
from qff.report.published import read_numbers
from qff.stages.amplitudes import measure_material
from qff.stages.materials import fit_material
from test_materials_stage import CONTEXT, FRAMES, SET, SETTINGS


def head_of(n_qubits, layers=3, n_elements=2, seed=0):
    circuit = AmplitudeCircuit(n_qubits, layers, n_elements)
    theta = np.random.default_rng(seed).normal(size=circuit.n_parameters)
    return CircuitHead(circuit.matrices(theta), theta)


@pytest.mark.parametrize("n_qubits", [1, 2, 3, 4])
def test_loaded_amplitudes_are_those_asked_for(n_qubits):
    """With one layer of no rotations and one outcome weighed, the readout is the square of that amplitude; with Hadamard-like
    rotations, signs count."""
    rng = np.random.default_rng(n_qubits)
    states = rng.normal(size=(5, 2**n_qubits))
    states[4, 1:] = 0.0
    angles = loading_angles(states)
    assert angles.shape == (5, 2**n_qubits - 1)
    probabilities = (states / np.linalg.norm(states, axis=1, keepdims=True)) ** 2
    for turn in (0.0, np.pi / 2):
        mixed = np.array([[np.cos(turn / 2), -np.sin(turn / 2)], [np.sin(turn / 2), np.cos(turn / 2)]])
        unitary = mixed
        for _ in range(n_qubits - 1):
            unitary = np.kron(unitary, mixed)
        amplitudes = states / np.linalg.norm(states, axis=1, keepdims=True) @ unitary.T
        for outcome in range(2**n_qubits):
            theta = np.concatenate([np.full(n_qubits, turn), np.eye(2**n_qubits)[outcome]])
            (circuit,) = element_circuits(CircuitHead(AmplitudeCircuit(n_qubits, 1, 1).matrices(theta), theta))
            values, variances = Readout(capture(circuit))(angles)
            np.testing.assert_allclose(values, amplitudes[:, outcome] ** 2, atol=1e-12)
            np.testing.assert_allclose(variances, values * (1 - values), atol=1e-12)
    np.testing.assert_allclose(probabilities.sum(1), 1)


def test_loading_is_the_one_of_pennylane():
    """Möttönen's loading as PennyLane has it gives the same state, signs included, to a global phase."""
    state = np.random.default_rng(3).normal(size=8)
    state /= np.linalg.norm(state)
    (circuit,) = element_circuits(head_of(3, 1, 1))
    tape = qml.tape.make_qscript(circuit.function)(None, loading_angles(state[None])[0])
    ours = qml.matrix(qml.tape.QuantumScript(tape.operations[:-3]), wire_order=range(3))[:, 0]
    theirs = qml.matrix(qml.MottonenStatePreparation(state, wires=range(3)), wire_order=range(3))[:, 0]
    assert abs(np.vdot(theirs, ours)) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(ours.real, state, atol=1e-12)
    assert sum(op.name == "CNOT" for op in tape.operations) == 6


@pytest.mark.parametrize("n_qubits", [2, 4])
def test_without_shots_energies_and_slopes_are_those_of_the_form(n_qubits):
    head, rng = head_of(n_qubits), np.random.default_rng(1)
    values, kinds = rng.normal(size=(7, 2**n_qubits - 1)), rng.integers(2, size=7)
    device = MeasuredHead([Readout(capture(c)) for c in element_circuits(head)], rng)
    for ours, exact in zip(device.energies(values, kinds), head.energies(values, kinds), strict=True):
        np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-10)
    assert device.n_shifted == 7 * 2 * (2**n_qubits - 1)


def test_noise_of_shots_is_the_one_of_aer():
    """400 energies of an atom from 200 shots each, drawn and counted: means within 4 standard errors of the exact one, spreads
    within 4 of theirs, √(1/800)."""
    head, rng = head_of(2, 2, 1), np.random.default_rng(2)
    (circuit,) = element_circuits(head)
    values, kinds = rng.normal(size=(1, 3)), np.zeros(1, int)
    device = MeasuredHead([Readout(capture(circuit))], rng)
    exact = head.energies(values, kinds)[0][0]
    device.shots = 200
    drawn = np.array([device.energies(values, kinds)[0][0] for _ in range(400)])
    state = np.hstack([np.ones((1, 1)), values])
    angles = torch.tensor(loading_angles(state)).expand(1, 400, -1)
    counted = AerEngine(circuit, shots=200, seed=4).evaluate(torch.zeros(1, 0).double(), angles)[0][0].numpy()
    counted = counted * (state**2).sum()
    for found in (drawn, counted):
        assert abs(found.mean() - exact) < 4 * found.std() / 20
    assert abs(np.log(drawn.std() / counted.std())) < 4 * np.sqrt(2 / 800)


def test_other_heads_are_refused():
    with pytest.raises(UnsupportedOperation, match="no circuit on amplitudes"):
        element_circuits(QuadraticHead(np.zeros((1, 4, 4))))
    separable = replace(AmplitudeCircuit(2, 2, 1), entangling=False)
    theta = np.random.default_rng(0).normal(size=separable.n_parameters)
    with pytest.raises(UnsupportedOperation, match="no CZ gates"):
        element_circuits(CircuitHead(separable.matrices(theta), theta))


def test_the_stage_measures_a_set(tmp_path):
    settings = MaterialsConfig.model_validate(SETTINGS | {"seeds": 1}).model_dump(mode="json", exclude={"sets"})
    model = str(tmp_path / "model.safetensors")
    fit_material(
        context=CONTEXT, name="li2s", config=SET, frames_path=FRAMES, settings=settings, model_path=model,
        metrics_path=str(tmp_path / "fit.csv"), run_path=str(tmp_path / "fit.json"),
    )  # fmt: skip
    assert isinstance(load(model).head, CircuitHead)
    quantum = {
        "shots": {"counts": [1000, 100000]}, "composed": {"repetitions": 200},
        "noise": {"two_qubit": [1e-3], "readout": [0.01], "folding": [1, 3]}, "maps": {"line": 3},
    }  # fmt: skip
    measure_material(
        context=CONTEXT, name="li2s", settings=quantum, frames_path=FRAMES, model_path=model,
        metrics_path=str(tmp_path / "metrics.csv"), run_path=str(tmp_path / "run.json"),
    )  # fmt: skip
    table = read_numbers(tmp_path / "metrics.csv")
    assert not table.duplicated(["variant", "quantity"]).any()
    of = table.set_index(["quantity", "variant"]).value
    for quantity in ("energy", "force"):
        assert of[f"shot_exponent_{quantity}", ""] == pytest.approx(-0.5, abs=0.03)
    atoms = of["circuits_force", ""] / (2 * 7)
    assert atoms == int(atoms) > 1
    assert of["two_qubit_gates", "line"] >= of["two_qubit_gates", "all_to_all"] >= 6
    assert of["noise_error_energy", "gates_0.001_none"] > of["noise_error_energy", "gates_0.001_linear"] > 0
    assert of["noise_error_force", "device_1_none"] > of["noise_error_force", "gates_0.001_none"] > 0
    assert of["noise_error_energy", "readout_0.01_readout"] < 1e-6
    assert sum(len(t.rows) > 0 for t in quantum_tables(table, "metrics.csv")) == 4
    assert len(json.loads((tmp_path / "run.json").read_text())["runs"]) == 1

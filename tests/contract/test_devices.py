"""Simulated devices agree with the batched engine, and differ from it by shots and noise as they should."""

import numpy as np
import pennylane as qml
import pytest
import torch
from engine_cases import CIRCUITS, STUDY, arguments, random_circuit
from qff.circuits import Circuit
from qff.engines import build_engine
from qff.errors import ConfigError, UnsupportedOperation
from qff.models import build_architecture
from qff.systems import System


def test_lightning_agrees():
    from qff.engines.pennylane import PennyLaneEngine

    theta, phi, _ = arguments(CIRCUITS["full"])
    ours, _ = build_engine("batched", CIRCUITS["full"]).evaluate(theta, phi)
    theirs, _ = PennyLaneEngine(CIRCUITS["full"], "lightning.qubit").evaluate(theta, phi)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["lih", "full", "separable", "equivariant"])
def test_aer_agrees_in_energy_and_force(name):
    """By parameter shifts, gate by gate; on the features of real geometries for LiH."""
    circuit = CIRCUITS[name]
    theta, phi, dphi = arguments(circuit, members=1, frames=2, directions=1)
    if name == "lih":
        architecture = build_architecture(System("lih", STUDY.systems["lih"]), STUDY.models["qnn"])
        positions = torch.zeros(2, 2, 3, dtype=torch.float64)
        positions[:, 1, 2] = torch.tensor([1.0, 3.7])
        inputs = architecture.inputs(positions)
        phi, dphi = inputs.values[None], inputs.tangents[None]
    for ours, theirs in zip(
        build_engine("batched", circuit).evaluate(theta, phi, dphi),
        build_engine("aer", circuit).evaluate(theta, phi, dphi),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


def test_aer_prepares_amplitudes():
    """Values; features that are amplitudes have no parameter-shift rule, and say so."""
    circuit = CIRCUITS["amplitude"]
    theta, phi, dphi = arguments(circuit, members=1, frames=2)
    ours, _ = build_engine("batched", circuit).evaluate(theta, phi)
    engine = build_engine("aer", circuit)
    torch.testing.assert_close(ours, engine.evaluate(theta, phi)[0], rtol=0, atol=1e-10)
    with pytest.raises(UnsupportedOperation, match="no two-term parameter-shift rule"):
        engine.evaluate(theta, phi, dphi)


@pytest.mark.parametrize("seed", range(4))
def test_aer_shifts_gates_of_every_kind(seed):
    """Random circuits: controlled rotations, Heisenberg couplings, trained factors, vectors."""
    circuit = random_circuit(seed)
    given = arguments(circuit, members=2, frames=2)
    for ours, theirs in zip(
        build_engine("batched", circuit).evaluate(*given), build_engine("aer", circuit).evaluate(*given), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


def test_shots_scatter_around_the_exact_value():
    """Mean and standard error of ⟨σ_Z⟩ from n measurements: sqrt((1 - f²)/n); equal seeds give equal values."""
    circuit, shots = CIRCUITS["full"], 400
    theta, phi, _ = arguments(circuit, members=1, frames=1)
    exact = float(build_engine("batched", circuit).evaluate(theta, phi)[0])
    engine = build_engine("aer", circuit, shots=shots, seed=1)
    draws = np.array([float(engine.evaluate(theta, phi)[0]) for _ in range(40)])
    error = np.sqrt((1 - exact**2) / shots)
    assert abs(draws.mean() - exact) < 4 * error / np.sqrt(len(draws))
    assert 0.6 < draws.std(ddof=1) / error < 1.5
    again = build_engine("aer", circuit, shots=shots, seed=1)
    assert float(again.evaluate(theta, phi)[0]) == draws[0]


def test_depolarising_noise_pulls_towards_zero():
    """One RY and a two-qubit gate by hand: p of a depolarising error scales a Pauli expectation by 1 - p."""

    def function(theta, phi):
        qml.RX(np.pi, wires=0)
        return qml.expval(qml.PauliZ(0))

    circuit = Circuit("flip", 1, 1, 1, function)
    theta = phi = torch.zeros(1, 1, 1, dtype=torch.float64)
    noisy = build_engine("aer", circuit, noise={"one_qubit": 0.1})
    value = float(noisy.evaluate(theta[0], phi)[0])
    assert value == pytest.approx(-(0.9**2), abs=1e-12) or value == pytest.approx(-0.9, abs=1e-12)  # two sx, or one x
    shots = build_engine("aer", circuit, shots=20000, noise={"readout": 0.1})
    assert float(shots.evaluate(theta[0], phi)[0]) == pytest.approx(-0.8, abs=0.03)
    full = CIRCUITS["full"]
    given = arguments(full, members=1, frames=2, directions=1)
    exact, weak, strong = (
        build_engine("aer", full, noise={"one_qubit": p, "two_qubit": 10 * p}).evaluate(*given)[0]
        for p in (0.0, 1e-5, 1e-2)
    )
    torch.testing.assert_close(exact, build_engine("batched", full).evaluate(*given)[0], rtol=0, atol=1e-10)
    assert 0 < (weak - exact).abs().max() < 0.02
    assert strong.abs().max() < 0.5 * exact.abs().max()
    with pytest.raises(ConfigError, match="noise 'thermal' is unknown"):
        build_engine("aer", full, noise={"thermal": 0.1})
    with pytest.raises(ConfigError, match="is no probability"):
        build_engine("aer", full, noise={"readout": 1.5})

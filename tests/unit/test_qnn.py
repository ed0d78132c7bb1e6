"""Initial angles of the circuits."""

import numpy as np
import pytest
import torch
from qff.circuits import build_circuit
from qff.engines import build_engine
from qff.errors import ConfigError

KISS = {
    "lih": {"n_qubits": 3, "layers": 10},
    "h2o": {"n_qubits": 3, "layers": 12, "connectivity": "full", "triples": True, "initial_block": True},
    "h3o": {"n_qubits": 6, "layers": 10, "triples": True, "initial_block": True},
}


def fastest_frequency(circuit, theta) -> int:
    """Highest harmonic of the output while the first feature goes round the circle."""
    points = 64
    phi = torch.zeros(1, points, circuit.n_features, dtype=torch.float64)
    phi[0, :, 0] = torch.arange(points, dtype=torch.float64) * (2 * torch.pi / points)
    f, _ = build_engine("batched", circuit).evaluate(torch.as_tensor(theta)[None], phi)
    amplitude = np.abs(np.fft.rfft(f[0].numpy())) / points
    return int(np.flatnonzero(amplitude > 1e-10).max())


@pytest.mark.parametrize("system", KISS)
def test_encodings_cancel_at_the_echo_and_add_up_at_zero(system):
    """Partial Fourier series (Schuld et al. 2021): D + 1 encodings in line give harmonic D + 1, refocused ones 0 or 1."""
    circuit = build_circuit("kiss", **KISS[system])
    layers = KISS[system]["layers"]
    assert fastest_frequency(circuit, np.zeros(circuit.n_parameters)) == layers + 1
    assert fastest_frequency(circuit, np.array(circuit.echo)) == (layers + 1) % 2
    anywhere = np.random.default_rng(0).uniform(0, 2 * np.pi, circuit.n_parameters)
    assert fastest_frequency(circuit, anywhere) == layers + 1, "nothing is lost: training can reach every harmonic"


def test_separable_twin_is_an_average_of_functions_of_one_feature():
    """Second differences across two features vanish, single ones do not: every feature is seen, none with another."""
    circuit = build_circuit("kiss", n_qubits=3, layers=4, entangling=False)
    assert circuit.n_parameters == 4 * 3
    engine = build_engine("batched", circuit)
    rng = np.random.default_rng(0)
    theta = torch.as_tensor(rng.uniform(0, 2 * np.pi, (1, circuit.n_parameters)))
    here, there = rng.uniform(-1, 1, (2, 3))

    def f(*moved):
        phi = np.where(np.isin(range(3), moved), there, here)
        return float(engine.evaluate(theta, torch.as_tensor(phi)[None, None])[0])

    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert f(a, b) - f(a) - f(b) + f() == pytest.approx(0, abs=1e-12)
    assert all(abs(f(a) - f()) > 1e-4 for a in range(3))


def test_separable_twin_is_even_and_the_entangling_circuit_is_not():
    """RX(φ)* = RX(-φ), RY and σ_Z are real; RZZ is not. On arccos x an even function is a polynomial in x."""
    rng = np.random.default_rng(0)
    phi = torch.as_tensor(rng.uniform(-1, 1, (1, 5, 3)))
    for entangling, even in ((False, True), (True, False)):
        circuit = build_circuit("kiss", n_qubits=3, layers=4, entangling=entangling)
        engine = build_engine("batched", circuit)
        theta = torch.as_tensor(rng.uniform(0, 2 * np.pi, (1, circuit.n_parameters)))
        difference = (engine.evaluate(theta, phi)[0] - engine.evaluate(theta, -phi)[0]).abs().max()
        assert (float(difference) < 1e-12) == even


@pytest.mark.parametrize("block", ["triples", "initial_block"])
def test_separable_twin_has_no_entangling_blocks(block):
    with pytest.raises(ConfigError, match="entangling: false"):
        build_circuit("kiss", n_qubits=3, layers=2, entangling=False, **{block: True})

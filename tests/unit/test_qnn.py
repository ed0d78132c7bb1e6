"""Initial angles of the circuits."""

import numpy as np
import pytest
import torch
from qff.circuits import build_circuit
from qff.engines import build_engine

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

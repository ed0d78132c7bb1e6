"""Circuits replaced: Fourier series of their frequencies, and random circuits with a fitted readout."""

import numpy as np
import pytest
import torch
from qff.circuits import build_circuit
from qff.config import ModelConfig
from qff.engines.program import capture
from qff.errors import ConfigError
from qff.models import build_architecture
from qff.models.fourier import by_redundancy, redundancies
from qff.models.random_circuit import shortest_words
from qff.randomness import generator
from qff.systems import System

SETTINGS = {"circuit": "kiss", "feature_map": "arcsin", "input_scale": 0.5, "n_qubits": 3, "layers": 1}
POSITIONS = torch.tensor([[[0, 0, 0], [0.97, 0, 0], [-0.25, 0.93, 0]], [[0, 0, 0], [1.05, 0, 0], [-0.3, 0.88, 0.1]]])
POSITIONS = POSITIONS.double()


def built(study, kind, system="h2o", **settings):
    entry = ModelConfig(name="x", label="x", kind=kind, systems={system: {**SETTINGS, **settings}})
    return build_architecture(System(system, study.systems[system]), entry)


def test_redundancies_are_binomial_coefficients():
    """Two encodings by RX: frequencies -2 … 2 in 1, 4, 6, 4, 1 ways."""
    program = capture(build_circuit("kiss", n_qubits=2, layers=1))
    assert redundancies(program, 0) == {-2.0: 1, -1.0: 4, 0.0: 6, 1.0: 4, 2.0: 1}


def test_frequencies_come_in_the_order_of_their_redundancy():
    weights = [{-2.0: 1, -1.0: 4, 0.0: 6, 1.0: 4, 2.0: 1}] * 2
    found = by_redundancy(weights, 1000)
    assert len(found) == 13  # (5² + 1) / 2: the whole spectrum, one of each pair
    ways = [weights[0][a] * weights[1][b] for a, b in found]
    assert ways == sorted(ways, reverse=True)
    assert not {tuple(-k) for k in found[1:]} & {tuple(k) for k in found}


def test_the_series_holds_the_circuit(study):
    """With all frequencies, least squares reproduces the circuit itself: a circuit is such a series."""
    quantum = built(study, "qnn")
    surrogate = built(study, "fourier", functions=125)  # (2 · 2 + 1)³
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.uniform(-0.95, 0.95, (600, 3)))
    theta = torch.tensor(quantum.initial_parameters(rng) + rng.normal(size=quantum.n_parameters))[None]
    phi = quantum.features(x)
    phase = phi @ surrogate._frequencies.T
    basis = torch.where(surrogate._sines, phase.sin(), phase.cos())
    f = quantum.values(theta, phi[None])[0].detach()
    fitted = basis @ torch.linalg.lstsq(basis, f[:, None], driver="gelsd").solution
    assert (fitted[:, 0] - f).abs().max() < 1e-7


def test_functions_that_repeat_others_are_passed_over(study):
    """arccos = π/2 - arcsin: on LiH sines of one are cosines of the other."""
    series = built(study, "fourier", "lih", feature_map="pi_arcsin_arccos", functions=12)
    assert series.n_parameters == series.n_coefficients == 12
    radius = np.linspace(0.9, 4.0, 400)
    positions = np.zeros((400, 2, 3))
    positions[:, 1, 2] = radius
    values = series.inputs(torch.as_tensor(positions)).values.numpy()
    assert np.linalg.matrix_rank(values / np.linalg.norm(values, axis=0)) == 12
    with pytest.raises(ConfigError, match="this circuit on lih has"):  # of 5³ products of frequencies, few are left
        built(study, "fourier", "lih", feature_map="pi_arcsin_arccos", functions=60)


def test_a_circuit_has_so_many_functions(study):
    with pytest.raises(ConfigError, match="has 125 at most"):
        built(study, "fourier", functions=126)
    with pytest.raises(ConfigError, match="functions = 0: must be an integer of at least 1"):
        built(study, "fourier", functions=0)
    with pytest.raises(ConfigError, match="setting 'functions' is missing"):
        built(study, "random_circuit")


@pytest.mark.parametrize(("kind", "functions"), [("fourier", 40), ("random_circuit", 80)])
def test_slopes_are_derivatives(study, kind, functions):
    architecture = built(study, kind, functions=functions)
    assert architecture.n_coefficients == functions
    inputs, step = architecture.inputs(POSITIONS), 1e-5
    slope = torch.einsum("bkc,bkax->baxc", inputs.tangents, inputs.directions)
    for atom, axis in ((1, 0), (2, 1)):
        move = torch.zeros_like(POSITIONS)
        move[:, atom, axis] = step
        ahead, behind = (architecture.inputs(POSITIONS + s * move).values for s in (1, -1))
        torch.testing.assert_close((ahead - behind) / (2 * step), slope[:, atom, axis], rtol=0, atol=1e-7)


def test_random_circuits_measure_pauli_words(study):
    """The first circuit has 63 words; the next one goes on. Each is the circuit's own expectation value."""
    architecture = built(study, "random_circuit", functions=80, draw=3)
    (first, words), (_, more) = architecture._parts
    assert (len(words), len(more)) == (63, 16)
    quantum = built(study, "qnn")
    place = words.index("ZII")  # the readout of the circuit itself
    inputs = quantum.inputs(POSITIONS)
    expected = quantum.values(first, inputs.values[None])[0]
    torch.testing.assert_close(architecture.inputs(POSITIONS).values[:, 1 + place], expected, rtol=0, atol=1e-12)
    again = built(study, "random_circuit", functions=80, draw=3)
    assert torch.equal(first, again._parts[0][0])
    other = built(study, "random_circuit", functions=80)
    assert not torch.equal(first, other._parts[0][0])


def test_short_words_come_first():
    words = shortest_words(3, 20, generator(0, "x"))
    assert len(set(words)) == 20
    assert [3 - w.count("I") for w in words] == [1] * 9 + [2] * 11

"""Shots, noise, mitigation, maps of qubits and cost."""

import numpy as np
import pytest
import torch
from qff.circuits import build_circuit
from qff.config import ModelConfig, QuantumConfig, SystemConfig, validate
from qff.config.quantum import NoiseConfig
from qff.engines.aer import AerEngine
from qff.engines.coupling import coupling_map, transpiled_size
from qff.engines.noise import check_noise
from qff.engines.program import capture
from qff.engines.qiskit import Template, commuting_groups
from qff.engines.shifts import EncodingShifts
from qff.errors import ConfigError, UnsupportedOperation
from qff.hardware.cost import Targets, cost
from qff.hardware.mitigation import extrapolate, unflip
from qff.hardware.shots import ShotPotential, ShotSampler, sample_means
from qff.models import Potential, build_architecture
from qff.stages.hardware import aer_estimates, noise_errors, standard_errors
from qff.systems import System
from scipy import stats

H2O = {
    "circuit": "kiss", "feature_map": "arcsin", "input_scale": 0.5, "n_qubits": 3, "layers": 2, "connectivity": "full",
}  # fmt: skip
POSITIONS = np.array(
    [[[0, 0, 0], [0.97, 0, 0], [-0.25, 0.93, 0]], [[0, 0, 0], [1.02, 0, 0], [-0.2, 0.9, 0.05]]], dtype=float
)


def potential(study, **settings):
    model = ModelConfig(name="qnn", label="QNN", kind="qnn", systems={"h2o": {**H2O, **settings}})
    architecture = build_architecture(
        System("h2o", validate(SystemConfig, study.systems["h2o"].model_dump(), "")), model
    )
    rng = np.random.default_rng(3)
    empty = np.zeros(architecture.circuit.n_features)
    theta = rng.normal(0, 0.7, architecture.n_parameters)
    return Potential(architecture, model, theta, empty, empty + 1, energy_shift=-2.0, energy_scale=3.0)


def test_shifted_circuits_give_the_forces_of_the_engine(study):
    """Without shots, parameter-shift forces are the exact ones."""
    model = potential(study)
    circuits = ShotSampler(model).circuits(POSITIONS)
    energies, forces = circuits.combine(circuits.values)
    exact_energies, exact_forces = model.energy_and_forces(POSITIONS)
    np.testing.assert_allclose(energies, exact_energies, rtol=0, atol=1e-10)
    np.testing.assert_allclose(forces, exact_forces, rtol=0, atol=1e-8)
    for ours, exact in zip(aer_estimates(model, POSITIONS), (exact_energies, exact_forces), strict=True):
        np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-8)


def test_a_circuit_is_transpiled_once_and_run_in_batches(monkeypatch):
    """One transpile for every group of commuting words; then one run for all frames and all their shifts."""
    import qiskit

    made, circuit = [], build_circuit("equivariant", n_qubits=2, layers=1)
    transpile = qiskit.transpile
    monkeypatch.setattr(qiskit, "transpile", lambda *a, **k: made.append(1) or transpile(*a, **k))
    engine = AerEngine(circuit, shots=10)
    assert len(made) == engine.n_circuits(False) == 3
    run, calls = engine._simulator.run, []
    engine._simulator = type("Counted", (), {"run": lambda _, *a, **k: calls.append(1) or run(*a, **k)})()
    phi = torch.zeros(1, 5, 6, dtype=torch.float64)
    for _ in range(2):
        engine.evaluate(torch.ones(1, circuit.n_parameters).double(), phi, torch.eye(6).double().expand(1, 5, 6, 6))
    assert len(made) == 3
    assert len(calls) == 2


def test_aer_draws_from_the_binomial_distribution(study):
    """Counts of a circuit that Aer measures: χ² against the binomial distribution, and the mean of many.

    False alarms: one in 1,000 for each of the two.
    """
    model, shots, repetitions = potential(study), 20, 2000
    inputs = model.architecture.inputs(torch.as_tensor(POSITIONS[:1]))
    engine = AerEngine(model.architecture.circuit, shots=shots, seed=5)
    phi = inputs.values[None].expand(1, repetitions, -1)
    means = engine.evaluate(torch.as_tensor(model.parameters)[None], phi)[0][0].numpy()
    exact = float(
        AerEngine(model.architecture.circuit).evaluate(torch.as_tensor(model.parameters)[None], phi[:, :1])[0]
    )
    successes = np.rint((1 + means) / 2 * shots).astype(int)
    expected = repetitions * stats.binom.pmf(np.arange(shots + 1), shots, (1 + exact) / 2)
    kept = expected >= 5  # the rest is one class
    found = np.bincount(successes, minlength=shots + 1)
    observed = np.append(found[kept], found[~kept].sum())
    predicted = np.append(expected[kept], expected[~kept].sum())
    assert stats.chisquare(observed[predicted > 0], predicted[predicted > 0]).pvalue > 1e-3
    z = (means.mean() - exact) / np.sqrt((1 - exact**2) / (shots * repetitions))
    assert 2 * stats.norm.sf(abs(z)) > 1e-3


def test_estimates_are_unbiased_and_their_covariance_is_known(study):
    """Means of 4,000 energies and force components by t tests, variances by χ²; false alarms: one in 1,000 for all
    of them together (Bonferroni)."""
    circuits = ShotSampler(potential(study)).circuits(POSITIONS[1:])
    draws = sample_means(
        np.broadcast_to(circuits.values, (4000, *circuits.values.shape)), 50, np.random.default_rng(8)
    )
    energies, forces = circuits.combine(draws)
    exact_energy, exact_force = circuits.combine(circuits.values)
    sampled = np.column_stack([energies, forces.reshape(len(forces), -1)])
    exact = np.append(exact_energy, exact_force)
    variance = np.append(circuits.energy_variance(), np.diag(circuits.force_covariance()[0])) / 50
    moving = variance > 1e-12
    limit = 1e-3 / (2 * moving.sum())
    assert stats.ttest_1samp(sampled[:, moving], exact[moving]).pvalue.min() > limit
    ratio = (len(sampled) - 1) * sampled[:, moving].var(0, ddof=1) / variance[moving]
    tails = 2 * np.minimum(stats.chi2.cdf(ratio, len(sampled) - 1), stats.chi2.sf(ratio, len(sampled) - 1))
    assert tails.min() > limit


def test_standard_errors_fall_with_the_root_of_the_shots(study):
    options = QuantumConfig()
    table, exponents = standard_errors(ShotSampler(potential(study)), POSITIONS, options, np.random.default_rng(2))
    for quantity in ("energy", "force"):
        assert exponents[f"shot_exponent_{quantity}"][1] == pytest.approx(-0.5, abs=0.02)
    aer = table[table.source == "aer"]
    assert len(aer) > 3
    ratio = np.sqrt((aer.standard_error**2).mean() / (aer.expected**2).mean())
    assert 0.7 < ratio < 1.4


def test_no_shots_are_refused(study):
    sampler = ShotSampler(potential(study))
    for shots in (0, -5, 2.5, True):
        with pytest.raises(ConfigError, match="whole number of at least 1"):
            ShotPotential(sampler, shots, np.random.default_rng(0))
        with pytest.raises(ConfigError, match="whole number of at least 1"):
            AerEngine(build_circuit("kiss", n_qubits=2, layers=1), shots=shots)
    with pytest.raises(ConfigError, match=r"shots\.counts"):
        validate(QuantumConfig, {"shots": {"counts": [0, 10]}}, "quantum")
    with pytest.raises(ConfigError, match="aer_counts: 50 is not among counts"):
        validate(QuantumConfig, {"shots": {"aer_counts": [50]}}, "quantum")


def test_only_one_pauli_word_is_binomial(study):
    with pytest.raises(UnsupportedOperation, match="only the readout of one Pauli word"):
        ShotSampler(potential(study, entangling=False, connectivity="linear"))


def test_commuting_words_share_a_circuit():
    assert commuting_groups(["IIZ", "IZI", "ZII"]) == [[0, 1, 2]]
    assert commuting_groups(["XX", "YY", "ZZ", "XI"]) == [[0, 3], [1], [2]]
    assert AerEngine(build_circuit("kiss", n_qubits=3, layers=1, entangling=False)).n_circuits(False) == 1
    assert AerEngine(build_circuit("equivariant", n_qubits=4, layers=1)).n_circuits(False) == 3


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        ({"thermal": 0.1}, "noise 'thermal' is unknown; known: one_qubit"),
        ({"two_qubit": 1.2}, "1.2 is no probability"),
        ({"t1_us": -1.0}, "must be positive"),
        ({"t1_us": 50.0, "t2_us": 50.0}, "also needs one_qubit_ns, two_qubit_ns"),
        ({"t1_us": 50.0, "t2_us": 150.0, "one_qubit_ns": 25.0, "two_qubit_ns": 12.0}, "exceeds twice t1_us"),
    ],
)
def test_impossible_noise_is_refused(noise, message):
    with pytest.raises(ConfigError, match=message):
        check_noise(noise)


def test_impossible_noise_is_refused_in_the_config():
    for wrong in ({"two_qubit": [1.5]}, {"depolarising": [0.1]}, {"folding": [1, 2]}, {"device": {"readout": -0.1}}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            validate(QuantumConfig, {"noise": wrong}, "quantum")


def test_relaxation_empties_the_excited_state():
    """A qubit is flipped by an x gate of 1 µs with T1 = 10 µs: ⟨Z⟩ = 1 - 2 exp(-1/10) at the end."""
    import pennylane as qml
    from qff.circuits import Circuit

    def function(theta, phi):
        qml.PauliX(wires=0)
        qml.RZ(phi[0], wires=0)
        return qml.expval(qml.PauliZ(0))

    noise = {"t1_us": 10.0, "t2_us": 10.0, "one_qubit_ns": 1000.0, "two_qubit_ns": 1000.0}
    zero = torch.zeros(1, 1, dtype=torch.float64)
    value, _ = AerEngine(Circuit("flip", 1, 1, 1, function), noise=noise).evaluate(zero, zero[None])
    # The unitary x may be compiled into one gate or two; each takes its time.
    assert any(float(value) == pytest.approx(v, abs=1e-9) for v in (1 - 2 * np.exp(-0.1), 1 - 2 * np.exp(-0.2)))


def test_readout_errors_scale_words_and_are_undone():
    circuit = build_circuit("kiss", n_qubits=2, layers=1)
    theta, phi = torch.ones(1, circuit.n_parameters).double(), torch.full((1, 1, 2), 0.3).double()
    exact, flipped = (float(AerEngine(circuit, noise=n).evaluate(theta, phi)[0]) for n in ({}, {"readout": 0.1}))
    assert flipped == pytest.approx(0.8 * exact, abs=1e-12)
    assert unflip(flipped, 0.1) == pytest.approx(exact, abs=1e-12)
    with pytest.raises(ConfigError, match="nothing can be corrected"):
        unflip(flipped, 0.5)


def test_extrapolation_is_exact_for_polynomials():
    factors = np.array([1, 3, 5])
    values = np.stack([2.0 - 0.5 * k + 0.1 * k**2 for k in factors])
    assert extrapolate(factors, values, 2) == pytest.approx(2.0)
    assert extrapolate(factors[:2], np.array([0.9, 0.7]), 1) == pytest.approx(1.0)
    with pytest.raises(ConfigError, match="needs 3 different factors"):
        extrapolate(np.array([1, 3]), np.array([1.0, 0.5]), 2)


def test_extrapolation_reduces_the_error_of_weak_noise(study):
    options = NoiseConfig(frames=1, two_qubit=[1e-3], readout=[0.02], t1_us=[100.0], folding=[1, 3, 5])
    table = noise_errors(potential(study), POSITIONS[:1], options)
    error = table.set_index(["noise", "mitigation"]).energy_error_mev
    assert 0 < error["gates", "richardson"] < 0.2 * error["gates", "none"]
    assert error["readout", "readout"] < 1e-6 * error["readout", "none"]
    assert error["device", "richardson"] < error["device", "readout"] < error["device", "none"]
    assert (table[table.mitigation == "none"].force_error_ev_per_ang > 0).all()


def test_a_map_must_hold_the_circuit():
    circuit = build_circuit("kiss", n_qubits=4, layers=1, connectivity="full")
    template = Template(EncodingShifts(capture(circuit))).circuit
    free = transpiled_size(template, None)
    line = transpiled_size(template, coupling_map("line", 4, 4))
    hexagons = transpiled_size(template, coupling_map("heavy_hex", 3, 4))
    assert free["two_qubit_gates"] == 12  # two for each of six pairs
    assert line["two_qubit_gates"] > free["two_qubit_gates"] <= hexagons["two_qubit_gates"]
    with pytest.raises(ConfigError, match="map line of 3 qubits is smaller than the circuit of 4"):
        coupling_map("line", 3, 4)
    with pytest.raises(ConfigError, match="map heavy_hex of 1 qubits is smaller"):
        coupling_map("heavy_hex", 1, 4)
    with pytest.raises(ConfigError, match="distance 4 must be odd"):
        coupling_map("heavy_hex", 4, 4)
    with pytest.raises(ConfigError, match="map 'torus' of qubits is unknown"):
        coupling_map("torus", 9, 4)


def test_a_map_too_small_stops_the_study_before_it_runs(study):
    for maps, message in (
        ({"line": 4}, "quantum.maps.line: 4 qubits are fewer than the 6 of 'qnn' on h3o"),
        ({"heavy_hex": 2}, "distance 2 must be odd"),
        ({"torus": 9}, "map 'torus' of qubits is unknown"),
    ):
        changed = study.model_copy(deep=True)
        changed.config.quantum.maps = maps
        with pytest.raises(ConfigError, match=message):
            changed.check()


def test_cost_reaches_the_targets(study):
    """With so many shots the worst component has the standard error asked for, and sharing them out is never dearer."""
    circuits = ShotSampler(potential(study)).circuits(POSITIONS[:1])
    found = cost(circuits, Targets(0.04, 0.05), 7, 5000.0, 0.5)
    variance = np.diag(circuits.force_covariance()[0]).max() / found["shots_force"][1]
    assert np.sqrt(variance) == pytest.approx(0.05, rel=1e-3)
    assert found["executions_force"][1] == found["circuits_force"][1] * found["shots_force"][1]
    assert found["layers_force"][1] == 7 * found["executions_force"][1]
    assert found["executions_force_shared"][1] <= found["executions_force"][1]
    assert found["hours_picosecond"][1] == pytest.approx(2000 * found["executions_force"][1] / 5000 / 3600)

"""Noise of a device as a Qiskit-Aer model, from a few numbers."""

from __future__ import annotations

from qff.errors import ConfigError

BASIS_GATES = [
    "rz",
    "sx",
    "x",
    "cx",
]  # of the noisy device; rz is a change of reference frame, free of time and error
PROBABILITIES = ("one_qubit", "two_qubit", "readout")
TIMES = ("t1_us", "t2_us", "one_qubit_ns", "two_qubit_ns")


def check_noise(noise: dict[str, float]) -> dict[str, float]:
    """The same, if it makes sense.

    Args:
        noise: ``one_qubit`` and ``two_qubit``, depolarising probabilities of the gates; ``readout``, probability that an
            outcome is flipped; for thermal relaxation ``t1_us`` and ``t2_us`` (µs) with the gate times ``one_qubit_ns``
            and ``two_qubit_ns`` (ns), all four or none.

    Raises:
        ConfigError: a kind of noise that is not one of these, a probability outside [0, 1], a time that is not positive,
            T2 > 2 T1.
    """
    for name, value in noise.items():
        if name not in PROBABILITIES + TIMES:
            raise ConfigError(f"noise '{name}' is unknown; known: {', '.join(PROBABILITIES + TIMES)}")
        if name in PROBABILITIES and not 0 <= value <= 1:
            raise ConfigError(f"noise '{name}': {value} is no probability")
        if name in TIMES and not value > 0:
            raise ConfigError(f"noise '{name}': {value} is no time; it must be positive")
    given = [name for name in TIMES if name in noise]
    if given and len(given) < len(TIMES):
        missing = ", ".join(name for name in TIMES if name not in given)
        raise ConfigError(f"noise {', '.join(given)}: thermal relaxation also needs {missing}")
    if given and noise["t2_us"] > 2 * noise["t1_us"]:
        raise ConfigError(f"noise: t2_us {noise['t2_us']} exceeds twice t1_us {noise['t1_us']}, which no qubit does")
    return noise


def noise_model(noise: dict[str, float]):
    """Aer's noise model of :func:`check_noise`'s numbers: a gate relaxes its qubits after its own depolarising error."""
    from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error, thermal_relaxation_error

    check_noise(noise)
    model = NoiseModel(basis_gates=BASIS_GATES)
    for n_qubits, name, gates in ((1, "one_qubit", ["sx", "x"]), (2, "two_qubit", ["cx"])):
        error = depolarizing_error(noise.get(name, 0.0), n_qubits)
        if "t1_us" in noise:
            relaxed = thermal_relaxation_error(1e3 * noise["t1_us"], 1e3 * noise["t2_us"], noise[f"{name}_ns"])
            error = error.compose(relaxed if n_qubits == 1 else relaxed.tensor(relaxed))
        if not error.ideal():
            model.add_all_qubit_quantum_error(error, gates)
    if p := noise.get("readout", 0.0):
        model.add_all_qubit_readout_error(ReadoutError([[1 - p, p], [p, 1 - p]]))
    return model

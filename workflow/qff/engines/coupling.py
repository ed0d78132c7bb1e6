"""Maps of coupled qubits, and what a circuit costs on them."""

from __future__ import annotations

from qff.engines.noise import BASIS_GATES
from qff.errors import ConfigError

MAPS = ("line", "heavy_hex")


def map_qubits(name: str, size: int) -> int:
    """Qubits of a map: ``size`` of a line, (5 d² - 2 d - 1)/2 of a heavy-hex lattice of odd code distance d = ``size``.

    Raises:
        ConfigError: an unknown map, or an impossible size.
    """
    if name not in MAPS:
        raise ConfigError(f"map '{name}' of qubits is unknown; known: {', '.join(MAPS)}")
    if name == "heavy_hex" and (size < 1 or size % 2 == 0):
        raise ConfigError(f"map heavy_hex: distance {size} must be odd and positive")
    return size if name == "line" else (5 * size**2 - 2 * size - 1) // 2


def coupling_map(name: str, size: int, n_qubits: int):
    """Qiskit's coupling map.

    Args:
        name, size: of :func:`map_qubits`.
        n_qubits: of the circuit that must fit.

    Raises:
        ConfigError: an unknown map, an impossible size, or a map that is smaller than the circuit.
    """
    from qiskit.transpiler import CouplingMap

    count = map_qubits(name, size)
    if count < n_qubits:
        raise ConfigError(f"map {name} of {count} qubits is smaller than the circuit of {n_qubits}: use a larger one")
    return CouplingMap.from_line(size) if name == "line" else CouplingMap.from_heavy_hex(size)


def transpiled_size(circuit, place, seed: int = 0) -> dict[str, int]:
    """Depth and gates of a circuit in rz, sx, x, cx on a coupling map (None: any two qubits interact)."""
    from qiskit import transpile

    found = transpile(
        circuit, basis_gates=BASIS_GATES, coupling_map=place, optimization_level=3, seed_transpiler=seed
    )
    counts = found.count_ops()
    return {
        "depth": found.depth(lambda instruction: instruction.operation.name != "rz"),  # rz takes no time
        "two_qubit_gates": int(counts.get("cx", 0)),
        "one_qubit_gates": int(counts.get("sx", 0) + counts.get("x", 0)),
        "two_qubit_depth": found.depth(lambda instruction: instruction.operation.num_qubits == 2),
    }

"""Three ways to evaluate one circuit: ``batched`` (training), ``pennylane`` and ``aer`` (oracles, hardware).

All share ``evaluate(theta, phi, dphi)``; see :class:`qff.engines.batched.BatchedEngine` for the shapes.
"""

from qff.errors import ConfigError

ENGINES = ("batched", "pennylane", "aer")


def build_engine(name: str, circuit, **options):
    """Engine by name for a :class:`qff.circuits.Circuit`."""
    if name == "batched":
        from qff.engines.batched import BatchedEngine as Engine
    elif name == "pennylane":
        from qff.engines.pennylane import PennyLaneEngine as Engine
    elif name == "aer":
        from qff.engines.aer import AerEngine as Engine
    else:
        raise ConfigError(f"unknown engine '{name}'; known: {', '.join(ENGINES)}")
    return Engine(circuit, **options)

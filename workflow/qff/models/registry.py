"""Model kinds by name. A new kind of model is one class and one line here."""

from __future__ import annotations

from pkgutil import resolve_name

from qff.config import ModelConfig
from qff.errors import ConfigError
from qff.systems import System

# By name: a job imports the kind it needs, and PennyLane takes seconds.
KINDS = {
    "qnn": "qff.models.qnn:QNN",
    "nn": "qff.models.nn:NeuralNetwork",
    "atomic_circuits": "qff.models.atomic_circuit:AtomicCircuits",
    "behler_parrinello": "qff.models.behler_parrinello:BehlerParrinello",
    "central_atom": "qff.models.central_atom:CentralAtom",
    "fourier": "qff.models.fourier:FourierSeries",
    "hybrid": "qff.models.hybrid:Hybrid",
    "neighbour_pairs": "qff.models.neighbour_pairs:NeighbourPairs",
    "polynomial": "qff.models.polynomial:Polynomial",
    "random_circuit": "qff.models.random_circuit:RandomCircuit",
    "random_readout": "qff.models.random_readout:RandomReadout",
    "kernel": "qff.models.kernel:Kernel",
    "mean": "qff.models.mean:MeanPredictor",
}


def architecture_class(kind: str) -> type:
    """Class of a kind.

    Raises:
        ConfigError: no such kind.
    """
    if kind not in KINDS:
        raise ConfigError(f"unknown model kind '{kind}'; known: {', '.join(KINDS)}")
    return resolve_name(KINDS[kind])


def build_architecture(system: System, model: ModelConfig):
    """Architecture of a configured model for a system.

    Raises:
        ConfigError: the kind is unknown, or the model has no settings for this system.
    """
    kind = architecture_class(model.kind)
    settings = model.settings_of(system.settings_name)
    if settings is None:
        raise ConfigError(
            f"model '{model.name}' has no settings for system '{system.settings_name}'; add them under 'systems' in config/models.yaml"
        )
    try:
        return kind(system, settings)
    except KeyError as error:
        raise ConfigError(f"model '{model.name}', system '{system.name}': setting {error} is missing") from error

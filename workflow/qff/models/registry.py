"""Model kinds by name. A new kind of model is one class and one line here."""

from __future__ import annotations

from qff.config import ModelConfig
from qff.errors import ConfigError
from qff.systems import System


def _kinds() -> dict:
    from qff.models.atomic_circuit import AtomicCircuits
    from qff.models.behler_parrinello import BehlerParrinello
    from qff.models.central_atom import CentralAtom
    from qff.models.fourier import FourierSeries
    from qff.models.hybrid import Hybrid
    from qff.models.kernel import Kernel
    from qff.models.mean import MeanPredictor
    from qff.models.neighbour_pairs import NeighbourPairs
    from qff.models.nn import NeuralNetwork
    from qff.models.polynomial import Polynomial
    from qff.models.qnn import QNN
    from qff.models.random_circuit import RandomCircuit
    from qff.models.random_readout import RandomReadout

    return {
        "qnn": QNN,
        "nn": NeuralNetwork,
        "atomic_circuits": AtomicCircuits,
        "behler_parrinello": BehlerParrinello,
        "central_atom": CentralAtom,
        "fourier": FourierSeries,
        "hybrid": Hybrid,
        "neighbour_pairs": NeighbourPairs,
        "polynomial": Polynomial,
        "random_circuit": RandomCircuit,
        "random_readout": RandomReadout,
        "kernel": Kernel,
        "mean": MeanPredictor,
    }


def build_architecture(system: System, model: ModelConfig):
    """Architecture of a configured model for a system.

    Raises:
        ConfigError: the kind is unknown, or the model has no settings for this system.
    """
    kinds = _kinds()
    if model.kind not in kinds:
        raise ConfigError(f"unknown model kind '{model.kind}'; known: {', '.join(kinds)}")
    settings = model.settings_of(system.settings_name)
    if settings is None:
        raise ConfigError(
            f"model '{model.name}' has no settings for system '{system.settings_name}'; add them under 'systems' in config/models.yaml"
        )
    try:
        return kinds[model.kind](system, settings)
    except KeyError as error:
        raise ConfigError(f"model '{model.name}', system '{system.name}': setting {error} is missing") from error

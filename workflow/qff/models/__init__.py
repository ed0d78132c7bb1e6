"""Energy models behind one protocol, quantum and classical alike: see :class:`qff.models.potential.Potential`."""

from qff.models.potential import Potential, load
from qff.models.registry import build_architecture

__all__ = ["Potential", "build_architecture", "load"]

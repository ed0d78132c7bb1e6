"""A trained potential as a model of MLflow: positions and numbers in, energy and forces out.

``mlflow.pyfunc.load_model("runs:/<run>/model")`` gives it back where this package is installed. A saved model is the
safetensors file and a description of it: no pickle, no code.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from qff.errors import DataError, ModelFileError

REQUIREMENTS = [
    "ase",
    "numba",
    "numpy",
    "pennylane",
    "pydantic",
    "safetensors",
    "torch",
]  # versions: requirements.lock


class ServedPotential:
    """A potential with the interface that MLflow asks for."""

    def __init__(self, potential):
        self.potential = potential

    def predict(self, model_input: dict[str, np.ndarray], params: dict | None = None) -> dict[str, np.ndarray]:
        """Energies (B,) in eV and forces (B, A, 3) in eV/Å.

        Args:
            model_input: ``positions`` (B, A, 3) in Å, ``numbers`` (B, A): atomic numbers.

        Raises:
            DataError: the atoms are not those of the potential, in its order.
        """
        from ase.data import atomic_numbers

        expected = [atomic_numbers[symbol] for symbol in self.potential.system.symbols]
        numbers = np.asarray(model_input["numbers"])
        if numbers.shape[1:] != (len(expected),) or (numbers != expected).any():
            raise DataError(
                f"this potential describes atomic numbers {expected} in this order; got {np.unique(numbers, axis=0).tolist()}"
            )
        energies, forces = self.potential.energy_and_forces(np.asarray(model_input["positions"], dtype=np.float64))
        return {"energy": energies, "forces": forces}


def _load_pyfunc(path: str) -> ServedPotential:
    """Called by MLflow with the file, or the folder of it, that was saved."""
    from qff.models.potential import load

    found = sorted(Path(path).glob("*.safetensors")) if Path(path).is_dir() else [Path(path)]
    if len(found) != 1:
        raise ModelFileError(
            f"{path}: expected one safetensors file, found {len(found)}; send the run again (make sync)"
        )
    return ServedPotential(load(found[0]))


def symbols_of(path: Path) -> list[str]:
    """Atoms that a saved potential describes, from the header of its file.

    Raises:
        ModelFileError: not a potential of ours.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as handle:
            return json.loads(handle.metadata()["qff"])["system"]["atoms"]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{path}: not a saved potential ({error}); train the model again") from error


@contextmanager
def as_mlflow_model(path: Path) -> Iterator[Path]:
    """A temporary folder that holds a saved potential in MLflow's format, with its signature."""
    from mlflow.models import ModelSignature
    from mlflow.pyfunc import save_model
    from mlflow.types import Schema, TensorSpec

    n = len(symbols_of(path))
    real, whole = np.dtype(np.float64), np.dtype(np.int64)
    inputs = Schema([TensorSpec(real, (-1, n, 3), "positions"), TensorSpec(whole, (-1, n), "numbers")])
    outputs = Schema([TensorSpec(real, (-1,), "energy"), TensorSpec(real, (-1, n, 3), "forces")])
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "model"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # asks for an example of the input beside the signature
            save_model(
                target,
                loader_module="qff.served",
                data_path=str(path),
                signature=ModelSignature(inputs, outputs),
                pip_requirements=REQUIREMENTS,
            )
        yield target

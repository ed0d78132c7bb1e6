"""The one protocol: a trained model that gives energies and forces, and can be saved and loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from qff.config import ModelConfig, SystemConfig, validate
from qff.errors import ModelFileError
from qff.models.architecture import Architecture, Inputs
from qff.models.registry import build_architecture
from qff.provenance import atomic_path
from qff.systems import System

FORMAT = "qff.potential/1"
_HEADER = "qff"
_ARRAYS = ("parameters", "input_center", "input_width", "energy_shift", "energy_scale")


@dataclass
class Potential:
    """Energy E = energy_shift + energy_scale · f(inputs; parameters) in eV, forces as its exact derivative.

    Attributes:
        architecture: the model without its numbers.
        parameters: (P,).
        input_center, input_width: (F,) normalisation of the features.
        energy_shift, energy_scale: eV.
        model: the configuration entry the architecture was built from.
    """

    architecture: Architecture
    model: ModelConfig
    parameters: np.ndarray
    input_center: np.ndarray
    input_width: np.ndarray
    energy_shift: float
    energy_scale: float

    @property
    def system(self) -> System:
        return self.architecture.system

    @property
    def n_parameters(self) -> int:
        return self.architecture.n_parameters

    def energy_and_forces(self, positions) -> tuple[np.ndarray, np.ndarray]:
        """Energies (B,) in eV and forces (B, A, 3) in eV/Å of geometries (B, A, 3) in Å.

        Raises:
            DomainError: a geometry lies outside the bounds of the model.
        """
        positions = torch.as_tensor(np.asarray(positions), dtype=torch.float64)
        at_once = self.architecture.frames_at_once or max(1, len(positions))
        parts = [self._evaluate(part) for part in positions.split(at_once)]
        return tuple(torch.cat(part).numpy() for part in zip(*parts, strict=True))

    def inputs(self, positions) -> Inputs:
        """Normalised inputs of geometries (B, A, 3) in Å.

        Raises:
            DomainError: a geometry lies outside the bounds of the model.
        """
        found = self.architecture.inputs(torch.as_tensor(positions, dtype=torch.float64))
        return found.normalised(torch.as_tensor(self.input_center), torch.as_tensor(self.input_width))

    def _evaluate(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same of tensors."""
        with torch.no_grad():
            inputs = self.inputs(positions)
            theta = torch.as_tensor(self.parameters)[None]
            f, df = self.architecture.evaluate(theta, inputs.select((None, ...)))
            energies = self.energy_shift + self.energy_scale * f[0]
            forces = -self.energy_scale * torch.einsum("bk,bkax->bax", df[0], inputs.directions)
        return energies, forces

    def describe(self) -> dict:
        return {"name": self.model.name, "kind": self.model.kind, **self.architecture.describe()}

    def save(self, path: str | Path) -> None:
        """Write ``path`` (safetensors) with its description as JSON in the header; no pickle."""
        header = {
            "format": FORMAT,
            "model": self.model.model_dump(mode="json"),
            "system": {"name": self.system.name, **self.system.config.model_dump(mode="json")},
        }
        arrays = {k: np.atleast_1d(np.asarray(getattr(self, k), dtype=np.float64)) for k in _ARRAYS}
        with atomic_path(path) as temporary:
            # One key: safetensors writes several in random order, and equal models should be equal files.
            save_file(arrays, temporary, metadata={_HEADER: json.dumps(header)})


def load(path: str | Path) -> Potential:
    """Read a potential written by :meth:`Potential.save`.

    Raises:
        ModelFileError: missing, truncated, not one of ours, or of another format version.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(f"{path}: no such model file; train it first (snakemake {path})")
    try:
        with safe_open(path, "numpy") as handle:
            header = json.loads((handle.metadata() or {}).get(_HEADER, "{}"))
            arrays = {k: handle.get_tensor(k) for k in handle.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise ModelFileError(f"{path}: not a complete safetensors file ({error}); train the model again") from error
    if header.get("format") != FORMAT:
        raise ModelFileError(
            f"{path}: format '{header.get('format')}', this version reads '{FORMAT}'; train the model again, or use "
            "the version of the study that wrote it"
        )
    if missing := [k for k in _ARRAYS if k not in arrays]:
        raise ModelFileError(f"{path}: arrays {', '.join(missing)} are missing; train the model again")
    description = header["system"]
    system = System(description.pop("name"), validate(SystemConfig, description, str(path)))
    model = validate(ModelConfig, header["model"], str(path))
    architecture = build_architecture(system, model)
    if arrays["parameters"].shape != (architecture.n_parameters,):
        raise ModelFileError(
            f"{path}: holds {arrays['parameters'].size} parameters, the model has {architecture.n_parameters}; the "
            "architecture has changed since: train the model again"
        )
    shift, scale = (float(arrays.pop(k)[0]) for k in ("energy_shift", "energy_scale"))
    return Potential(architecture, model, **arrays, energy_shift=shift, energy_scale=scale)

"""One ensemble of several molecules, from those of each of them."""

from __future__ import annotations

import torch

from qff.models.mixture import Mixture, padded_forces
from qff.training.ensemble import Ensemble
from qff.training.loss import EnsembleData


def joint_ensemble(ensembles: list[Ensemble]) -> Ensemble:
    """Ensemble whose members see the frames of all molecules; energies are taken from each molecule's own middle.

    The constant between molecules of different composition is a sum of atomic energies and no part of a force field;
    the energy scale is one for all, the largest.

    Raises:
        ConfigError: the model cannot be shared (:class:`qff.models.mixture.Mixture`).
    """
    mixture = Mixture([e.architecture for e in ensembles])
    shift = torch.zeros_like(ensembles[0].shift)
    scale = torch.stack([e.scale for e in ensembles]).amax(0)

    def joined(part: str) -> EnsembleData:
        found = []
        for number, ensemble in enumerate(ensembles):
            data: EnsembleData = getattr(ensemble, part)
            found.append(
                EnsembleData(
                    mixture.number_inputs(number, data.inputs),
                    data.energies - ensemble.shift[:, None],
                    padded_forces(data.forces, mixture.width),
                )
            )
        inputs = type(found[0].inputs)(
            *(torch.cat([getattr(d.inputs, x) for d in found], 1) for x in ("values", "tangents", "directions"))
        )
        return EnsembleData(
            inputs, torch.cat([d.energies for d in found], 1), torch.cat([d.forces for d in found], 1)
        )

    training, validation = joined("training"), joined("validation")
    zeros = torch.zeros_like(training.inputs.values[:, 0])
    return Ensemble(mixture, training, validation, shift, scale, zeros, torch.ones_like(zeros))

"""Between potentials of the study (eV, Å, one molecule) and n2p2's files (Ha, bohr, any structure)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from ase.data import atomic_numbers

from qff.config import ModelConfig
from qff.errors import DataError
from qff.models.behler_parrinello import BehlerParrinello
from qff.models.potential import Potential
from qff.n2p2.network import Network
from qff.n2p2.potential import N2P2Potential
from qff.n2p2.scaling import affine
from qff.n2p2.settings import Settings
from qff.systems import System
from qff.units import HARTREE_IN_EV

_SCALE_CENTER = frozenset({"scale_symmetry_functions", "center_symmetry_functions"})


def from_potential(potential: Potential) -> N2P2Potential:
    """A Behler–Parrinello potential of the study as n2p2's.

    The potential keeps mean and width of its features, not their extremes: the range in ``scaling.data`` is put
    symmetrically around the mean, which n2p2 uses to warn of extrapolation only.

    Raises:
        DataError: another kind of model.
    """
    architecture = potential.architecture
    if not isinstance(architecture, BehlerParrinello):
        raise DataError(f"{potential.model.name}: only a Behler–Parrinello potential can be written for n2p2")
    functions = architecture.descriptor.functions
    elements = tuple(sorted(architecture.layers, key=atomic_numbers.__getitem__))
    hidden = [n for _, n in architecture.layers[elements[0]]][:-1]
    settings = Settings(
        elements,
        {e: functions[e] for e in elements},
        architecture.cutoff,
        {e: tuple(hidden) for e in elements},
        ("t",) * len(hidden) + ("l",),
        scaling=_SCALE_CENTER,
        mean_energy=potential.energy_shift / HARTREE_IN_EV / len(potential.system.symbols),
        conv_energy=HARTREE_IN_EV / potential.energy_scale,
        conv_length=1.0,  # matters for the residuals of n2p2's training only
    )
    centers = architecture.per_element(torch.as_tensor(potential.input_center))
    widths = architecture.per_element(torch.as_tensor(potential.input_width))
    networks = architecture.networks(torch.as_tensor(potential.parameters)[None])
    tables, found = {}, {}
    for element in elements:
        mean, width = centers[element].numpy(), widths[element].numpy()
        tables[element] = np.stack([mean - width / 2, mean + width / 2, mean, width / 2], 1)
        weights, biases = zip(*((w[0].T.contiguous(), b[0]) for w, b in networks[element]), strict=True)
        found[element] = Network(list(weights), list(biases), settings.activations)
    return N2P2Potential(settings, tables, found)


def write(potential: Potential, folder: str | Path) -> None:
    """Write a trained Behler–Parrinello potential as ``input.nn``, ``scaling.data`` and ``weights.ZZZ.data``."""
    from_potential(potential).write(folder)


def to_potential(n2p2: N2P2Potential, system: System, name: str = "n2p2") -> Potential:
    """A potential of n2p2 as one of the study, for a molecule of exactly its elements.

    Raises:
        DataError: other elements, element networks of different widths, activations other than tanh and a linear
            output, or normalised nodes.
    """
    settings = n2p2.settings
    if set(settings.elements) != set(system.symbols):
        raise DataError(
            f"the potential is made for {', '.join(settings.elements)}; {system.name} has {', '.join(system.symbols)}"
        )
    hidden = set(settings.hidden.values())
    tanh = ("t",) * (len(settings.activations) - 1) + ("l",)
    if len(hidden) > 1 or settings.activations != tanh or settings.normalise_nodes:
        raise DataError(
            "models of the study have tanh networks with a linear output, of equal widths for all elements and "
            "without normalize_nodes; run this potential with N2P2Potential"
        )
    lines = [f.line() for e in settings.elements for f in settings.functions[e]]
    model = ModelConfig(
        name=name,
        label=name,
        kind="behler_parrinello",
        systems={
            system.name: {
                "symmetry_functions": "\n".join(lines),
                "cutoff_type": settings.cutoff.kind,
                "inner_cutoff": settings.cutoff.inner,
                "hidden": list(hidden.pop()),
            }
        },
    )
    architecture = BehlerParrinello(system, model.systems[system.name])
    scalings = {e: affine(settings, n2p2.scaling[e]) for e in settings.elements}
    columns = [
        torch.cat([scalings[e][part].tile(len(architecture.descriptor.atoms[e])) for e in architecture.layers])
        for part in (0, 1)
    ]
    parameters = [
        x.T.flatten() if x.ndim == 2 else x
        for e in architecture.layers
        for layer in zip(n2p2.networks[e].weights, n2p2.networks[e].biases, strict=True)
        for x in layer
    ]
    offsets = sum(settings.atom_energies.get(s, 0.0) for s in system.symbols)
    shift = len(system.symbols) * (settings.mean_energy or 0.0) + offsets
    return Potential(
        architecture,
        model,
        torch.cat(parameters).numpy(),
        columns[0].numpy(),
        columns[1].numpy(),
        energy_shift=shift * HARTREE_IN_EV,
        energy_scale=HARTREE_IN_EV / (settings.conv_energy or 1.0),
    )

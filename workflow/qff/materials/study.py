"""One seed of the comparison: everything that the training frames fix, all models, their errors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from qff.materials.baselines import ReferenceEnergies, composition_means, fit_references
from qff.materials.behler_parrinello import fit_behler_parrinello
from qff.materials.circuit import AmplitudeCircuit
from qff.materials.compression import Compression, features_of, principal_components, roughness, turned
from qff.materials.descriptor import Descriptor
from qff.materials.equations import Weights, linear_matrix, normal_equations, quadratic_matrix, rows_of, solve
from qff.materials.fits import Fitted, fit_circuit, fit_network, fit_regression
from qff.materials.frames import Frame
from qff.materials.potential import MaterialPotential, shortest_distances
from qff.units import EV_IN_MEV


@dataclass(frozen=True)
class Prepared:
    """What the training frames fix before any model: descriptor, reference energies, compression, shortest distances."""

    descriptor: Descriptor
    references: ReferenceEnergies
    compression: Compression
    closest: np.ndarray

    def n_fixed(self, fitted: Fitted) -> int:
        """Numbers of a model that data fix, and not gradients; of a trained linear map only the means."""
        own = self.compression.n_fixed if fitted.trained is None else fitted.trained.mean.size
        return own + len(self.references.per_atom)


def prepare(frames: list[Frame], settings, weights: Weights, size: int) -> Prepared:
    """Fit reference energies and the compression to training frames.

    Args:
        settings: ``descriptor`` and ``compression`` of the configuration. size: numbers per atom after compression.
    """
    references = fit_references(frames)
    d = settings.descriptor
    descriptor = Descriptor(references.elements, d.cutoff_ang, d.n_radial, d.l_max)
    features, kinds = features_of(frames, descriptor)
    n_elements = len(references.elements)
    if settings.compression.method == "pca":
        compression, _ = principal_components(features, kinds, n_elements, size)
    else:
        many = max(size, settings.compression.regression_components)
        components, variances = principal_components(features, kinds, n_elements, many)
        energies = np.array([f.energy for f in frames]) - references.of(frames)
        rows = (rows_of(f, e, descriptor, components, weights) for f, e in zip(frames, energies, strict=True))
        penalty = roughness(variances) if settings.compression.damped == "features" else None
        fit = solve(normal_equations(rows, linear_matrix, n_elements), settings.compression.ridge, penalty)
        compression = turned(components, fit.reshape(n_elements, -1)[:, 1:], size)
    return Prepared(
        descriptor, references, compression.limited(features, kinds), shortest_distances(frames, descriptor)
    )


def qubits_for(frames: list[Frame], settings) -> int:
    """Qubits of the circuit: as configured, fewer if the elements of all frames are too many for a hundred parameters."""
    n_elements = len({int(z) for f in frames for z in f.numbers})
    return AmplitudeCircuit.within_limit(settings.circuit.n_qubits, settings.circuit.layers, n_elements).n_qubits


def fit_all(
    prepared: Prepared,
    training: list[Frame],
    validation: list[Frame],
    settings,
    weights: Weights,
    n_qubits: int,
    models: list[str],
    rng: np.random.Generator,
) -> dict[str, Fitted]:
    """Models by name, all but the last in the same compressed descriptor: ``linear``, ``quadratic`` (the circuit's series with free
    coefficients), ``amplitude_hybrid``, ``nn``, ``amplitude_separable`` (no entangling gates), ``amplitude_random`` (angles
    drawn uniformly and not trained, weights by least squares), ``behler_parrinello`` (on the whole descriptor)."""
    n_elements = len(prepared.descriptor.elements)
    rows = {}
    for name, frames in (("training", training), ("validation", validation)):
        energies = np.array([f.energy for f in frames]) - prepared.references.of(frames)
        rows[name] = [
            rows_of(f, e, prepared.descriptor, prepared.compression, weights)
            for f, e in zip(frames, energies, strict=True)
        ]
    equations = {name: normal_equations(r, quadratic_matrix, n_elements) for name, r in rows.items()}
    found = {}
    if "linear" in models:
        linear = {name: normal_equations(r, linear_matrix, n_elements) for name, r in rows.items()}
        found["linear"] = fit_regression(linear["training"], linear["validation"], n_elements, "linear")
    if "quadratic" in models:
        found["quadratic"] = fit_regression(equations["training"], equations["validation"], n_elements, "quadratic")
    if "amplitude_hybrid" in models:
        circuit = AmplitudeCircuit.within_limit(n_qubits, settings.circuit.layers, n_elements)
        found["amplitude_hybrid"] = fit_circuit(
            circuit,
            equations["training"],
            equations["validation"],
            settings.circuit.starts,
            settings.circuit.steps,
            rng,
        )
    if "nn" in models:
        found["nn"] = fit_network(
            settings.network.hidden,
            rows["training"],
            rows["validation"],
            n_elements,
            settings.network.starts,
            settings.network.steps,
            rng,
        )
    circuit = AmplitudeCircuit.within_limit(n_qubits, settings.circuit.layers, n_elements)
    own = (equations["training"], equations["validation"], settings.circuit.starts)
    if "amplitude_separable" in models:
        separable = replace(circuit, entangling=False)
        found["amplitude_separable"] = fit_circuit(separable, *own, settings.circuit.steps, rng)
    if "amplitude_random" in models:
        found["amplitude_random"] = fit_circuit(circuit, *own, 0, rng, spread=np.pi)
    if "behler_parrinello" in models:
        found["behler_parrinello"] = fit_behler_parrinello(
            prepared.descriptor,
            prepared.references,
            training,
            validation,
            settings.behler_parrinello,
            weights,
            rng,
        )
    return found


def potential_of(prepared: Prepared, fitted: Fitted, wall: float) -> MaterialPotential:
    """A fitted head with everything that belongs to it."""
    return MaterialPotential(
        prepared.descriptor,
        prepared.references.per_atom,
        fitted.trained or prepared.compression,
        fitted.head,
        prepared.closest,
        wall,
    )


def errors(potential: MaterialPotential, frames: list[Frame]) -> dict[str, tuple[str, float]]:
    """Errors of energies per atom, forces and, where there are labels, stresses."""
    energies, forces, stresses = [], [], []
    for frame in frames:
        energy, force, stress = potential.evaluate(frame.numbers, frame.positions, frame.cell)
        energies.append((energy - frame.energy) / len(frame.numbers))
        forces.append((force - frame.forces).ravel())
        if frame.stress is not None:
            stresses.append((stress - frame.stress).ravel())
    return _summary(np.array(energies), np.concatenate(forces), np.concatenate(stresses) if stresses else None)


def mean_errors(
    training: list[Frame], frames: list[Frame], references: ReferenceEnergies
) -> dict[str, tuple[str, float]]:
    """Errors of the mean energy of each composition, without any force."""
    sizes = np.array([len(f.numbers) for f in frames])
    energies = (composition_means(training, frames, references) - [f.energy for f in frames]) / sizes
    return _summary(energies, np.concatenate([f.forces.ravel() for f in frames]), None)


def _summary(energies: np.ndarray, forces: np.ndarray, stresses: np.ndarray | None) -> dict[str, tuple[str, float]]:
    found = {
        "energy_rmse": ("meV/atom", EV_IN_MEV * float(np.sqrt((energies**2).mean()))),
        "energy_mae": ("meV/atom", EV_IN_MEV * float(np.abs(energies).mean())),
        "force_rmse": ("meV/Ang", EV_IN_MEV * float(np.sqrt((forces**2).mean()))),
        "force_mae": ("meV/Ang", EV_IN_MEV * float(np.abs(forces).mean())),
    }
    if stresses is not None:
        found["stress_rmse"] = ("meV/Ang3", EV_IN_MEV * float(np.sqrt((stresses**2).mean())))
    return found

"""Periodic materials: Behler–Parrinello networks on the whole descriptor."""

from dataclasses import replace

import numpy as np
import pytest
from lithium_chloride import DESCRIPTOR, WEIGHTS, labelled, rattled, some_potential
from qff.config.materials import MaterialsConfig
from qff.errors import DataError
from qff.materials.baselines import fit_references
from qff.materials.behler_parrinello import TAIL, Networks, fit_behler_parrinello, inputs, samples_of
from qff.materials.compression import LEAST_SPREAD, features_of
from qff.materials.potential import load
from qff.materials.study import errors, fit_all, mean_errors, potential_of, prepare

OPTIONS = MaterialsConfig.model_validate(
    {
        "descriptor": {"cutoff_ang": 4.0, "n_radial": 2, "l_max": 2},
        "compression": {"method": "pca"},
        "behler_parrinello": {"hidden": [6, 5], "starts": 1, "epochs": 100, "batch": 2, "learning_rate": 0.01},
    }
)


@pytest.fixture(scope="module")
def frames():
    return labelled(30, some_potential())


def fitted(frames, starts: int = 1, seed: int = 0):
    settings = OPTIONS.behler_parrinello.model_copy(update={"starts": starts})
    references = fit_references(frames[:20])
    rng = np.random.default_rng(seed)
    return fit_behler_parrinello(DESCRIPTOR, references, frames[:20], frames[20:25], settings, WEIGHTS, rng)


@pytest.fixture(scope="module")
def trained(frames):
    """Potential of a seed of the comparison, and what the training says of it."""
    prepared = prepare(frames[:20], OPTIONS, WEIGHTS, 3)
    models = fit_all(
        prepared, frames[:20], frames[20:25], OPTIONS, WEIGHTS, 2, ["behler_parrinello"], np.random.default_rng(0)
    )
    fit = models["behler_parrinello"]
    return prepared, fit, potential_of(prepared, fit, 0.0)


def test_inputs_keep_nearly_all_of_the_variance(frames):
    features, kinds = features_of(frames, DESCRIPTOR)
    base, spreads = inputs(features, kinds, 2)
    for s in range(2):
        mine = features[kinds == s] - base.mean[s]
        values = mine @ base.projections[s]
        np.testing.assert_allclose(values.var(0), spreads[s], atol=1e-9)
        scaled = mine / np.maximum(mine.std(0), LEAST_SPREAD * mine.std(0).max())

        def lost(known, whole=scaled):
            """Part of the variance that is not linear in some numbers."""
            rest = whole - known @ np.linalg.lstsq(known, whole, rcond=None)[0]
            return rest.var(0).sum() / whole.var(0).sum()

        used = values[:, spreads[s] > 0]
        assert lost(used) <= TAIL < lost(used[:, :-1])


@pytest.mark.parametrize("stress", [0.0, 2.0])
def test_the_gradient_of_the_loss_is_its_differences(frames, stress):
    """It rests on a difference of features along one direction: good to a part in 10⁶."""
    features, kinds = features_of(frames, DESCRIPTOR)
    networks = Networks(DESCRIPTOR, *inputs(features, kinds, 2), [4, 3], replace(WEIGHTS, stress=stress))
    samples = samples_of(frames[:2], DESCRIPTOR, fit_references(frames))
    rng = np.random.default_rng(1)
    theta = networks.initial(rng)
    theta += 0.1 * rng.normal(size=theta.shape)
    found = networks.gradient(theta, samples)
    for _ in range(6):
        step = rng.normal(size=theta.shape) * 1e-5
        expected = 0.5 * (networks.loss(theta + step, samples) - networks.loss(theta - step, samples))
        assert found @ step == pytest.approx(expected, rel=1e-5, abs=1e-12)


def test_networks_beat_the_mean_and_count_all_that_is_trained(frames, trained):
    prepared, fit, potential = trained
    found, mean = errors(potential, frames[25:]), mean_errors(frames[:20], frames[25:], prepared.references)
    for quantity in ("energy_rmse", "force_rmse"):
        assert found[quantity][1] < 0.5 * mean[quantity][1]
    _, spreads = inputs(*features_of(frames[:20], DESCRIPTOR), 2)
    assert fit.n_parameters == 6 * int((spreads > 0).sum()) + 2 * (6 + 6 * 5 + 5 + 5 + 1)
    assert prepared.n_fixed(fit) == 2 * DESCRIPTOR.n_features + 2


def test_forces_and_stress_are_derivatives(trained):
    potential, atoms, step = trained[2], rattled(40, 0.15), 1e-4
    numbers, positions, cell = atoms.numbers, atoms.positions, atoms.cell.array
    _, forces, stress = potential.evaluate(numbers, positions, cell)

    def energy(moved, strain):
        return potential.evaluate(numbers, moved @ (np.eye(3) + strain), cell @ (np.eye(3) + strain))[0]

    for i, a in np.ndindex(len(numbers), 3):
        move = np.zeros_like(positions)
        move[i, a] = step
        expected = (energy(positions - move, 0.0) - energy(positions + move, 0.0)) / (2 * step)
        assert forces[i, a] == pytest.approx(expected, abs=1e-6)
    strain = np.zeros((3, 3))
    strain[0, 2] = strain[2, 0] = step
    expected = (energy(positions, strain) - energy(positions, -strain)) / (2 * step) / atoms.get_volume()
    assert 2 * stress[0, 2] == pytest.approx(expected, abs=1e-6)


def test_energies_do_not_change_with_rotation_translation_or_order(trained):
    potential, atoms = trained[2], rattled(41)
    energy, forces, _ = potential.evaluate(atoms.numbers, atoms.positions, atoms.cell.array)
    order = np.random.default_rng(0).permutation(len(atoms))
    turned = atoms[order]
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    turned.positions += [0.3, -7.0, 2.0]
    again, turned_forces, _ = potential.evaluate(turned.numbers, turned.positions, turned.cell.array)
    assert again == pytest.approx(energy, abs=1e-9)
    np.testing.assert_allclose(
        np.linalg.norm(turned_forces, axis=1), np.linalg.norm(forces[order], axis=1), atol=1e-9
    )


def test_networks_survive_their_file(tmp_path, trained):
    atoms, potential = rattled(2), trained[2]
    potential.save(tmp_path / "p.safetensors")
    one, two = (
        p.evaluate(atoms.numbers, atoms.positions, atoms.cell.array)
        for p in (potential, load(tmp_path / "p.safetensors"))
    )
    assert one[0] == two[0]
    np.testing.assert_array_equal(one[1], two[1])


def test_the_start_is_the_best_in_validation_and_follows_its_seed(frames):
    one, again, several = fitted(frames, 1), fitted(frames, 1), fitted(frames, 3)
    np.testing.assert_array_equal(one.head.w, again.head.w)
    assert several.validation_loss <= one.validation_loss
    losses = [fitted(frames, 1, seed).validation_loss for seed in range(3)]
    assert len(set(losses)) == 3


def test_an_element_that_training_lacks_is_refused(frames):
    odd = replace(frames[0], numbers=np.where(frames[0].numbers == 3, 11, 17))
    with pytest.raises(DataError, match="atomic number 11 is in no training frame"):
        samples_of([odd], DESCRIPTOR, fit_references(frames))

"""The physics that every potential must pass, quantum or classical."""

import functools
import json
import time

import numpy as np
import pytest
import torch
from qff.config import TrainingConfig, load_study, read_yaml
from qff.data import LabelledFrames, read_frames, split_frames
from qff.errors import DomainError, ModelFileError
from qff.models import Potential, build_architecture, load
from qff.models.architecture import Architecture, Inputs
from qff.systems import System
from qff.training.descent import OPTIMISERS
from qff.training.ensemble import build_ensemble, initial_ensemble
from safetensors import safe_open

STUDY = load_study(read_yaml("config/config.yaml"))
# What the start of training, its optimiser and its scale of energies are: nothing to a function of given parameters.
OF_TRAINING = {"initial_center", "initial_spread", "output_range"}


def distinct_cases() -> list[tuple[str, str]]:
    """(system, model): every kind of model on each of its systems, and every other function on the first molecule."""
    molecules = sorted(STUDY.systems, key=lambda s: len(STUDY.systems[s].atoms) == 2)  # a diatomic comes last
    found = {}
    for model, entry in STUDY.models.items():
        if entry.kind == "mean":
            continue  # no function of the geometry: tests/unit/test_mean.py
        for system in sorted(entry.systems, key=molecules.index):
            settings = {k: v for k, v in entry.systems[system].items() if k not in OF_TRAINING}
            found.setdefault((entry.kind, system, repr(sorted(settings.items()))), model)
    kinds, models, cases = set(), set(), []
    for (kind, system, _), model in found.items():
        if (kind, system) not in kinds or model not in models:
            cases.append((system, model))
        kinds.add((kind, system))
        models.add(model)
    return cases


CASES = distinct_cases()


def random_potential(system: str, model: str, seed: int = 0) -> Potential:
    entry = STUDY.models[model]
    architecture = build_architecture(System(system, STUDY.systems[system]), entry)
    rng = np.random.default_rng(seed)
    values = architecture.inputs(torch.as_tensor(geometries(system, n=20))).values
    n_features = values.shape[1]
    center, width = torch.zeros(n_features), torch.ones(n_features)
    if architecture.normalise_inputs:
        center, width = architecture.normalisation(values)
    return Potential(
        architecture,
        entry,
        rng.normal(0, 0.7, architecture.n_parameters),
        center.numpy(),
        width.numpy(),
        energy_shift=-217.0,
        energy_scale=2.0,
    )


@functools.cache
def frames_of(system: str) -> LabelledFrames:
    return read_frames(STUDY.systems[system].reference.frozen)


def geometries(system: str, n: int = 6, seed: int = 1) -> np.ndarray:
    """Randomly oriented frames: of the reference set, or around the geometry that dynamics start from."""
    rng = np.random.default_rng(seed)
    if sampled := STUDY.systems[system].reference.sampled:
        chosen = np.array(sampled.start) + rng.normal(0, 0.05, (n, len(sampled.start), 3))
    else:
        frames = frames_of(system)
        chosen = frames.positions[rng.choice(len(frames), n, replace=False)]
    return np.stack([p @ rotation(rng).T + rng.normal(size=3) for p in chosen])


def rotation(rng) -> np.ndarray:
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


@pytest.fixture(scope="module", params=CASES, ids=lambda c: f"{c[1]}-{c[0]}")
def case(request):
    system, model = request.param
    return random_potential(system, model), geometries(system)


def test_shapes_and_description(case):
    potential, positions = case
    energies, forces = potential.energy_and_forces(positions)
    assert energies.shape == (len(positions),)
    assert forces.shape == positions.shape
    assert energies.dtype == forces.dtype == np.float64
    assert potential.describe()["n_parameters"] == potential.n_parameters == potential.parameters.size


def test_the_jacobian_is_the_gradient_of_every_frame(case):
    potential, positions = case
    architecture = potential.architecture
    values = architecture.inputs(torch.as_tensor(positions)).values[None]
    theta = torch.tensor(np.stack([potential.parameters, -0.5 * potential.parameters]))
    f, jacobian = architecture.jacobian(theta, values)
    leaf = theta.clone().requires_grad_(True)
    expected = architecture.values(leaf, values)
    torch.testing.assert_close(f, expected.detach())
    for frame in range(len(positions)):
        (gradient,) = torch.autograd.grad(expected[:, frame].sum(), leaf, retain_graph=True)
        torch.testing.assert_close(jacobian[:, frame], gradient, rtol=1e-9, atol=1e-11)


def test_forces_are_the_derivative(case):
    """Fourth-order central differences along every coordinate: the model oscillates faster than a molecule."""
    potential, positions = case
    positions = positions[:3]
    _, forces = potential.energy_and_forces(positions)
    h = 6.25e-5
    moves = h * np.eye(positions[0].size).reshape(-1, 1, *positions[0].shape)  # (3A, 1, A, 3)
    moved = np.stack([positions + k * moves for k in (-2, -1, 1, 2)])
    energies, _ = potential.energy_and_forces(moved.reshape(-1, *positions[0].shape))
    far_below, below, above, far_above = energies.reshape(4, -1, len(positions))
    numeric = -(far_below - 8 * below + 8 * above - far_above).T.reshape(forces.shape) / (12 * h)
    assert np.abs(forces).max() > 1e-3
    np.testing.assert_allclose(forces, numeric, atol=1e-6)


def test_invariances(case):
    potential, positions = case
    energies, forces = potential.energy_and_forces(positions)
    rng = np.random.default_rng(3)
    turn = rotation(rng)
    moved_energies, moved_forces = potential.energy_and_forces(positions @ turn.T + rng.normal(size=3))
    assert {"translation", "rotation"} <= potential.architecture.invariances
    np.testing.assert_allclose(moved_energies, energies, atol=1e-10)
    np.testing.assert_allclose(moved_forces, forces @ turn.T, atol=1e-9)
    np.testing.assert_allclose(forces.sum(1), 0, atol=1e-9)  # no net force
    np.testing.assert_allclose(np.cross(positions, forces).sum(1), 0, atol=1e-8)  # no net torque


def test_mirror_images(case):
    potential, positions = case
    if "mirror" not in potential.architecture.invariances:
        return
    energies, forces = potential.energy_and_forces(positions)
    mirrored, mirrored_forces = potential.energy_and_forces(-positions)
    np.testing.assert_allclose(mirrored, energies, atol=1e-10)
    np.testing.assert_allclose(mirrored_forces, -forces, atol=1e-9)


def test_permutation_of_equal_atoms(case):
    potential, positions = case
    if "permutation" not in potential.architecture.invariances:
        return
    energies, forces = potential.energy_and_forces(positions)
    symbols = np.array(potential.system.symbols)
    for element in set(symbols):
        order = np.arange(len(symbols))
        order[symbols == element] = order[symbols == element][::-1]
        swapped, swapped_forces = potential.energy_and_forces(positions[:, order])
        np.testing.assert_allclose(swapped, energies, atol=1e-10)
        np.testing.assert_allclose(swapped_forces, forces[:, order], atol=1e-9)


def test_batch_equals_loop(case):
    potential, positions = case
    energies, forces = potential.energy_and_forces(positions)
    for k, frame in enumerate(positions):
        energy, force = potential.energy_and_forces(frame[None])
        assert energy[0] == pytest.approx(energies[k], abs=1e-11)
        np.testing.assert_allclose(force[0], forces[k], atol=1e-11)


def test_ensemble_equals_members(case):
    """Training evaluates many parameter vectors at once; each must be what it is alone."""
    potential, positions = case
    architecture = potential.architecture
    inputs = architecture.inputs(torch.as_tensor(positions))
    theta = torch.tensor(np.random.default_rng(5).normal(size=(3, architecture.n_parameters)))
    stacked = Inputs(*(torch.stack([x] * 3) for x in (inputs.values, inputs.tangents, inputs.directions)))
    f, df = architecture.evaluate(theta, stacked)
    for k in range(3):
        single, slope = architecture.evaluate(theta[k : k + 1], inputs.select((None, ...)))
        torch.testing.assert_close(f[k], single[0], rtol=0, atol=1e-12)
        torch.testing.assert_close(df[k], slope[0], rtol=0, atol=1e-11)
    torch.testing.assert_close(architecture.values(theta, stacked.values), f, rtol=0, atol=1e-12)


def test_linearisation_is_the_derivative(case):
    """The Jacobians of least-squares training against reverse passes through output and forces."""
    potential, positions = case
    architecture = potential.architecture
    theta = torch.tensor(np.random.default_rng(5).normal(size=(2, architecture.n_parameters)))
    inputs = architecture.inputs(torch.as_tensor(positions[:3])).select((None, ...))
    found = architecture.linearise(theta, inputs)
    for mine, plain in zip(found, Architecture.linearise(architecture, theta, inputs), strict=True):
        torch.testing.assert_close(mine, plain, rtol=1e-10, atol=1e-10)
    f, df, jf, jdf = found
    leaf = theta.clone().requires_grad_(True)
    expected_f, expected_df = architecture.evaluate(leaf, inputs)
    torch.testing.assert_close(f, expected_f.detach(), rtol=0, atol=1e-12)
    torch.testing.assert_close(df, expected_df.detach(), rtol=0, atol=1e-11)
    outputs = torch.cat([expected_f[..., None], expected_df], 2)
    mine = torch.cat([jf[:, :, None], jdf], 2)
    for frame in range(outputs.shape[1]):
        for k in range(outputs.shape[2]):
            (expected,) = torch.autograd.grad(outputs[:, frame, k].sum(), leaf, retain_graph=True)
            torch.testing.assert_close(mine[:, frame, k], expected, rtol=1e-10, atol=1e-10)


def test_save_and_load_are_exact(case, tmp_path):
    potential, positions = case
    path = tmp_path / "model.safetensors"
    potential.save(path)
    for mine, read in zip(
        potential.energy_and_forces(positions), load(path).energy_and_forces(positions), strict=True
    ):
        assert np.array_equal(mine, read)


def test_foreign_and_broken_files_are_refused(case, tmp_path):
    potential, _ = case
    path = tmp_path / "model.safetensors"
    with pytest.raises(ModelFileError, match="no such model file"):
        load(path)
    potential.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelFileError, match="train the model again"):
        load(path)
    path.write_bytes(content.replace(b"qff.potential/1", b"qff.potential/9"))
    with pytest.raises(ModelFileError, match=r"format 'qff.potential/9'"):
        load(path)


def test_extreme_geometries_are_sane(case):
    """Beyond its bounds a model refuses; one without is finite, and with a cutoff flattens to separate atoms."""
    potential, positions = case
    far = positions[:1] + 100.0 * np.arange(positions.shape[1])[:, None]
    if potential.architecture.inside(far).all():
        energies, forces = potential.energy_and_forces(np.concatenate([far, 2 * far]))
        assert np.isfinite(energies).all()
        if not {"cutoff_ang", "symmetry_functions"} & set(potential.architecture.settings):
            return  # no cutoff: a circuit of the distances themselves is periodic
        assert energies[0] == pytest.approx(energies[1], abs=1e-12)
        np.testing.assert_allclose(forces, 0, atol=1e-12)
    else:
        with pytest.raises(DomainError, match=r"frame 0 of .* lies outside the bounds"):
            potential.energy_and_forces(far)


def test_calculator_agrees_and_checks_its_atoms(case):
    import ase
    from qff.calculator import PotentialCalculator
    from qff.errors import DataError

    potential, positions = case
    atoms = ase.Atoms(potential.system.symbols, positions[0])
    atoms.calc = PotentialCalculator(potential)
    energies, forces = potential.energy_and_forces(positions[:1])
    assert atoms.get_potential_energy() == energies[0]
    assert np.array_equal(atoms.get_forces(), forces[0])
    wrong = ase.Atoms(["He"] * len(atoms), positions[0])
    wrong.calc = PotentialCalculator(potential)
    with pytest.raises(DataError, match="atoms in the order"):
        wrong.get_potential_energy()


# Every optimiser, and every kind of model that is trained in steps.
RESUMED = [("nn", optimiser) for optimiser in (*OPTIMISERS, "kalman")] + [
    (model, optimiser) for model in ("qnn", "behler_parrinello") for optimiser in ("bfgs", "kalman")
]
RESUMED += [("nn", "adam in batches")]


@pytest.mark.parametrize(("model", "optimiser"), RESUMED)
def test_resumed_training_equals_uninterrupted(model, optimiser, tmp_path, monkeypatch):
    """Stopped after any checkpoint, training ends at the same bits."""
    from qff.training import loop

    system = "lih"
    architecture = build_architecture(System(system, STUDY.systems[system]), STUDY.models[model])
    frames = frames_of(system)
    splits = [split_frames(frames, STUDY.systems[system].split, 1, system, seed) for seed in range(2)]
    ensemble = build_ensemble(architecture, frames, splits, n_train=10)
    optimiser, _, batches = optimiser.partition(" ")
    config = TrainingConfig(
        steps=60, optimiser=optimiser, batch=4 if batches else None
    )  # more than COBYLA needs for its first simplex
    initial = initial_ensemble(architecture, 1, model, 2)
    whole = ensemble.train(initial, config)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", np.inf)
    checkpoint = tmp_path / "checkpoint.safetensors"
    calls = 0

    def stop(curves):
        nonlocal calls
        calls += 1
        if calls == 55:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensemble.train(initial, config, checkpoint=checkpoint, on_curve=stop)
    assert checkpoint.exists()
    with safe_open(checkpoint, "pt") as handle:
        spent = json.loads(handle.metadata()["task"])["seconds"]
    resumed = ensemble.train(initial, config, checkpoint=checkpoint)
    assert resumed.seconds > spent > 0
    assert np.array_equal(whole.parameters, resumed.parameters)
    assert whole.curves.equals(resumed.curves)
    assert calls == 55
    # The checkpoint of another task is not taken for this one's.
    other = ensemble.train(initial + 0.1, config, checkpoint=checkpoint)
    assert not np.array_equal(other.parameters, whole.parameters)
    assert np.array_equal(other.parameters, ensemble.train(initial + 0.1, config).parameters)


def test_checkpoints_take_a_small_part_of_the_time(tmp_path, monkeypatch):
    """One that takes long is not made again soon."""
    from qff.training import loop

    architecture = build_architecture(System("lih", STUDY.systems["lih"]), STUDY.models["nn"])
    split = split_frames(frames_of("lih"), STUDY.systems["lih"].split, 1, "lih", 0)
    ensemble = build_ensemble(architecture, frames_of("lih"), [split], n_train=5)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 1e-4)
    saved = []
    monkeypatch.setattr(loop, "_save", lambda *state: (time.sleep(0.01), saved.append(state)))
    initial = initial_ensemble(architecture, 1, "nn", 1)
    ensemble.train(initial, TrainingConfig(steps=20), checkpoint=tmp_path / "checkpoint.safetensors")
    assert len(saved) == 1


@pytest.mark.parametrize(
    ("system", "model", "count"),
    [
        ("lih", "qnn", 50),
        ("lih", "nn", 50),
        ("lih", "nn_biased", 50),
        ("lih", "behler_parrinello", 422),
        ("h2o", "behler_parrinello", 1642),
        ("h3o", "behler_parrinello", 2214),
    ],
)
def test_parameter_counts(system, model, count):
    assert build_architecture(System(system, STUDY.systems[system]), STUDY.models[model]).n_parameters == count


def test_training_learns_the_curve():
    """A short training beats the mean by orders of magnitude, on frames it has not seen."""
    system, model = "lih", "nn_biased"
    architecture = build_architecture(System(system, STUDY.systems[system]), STUDY.models[model])
    frames = frames_of(system)
    splits = [split_frames(frames, STUDY.systems[system].split, 1, system, 0)]
    ensemble = build_ensemble(architecture, frames, splits)
    result = ensemble.train(initial_ensemble(architecture, 1, model, 1), TrainingConfig(steps=400))
    (potential,) = ensemble.potentials(STUDY.models[model], result.parameters)
    test = splits[0]["test"]
    energies, forces = potential.energy_and_forces(frames.positions[test])
    assert np.sqrt(((energies - frames.energies[test]) ** 2).mean()) < 0.01 * frames.energies.std()
    assert np.sqrt(((forces - frames.forces[test]) ** 2).mean()) < 0.01 * frames.forces.std()

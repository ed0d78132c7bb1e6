"""The stage of the effective dimension, on untrained networks."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from qff.capacity import kappa
from qff.data import read_frames, split_frames
from qff.models import Potential, build_architecture
from qff.provenance import write_json
from qff.stages.capacity import _uniform_positions, estimate_capacity
from qff.systems import System

SETTINGS = {"samples": 3, "n_data": [300, 80], "boxes": {"unit": [0.0, 1.0], "pi": [-3.0, 3.0]}}


@pytest.mark.parametrize("name", ["lih", "h2o", "h3o"])
def test_uniform_inputs_fill_the_bounds(study, name):
    system = System(name, study.systems[name])
    x, _ = system.scaled_coordinates(torch.tensor(_uniform_positions(system, 2000, np.random.default_rng(0))))
    x = x.numpy() / 0.95
    assert np.abs(x).max() <= 1 + 1e-9
    np.testing.assert_allclose(x.mean(0), 0, atol=0.06)
    np.testing.assert_allclose(x.std(0), 3**-0.5, atol=0.03)


def potential(study, model: str, seed: int) -> Potential:
    entry = study.models[model]
    architecture = build_architecture(System("lih", study.systems["lih"]), entry)
    rng = np.random.default_rng(seed)
    n = 16 if architecture.normalise_inputs else {"qnn": 3}.get(model, 1)
    parameters = rng.normal(0, 0.5, architecture.n_parameters)
    return Potential(architecture, entry, parameters, np.zeros(n), np.ones(n), energy_shift=0.0, energy_scale=1.0)


@pytest.fixture(scope="module", params=["qnn", "nn_biased", "behler_parrinello"])
def finished(request, study, tmp_path_factory):
    folder, model = tmp_path_factory.mktemp("capacity"), request.param
    labels = study.systems["lih"].reference.frozen
    frames, config = read_frames(labels), study.systems["lih"]
    splits = [split_frames(frames, config.split, 1, "lih", k) for k in range(2)]
    write_json(folder / "splits.json", {"splits": splits})
    models = [potential(study, model, seed) for seed in range(2)]
    for seed, one in enumerate(models):
        one.save(str(folder / f"model_s{seed}.safetensors"))
    estimate_capacity(
        context={"profile": "study", "seed": 1, "code_digest": "0" * 16},
        system="lih",
        config=config.model_dump(mode="json"),
        settings=SETTINGS,
        labels_path=labels,
        splits_path=str(folder / "splits.json"),
        model_paths=[str(folder / f"model_s{seed}.safetensors") for seed in range(2)],
        metrics_path=str(folder / "metrics.csv"),
        spectrum_path=str(folder / "spectrum.csv"),
        run_path=str(folder / "run.json"),
    )
    values = models[0].architecture.inputs(torch.tensor(frames.positions[splits[0]["train"]])).values
    return folder, models[0], values


def test_every_variant_has_one_number_per_seed_and_n(finished):
    folder, model, _ = finished
    metrics = pd.read_csv(folder / "metrics.csv")
    found = metrics[metrics.quantity == "effective_dimension"]
    variants = {f"{k}_{b}" for k in ("gaussian", "bernoulli") for b in ("unit", "pi", "local")}
    variants |= {f"gaussian_{b}_uniform" for b in ("unit", "pi", "local")} | {"gaussian_unit_half"}
    assert set(found.variant) == variants
    counts = found.groupby(["variant", "n_train", "seed"]).size()
    assert len(counts) == len(variants) * 2 * 2  # 80 is the number of training frames as well
    assert (counts == 1).all()
    normalised = metrics[metrics.quantity == "normalised_effective_dimension"]
    np.testing.assert_allclose(normalised.value * model.n_parameters, found.value, rtol=1e-12)
    assert found.value.between(0, 1.1 * min(80, model.n_parameters)).all()
    run = json.loads((folder / "run.json").read_text())["runs"][0]
    chosen = found[(found.seed == 0) & (found.n_train == 80)].set_index("variant").value
    assert run["metrics"]["effective_dimension_gaussian_unit"] == chosen["gaussian_unit"]


def test_the_local_number_is_the_formula_at_the_parameters_of_the_model(finished):
    folder, model, values = finished
    _, jacobian = model.architecture.jacobian(torch.tensor(model.parameters[None]), values[None])
    singular = np.linalg.svd(jacobian[0].numpy(), compute_uv=False) ** 2
    eigenvalues = model.n_parameters * singular / singular.sum()
    expected = np.log1p(kappa(300) * eigenvalues).sum() / np.log(kappa(300))
    metrics = pd.read_csv(folder / "metrics.csv").query(
        "variant == 'gaussian_local' and seed == 0 and n_train == 300"
    )
    assert metrics.set_index("quantity").value["effective_dimension"] == pytest.approx(expected, rel=1e-9)
    spectrum = pd.read_csv(folder / "spectrum.csv").query("variant == 'gaussian_local' and seed == 0")
    np.testing.assert_allclose(spectrum.eigenvalue, eigenvalues, atol=1e-9 * eigenvalues[0])


def test_rank_and_dead_parameters(finished):
    folder, model, _ = finished
    found = pd.read_csv(folder / "metrics.csv").query("seed == 0").set_index("quantity").value
    assert 1 < found["fisher_rank"] <= min(80, model.n_parameters) - found["dead_parameters"]
    assert found["dead_parameters"] == {"qnn": 2}.get(model.model.name, 0)

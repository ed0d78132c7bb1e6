"""The stage of periodic materials on the set of our own, from its file to the tables of the report."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from lithium_chloride import labelled, rattled, some_potential
from qff.config.materials import MaterialsConfig, MaterialSetConfig
from qff.errors import DataError
from qff.materials.compression import Compression
from qff.materials.descriptor import Descriptor
from qff.materials.frames import Frame
from qff.materials.heads import QuadraticHead
from qff.materials.labelling import write_frames
from qff.materials.potential import MaterialPotential
from qff.reference.location import material_file
from qff.report.materials import material_tables, material_words, runs_table
from qff.report.numbers import MISSING
from qff.stages.materials import _distributions, fit_material, simulate_material, time_material
from qff.stages.plots.materials import plot_materials

FRAMES = "results/published/reference/li2s.extxyz"
SET = {
    "label": "Li2S", "file": FRAMES, "published": False, "source": "us", "level": "GFN1-xTB", "n_train": 20,
    "n_validation": 8,
}  # fmt: skip
SETTINGS = {
    "seeds": 2,
    "descriptor": {"n_radial": 2, "l_max": 2},
    "compression": {"regression_components": 16},
    "circuit": {"n_qubits": 3, "layers": 4, "starts": 1, "steps": 10},
    "network": {"hidden": 2, "steps": 3},
    "dynamics": {"length_fs": 60.0, "nve_fs": 60.0, "starts": 1, "repeat": [2, 1, 1]},
    "cost": {"repeats": [1, 2], "samples": 1},
}
CONTEXT = {"profile": "test", "seed": 1, "code_digest": "0" * 16}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Folder with the results of all three jobs."""
    folder = tmp_path_factory.mktemp("materials")
    common = {"context": CONTEXT, "name": "li2s", "config": SET, "frames_path": FRAMES}
    settings = MaterialsConfig.model_validate(SETTINGS).model_dump(mode="json", exclude={"sets"})
    model = str(folder / "model.safetensors")

    def paths(job, *names):
        return {f"{n}_path": str(folder / f"{job}_{n}") for n in (*names, "metrics", "run")}

    fit_material(**common, settings=settings, model_path=model, **paths("fit"))
    simulate_material(**common, settings=settings, model_path=model, **paths("dynamics", "runs", "rdf", "msd"))
    time_material(**common, settings=settings, model_path=model, **paths("cost"))
    return folder


def test_every_model_split_and_seed_has_its_numbers(written):
    metrics = pd.read_csv(written / "fit_metrics")
    errors = metrics[metrics.quantity == "force_rmse"]
    assert sorted(errors.groupby("model").size().items()) == [
        ("amplitude_hybrid", 4), ("linear", 4), ("mean_predictor", 4), ("nn", 4), ("quadratic", 4),
    ]  # fmt: skip
    counts = metrics[metrics.quantity == "n_parameters"].groupby("model").value.first()
    assert counts.to_dict() == {
        "amplitude_hybrid": 4 * 3 + 2 * 8, "linear": 2 * 8, "mean_predictor": 0, "nn": 2 * 7 + 2 + 4 + 2,
        "quadratic": 2 * 36,
    }  # fmt: skip
    means = errors.groupby("model").value.mean()
    assert means["amplitude_hybrid"] < 0.5 * means["mean_predictor"]


def test_dynamics_and_cost_write_what_claims_ask_for(written):
    dynamics, cost = (pd.read_csv(written / f"{job}_metrics") for job in ("dynamics", "cost"))
    assert set(dynamics[dynamics.quantity == "stable"].variant) == {"300k"}
    assert (dynamics[dynamics.quantity == "simulated_time"].value == 60.0).all()
    assert {"cost_exponent_with_search", "atoms_in_8_gib"} <= set(cost.quantity)
    distribution = pd.read_csv(written / "dynamics_rdf")
    assert set(distribution.pair) == {"Li-Li", "Li-S"}
    assert distribution.g.max() > 1
    assert {"300.0", "reference"} == set(distribution.temperature_k)
    displacement = pd.read_csv(written / "dynamics_msd")
    assert displacement.time_fs.tolist() == [20.0, 40.0, 60.0]
    assert displacement.msd_ang2[0] == 0.0 < displacement.msd_ang2[2]


def test_records_are_those_of_the_tracking(written):
    for job, count in (("fit", 20), ("dynamics", 1), ("cost", 1)):
        record = json.loads((written / f"{job}_run").read_text())
        assert (record["stage"], len(record["runs"])) == ("materials", count)


def test_the_report_shows_all_of_it(written):
    parts = [pd.read_csv(written / f"{job}_metrics", dtype={"seed": str}) for job in ("fit", "dynamics", "cost")]
    metrics = pd.concat(parts)
    metrics[["variant", "split"]] = metrics[["variant", "split"]].fillna("")
    errors, gains, dynamics, cost = material_tables(metrics, "metrics.csv")
    assert len(errors.rows) == 10
    assert len(gains.rows) == 8
    assert dynamics.rows[0][0] == "300 K"
    assert len(cost.rows) == 2
    assert MISSING not in [cell for row in cost.rows for cell in row]
    words = material_words(MaterialsConfig.model_validate({**SETTINGS, "sets": {"li2s": SET}}).model_dump(), "li2s")
    assert "GFN1-xTB" in words[0]
    assert "stable" in words[1]


def test_a_set_may_have_dynamics_of_its_own():
    """Its job and the words of the report follow it; other jobs and sets do not see it."""
    own = {"time_step_fs": 0.5, "closest_factor": 0.7}
    sets = {"li2s": SET, "heavy": SET, "light": {**SET, "dynamics": own}}
    config = MaterialsConfig.model_validate({**SETTINGS, "sets": sets})
    light, heavy = (config.settings_of(name, ["dynamics"])["dynamics"] for name in ("light", "heavy"))
    assert (light["time_step_fs"], light["closest_factor"], light["length_fs"]) == (0.5, 0.7, 2000.0)
    assert heavy == config.dynamics.model_dump(mode="json")
    assert config.settings_of("light") == config.settings_of("heavy")
    assert not {"sets", "dynamics", "cost"} & set(config.settings_of("light"))
    assert "0.7 of the shortest distance" in material_words(config.model_dump(mode="json"), "light")[1]
    assert "0.8 of the shortest distance" in material_words(config.model_dump(mode="json"), "heavy")[1]
    with pytest.raises(ValueError, match=r"length_fs 0\.1 is shorter than one time step"):
        MaterialSetConfig.model_validate({**SET, "dynamics": {"length_fs": 0.1}})


def test_the_fate_of_every_run_is_in_the_report_and_in_a_picture(written, tmp_path):
    table = runs_table(pd.read_csv(written / "dynamics_runs"), "runs.csv")
    assert table.rows[0][:3] == ["300 K, 0", "lasted", "60"]
    paths = {f"{kind}_path": str(tmp_path / f"m.{kind}") for kind in ("svg", "png")}
    plot_materials(rdf_path=str(written / "dynamics_rdf"), msd_path=str(written / "dynamics_msd"), **paths)
    picture = (tmp_path / "m.svg").read_text(encoding="utf-8")
    assert "300 K" in picture
    assert "labelled frames" in picture


def mixed_frames(count: int) -> list[Frame]:
    """Cells of 8 atoms, every fifth of 16 in another composition, of six elements with sodium and without lithium."""
    elements = (8, 11, 14, 15, 17, 40)
    descriptor, rng, size = Descriptor(elements, 4.0, 2, 1), np.random.default_rng(0), 2
    n = descriptor.n_features
    compression = Compression(
        np.zeros((6, n)), rng.normal(scale=0.1 * n**-0.5, size=(6, n, size)), np.full((6, size), np.inf)
    )
    potential = MaterialPotential(
        descriptor, rng.normal(size=6), compression, QuadraticHead(np.tile(0.1 * np.eye(size + 1), (6, 1, 1))), np.zeros((6, 6))
    )  # fmt: skip
    found = []
    for k in range(count):
        atoms = rattled(k, repeat=(2, 2 if k % 5 == 0 else 1, 1))
        atoms.positions += rng.normal(scale=0.1, size=atoms.positions.shape)
        numbers = np.resize(elements, len(atoms))
        labels = potential.evaluate(numbers, atoms.positions, atoms.cell.array)
        found.append(Frame(numbers, atoms.positions, atoms.cell.array, *labels))
    return found


def test_six_elements_in_several_compositions_without_lithium(tmp_path):
    """A set of another kind than those at hand, from its file to its dynamics and its cost."""
    path, model = str(tmp_path / "set.extxyz"), str(tmp_path / "model.safetensors")
    write_frames(path, mixed_frames(40))
    entry = {**SET, "file": path, "n_train": 24, "n_validation": 5, "splits": ["random"]}
    settings = {
        **SETTINGS, "seeds": 1, "models": ["linear", "amplitude_hybrid"],
        "circuit": {"n_qubits": 4, "layers": 8, "starts": 1, "steps": 5},
        "dynamics": {"length_fs": 40.0, "nve_fs": 20.0, "starts": 1, "repeat": [1, 1, 1]},
    }  # fmt: skip
    common = {"context": CONTEXT, "name": "mixed", "config": entry, "settings": settings, "frames_path": path}
    tables = {n: str(tmp_path / n) for n in ("fit", "dynamics", "cost", "runs", "rdf", "msd")}
    records = {"model_path": model, "run_path": str(tmp_path / "run.json")}
    fit_material(**common, **records, metrics_path=tables["fit"])
    simulate_material(
        **common, **records, metrics_path=tables["dynamics"], runs_path=tables["runs"], rdf_path=tables["rdf"],
        msd_path=tables["msd"],
    )  # fmt: skip
    time_material(**common, **records, metrics_path=tables["cost"])
    fit = pd.read_csv(tables["fit"]).set_index(["model", "quantity"]).value
    assert fit["amplitude_hybrid", "n_parameters"] == 3 * 8 + 6 * 8 < 100
    assert fit["linear", "n_parameters"] == 6 * 8
    rdf = pd.read_csv(tables["rdf"])
    assert set(rdf.pair) == {"Na-O", "Na-Na", "Na-Si", "Na-P", "Na-Cl", "Na-Zr"}
    assert "mobile_msd" in set(pd.read_csv(tables["dynamics"]).quantity)


def test_the_labelled_frames_of_all_compositions_enter_the_reference():
    """Not those like the first one alone, which may be another material than the rest."""
    lithium = rattled(0)
    odd = Frame(np.where(lithium.numbers == 3, 11, 35), lithium.positions, lithium.cell.array, 0.0, lithium.positions)
    rest = [Frame(a.numbers, a.positions, a.cell.array, 0.0, a.positions) for a in map(rattled, range(1, 4))]
    found = pd.DataFrame(_distributions([odd, *rest]), columns=["pair", "r", "g"])
    assert list(dict.fromkeys(found.pair)) == ["Na-Na", "Na-Br", "Li-Li", "Li-Cl"]
    alone = pd.DataFrame(_distributions(rest), columns=["pair", "r", "g"])
    np.testing.assert_allclose(found[found.pair == "Li-Cl"].g, alone[alone.pair == "Li-Cl"].g)


def test_a_test_frame_with_an_element_of_its_own_is_refused_before_any_fit(tmp_path):
    frames = labelled(20, some_potential())
    frames[0] = replace(frames[0], numbers=np.where(frames[0].numbers == 17, 35, 3))
    path = str(tmp_path / "set.extxyz")
    write_frames(path, frames)
    with pytest.raises(
        DataError, match=r"set\.extxyz, split by blocks, seed 0: frame 0 \(Li2Br2\), for test, holds Br"
    ):
        fit_material(
            context=CONTEXT, name="x", config={**SET, "n_train": 8, "n_validation": 2}, settings=SETTINGS,
            frames_path=path, model_path="", metrics_path="", run_path="",
        )  # fmt: skip


def test_another_version_of_a_set_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"li2s\.extxyz: sha256 is .* materials\.sets\.li2s expects 00"):
        fit_material(
            context=CONTEXT, name="li2s", config={**SET, "sha256": "00"}, settings={}, frames_path=FRAMES,
            model_path="", metrics_path="", run_path=str(tmp_path / "run.json"),
        )  # fmt: skip


def test_published_sets_are_found_below_the_folder_of_the_user(tmp_path, monkeypatch):
    entry = MaterialSetConfig.model_validate({**SET, "published": True, "file": "a/b.extxyz"})
    monkeypatch.delenv("QFF_DATA", raising=False)
    with pytest.raises(DataError, match=r"QFF_DATA is not set\. The set 'x' is not ours"):
        material_file(entry, "x")
    monkeypatch.setenv("QFF_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"b\.extxyz: no such file"):
        material_file(entry, "x")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b.extxyz").write_text("")
    assert material_file(entry, "x") == tmp_path / "a/b.extxyz"


def test_dynamics_need_the_model_that_they_are_of():
    with pytest.raises(ValueError, match="amplitude_hybrid is missing"):
        MaterialsConfig.model_validate({"models": ["linear"], "sets": {"li2s": SET}})

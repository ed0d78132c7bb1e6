"""The other molecules of rMD17: in the configuration, and from files to points of learning curves."""

import json
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from qff.anchors import read_anchors
from qff.claims import load_claims
from qff.data import read_frames
from qff.reference.location import find_files
from qff.stages.data import split_data
from qff.stages.fits import fit_scaling
from qff.stages.reference import import_set
from qff.stages.scaling import train_size

CONTEXT = {"profile": "test", "seed": 1, "code_digest": "0"}
FORMULAS = {
    "aspirin": "C9H8O4",
    "azobenzene": "C12H10N2",
    "benzene": "C6H6",
    "ethanol": "C2H6O",
    "malonaldehyde": "C3H4O2",
    "naphthalene": "C10H8",
    "paracetamol": "C8H9NO2",
    "salicylic": "C7H6O3",
    "toluene": "C7H8",
    "uracil": "C4H4N2O2",
}
N = 8  # frames of a share


def published(study) -> dict:
    return {name: s for name, s in study.systems.items() if s.reference.rmd17}


def test_all_ten_molecules_are_systems(study):
    found = {s.reference.rmd17.molecule: s for s in published(study).values()}
    assert set(found) == set(FORMULAS)
    for molecule, formula in FORMULAS.items():
        counts = {e: int(n or 1) for e, n in re.findall(r"([A-Z])(\d*)", formula)}
        assert Counter(found[molecule].atoms) == counts, molecule
        assert found[molecule].split.n_train == 950


def test_all_ten_have_published_errors_and_claims_with_controls(study):
    assert set(read_anchors("config/anchors.yaml").systems) == set(published(study))
    claims = load_claims("config/claims.yaml")
    for name in published(study):
        own = {claim for claim, c in claims.items() if c.system == name}
        assert f"nishi.{name}.qnn3_scales" in own
        assert set(claims[f"nishi.{name}.qnn3_scales"].requires) == {f"nishi.{name}.controls"} <= own


def planar_ring(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames (2 N, 12, 3) of a six-ring with six atoms around it, energies and forces of springs between all atoms.

    The first frame of each share is exactly planar, with rows of four atoms: angles of 0 and 180 degrees.
    """
    turn = np.pi / 3 * np.arange(6)
    ring = np.stack([np.cos(turn), np.sin(turn), 0 * turn], 1)
    rest = np.concatenate([1.4 * ring, 2.5 * ring])
    positions = rest + 0.05 * rng.normal(size=(2 * N, 12, 3))
    positions[0], positions[N] = rest, 1.01 * rest
    arms = positions[:, :, None] - positions[:, None]
    r, r_rest = (np.linalg.norm(x, axis=-1) + np.eye(12) for x in (arms, rest[:, None] - rest))
    stretch = r - r_rest
    return positions, 10 * (stretch**2).sum((1, 2)) / 2, -20 * ((stretch / r)[..., None] * arms).sum(2)


@pytest.fixture(scope="module")
def uracil(study, tmp_path_factory):
    """Labels and splits of a made-up set with the atoms of uracil, in another order than the system has them."""
    folder = tmp_path_factory.mktemp("uracil")
    rng = np.random.default_rng(4)
    numbers = np.array([6, 7, 6, 7, 6, 6, 1, 1, 8, 8, 1, 1])
    coords, energies, forces = planar_ring(rng)
    for share, frames in (("train", slice(N)), ("test", slice(N, None))):
        np.savez(
            folder / f"rmd17_uracil_{share}_01.npz",
            nuclear_charges=numbers, coords=coords[frames], energies=energies[frames], forces=forces[frames],
        )  # fmt: skip
    entry = study.systems["uracil_rmd17"]
    config = entry.model_dump(mode="json") | {"split": {"n_train": 5, "n_validation": 3}}
    paths = {
        k: str(folder / k) for k in ("labels.extxyz", "recheck.csv", "splits.json", "coordinates.csv", "run.json")
    }
    common = {"context": CONTEXT, "system": "uracil_rmd17", "config": config, "labels_path": paths["labels.extxyz"]}
    files = [str(p) for p in find_files(entry.reference.rmd17, folder)]
    import_set(**common, file_paths=files, recheck_path=paths["recheck.csv"], run_path=paths["run.json"])
    split_data(
        **common, n_seeds=2, splits_path=paths["splits.json"], coordinates_path=paths["coordinates.csv"],
        run_path=paths["run.json"],
    )  # fmt: skip
    assert read_frames(paths["labels.extxyz"]).symbols == entry.atoms
    return folder, common | {"splits_path": paths["splits.json"]}


def train(study, uracil, out, model: str, n_train: int) -> pd.DataFrame:
    """Numbers of a point that is hardly trained."""
    out.mkdir(parents=True)
    train_size(
        **uracil[1], model=study.models[model].model_dump(mode="json"),
        training={"optimiser": "adam", "batch": 2, "steps": 2, "curve_points": 1}, variant="learning_curve",
        n_train=n_train, n_seeds=2, metrics_path=str(out / "metrics.csv"), run_path=str(out / "run.json"),
    )  # fmt: skip
    return pd.read_csv(out / "metrics.csv")


# With nitrogen beside H, C and O; of ethanol 12, 660, 17595 and 7143.
PARAMETERS = {"qnn1": 12, "qnn2": 1228, "qnn3": 35748, "behler_parrinello_adam": 14004}


@pytest.mark.parametrize("model", PARAMETERS)
def test_models_for_ethanol_learn_a_planar_molecule_with_nitrogen(study, uracil, tmp_path, model):
    table = train(study, uracil, tmp_path / "point", model, 4)
    assert set(table.split) == {"train", "test"}
    assert np.isfinite(table.value).all()
    runs = json.loads((tmp_path / "point/run.json").read_text())["runs"]
    assert {r["params"]["n_parameters"] for r in runs} == {PARAMETERS[model]}


def test_from_its_points_to_its_laws(study, uracil, tmp_path):
    paths = {(m, n): tmp_path / m / str(n) for m in ("mean_predictor", "qnn2") for n in (2, 5)}
    for (model, n), out in paths.items():
        train(study, uracil, out, model, n)
    fit_scaling(
        context=CONTEXT, system="uracil_rmd17", roles={"qnn2": "comparison"}, anchors=[],
        splits_path=uracil[1]["splits_path"], metrics_paths=[str(p / "metrics.csv") for p in paths.values()],
        table_path=str(tmp_path / "table.csv"), fits_path=str(tmp_path / "fits.csv"), run_path=str(tmp_path / "run.json"),
    )  # fmt: skip
    fits = pd.read_csv(tmp_path / "fits.csv")
    assert set(fits.model) == {"qnn2"}
    assert fits.exponent_low.notna().all()

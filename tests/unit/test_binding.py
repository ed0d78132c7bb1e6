"""The binding case: rigid molecules, AMBER's page, counterpoise, what is frozen and what is said of it."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from qff.claims import judge, load_claims
from qff.config import load_study, read_yaml
from qff.errors import DataError
from qff.figures import style
from qff.figures.hybrid import binding_figure
from qff.hybrid import amber_pairs, binding, interaction
from qff.hybrid.cluster import CAP, Cluster, read_cluster
from qff.metrics import metric_rows, metric_table
from qff.report.hybrid import hybrid_words_and_tables
from qff.stages.binding import compare_binding
from qff.units import KCAL_PER_MOL_IN_EV

SETTINGS = load_study(read_yaml("config/config.yaml")).config.hybrid.binding
STRUCTURE, FROZEN = Path(SETTINGS.structure), Path(SETTINGS.frozen)
MODEL = read_cluster(STRUCTURE)
HELD = (("CYS", "SG"), ("HID", "NE2"), ("ASN", "CG"))


def test_molecules_stay_rigid_on_their_way():
    moved = MODEL.at(5.5)
    for own in (MODEL.ligand, ~MODEL.ligand):
        before, after = (x[own][:, None] - x[own][None] for x in (MODEL.positions, moved))
        np.testing.assert_allclose(before, after, atol=1e-12)
    assert np.linalg.norm(moved[MODEL.axis[1]] - moved[MODEL.axis[0]]) == pytest.approx(5.5)
    np.testing.assert_allclose(MODEL.at(MODEL.separation), MODEL.positions, atol=1e-12)


def test_the_model_is_relaxed_but_for_what_is_held():
    """By GFN2-xTB, as its file says."""
    import ase
    from tblite.ase import TBLite

    atoms = ase.Atoms(MODEL.symbols, MODEL.positions)
    atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
    free = [(r, n) not in HELD for r, n in zip(MODEL.residues, MODEL.names, strict=True)]
    forces = np.linalg.norm(atoms.get_forces(), axis=1)
    assert forces[free].max() < 0.02
    sulfur, nitrogen, carbon = (
        MODEL.positions[[(r, n) == held for r, n in zip(MODEL.residues, MODEL.names, strict=True)]][0]
        for held in HELD
    )
    assert np.linalg.norm(sulfur - nitrogen) == pytest.approx(3.6)
    assert np.linalg.norm(sulfur - carbon) == pytest.approx(3.4)


def pair(distance: float) -> Cluster:
    """The sulfur of cysteine and the oxygen of an amide, of which only the parameters count."""
    positions = np.array([[0.0, 0, 0], [distance, 0, 0]])
    return Cluster(["S", "O"], positions, ["CYS", "ASN"], ["SG", "OD1"], np.array([False, True]), (0, 1))


def test_two_atoms_attract_and_repel_by_ambers_formula():
    for r in (3.0, 3.6612, 6.0):
        ratio = ((2.0 + 1.6612) / r) ** 6
        expected = np.sqrt(0.25 * 0.21) * (ratio**2 - 2 * ratio) + 332.0637 * 0.3119 * 0.5931 / r
        found = amber_pairs.interaction(pair(r), pair(r).positions, "x") / KCAL_PER_MOL_IN_EV
        assert found == pytest.approx(expected, rel=1e-9)


def test_molecules_are_neutral_and_unknown_atoms_named():
    charges = amber_pairs.parameters(MODEL, "x")[:, 0]
    for residue in ("CYS", "HID", "ASN"):
        own = [r == residue for r in MODEL.residues]
        assert charges[own].sum() == pytest.approx(0, abs=1e-12)
        closing = [r == residue and n == CAP for r, n in zip(MODEL.residues, MODEL.names, strict=True)]
        assert abs(charges[closing][0]) < 0.02
    stranger = Cluster(**{**vars(pair(3.0)), "residues": ["CYS", "LIG"]})
    with pytest.raises(DataError, match=r"here\.extxyz: AMBER has no parameters here for atom OD1 of LIG"):
        amber_pairs.interaction(stranger, stranger.positions, "here.extxyz")


def test_the_page_is_the_force_field_of_openmm():
    app = pytest.importorskip("openmm.app", reason="OpenMM is not part of the environment")
    text = (Path(app.__file__).parent / "data/amber14/protein.ff14SB.xml").read_text()
    terms = {
        found["type"]: (10 * float(found["sigma"]) * 2 ** (1 / 6) / 2, float(found["epsilon"]) / 4.184)
        for found in (dict(re.findall(r'(\w+)="([^"]*)"', a)) for a in re.findall(r"<Atom ([^>]*sigma[^>]*)/>", text))
    }
    for residue, atoms in amber_pairs.SIDE_CHAINS.items():
        body = re.search(rf'<Residue name="{residue}">.*?</Residue>', text, re.DOTALL).group(0)
        theirs = [dict(re.findall(r'(\w+)="([^"]*)"', a)) for a in re.findall(r"<Atom ([^>]*)/>", body)]
        theirs = {a["name"]: a for a in theirs}
        for name, (kind, charge) in atoms.items():
            assert float(theirs[name]["charge"]) == pytest.approx(charge), (residue, name)
            assert amber_pairs.LENNARD_JONES[kind] == pytest.approx(terms[theirs[name]["type"]], abs=1e-4), name


def waters() -> Cluster:
    """A water dimer with a hydrogen bond."""
    one = np.array([[0.0, 0, 0], [0.9572, 0, 0], [-0.24, 0.9266, 0]])
    other = np.array([[2.95, 0, 0], [3.2, 0.55, 0.76], [3.2, 0.55, -0.76]])
    names = ["O", "H1", "H2"]
    return Cluster(
        ["O", "H", "H"] * 2, np.concatenate([one, other]), ["HOH"] * 6, names * 2, np.arange(6) > 2, (0, 3)
    )


def test_the_ledger_agrees_with_unfitted_mp2_in_the_basis_of_both(tmp_path):
    from pyscf import gto, mp, scf

    dimer, energies = waters(), []
    for ghosts in ((), (3, 4, 5), (0, 1, 2)):
        names = [f"ghost-{s}" if k in ghosts else s for k, s in enumerate(dimer.symbols)]
        mol = gto.M(atom=list(zip(names, dimer.positions, strict=True)), basis="cc-pvdz", verbose=0)
        mf = scf.RHF(mol).run(conv_tol=1e-10)
        energies.append(mp.MP2(mf, frozen=1 if ghosts else 2).run().e_tot)
    expected = (energies[0] - energies[1] - energies[2]) * 627.5095
    ledger = interaction.Ledger(dimer, tmp_path)
    ((method, basis, counterpoise, r, value),) = ledger.interaction("mp2", "cc-pVDZ", True, dimer.separation)
    assert (method, basis, counterpoise) == ("mp2", "cc-pVDZ", True)
    assert r == dimer.separation
    assert value / KCAL_PER_MOL_IN_EV == pytest.approx(expected, abs=0.02)
    assert expected < -2
    ((*_, plain),) = ledger.interaction("mp2", "cc-pVDZ", False, dimer.separation)
    assert plain < value - 0.5 * KCAL_PER_MOL_IN_EV  # functions of the neighbour lower the energy of both


def test_finished_energies_are_kept(tmp_path, monkeypatch):
    calls = []

    def counted(cluster, positions, part, method, basis, ghosts, where, start):
        calls.append(part)
        found = {"energy_ev": {"complex": -3.0}.get(part, -1.0), "dispersion_ev": -0.25, "cpu_seconds": 2.0}
        return found, np.zeros(1)

    monkeypatch.setattr(interaction, "quantum_energy", counted)
    for expected in (3, 3):
        ledger = interaction.Ledger(waters(), tmp_path)
        rows = ledger.interaction("b3lyp", "sto-3g", True, 3.0)
        assert len(calls) == expected
        assert ledger.seconds == 6
        assert [(r[0], r[-1]) for r in rows] == [("b3lyp", -1.0), ("b3lyp_d3bj", -0.75)]
    interaction.Ledger(waters(), tmp_path).interaction("b3lyp", "sto-3g", False, 3.0)
    assert calls[3:] == ["dyad", "ligand"]  # the complex has no ghosts
    interaction.Ledger(waters(), tmp_path).interaction("b3lyp", "sto-3g", False, 4.0)
    assert calls[5:] == ["complex"]  # rigid molecules alone have one energy


def test_what_is_computed_where(tmp_path, monkeypatch):
    """The larger basis at the minimum, the functional around it; a scan without a minimum is refused."""
    asked = []

    def computed(self, method, basis, counterpoise, separation):
        asked.append((method, basis, counterpoise, separation))
        return [(*asked[-1], (separation - lowest) ** 2 - 1)]

    monkeypatch.setattr(interaction.Ledger, "interaction", computed)
    lowest, separations = 4.0, [3.0, 3.5, 4.0, 5.0, 7.0]
    table, _ = binding.calculate(MODEL, separations, tmp_path, "x")
    assert asked[5:] == [
        *(("mp2", "aug-cc-pVDZ", cp, 4.0) for cp in (True, False)), *(("b3lyp", "cc-pVDZ", True, s) for s in (3.5, 4.0))
    ]  # fmt: skip
    assert table.groupby("method").size().to_dict() == {"mp2": 7, "b3lyp": 2, "gfn2": 5, "amber": 5}
    lowest = 7.0
    with pytest.raises(DataError, match=r"no minimum between 3\.0 and 7\.0 Å"):
        binding.calculate(MODEL, separations, tmp_path, "x")


def table(amber: float, ends=(-4.0, -3.0)) -> pd.DataFrame:
    """Energies in kcal/mol where the reference is lowest, and elsewhere."""
    rows = [
        ("mp2", "cc-pVDZ", True, 3.5, -2.5), ("mp2", "cc-pVDZ", True, 4.0, -2.0), ("amber", "", False, 3.5, amber),
        ("amber", "", False, 4.0, -9.0), *(("mp2", "aug-cc-pVDZ", k == 1, 3.5, e) for k, e in enumerate(ends)),
    ]  # fmt: skip
    found = pd.DataFrame(rows, columns=binding.COLUMNS)
    return found.assign(interaction_ev=found.interaction_ev * KCAL_PER_MOL_IN_EV)


def test_methods_are_held_against_both_ends_of_the_reference():
    found = binding.deviations(table(-1.0))
    assert found["reference"]["interaction_energy"] == pytest.approx((-3.5, -4.0, -3.0))
    assert found["amber"]["interaction_error"] == pytest.approx((2.5, 2.0, 3.0))
    assert found["amber"]["interaction_deviation"] == pytest.approx((2.5, 2.0, 3.0))
    assert binding.deviations(table(-5.0))["amber"]["interaction_deviation"] == pytest.approx((1.5, 1.0, 2.0))
    assert binding.deviations(table(-3.2))["amber"]["interaction_deviation"] == pytest.approx((0.3, 0.0, 0.8))
    assert binding.deviations(table(-1.0))["mp2"]["interaction_error"] == pytest.approx((1.0, 0.5, 1.5))


@pytest.mark.parametrize(
    ("amber", "expected"), [(-1.0, "reproduced"), (-3.4, "not_reproduced"), (-2.4, "inconclusive")]
)
def test_the_classical_part_is_judged_and_the_hybrids_is_not(amber, expected):
    claims = {k: c for k, c in load_claims("config/claims.yaml").items() if k.startswith("draft.binding")}
    rows = []
    for method, quantities in binding.deviations(table(amber)).items():
        for place, end in enumerate(("", "_low", "_high")):
            found = {q: ("kcal/mol", values[place]) for q, values in quantities.items()}
            rows += metric_rows(found, system="dyad", model=method, variant=end)
    verdicts = judge(claims, metric_table(rows), "test").set_index("claim_id").verdict
    assert verdicts.to_dict() == {"draft.binding_classical": expected, "draft.binding": "not_tested"}


@pytest.fixture
def copy(tmp_path):
    """The frozen table and its structure, to be damaged."""
    for path in (FROZEN, FROZEN.with_suffix(".json"), STRUCTURE):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_the_frozen_table_is_whole(copy):
    found = binding.read_binding(FROZEN, STRUCTURE)
    assert {"mp2", "b3lyp", "gfn2", "amber"} <= set(found.method)
    scan = found[(found.method == "mp2") & (found.basis == binding.BASIS)]
    assert 8 <= len(scan) <= 10
    assert scan.interaction_ev.iloc[-1] > scan.interaction_ev.min()
    own = found[found.method == "gfn2"].iloc[2]
    fresh = interaction.tight_binding(MODEL, MODEL.at(own.separation_ang))
    assert fresh == pytest.approx(own.interaction_ev, abs=2e-4)
    frozen, structure = copy / FROZEN.name, copy / STRUCTURE.name
    binding.read_binding(frozen, structure)
    structure.write_text(structure.read_text().replace("CYS", "CYX"))
    with pytest.raises(DataError, match="made of another structure"):
        binding.read_binding(frozen, structure)


def test_damage_is_found(copy, monkeypatch):
    frozen, structure = copy / FROZEN.name, copy / STRUCTURE.name
    charge = {**amber_pairs.SIDE_CHAINS["CYS"], "SG": ("S", -0.3)}
    with monkeypatch.context() as patched:
        patched.setitem(amber_pairs.SIDE_CHAINS, "CYS", charge)
        with pytest.raises(DataError, match=r"AMBER at .* Å is .* eV, not .*the parameters changed"):
            binding.read_binding(frozen, structure)
    text = frozen.read_text()
    frozen.write_text(text.replace("3.5", "3.6", 1))
    with pytest.raises(DataError, match="sha256: the file was edited"):
        binding.read_binding(frozen, structure)
    frozen.with_suffix(".json").unlink()
    with pytest.raises(DataError, match="provenance is unreadable"):
        binding.read_binding(frozen, structure)


def test_the_stage_and_what_the_report_says(tmp_path):
    folder = tmp_path / "binding"
    folder.mkdir()
    compare_binding(
        context={"profile": "test", "seed": 1, "code_digest": "0" * 16}, structure_path=str(STRUCTURE),
        frozen_path=str(FROZEN), table_path=str(folder / "binding.csv"), metrics_path=str(folder / "metrics.csv"),
        run_path=str(folder / "run.json"),
    )  # fmt: skip
    record = json.loads((folder / "run.json").read_text())
    assert {r["name"] for r in record["runs"]} >= {"binding-reference", "binding-amber", "binding-gfn2"}
    metrics = pd.read_csv(folder / "metrics.csv", keep_default_na=False)
    assert set(metrics.variant) == {"", "_low", "_high"}
    columns = ["system", "method", "quantity", "unit", "value", "low", "high", "n", "reason"]
    pd.DataFrame(
        [["e", "amber", q, "u", 1, 1, 1, 1, ""] for q in ("energy_rmse", "force_rmse")], columns=columns
    ).to_csv(tmp_path / "table_one.csv", index=False)
    words, tables = hybrid_words_and_tables(metrics, tmp_path, {})
    assert "cannot judge a free energy of binding" in words[-1]
    assert [row[0] for row in tables[-1].rows] == list(dict.fromkeys(metrics.model))
    assert re.match(r"−?\d.*\n\[", tables[-1].rows[0][1])
    figure = binding_figure(pd.read_csv(folder / "binding.csv"))
    assert len(figure.axes[0].get_legend().get_texts()) >= 5
    style.save(figure, str(tmp_path / "a.svg"), str(tmp_path / "a.png"))
    assert (tmp_path / "a.svg").stat().st_size > 5000

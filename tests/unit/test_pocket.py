"""The dyad and a ligand cut out of a small structure in PDB format."""

import re

import numpy as np
import pytest
from qff.errors import DataError
from qff.hybrid import pocket
from qff.hybrid.cluster import CAP, Cluster, read_cluster, write_cluster

MODEL = read_cluster("config/structures/dyad.extxyz")
CARBON_ANG = 1.53
PLACES = {"CYS": ("CYS", 145), "HID": ("HIS", 41), "ASN": ("UNK", 401)}


def line(serial: int, name: str, residue: str, number: int, position, symbol: str, altloc: str = " ") -> str:
    x, y, z = position
    return f"ATOM  {serial:5d} {name:^4s}{altloc}{residue:3s} A{number:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {symbol:>2s}"


def structure() -> list[str]:
    """Our model as a protein: α carbons instead of the closing hydrogens, a methyl hydrogen on the ligand."""
    index = {(r, n): k for k, (r, n) in enumerate(zip(MODEL.residues, MODEL.names, strict=True))}
    lines = []
    for k, (residue, name) in enumerate(index):
        kind, number = PLACES[residue]
        position, symbol = MODEL.positions[k], MODEL.symbols[k]
        if name == CAP and residue != "ASN":
            carbon = MODEL.positions[index[residue, "CB"]]
            along = position - carbon
            name, symbol, position = "CA", "C", carbon + CARBON_ANG * along / np.linalg.norm(along)
        lines.append(line(k + 1, "HB1" if name == CAP else name, kind, number, position, symbol))
    return lines


def cut(tmp_path, lines: list[str], names=None, cysteine="A:145", histidine="A:41", ligand="A:401") -> Cluster:
    path = tmp_path / "p.pdb"
    path.write_text("\n".join(["HEADER", *lines, "END"]) + "\n")
    return pocket.cut(path, cysteine, histidine, ligand, names)


def test_what_was_put_together_is_cut_apart(tmp_path):
    found = cut(tmp_path, structure())
    assert sorted(found.symbols) == sorted(MODEL.symbols)
    assert set(found.residues) == {"CYS", "HID", "LIG"}
    assert found.ligand.sum() == MODEL.ligand.sum()
    ours = {(r, n): x for r, n, x in zip(found.residues, found.names, found.positions, strict=True)}
    for residue, name, x in zip(MODEL.residues, MODEL.names, MODEL.positions, strict=True):
        if residue != "ASN":
            assert np.linalg.norm(ours[residue, name] - x) < (0.02 if name == CAP else 0.002), (residue, name)
    first, second = found.axis
    assert found.names[first] == "SG"
    assert found.ligand[second]
    assert found.symbols[second] != "H"
    assert found.separation == min(
        np.linalg.norm(found.positions[first] - x)
        for x, s, bound in zip(found.positions, found.symbols, found.ligand, strict=True)
        if bound and s != "H"
    )


def test_it_is_written_for_the_calculation_and_read_again(tmp_path, capsys):
    path, output = tmp_path / "p.pdb", tmp_path / "out.extxyz"
    path.write_text("\n".join(structure()))
    places = ["--cysteine", "A:145", "--histidine", "A:41", "--ligand", "A:401"]
    assert pocket.main([str(path), *places, "--output", str(output)]) == 0
    assert "27 atoms, 9 of the ligand" in capsys.readouterr().out
    found = read_cluster(output)
    np.testing.assert_allclose(found.positions, cut(tmp_path, structure()).positions, atol=1e-7)
    assert pocket.main([str(path), *places[:-1], "A:7", "--output", str(output)]) == 1
    assert "no residue A:7" in capsys.readouterr().err


def test_a_fragment_is_closed_where_single_bonds_are_cut(tmp_path):
    found = cut(tmp_path, structure(), ["CB"])  # methane
    own = [(s, x) for s, x, bound in zip(found.symbols, found.positions, found.ligand, strict=True) if bound]
    assert sorted(s for s, _ in own) == ["C", "H", "H", "H", "H"]
    carbon = next(x for s, x in own if s == "C")
    assert max(np.linalg.norm(x - carbon) for s, x in own if s == "H") == pytest.approx(1.09, abs=0.03)
    with pytest.raises(DataError, match=r"bond CG–OD1 of ligand A:401 is not single"):
        cut(tmp_path, structure(), ["CB", "CG", "ND2"])
    with pytest.raises(DataError, match=r"has no atom C99; it has OD1, CG"):
        cut(tmp_path, structure(), ["C99"])


def test_of_alternative_places_and_models_the_first_counts(tmp_path):
    lines = structure()
    moved = [line(900 + k, MODEL.names[0], "CYS", 145, [9.0, 9.0, 9.0], "C", "B") for k in range(2)]
    found = cut(tmp_path, [*lines, moved[0], "ENDMDL", *lines, moved[1]])
    np.testing.assert_array_equal(found.positions, cut(tmp_path, lines).positions)


def without(*names: str) -> list[str]:
    return [x for x in structure() if x[12:16].strip() not in names]


@pytest.mark.parametrize(
    ("lines", "change", "message"),
    [
        (structure(), {"cysteine": "B:145"}, r"no residue B:145 \(chain:number\); chains are A"),
        (structure(), {"cysteine": "A:41"}, r"residue A:41 is HIS, not a cysteine"),
        (structure(), {"ligand": "A:402"}, r"no residue A:402"),
        (without("HG"), {}, r"cysteine A:145 lacks HG: add hydrogens .*PDBFixer.*without HG is charged"),
        (without("NE2", "CD2"), {}, r"histidine A:41 lacks CD2, NE2"),
        (without("HD1"), {}, r"neither HD1 nor HE2"),
        ([*structure(), line(99, "HE2", "HIS", 41, [3.0, 0, 0], "H")], {}, r"both HD1 and HE2: it is charged"),
        ([x for x in structure() if x[17:20] != "UNK" or x[76:78].strip() != "H"], {}, r"ligand A:401 has no hydrogens"),
        ([x for x in structure() if x[12:16].strip() != "HD22"], {}, r"LIG has an odd number of electrons"),
        ([*structure(), line(99, "C9", "UNK", 401, [0.0, 1.8, 0.0], "C")], {}, r"ligand atom C9 is bound to SG of A:145"),
        (["ATOM      1  CA  CYS A 145      x"], {}, r"line 2: not an atom of a PDB file"),
        ([], {}, r"no ATOM or HETATM line"),
    ],
)  # fmt: skip
def test_what_cannot_be_calculated_is_said(tmp_path, lines, change, message):
    with pytest.raises(DataError, match=message) as error:
        cut(tmp_path, lines, **change)
    assert re.search(r"p\.pdb", str(error.value))


def test_a_cluster_that_is_none_is_refused(tmp_path):
    (tmp_path / "a.extxyz").write_text('1\nProperties=species:S:1:pos:R:3 pbc="F F F"\nH 0 0 0\n')
    with pytest.raises(DataError, match=r"a\.extxyz: no cluster of a dyad and a ligand.*qff\.hybrid\.pocket"):
        read_cluster(tmp_path / "a.extxyz")
    nobody = np.zeros(len(MODEL.symbols), bool)
    for change, message in (
        ({"ligand": nobody}, "names 0 of 27 atoms"),
        ({"axis": (0, 1)}, "not an atom of the dyad and one of the ligand"),
        ({"axis": (0, 99)}, "not an atom of the dyad"),
        ({"positions": np.zeros((27, 3))}, r"are 0\.00 Å apart"),
    ):
        write_cluster(tmp_path / "b.extxyz", Cluster(**{**vars(MODEL), **change}), "test")
        with pytest.raises(DataError, match=message):
            read_cluster(tmp_path / "b.extxyz")

"""n2p2's files: what is read is written to the last bit, and what is wrong is named."""

import math
from itertools import pairwise

import ase
import numpy as np
import pytest
import torch
from qff.errors import DataError
from qff.n2p2 import N2P2Potential
from qff.n2p2.network import ACTIVATIONS, Network
from qff.n2p2.structures import read_structures, write_structures

INPUT = """\
# comment
symfunction_short O 2 H 0.3 0.9 8.0   # order of keywords does not matter
elements O H

number_of_elements 2
atom_energy O -75.0
atom_energy H -0.5
cutoff_type 7 0.2
scale_symmetry_functions
scale_min_short -1.0
scale_max_short 1.0
global_hidden_layers_short 2
global_nodes_short 3 2
element_nodes_short O 1 4
global_activation_short p t l
normalize_nodes
mean_energy -0.15
conv_energy 200.0
conv_length 4.0
epochs 25
symfunction_short H 3 O H 0.07 1.0 1.0 6.0
symfunction_short H 2 O 0.05 0.0 8.0
"""


def write_potential(folder, text=INPUT, seed=0):
    rng = np.random.default_rng(seed)
    (folder / "input.nn").write_text(text)
    rows = [f"{e} {k} {rng.uniform(0, 0.1)} {rng.uniform(0.5, 1)} 0.3 0.1" for e, k in ((1, 1), (1, 2), (2, 1))]
    (folder / "scaling.data").write_text("# statistics\n" + "\n".join(rows) + "\n")
    for charge, widths in ((1, (2, 3, 2, 1)), (8, (1, 4, 2, 1))):
        count = sum(a * b + b for a, b in pairwise(widths))
        numbers = rng.uniform(-1, 1, count).tolist()
        (folder / f"weights.{charge:03d}.data").write_text("\n".join(f"{x!r} a" for x in numbers))
    return folder


def water(seed=0):
    positions = np.array([[0.0, 0, 0], [1.8, 0, 0], [-0.5, 1.7, 0.2]])
    return ase.Atoms("OHH", positions + np.random.default_rng(seed).normal(0, 0.1, (3, 3)))


def test_reading_and_writing_keep_every_bit(tmp_path):
    potential = N2P2Potential.read(write_potential(tmp_path))
    assert potential.settings.hidden == {"H": (3, 2), "O": (4, 2)}
    assert potential.settings.others == (("epochs", "25"),)
    again = tmp_path / "again"
    potential.write(again)
    read = N2P2Potential.read(again)
    assert read.settings == potential.settings
    for element in ("H", "O"):
        assert np.array_equal(read.scaling[element], potential.scaling[element])
        for name in ("weights", "biases"):
            pairs = zip(
                getattr(read.networks[element], name), getattr(potential.networks[element], name), strict=True
            )
            assert all(torch.equal(a, b) for a, b in pairs)
    read.write(tmp_path / "third")
    for path in again.iterdir():
        assert path.read_bytes() == (tmp_path / "third" / path.name).read_bytes()


def test_short_forms_stand_for_all_neighbours(tmp_path):
    words = INPUT.replace("symfunction_short H 2 O 0.05 0.0 8.0", "element_symfunction_short H 2 0.05 0.0 8.0")
    words += "global_symfunction_short 9 0.01 1.0 1.0 8.0\n"
    from qff.n2p2.settings import read_settings

    (tmp_path / "input.nn").write_text(words)
    functions = read_settings(tmp_path / "input.nn").functions
    assert [(f.kind, f.neighbours) for f in functions["H"]] == [
        (2, ("H",)), (2, ("O",)), (3, ("H", "O")), (9, ("H", "H")), (9, ("H", "O")), (9, ("O", "O")),
    ]  # fmt: skip
    assert [(f.kind, f.neighbours) for f in functions["O"]][1:] == [(9, ("H", "H")), (9, ("H", "O")), (9, ("O", "O"))]


@pytest.mark.parametrize("text", [INPUT, INPUT.replace("p t l", "g c l"), INPUT.replace("normalize_nodes", "")])
def test_forces_are_the_derivative(tmp_path, text):
    potential = N2P2Potential.read(write_potential(tmp_path, text))
    atoms = water()
    _, forces = potential.energy_and_forces(atoms)
    assert np.abs(forces).max() > 1e-5
    for atom in range(3):
        for axis in range(3):
            energies = []
            for sign in (1, -1):
                moved = atoms.copy()
                moved.positions[atom, axis] += sign * 1e-3
                energies.append(potential.energy_and_forces(moved)[0])
            assert forces[atom, axis] == pytest.approx(-(energies[0] - energies[1]) / 2e-3, abs=1e-8)


def test_energy_by_hand(tmp_path):
    """H2 with one function, one neuron and every kind of offset."""
    (tmp_path / "input.nn").write_text(
        "elements H\ncutoff_type 1\nsymfunction_short H 2 H 0.2 0.5 6.0\nglobal_hidden_layers_short 1\n"
        "global_nodes_short 1\nglobal_activation_short s l\nscale_symmetry_functions\ncenter_symmetry_functions\n"
        "atom_energy H -0.5\nmean_energy -0.1\nconv_energy 50.0\nconv_length 2.0\n"
    )
    (tmp_path / "scaling.data").write_text("1 1 0.2 0.8 0.4 0.1\n")
    (tmp_path / "weights.001.data").write_text("0.7\n-0.2\n1.5\n0.3\n")
    potential = N2P2Potential.read(tmp_path)
    energy, forces = potential.energy_and_forces(ase.Atoms("HH", [[0, 0, 0], [0, 0, 1.4]]))
    g = math.exp(-0.2 * 0.9**2) * 0.5 * (1 + math.cos(math.pi * 1.4 / 6))
    node = 1 / (1 + math.exp(-(0.7 * (g - 0.4) / 0.6 - 0.2)))
    assert energy == pytest.approx(2 * ((1.5 * node + 0.3) / 50 - 0.1 - 0.5), abs=1e-14)
    np.testing.assert_allclose(forces[0], -forces[1], atol=1e-16)


@pytest.mark.parametrize("letter", ACTIVATIONS)
def test_activations_have_their_slopes(letter):
    x = torch.linspace(-3, 3, 24, dtype=torch.float64).requires_grad_(True)
    value, slope = ACTIVATIONS[letter](x)
    (expected,) = torch.autograd.grad(value.sum(), x)
    torch.testing.assert_close(slope, expected)
    network = Network(
        [torch.ones(1, 1).double(), torch.ones(1, 1).double()], [torch.zeros(1).double()] * 2, (letter, "l")
    )
    torch.testing.assert_close(network.value_and_gradient(x[:, None].detach())[0], value.detach())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cutoff_type 7 0.2", "cutoff_type 11", r"input.nn, line 8: unknown cutoff type 11"),
        ("cutoff_type 7 0.2", "", "keyword cutoff_type is missing"),
        ("elements O H", "elements O Hh", "line 3: 'Hh' is not a chemical element"),
        ("elements O H", "elements O H C", "line 3: 3 elements, but number_of_elements differs"),
        ("p t l", "p q l", "line 15: activation 'q' is not implemented; known: l t"),
        ("global_nodes_short 3 2", "global_nodes_short 3", "line 13: global_nodes_short takes 2 argument"),
        ("global_nodes_short 3 2", "global_nodes_short 3 two", "line 13: expected integers"),
        ("H 3 O H 0.07", "H 5 O H 0.07", "line 21: .*type 5 is not implemented"),
        ("H 3 O H 0.07", "H 3 O C 0.07", "line 21: C: not listed under 'elements'"),
        ("epochs 25", "elements O H", "line 20: elements is given twice, first in line 3"),
        ("conv_length 4.0", "", "mean_energy, conv_energy and conv_length belong together"),
        ("symfunction_short O", "#", "no symmetry function has a centre O"),
        ("element_nodes_short O 1 4", "element_nodes_short O 3 4", "line 14: hidden layer 3: there are 2"),
    ],
)
def test_bad_settings_are_named(tmp_path, old, new, message):
    assert old in INPUT
    with pytest.raises(DataError, match=message):
        N2P2Potential.read(write_potential(tmp_path, INPUT.replace(old, new, 1)))


def test_bad_files_are_named(tmp_path):
    write_potential(tmp_path)
    path = tmp_path / "weights.001.data"
    good = path.read_text()
    path.write_text("0.5\n" + good)
    with pytest.raises(DataError, match=r"weights.001.data: 21 weights, a network 2-3-2-1 has 20"):
        N2P2Potential.read(tmp_path)
    path.write_text("0.5x\n" + good.split("\n", 1)[1])
    with pytest.raises(DataError, match=r"weights.001.data, line 1: expected numbers \(got '0.5x'\)"):
        N2P2Potential.read(tmp_path)
    path.write_text(good)
    scaling = tmp_path / "scaling.data"
    lines = scaling.read_text().splitlines()
    scaling.write_text("\n".join(lines[:-1]))
    with pytest.raises(DataError, match="function 1 of O is missing"):
        N2P2Potential.read(tmp_path)
    scaling.write_text("\n".join([*lines, "2 2 0 1 0.5 0.1"]))
    with pytest.raises(DataError, match=r"scaling.data, line 5: input.nn has no function 2 of element 2"):
        N2P2Potential.read(tmp_path)
    scaling.unlink()
    with pytest.raises(DataError, match=r"scaling.data: no such file"):
        N2P2Potential.read(tmp_path)


def test_foreign_elements_are_refused(tmp_path):
    potential = N2P2Potential.read(write_potential(tmp_path))
    with pytest.raises(DataError, match="C: not an element of this potential, which knows H, O"):
        potential.energy_and_forces(ase.Atoms("CO", [[0, 0, 0], [0, 0, 2.0]]))


def test_structures_round_trip(tmp_path):
    from ase.calculators.singlepoint import SinglePointCalculator

    rng = np.random.default_rng(0)
    molecule, crystal = water(), ase.Atoms("OH", rng.normal(size=(2, 3)), cell=rng.normal(size=(3, 3)), pbc=True)
    molecule.info = {"comment": "a water molecule", "charge": 0.0}
    for atoms in (molecule, crystal):
        atoms.calc = SinglePointCalculator(atoms, energy=rng.normal(), forces=rng.normal(size=(len(atoms), 3)))
    path = tmp_path / "input.data"
    write_structures(path, [molecule, crystal])
    for mine, read in zip([molecule, crystal], read_structures(path), strict=True):
        assert np.array_equal(mine.positions, read.positions)
        assert np.array_equal(mine.cell, read.cell)
        assert np.array_equal(mine.pbc, read.pbc)
        assert mine.get_potential_energy() == read.get_potential_energy()
        assert np.array_equal(mine.get_forces(), read.get_forces())
    assert read_structures(path)[0].info["comment"] == "a water molecule"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("begin\natom 0 0 0 H 0 0 0 0\nend\n", "line 2: 'atom' takes x y z element"),
        ("begin\natom 0 0 zero H 0 0 0 0 0\nend\n", "line 2: expected numbers"),
        ("begin\natom 0 0 0 H 0 0 0 0 0\n", "no 'end'; the file is truncated"),
        ("begin\nlattice 1 0 0\natom 0 0 0 H 0 0 0 0 0\nend\n", "1 lattice vectors; give three, or none"),
        ("begin\nend\n", "the structure has no atoms"),
        ("energy 0\n", "line 1: 'energy' outside of 'begin' and 'end'"),
        ("begin\nbegin\n", "line 2: 'begin' inside a structure"),
        ("begin\nmass 3\nend\n", "line 2: 'mass 3' is not a line of a structure"),
    ],
)
def test_bad_structures_are_named(tmp_path, text, message):
    path = tmp_path / "input.data"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_structures(path)

"""Agreement with n2p2 itself: numbers printed by n2p2 2.3.0, as facts here and as files under QFF_DATA."""

import os
import shutil
from pathlib import Path

import ase
import numpy as np
import pytest
import torch
from qff.config import load_study, read_yaml
from qff.n2p2 import N2P2Potential, from_potential, to_potential
from qff.n2p2.structures import read_structures
from qff.symmetry import Cutoff, by_centre, parse_function
from qff.symmetry.structure import Neighbours, StructureDescriptor
from qff.systems import System
from qff.training.kalman import KalmanFilter
from qff.units import BOHR_IN_ANG, HARTREE_IN_EV, HARTREE_PER_BOHR_IN_EV_PER_ANG

STUDY = load_study(read_yaml("config/config.yaml"))
ORACLE = Path(os.environ["QFF_DATA"]) / "n2p2_oracle" if "QFF_DATA" in os.environ else None
needs_data = pytest.mark.skipif(ORACLE is None, reason="QFF_DATA (folder of reference data) is not set")

# A distorted water molecule in bohr, and what n2p2 gives for the symmetry functions of its atoms.
FRAME = ase.Atoms(
    "OHH",
    [
        [5.7871055681792729, 4.4981817879540902, 5.1048915129464758],
        [3.8764331087602999, 4.3796786119673126, 6.5780166271967708],
        [5.1936917079463747, 3.8162405939005528, 3.8159714237698519],
    ],
)
FUNCTIONS = """\
H 2 H 0.001 0.0 12.00
H 2 O 0.30 0.9 12.00
H 2 O 0.05 0.0 8.00
H 3 O H 0.07 1.0 1.0 12.00
H 3 O H 0.01 -1.0 4.0 12.00
H 9 O H 0.07 1.0 1.0 12.00
H 9 O H 0.02 -1.0 2.5 8.00 1.2
O 2 H 0.02 0.0 12.00
O 2 H 1.50 0.9 12.00
O 3 H H 0.03 1.0 16.0 12.00
O 3 H H 0.03 -1.0 2.0 12.00 0.7
O 9 H H 0.03 1.0 1.0 12.00
O 9 H H 0.01 -1.0 4.0 6.00"""


def oracle_rows(path):
    """Numbers after frame, atom and element."""
    lines = path.read_text().splitlines()
    return [np.array(line.split()[3:], dtype=float) for line in lines if not line.startswith("#")]


FACTS = {
    (1, 0.3): [
        [
            1.8414940568181066,
            0.537465000004844,
            7.447582438726424e-07,
            0.5230989174198879,
            0.21132747028105936,
            0.6390827408064491,
        ],
        [
            0.7469481694221078,
            0.9903651887735018,
            0.5020507855495127,
            3.233667540727958e-05,
            0.5298705716993266,
            0.0019646985213845752,
            0.6302570097871174,
        ],
        [
            0.8834461499528492,
            0.9903651887735018,
            0.8724811678176112,
            0.0016467253966736956,
            0.46695640952342926,
            0.023536905585558467,
            0.702519108444174,
        ],
    ],
    (3, 0.0): [
        [
            1.329247826400628,
            0.41492258736313997,
            2.1652843823494194e-07,
            0.15208397162765958,
            0.043316527210331246,
            0.32892051309076636,
        ],
        [
            0.3709956103566565,
            0.5594497972551462,
            0.3316890921596198,
            9.401453265167614e-06,
            0.15405273899270425,
            0.00037196731844495873,
            0.23521606356944266,
        ],
        [
            0.5903285990872444,
            0.5594497972551462,
            0.6796829769781776,
            0.0004787632513971185,
            0.1357612928881488,
            0.005995061852166847,
            0.3091535422961341,
        ],
    ],
    (4, 0.0): [
        [
            1.7881761248165442,
            0.5273689874733204,
            6.527778428109875e-07,
            0.4584942639952807,
            0.17063282810938707,
            0.6020196102895319,
        ],
        [
            0.6756669808196936,
            0.9214927080013752,
            0.48129029000472723,
            2.834297624632424e-05,
            0.4644295938946343,
            0.0015479109503368732,
            0.5621777719410583,
        ],
        [
            0.8485624058269745,
            0.9214927080013752,
            0.8573342263286408,
            0.0014433487120834542,
            0.40928556372918184,
            0.019690688216135236,
            0.6423160558041611,
        ],
    ],
    (5, 0.0): [
        [
            1.7030000070962585,
            0.5102860478464449,
            5.290417550152249e-07,
            0.37158523801893584,
            0.11915350771950144,
            0.544878142080085,
        ],
        [
            0.5837874636223089,
            0.8251401132840188,
            0.44921203846671026,
            2.297047619065351e-05,
            0.37639550751752,
            0.00106107438022357,
            0.46984407440112885,
        ],
        [
            0.7942732238667388,
            0.8251401132840188,
            0.8313705256434798,
            0.0011697574361134722,
            0.33170420124947947,
            0.014622607330794124,
            0.5577364617485987,
        ],
    ],
}


@pytest.mark.parametrize(("kind", "inner"), FACTS)
def test_symmetry_functions_of_n2p2(kind, inner):
    neighbours = Neighbours.of(FRAME, 12.0)
    cutoff = Cutoff(kind, inner)
    for atom, expected in enumerate(FACTS[kind, inner]):
        functions = by_centre(map(parse_function, FUNCTIONS.splitlines()))[FRAME.symbols[atom]]
        found, _ = StructureDescriptor(functions, cutoff)(neighbours, np.array([atom]))
        np.testing.assert_allclose(found[0], expected, rtol=1e-9)


# --- all files of the oracle --------------------------------------------------------------------------------

MINI = ("ct1_scalecenter", "ct1a03_scale", "ct2_center", "ct3_sigma", "ct4_none", "ct5_scalecenter_norm")
SETS = [("h2o", "h2o", "h2o"), ("h2o", "h2o/extra", "h2o/extra")]
SETS += [(f"mini/{m}", f"h2o{extra}", f"mini/{m}{extra}") for m in MINI for extra in ("", "/extra")]
SETS += [("periodic_h2o", "periodic_h2o/h2o48", "periodic_h2o/h2o48")]


@needs_data
@pytest.mark.parametrize(("potential", "structures", "expected"), SETS, ids=lambda c: c)
def test_files_of_n2p2(potential, structures, expected, tmp_path):
    potential, expected = N2P2Potential.read(ORACLE / potential), ORACLE / expected
    frames = read_structures(ORACLE / structures / "input.data")
    energies = np.loadtxt(expected / "energy.txt", ndmin=2)[:, 3]
    forces = np.array([row[1:4] for row in oracle_rows(expected / "atoms.txt")])
    raw, scaled, gradients = (oracle_rows(expected / f"{n}.txt") for n in ("G_raw", "G_scaled", "dEdG"))
    first = 0
    for frame, energy in zip(frames, energies, strict=True):
        rows = slice(first, first + len(frame))
        found, found_forces = potential.energy_and_forces(frame)
        assert found == pytest.approx(energy, abs=1e-12 * len(frame))
        np.testing.assert_allclose(found_forces, forces[rows], atol=1e-12)
        atomic = potential.atomic(frame)
        for mine, theirs, scale in (
            (atomic.raw, raw, 1e-14),
            (atomic.scaled, scaled, 1e-11),
            (atomic.gradients, gradients, 1e-12),
        ):
            for a, b in zip(mine, theirs[rows], strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=scale)
        first += len(frame)
    potential.write(tmp_path)
    again = N2P2Potential.read(tmp_path)
    assert again.settings == potential.settings
    assert again.energy_and_forces(frames[0])[0] == potential.energy_and_forces(frames[0])[0]


@needs_data
def test_a_potential_of_n2p2_in_the_study_and_back(tmp_path):
    original = N2P2Potential.read(ORACLE / "h2o")
    potential = to_potential(original, System("h2o", STUDY.systems["h2o"]))
    assert potential.n_parameters == 1642
    frames = read_structures(ORACLE / "h2o/input.data")
    for n2p2 in (original, from_potential(potential)):
        for frame in frames:
            energies, forces = potential.energy_and_forces(frame.positions[None] * BOHR_IN_ANG)
            energy, expected = n2p2.energy_and_forces(frame)
            assert energies[0] / HARTREE_IN_EV == pytest.approx(energy, abs=1e-11)
            np.testing.assert_allclose(forces[0] / HARTREE_PER_BOHR_IN_EV_PER_ANG, expected, atol=1e-11)


@needs_data
def test_kalman_filter_replays_a_training_of_n2p2(tmp_path):
    """The same 66 updates, one observation each, lead to the same weights."""

    def weights(epoch):
        folder = tmp_path / str(epoch)
        folder.mkdir()
        for name in ("input.nn", "scaling.data"):
            shutil.copy(ORACLE / "kf_replay" / name, folder)
        for element in ("001", "008"):
            shutil.copy(ORACLE / f"kf_replay/weights.{element}.{epoch:06d}.out", folder / f"weights.{element}.data")
        n2p2 = N2P2Potential.read(folder)
        return n2p2.settings, to_potential(n2p2, System("h2o", STUDY.systems["h2o"]))

    settings, potential = weights(0)
    frames = read_structures(ORACLE / "kf_replay/input.data")
    positions = torch.tensor(np.array([f.positions for f in frames])) * BOHR_IN_ANG
    inputs = potential.architecture.inputs(positions)
    inputs = inputs.normalised(torch.tensor(potential.input_center), torch.tensor(potential.input_width))
    force_unit = 10 * BOHR_IN_ANG / settings.conv_length  # weight · (output per Å) in n2p2's normalised units
    kalman = KalmanFilter(q_decay=2.302 / 33, eta_growth=2.302 / 33)
    state = kalman.start(torch.tensor(potential.parameters)[None])
    for line in (ORACLE / "kf_replay/sequence.txt").read_text().splitlines()[1:]:
        epoch, count, kind, frame, atom, axis, xi = line.split()
        frame, atom, axis = int(frame), int(atom), int(axis)
        f, df, jf, jdf = potential.architecture.linearise(state["theta"], inputs.select([[frame]]))
        if kind == "E":
            reference = frames[frame].get_potential_energy() - potential.energy_shift / HARTREE_IN_EV
            error, jacobian = reference * settings.conv_energy - f, jf
        else:
            along = -force_unit * inputs.directions[frame, :, atom, axis]
            reference = 10 * frames[frame].get_forces()[atom, axis] * settings.conv_energy / settings.conv_length
            error, jacobian = reference - df @ along, torch.einsum("k,sbkp->sbp", along, jdf)
        assert float(error) == pytest.approx(float(xi), abs=1e-6), line
        state = kalman.update(state, error, jacobian)
        if count in ("33", "66"):
            expected = weights(int(epoch))[1].parameters
            assert np.abs(state["theta"][0].numpy() - expected).max() < 1e-7
    covariance = state["covariance"][0].diagonal().abs().mean()
    assert float(covariance) == pytest.approx(65.5917158, abs=1e-6)
    assert float(state["q"]) == pytest.approx(1.00117087e-4, rel=1e-8)
    assert float(state["eta"]) == pytest.approx(0.998830498, rel=1e-8)

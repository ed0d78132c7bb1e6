"""VQE against the full diagonalisation of the same Hamiltonian, by PySCF, and against PennyLane's gates."""

import numpy as np
import pytest
from pyscf import gto, scf
from qff.vqe.active_space import active_space
from qff.vqe.ansatz import pool, quantum_function
from qff.vqe.bonds import bond_space, correlation, solve_bond
from qff.vqe.solver import energy_and_gradient, solve

TOLERANCE = 1e-6  # Ha


def water(r: float) -> str:
    angle = np.radians(104.5)
    return f"O 0 0 0; H {r} 0 0; H {0.9584 * np.cos(angle)} {0.9584 * np.sin(angle)} 0"


def space_of(atoms: str, basis: str, orbitals: int, electrons: int):
    mf = scf.RHF(gto.M(atom=atoms, basis=basis, verbose=0))
    mf.conv_tol = 1e-11
    mf.kernel()
    return active_space(mf, orbitals, electrons, "test")


@pytest.mark.parametrize("r", [1.2, 1.6, 2.4, 3.2])
def test_lih_along_its_stretch(r):
    space = space_of(f"Li 0 0 0; H 0 0 {r}", "cc-pvdz", 5, 2)
    result = solve(space, "LiH")
    assert space.n_qubits == 10
    assert -1e-10 < result.energy - space.casci < TOLERANCE
    assert space.hartree_fock - space.casci > 9e-4  # there is something to find


@pytest.mark.parametrize("r", [0.85, 0.96, 1.3, 1.8])
def test_water_along_the_stretch_of_a_bond(r):
    space = space_of(water(r), "cc-pvdz", 4, 4)
    result = solve(space, "H2O")
    assert space.n_qubits == 8
    assert -1e-10 < result.energy - space.casci < TOLERANCE


def test_all_valence_electrons_of_water():
    space = space_of(water(0.96), "sto-3g", 6, 8)
    assert len(space.states) == 225
    assert -1e-10 < solve(space, "H2O").energy - space.casci < TOLERANCE


def test_the_hamiltonian_has_the_energies_of_pyscf():
    space = space_of(water(1.1), "sto-3g", 6, 8)
    assert space.hamiltonian[0, 0] == pytest.approx(space.hartree_fock, abs=1e-9)
    assert np.linalg.eigvalsh(space.hamiltonian.toarray())[0] == pytest.approx(space.casci, abs=1e-9)


def test_one_determinant_needs_no_circuit():
    space = space_of("H 0 0 0; H 0 0 0.74", "sto-3g", 1, 2)
    result = solve(space, "H2")
    assert (len(result.angles), result.energy) == (0, pytest.approx(space.hartree_fock))


def test_the_gradient_is_the_slope_of_the_energy():
    space, rng = space_of(water(1.1), "sto-3g", 4, 4), np.random.default_rng(0)
    rotations = pool(space)[::3]
    angles, step = rng.normal(0, 0.4, len(rotations)), 1e-5
    gradient = energy_and_gradient(space, rotations, angles)[1]
    for k in range(len(rotations)):
        moved = [energy_and_gradient(space, rotations, angles + d * np.eye(len(angles))[k])[0] for d in (step, -step)]
        assert gradient[k] == pytest.approx((moved[0] - moved[1]) / (2 * step), abs=1e-7)


def test_pennylane_runs_the_same_circuit():
    """State, energy and number of CNOT gates on lightning.qubit."""
    import pennylane as qml

    space = space_of("Li 0 0 0; H 0 0 2.4", "sto-3g", 3, 2)
    result = solve(space, "LiH")

    @qml.qnode(qml.device("lightning.qubit", wires=space.n_qubits))
    def state():
        quantum_function(space, result.rotations, result.angles)
        return qml.state()

    found = np.asarray(state())
    assert np.abs(found[space.states] - result.state).max() < 1e-10
    assert np.linalg.norm(found) == pytest.approx(1.0)
    sector = found[space.states]
    assert np.real(sector.conj() @ (space.hamiltonian @ sector)) == pytest.approx(result.energy, abs=1e-10)
    for rotation in result.rotations:
        gate = {2: qml.SingleExcitation, 4: qml.DoubleExcitation}[len(rotation.wires)]
        tape = qml.tape.QuantumScript(gate(0.3, wires=rotation.wires).decomposition())
        (expanded,), _ = qml.transforms.decompose(tape, gate_set={"CNOT", "RX", "RY", "RZ", "Hadamard", "PhaseShift"})
        assert sum(op.name == "CNOT" for op in expanded.operations) == rotation.cnots


@pytest.mark.parametrize("kind", ["C-H", "C-C", "C-O", "H-O", "H-H"])
def test_bonds_correlate_more_the_longer_they_are(kind):
    rows = [solve_bond(kind, r, "sto-3g") for r in (1.0, 1.6, 2.4)]
    assert all(abs(row["casci_error_hartree"]) < TOLERANCE for row in rows)
    energies, amplitudes = ([row[k] for row in rows] for k in ("correlation_energy_ev", "amplitude"))
    assert 0 > energies[0] > energies[1] > energies[2]
    assert 0 > amplitudes[0] > amplitudes[1] > amplitudes[2] > -1.5


def test_two_electrons_in_h2_are_known():
    """H2 in STO-3G at 1.4 bohr: FCI -1.1372759 Ha (Szabo & Ostlund 1996, sec. 4.3: correlation energy -0.02056 Ha)."""
    space = bond_space("H-H", 1.4 * 0.529177210903, "sto-3g")
    result = solve(space, "H2")
    assert result.energy == pytest.approx(-1.1372759, abs=2e-6)
    assert correlation(space, result)["correlation_energy_ev"] / 27.211386 == pytest.approx(-0.02056, abs=1e-5)

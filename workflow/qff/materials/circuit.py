"""Circuits on amplitudes: a shallow circuit of real rotations, shared by all atoms, read out differently by each element.

The compressed descriptor x of an atom, with a constant before it, gives the amplitudes x̃/|x̃|, x̃ = (1, x), of n qubits.
After U(θ), layers of RY rotations with CZ gates on a ring between them, all qubits are read out in the computational basis,
and the element weighs the results: D_s = Σ_b d_sb |b⟩⟨b|, the atomic energy is |x̃|² ⟨D_s⟩ = |x̃|² Σ_b d_sb p(b). The norm,
which the encoding drops, is thereby handed on. Hence the energy is x̃ᵀ A_s x̃ with A_s = U(θ)ᵀ D_s U(θ): a quadratic form of x̃ whose symmetric matrix has the eigenvalues of
D_s and eigenvectors common to all elements (docs/materials.md). The matrix is made once per step, whatever the number of
atoms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qff.materials.equations import NormalEquations

LIMIT = 100  # "fewer than 100 trainable parameters"


@dataclass(frozen=True)
class AmplitudeCircuit:
    """Parameters: angles (layers · n,) in rad, then weights d (S · 2ⁿ,) in eV. Without ``entangling`` no CZ gates."""

    n_qubits: int
    layers: int
    n_elements: int
    entangling: bool = True

    @classmethod
    def within_limit(cls, n_qubits: int, layers: int, n_elements: int) -> AmplitudeCircuit:
        """At most ``layers`` layers, as many as keep the circuit below a hundred parameters. Where many elements leave no room
        for one, fewer qubits, but at least two."""
        n = next((n for n in range(n_qubits, 2, -1) if n + n_elements * 2**n < LIMIT), 2)
        room = (LIMIT - 1 - n_elements * 2**n) // n
        return cls(n, max(1, min(layers, room)), n_elements)

    @property
    def n_angles(self) -> int:
        return self.layers * self.n_qubits

    @property
    def n_parameters(self) -> int:
        return self.n_angles + self.n_elements * 2**self.n_qubits

    def initial(self, rng: np.random.Generator, equations: NormalEquations, spread: float = 0.2) -> np.ndarray:
        """Parameters to start from: the last qubit turned by π/2, small random angles beside it, and the best weights there.

        The turn mixes amplitudes 0 and 1, the constant and x₁: with weights ± it reads out x₁ itself. A circuit thus starts
        from what is linear in x₁.
        """
        angles = rng.normal(scale=spread, size=self.n_angles)
        angles[self.n_qubits - 1] += np.pi / 2
        theta = np.concatenate([angles, np.zeros(self.n_parameters - self.n_angles)])
        upper = np.triu_indices(2**self.n_qubits)
        by = self.jacobian(theta)[self.n_angles :, :, upper[0], upper[1]].reshape(len(theta) - self.n_angles, -1)
        matrix = by @ equations.gram @ by.T
        matrix += 1e-9 * np.diag(np.diag(matrix))
        theta[self.n_angles :] = np.linalg.lstsq(matrix, by @ equations.right, rcond=1e-12)[0]
        return theta

    def prefixes(self, theta: np.ndarray) -> np.ndarray:
        """Products (layers, 2ⁿ, 2ⁿ) of all gates up to each layer's rotations; the last one is U(θ)."""
        found, now = [], np.eye(2**self.n_qubits)
        for layer, angles in enumerate(theta[: self.n_angles].reshape(self.layers, -1)):
            if layer:
                now = self._entangler[:, None] * now
            rotation = np.ones((1, 1))
            for angle in angles:
                c, s = np.cos(angle / 2), np.sin(angle / 2)
                rotation = np.kron(rotation, [[c, -s], [s, c]])
            now = rotation @ now
            found.append(now)
        return np.array(found)

    @property
    def _entangler(self) -> np.ndarray:
        """Diagonal (2ⁿ,) of CZ gates on a ring (a single one for two qubits)."""
        if not self.entangling:
            return np.ones(2**self.n_qubits)
        bits = np.arange(2**self.n_qubits)[:, None] >> np.arange(self.n_qubits)[::-1] & 1
        signs = [1.0 - 2.0 * bits[:, a] * bits[:, b] for a, b in self.ring]
        return np.prod(signs or [np.ones(2**self.n_qubits)], axis=0)

    @property
    def ring(self) -> list[tuple[int, int]]:
        """Pairs of qubits with a CZ gate between layers, each once."""
        n = self.n_qubits
        return sorted({tuple(sorted((q, (q + 1) % n))) for q in range(n)}) if n > 1 else []

    def matrices(self, theta: np.ndarray) -> np.ndarray:
        """A_s (S, 2ⁿ, 2ⁿ) in eV."""
        unitary = self.prefixes(theta)[-1]
        spectra = theta[self.n_angles :].reshape(self.n_elements, -1)
        return np.einsum("ca,sc,cb->sab", unitary, spectra, unitary, optimize=True)

    def jacobian(self, theta: np.ndarray) -> np.ndarray:
        """Derivatives (parameters, S, 2ⁿ, 2ⁿ) of the matrices."""
        n, size = self.n_qubits, 2**self.n_qubits
        prefixes = self.prefixes(theta)
        unitary = prefixes[-1]
        spectra = theta[self.n_angles :].reshape(self.n_elements, -1)
        found = np.zeros((self.n_parameters, self.n_elements, size, size))
        for layer, prefix in enumerate(prefixes):
            after = unitary @ prefix.T
            for q in range(n):
                # RY' = ½ [[0, -1], [1, 0]] RY: it flips qubit q and changes the sign where it was 1.
                rows = np.arange(size)
                flipped = rows ^ (1 << (n - 1 - q))
                sign = np.where(rows >> (n - 1 - q) & 1, 1.0, -1.0)
                change = after @ (0.5 * sign[:, None] * prefix[flipped])
                half = np.einsum("ca,sc,cb->sab", unitary, spectra, change, optimize=True)
                found[layer * n + q] = half + half.transpose(0, 2, 1)
        projectors = unitary[:, :, None] * unitary[:, None, :]
        for s in range(self.n_elements):
            first = self.n_angles + s * size
            found[first : first + size, s] = projectors
        return found

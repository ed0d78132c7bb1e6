"""The circuit on Qiskit-Aer: exact statevector, finite shots, noise.

Slow and independent: every value is one circuit execution; derivatives come from the parameter-shift rule on the
encoding gates, as on a device. The circuit is transpiled once; its angles are bound for all frames and shifts of a call
together. Gradients in ``theta`` are not available.
"""

from __future__ import annotations

import numpy as np
import torch

from qff.circuits import Circuit
from qff.engines.coupling import coupling_map
from qff.engines.noise import BASIS_GATES, noise_model
from qff.engines.program import capture
from qff.engines.qiskit import Template, commuting_groups, folded, measured, observable
from qff.engines.shifts import EncodingShifts, feature_frequencies, general_rule
from qff.errors import ConfigError

RULES = ("gate", "feature")
BATCH = 2048  # circuits that are bound and run together
DENSE = 8  # qubits up to which noise acts on a density matrix; more are sampled, shot by shot


class AerEngine:
    """Same ``evaluate`` as the batched engine, without gradients in ``theta``.

    Args:
        shots: measurements of every circuit (words of the observable that commute qubit by qubit share one); None for
            exact expectation values.
        noise: see :func:`qff.engines.noise.check_noise`; gates are compiled to rz, sx, x, cx first. Without shots,
            readout errors multiply a word of weight w by (1 - 2p)^w, their mean effect.
        seed: of the simulated measurements.
        rule: ``gate`` shifts one encoding gate after the other, ``feature`` all gates of a feature together.
        folding: odd factor of noise amplification (:func:`qff.engines.qiskit.folded`).
        line: qubits sit on a line, and gates between others need swaps.

    Raises:
        ConfigError: no shots, an unknown rule, an even folding, impossible noise.
    """

    def __init__(
        self,
        circuit: Circuit,
        shots: int | None = None,
        noise: dict[str, float] | None = None,
        seed: int = 0,
        rule: str = "gate",
        folding: int = 1,
        line: bool = False,
    ):
        from qiskit_aer import AerSimulator

        if shots is not None and (isinstance(shots, bool) or not isinstance(shots, int) or shots < 1):
            raise ConfigError(f"shots = {shots}: must be a whole number of at least 1, or None for exact values")
        if rule not in RULES:
            raise ConfigError(f"rule '{rule}' of the parameter shift is unknown; known: {', '.join(RULES)}")
        if folding < 1 or folding % 2 == 0:
            raise ConfigError(f"folding = {folding}: a circuit and its inverse give odd factors of at least 1")
        self.circuit, self.shots, self._rule = circuit, shots, rule
        self._captured = capture(circuit)
        self.shifts = EncodingShifts(self._captured)
        self._terms = observable(self._captured)
        self._groups = commuting_groups([word for word, _ in self._terms])
        self._readout = (noise or {}).get("readout", 0.0)
        self._seed = np.random.SeedSequence(seed)
        self._template = Template(self.shifts)
        compiled = noise is not None or line
        self._compiled = self._transpile(self._template.circuit, compiled, line, folding)
        mixed = any(value for name, value in (noise or {}).items() if name != "readout")
        dense = mixed and circuit.n_qubits <= DENSE
        self._simulator = AerSimulator(
            method="density_matrix" if dense else "statevector",
            noise_model=noise_model(noise) if noise is not None else None,
            runtime_parameter_bind_enable=True,
            max_parallel_threads=1,
        )

    def evaluate(
        self, theta: torch.Tensor, phi: torch.Tensor, dphi: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """See :meth:`qff.engines.batched.BatchedEngine.evaluate`.

        Raises:
            UnsupportedOperation: features enter in a way that has no such shift rule.
        """
        f, df = [], []
        for s in range(len(theta)):
            angles, features = theta[s].detach().numpy(), phi[s % len(phi)].detach().numpy()
            if dphi is None:
                f.append(self._values(angles, self.shifts.inputs(angles, features)))
                continue
            value, slope = (self._by_gate if self._rule == "gate" else self._by_feature)(angles, features)
            f.append(value)
            df.append(np.einsum("bkf,bf->bk", dphi[s % len(dphi)].detach().numpy(), slope))
        return torch.from_numpy(np.stack(f)), None if dphi is None else torch.from_numpy(np.stack(df))

    def n_circuits(self, derivatives: bool = True) -> int:
        """Circuits of one frame, one for every group of commuting words: of its value, or of its slopes too."""
        if not derivatives:
            return len(self._groups)
        return len(self._groups) * (1 + 2 * len(self.shifts.slots))

    def _by_gate(self, theta, phi) -> tuple[np.ndarray, np.ndarray]:
        """f (B,) and ∂f/∂φ (B, F)."""
        slopes = self.shifts.slopes(theta, phi)
        circuits = self.shifts.shifted(self.shifts.inputs(theta, phi))
        values = self._values(theta, circuits.reshape(-1, circuits.shape[2])).reshape(circuits.shape[:2])
        ahead, behind = np.split(values[:, 1:], 2, axis=1)
        return values[:, 0], 0.5 * np.einsum("bg,bgf->bf", ahead - behind, slopes)

    def _by_feature(self, theta, phi) -> tuple[np.ndarray, np.ndarray]:
        """The same, shifting features."""
        rules = [general_rule(feature_frequencies(self._captured, k)) for k in range(phi.shape[1])]
        moves = [shift * np.eye(phi.shape[1])[k] for k, (shifts, _) in enumerate(rules) for shift in shifts]
        moved = phi[:, None] + np.array([np.zeros(phi.shape[1]), *moves])
        inputs = self.shifts.inputs(theta, moved.reshape(-1, phi.shape[1]))
        values = self._values(theta, inputs).reshape(moved.shape[:2])
        ends = np.cumsum([1, *(len(shifts) for shifts, _ in rules)])
        slopes = [values[:, ends[k] : ends[k + 1]] @ weights for k, (_, weights) in enumerate(rules)]
        return values[:, 0], np.stack(slopes, 1)

    def _values(self, theta: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """Expectation values (N,) of circuits given by their inputs (N, M)."""
        angles = self._template.angles(theta, inputs)
        return np.concatenate([self._run(angles[k : k + BATCH]) for k in range(0, len(angles), BATCH)])

    def _run(self, angles: np.ndarray) -> np.ndarray:
        bound = {p: angles[:, k].tolist() for k, p in enumerate(self._template.parameters)}
        seed = int(self._seed.spawn(1)[0].generate_state(1)[0])
        result = self._simulator.run(
            self._compiled, shots=self.shots or 1, seed_simulator=seed,
            parameter_binds=[bound] * len(self._compiled) if bound else None,
        ).result()  # fmt: skip
        if not result.success:
            raise RuntimeError(f"Aer: {result.status}")
        n = len(angles)  # results come circuit by circuit; without free angles all frames are one
        count = n if bound else 1
        total = np.zeros(count)
        if self.shots is None:
            total += [result.data(k)["value"] for k in range(count)]
            return np.broadcast_to(total, n)
        for number, group in enumerate(self._groups):
            for k in range(count):
                counts = result.get_counts(number * count + k)
                total[k] += sum(self._terms[t][1] * _parity(counts, self._terms[t][0]) for t in group)
        return np.broadcast_to(total, n)

    def _transpile(self, circuit, compiled: bool, line: bool, folding: int) -> list:
        """One circuit with its exact value, or one per group of words with measurements.

        Without measurements it is folded as it is compiled: with free angles the compiler takes long over a folded one.
        """
        from qiskit import transpile
        from qiskit.quantum_info import SparsePauliOp

        def inverse(what):
            back = transpile(what.inverse(), basis_gates=BASIS_GATES, optimization_level=0)
            back.global_phase = 0
            return back

        def ready(what):
            if not compiled:
                return transpile(what, optimization_level=0, seed_transpiler=0)
            place = coupling_map("line", circuit.num_qubits, circuit.num_qubits) if line else None
            found = transpile(
                what, basis_gates=BASIS_GATES, coupling_map=place, optimization_level=1, seed_transpiler=0
            )
            found.global_phase = 0  # of no effect; as a function of free angles Aer cannot bind it
            return found

        if self.shots is not None:
            whole = folded(circuit, circuit.inverse(), folding)
            return [ready(measured(whole, [self._terms[t][0] for t in group])) for group in self._groups]
        once = ready(circuit)
        found = folded(once, inverse(once) if compiled else once.inverse(), folding)
        terms = [(w, c * (1 - 2 * self._readout) ** (len(w) - w.count("I"))) for w, c in self._terms]
        operator = SparsePauliOp.from_list(terms)
        operator = operator if once.layout is None else operator.apply_layout(once.layout)
        found.save_expectation_value(operator, found.qubits, label="value")
        return [found]


def _parity(counts: dict[str, int], word: str) -> float:
    """Mean of the product of ±1 outcomes on the qubits of a word."""
    total = sum(
        n * (-1) ** sum(bit == "1" for bit, letter in zip(bits, word, strict=True) if letter != "I")
        for bits, n in counts.items()
    )
    return total / sum(counts.values())

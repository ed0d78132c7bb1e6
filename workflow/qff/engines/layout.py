"""A schedule as the arrays that the kernels read."""

from __future__ import annotations

import numpy as np

from qff.engines import kernels
from qff.engines.angles import Angles
from qff.engines.kernels import FIELDS
from qff.engines.program import Angle, Program, permutation
from qff.engines.schedule import Exchange, Phase, Schedule, Turn, bit, build_schedule, signs


class Layout:
    """Arrays and sizes of a program, and how its angles follow from θ and φ.

    Attributes:
        fixed: angles of the words that hold no data; a phase table of the circuit has one row for each amplitude.
        slots: angles that differ from frame to frame. vectors: three angles for each vector rotation.
        start: amplitudes of an encoded start state (none if it is fixed).
        sizes: length of every result for one frame.
    """

    def __init__(self, program: Program):
        self.n_parameters, self.dimension = program.n_parameters, 2**program.n_qubits
        schedule = build_schedule(program)
        self._collect(schedule)
        shape = (program.n_parameters, program.n_features)
        self.fixed = Angles([a for _, _, a in self._fixed_words], *shape)
        self.slots = Angles(self._slots, *shape)
        self.vectors = Angles([a for vector in self._vectors for a in vector], *shape)
        encoded = schedule.start if isinstance(schedule.start, list) else []
        self.start = Angles(encoded, *shape)
        self.fixed_start = None if encoded else np.repeat(interleaved(schedule.start), kernels.LANES)
        self.sizes = {
            "value": 1,
            "g_uniform": self.fixed.n,
            "g_slots": self.slots.n,
            "g_vectors": 4 * len(self._vectors),
            "g_start": 2 * self.dimension,
        }
        self._phases()
        self._write(schedule)

    def _collect(self, schedule: Schedule) -> None:
        """Steps with the numbers of their tables; equal data tables are shared."""
        self._steps: list[tuple[int, int, int, int]] = []
        self._constants: list[np.ndarray] = []  # one for each table of fixed phases
        self._fixed_words: list[tuple[int, int, Angle]] = []  # table, mask, angle
        self._tables: dict[tuple, int] = {}  # (constant, words) of each data table
        self._slots: list[Angle] = []
        self._vectors: list[tuple] = []
        self._dense: list[np.ndarray] = []
        for step in schedule.steps:
            if isinstance(step, Phase):
                self._steps.append((kernels.PHASE, *self._phase(step), step.hadamards))
            elif isinstance(step, Exchange):
                i, j = (bit(q, schedule.n_qubits) for q in step.wires)
                self._steps.append((kernels.EXCHANGE, self._slot(step.angle), i, j))
            elif isinstance(step, Turn):
                self._steps.append((kernels.VECTOR, self._vector(step.vector), bit(step.wire, schedule.n_qubits), 0))
            else:
                self._dense.append(step.matrix)
                self._steps.append((kernels.DENSE, len(self._dense) - 1, 0, 0))

    def _phase(self, step: Phase) -> tuple[int, int]:
        """Tables of a phase step: fixed, data; -1 for none."""
        data = tuple((mask, self._slot(a)) for mask, a in step.words if a.is_data)
        fixed = [(mask, a) for mask, a in step.words if not a.is_data]
        constant, row, table = step.constant, -1, -1
        if fixed or not data:
            row = len(self._constants)
            self._constants.append(constant)
            self._fixed_words += [(row, mask, a) for mask, a in fixed]
            constant = np.ones(self.dimension, dtype=complex)
        if data:
            table = self._tables.setdefault((constant.tobytes(), data), len(self._tables))
        return row, table

    def _slot(self, angle: Angle) -> int:
        for k, known in enumerate(self._slots):
            if known.same(angle):
                return k
        self._slots.append(angle)
        return len(self._slots) - 1

    def _vector(self, vector: tuple[Angle, ...]) -> int:
        for k, known in enumerate(self._vectors):
            if all(a.same(b) for a, b in zip(known, vector, strict=True)):
                return k
        self._vectors.append(vector)
        return len(self._vectors) - 1

    def _phases(self) -> None:
        """All fixed phases as one affine function of θ, and the lengths of their factors."""
        constants = np.array(self._constants, dtype=complex).reshape(-1, self.dimension)
        offset = np.angle(constants)
        slope = np.zeros((self.n_parameters, *constants.shape))
        for table, mask, angle in self._fixed_words:
            h = -0.5 * signs(mask, self.dimension)
            offset[table] += h * angle.constant
            slope[:, table] += angle.theta[:, None] * h
        self._phase_offset, self._phase_scale = offset.reshape(-1), np.abs(constants).reshape(-1)
        self._phase_slope = slope.reshape(self.n_parameters, offset.size)

    def fixed_phases(self, theta: np.ndarray) -> np.ndarray:
        """Cosines and sines, in turn, of the fixed phases for parameters (S, P): (S, 2 · tables · d)."""
        phases = theta @ self._phase_slope + self._phase_offset
        found = np.empty((*phases.shape, 2))
        np.multiply(np.cos(phases), self._phase_scale, out=found[..., 0])
        np.multiply(np.sin(phases), self._phase_scale, out=found[..., 1])
        return found.reshape(len(theta), -1)

    def _write(self, schedule: Schedule) -> None:
        """The constant fields of a kernel call."""
        words = [(k, mask, slot) for (_, data), k in self._tables.items() for mask, slot in data]
        constants = [interleaved(np.frombuffer(c, dtype=complex)) for c, _ in self._tables]
        dense = np.array(self._dense, dtype=complex).reshape(-1, self.dimension, self.dimension)
        terms = _terms(schedule.observable)
        self._arrays = {  # kept, since the kernels know their addresses
            "steps": np.array(self._steps, dtype=np.int64),
            "table_first": _offsets([k for k, *_ in words], len(constants)),
            "table_signs": np.array([signs(mask, self.dimension) for _, mask, _ in words]),
            "table_masks": np.array([mask for _, mask, _ in words], dtype=np.int64),
            "table_slots": np.array([slot for *_, slot in words], dtype=np.int64),
            "table_constants": np.array(constants),
            "dense_real": np.ascontiguousarray(dense.real),
            "dense_imaginary": np.ascontiguousarray(dense.imag),
            "term_masks": np.array([mask for mask, _ in terms], dtype=np.int64),
            "term_imaginary": np.array([imaginary for _, imaginary in terms], dtype=np.int64),
            "term_weights": np.array(list(terms.values())),
            "uniform_first": _offsets([k for k, *_ in self._fixed_words], len(self._constants)),
            "uniform_masks": np.array([mask for _, mask, _ in self._fixed_words], dtype=np.int64),
        }
        sizes = {
            "n_steps": len(self._steps),
            "dimension": self.dimension,
            "n_slots": self.slots.n,
            "n_vectors": len(self._vectors),
            "n_tables": len(constants),
            "n_terms": len(terms),
            "n_words": self.fixed.n,
        }
        self.fields = np.zeros(len(FIELDS), dtype=np.int64)
        for name, size in sizes.items():
            self.fields[FIELDS.index(name)] = size
        for name, array in self._arrays.items():
            self.fields[FIELDS.index(name)] = array.ctypes.data
        self.cost = len(self._steps) * self.dimension  # of one tile, in steps · amplitudes
        self.work_size = kernels.work_size(sizes["n_steps"], self.dimension, len(constants))


def interleaved(values: np.ndarray) -> np.ndarray:
    """Real and imaginary parts in turn."""
    return np.stack([values.real, values.imag], 1).reshape(-1)


def _offsets(tables: list[int], n_tables: int) -> np.ndarray:
    """First word of every table, and the end; words come in the order of their tables."""
    return np.searchsorted(np.array(tables, dtype=np.int64), np.arange(n_tables + 1))


def _terms(observable: list[tuple[str, float]]) -> dict[tuple[int, bool], np.ndarray]:
    """Sum of Pauli words as (mask, imaginary) → weights: (O ψ)_i = Σ w_i ψ_{i^mask}, times i if imaginary."""
    found: dict[tuple[int, bool], np.ndarray] = {}
    for word, coefficient in observable:
        source, phase = permutation(word)
        imaginary = bool(np.abs(phase.imag).max() > 0.5)
        weights = coefficient * (phase.imag if imaginary else phase.real)
        key = int(source[0]), imaginary
        found[key] = found.get(key, 0.0) + weights
    return found

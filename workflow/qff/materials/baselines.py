"""What a set gives away without a model: reference energies of its elements, the mean of each composition; and splits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols

from qff.errors import DataError
from qff.materials.frames import Frame

#: Blocks a set is cut into, and the part of the frames next to a test block that is left out.
N_BLOCKS = 10


@dataclass(frozen=True)
class ReferenceEnergies:
    """Energy of a cell that follows from its composition: Σ ε_s n_s, ε (S,) in eV per atom."""

    elements: tuple[int, ...]
    per_atom: np.ndarray

    def of(self, frames: list[Frame]) -> np.ndarray:
        """Reference energies (B,) of frames in eV.

        Raises:
            DataError: an element without a reference energy.
        """
        return counts(frames, self.elements) @ self.per_atom


def counts(frames: list[Frame], elements: tuple[int, ...]) -> np.ndarray:
    """Atoms (B, S) of each element.

    Raises:
        DataError: an element that is not among them.
    """
    for k, frame in enumerate(frames):
        if unknown := sorted(set(frame.numbers.tolist()) - set(elements)):
            raise DataError(
                f"frame {k} ({frame.composition}): atomic number {unknown[0]} is in no training frame; add frames with it "
                "to the training set, or remove this one"
            )
    return np.array([[(f.numbers == z).sum() for z in elements] for f in frames], float)


def fit_references(frames: list[Frame]) -> ReferenceEnergies:
    """Least squares of the energies of training frames on their numbers of atoms.

    Fewer independent compositions than elements leave ε undetermined: the smallest deviation from one energy for every
    atom is taken, so that a single composition gets its mean energy per atom.
    """
    elements = tuple(sorted({int(z) for f in frames for z in f.numbers}))
    n = counts(frames, elements)
    energies = np.array([f.energy for f in frames])
    mean = float(energies.sum() / n.sum())
    return ReferenceEnergies(elements, mean + np.linalg.lstsq(n, energies - mean * n.sum(1), rcond=1e-10)[0])


def composition_means(training: list[Frame], frames: list[Frame], references: ReferenceEnergies) -> np.ndarray:
    """Mean energy (B,) in eV of the training frames of the same composition; of a new one, its reference energy."""
    known: dict[str, list[float]] = {}
    for frame in training:
        known.setdefault(frame.composition, []).append(frame.energy)
    fallback = references.of(frames)
    return np.array(
        [
            np.mean(known[f.composition]) if f.composition in known else r
            for f, r in zip(frames, fallback, strict=True)
        ]
    )


def split_frames(
    n_frames: int, by: str, seed: int, n_train: int, n_validation: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Indices of training, validation and test frames.

    ``random``: any frames. ``blocks``: the set is cut into ten blocks of consecutive frames; those numbered ``seed`` and
    ``seed`` + 5 (modulo ten) are the test set, a tenth of a block on either side of them is used for nothing, and
    validation frames are the last ones of the rest. Neighbouring frames of a trajectory then do not lie on both sides.

    Raises:
        DataError: the set is too small.
    """
    if by == "random":
        order = rng.permutation(n_frames)
        validation, rest, test = np.split(order, [n_validation, n_validation + n_train])
    else:
        block = np.arange(n_frames) * N_BLOCKS // n_frames
        is_test = np.isin(block, [seed % N_BLOCKS, (seed + N_BLOCKS // 2) % N_BLOCKS])
        gap = max(1, n_frames // N_BLOCKS // 10)
        near = np.convolve(is_test, np.ones(2 * gap + 1), "same") > 0
        test, free = np.flatnonzero(is_test), np.flatnonzero(~near)
        validation, rest = free[len(free) - n_validation :], rng.permutation(free[: len(free) - n_validation])
        rest = rest[:n_train]
    if len(test) < 2 or len(validation) < n_validation or len(rest) < n_train:
        raise DataError(
            f"{n_frames} frames are too few for {n_train} training and {n_validation} validation frames beside a test set "
            f"by {by}; lower n_train or n_validation"
        )
    return {"train": np.sort(rest), "validation": np.sort(validation), "test": np.sort(test)}


def check_elements(frames: list[Frame], parts: dict[str, np.ndarray], where: str) -> None:
    """Make sure that training frames hold all elements of the other parts (indices of frames by name): no model knows more.

    Raises:
        DataError: names the frame by its place in the file.
    """
    known = {int(z) for k in parts["train"] for z in frames[k].numbers}
    for part, index in parts.items():
        for k in index:
            if unknown := sorted(set(frames[k].numbers.tolist()) - known):
                raise DataError(
                    f"{where}: frame {k} ({frames[k].composition}), for {part}, holds {chemical_symbols[unknown[0]]}, which no "
                    "training frame has; raise n_train, split by random frames, or import each material as a set of its own"
                )

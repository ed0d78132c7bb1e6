"""Negative control: labels dealt out anew among the frames, so that there is nothing to be learnt."""

from __future__ import annotations

import numpy as np

from qff.data import LabelledFrames

Split = dict[str, list[int]]


def permuted_labels(
    frames: LabelledFrames, splits: list[Split], n_train: int, rng: np.random.Generator
) -> tuple[LabelledFrames, list[Split]]:
    """The first ``n_train`` training frames and the validation frames of every split, each set with its labels permuted.

    Energy and forces of a frame move together and stay within their set: its mean energy and the size of its forces are
    what they were, only the geometry says nothing about them any more.

    Returns:
        frames of all splits, one after the other, and the parts train and validation of each split among them.
    """
    geometries, labels, found, count = [], [], [], 0
    for split in splits:
        parts = {}
        for name, index in (("train", split["train"][:n_train]), ("validation", split["validation"])):
            geometries += index
            labels += [index[k] for k in rng.permutation(len(index))]
            parts[name] = list(range(count, count + len(index)))
            count += len(index)
        found.append(parts)
    chosen = LabelledFrames(
        frames.symbols,
        frames.positions[geometries],
        frames.energies[labels],
        frames.forces[labels],
        [frames.info[k] for k in geometries],
    )
    return chosen, found

"""Random streams: one per place in the study, never a global generator."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(study_seed: int, *labels: str | int) -> np.random.Generator:
    """Independent stream of a place in the study, named by labels (stage, system, index ...)."""
    words = [int.from_bytes(hashlib.sha256(str(x).encode()).digest()[:4], "little") for x in labels]
    return np.random.default_rng(np.random.SeedSequence([study_seed, *words]))

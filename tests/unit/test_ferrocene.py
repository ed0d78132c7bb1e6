"""Ferrocene: its geometry, and the frozen rotation of a ring."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from qff.hybrid import ferrocene
from qff.provenance import file_digest

FROZEN = Path("results/published/reference/ferrocene.csv")


def test_distances_are_those_of_electron_diffraction():
    symbols, x = ferrocene.ferrocene(36.0)
    assert symbols.count("C") == symbols.count("H") == 10
    carbons, hydrogens = (x[[s == kind for s in symbols]] for kind in "CH")
    assert np.linalg.norm(carbons, axis=1) == pytest.approx([2.064] * 10)
    assert np.linalg.norm(carbons[0] - carbons[1]) == pytest.approx(1.440)
    assert np.linalg.norm(carbons - hydrogens, axis=1) == pytest.approx([1.104] * 10)


def test_a_turn_leads_from_eclipsed_to_staggered_and_back():
    def twist(turn):
        angles = [np.degrees(np.arctan2(p[1], p[0])) for p in ferrocene.ferrocene(turn)[1][[1, 11]]]
        return (angles[1] - angles[0]) % 72

    assert [twist(t) for t in (0.0, 36.0, 72.0)] == pytest.approx([0.0, 36.0, 0.0], abs=1e-9)


def test_the_frozen_barrier_is_near_the_measured_one():
    """0.9 ± 0.3 kcal/mol, eclipsed below staggered; energies rise all the way."""
    record = json.loads(FROZEN.with_suffix(".json").read_text())
    assert record["sha256"] == file_digest(FROZEN)
    table = pd.read_csv(FROZEN)
    assert (np.diff(table.energy_ev) > 0).all()
    assert ferrocene.barrier(table) == pytest.approx(0.9, abs=0.5)

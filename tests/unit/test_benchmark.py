"""The benchmark measures what it says."""

from dataclasses import replace

import numpy as np
import pytest
from qff.benchmark import document, labels, measure
from qff.benchmark.engines import prepare
from qff.benchmark.machine import work
from qff.benchmark.plot import linear_fit
from qff.benchmark.workloads import WORKLOADS
from qff.engines.compiled import CompiledProgram
from qff.engines.program import capture

SMALL = {"name": "kiss", "n_qubits": 2, "layers": 1}


@pytest.mark.parametrize("name", WORKLOADS)
def test_ours_and_pennylane_do_the_same_work(name):
    """On a few frames of every workload."""
    workload = replace(WORKLOADS[name], frames=2, members=min(WORKLOADS[name].members, 2))
    ours, theirs = (prepare(engine, workload) for engine in ("ours", "pennylane-torch"))
    assert ours[1] == theirs[1] == 1.0
    np.testing.assert_allclose(ours[0](), theirs[0](), rtol=1e-8, atol=1e-9)


def test_engines_take_turns_in_processes_of_their_own(monkeypatch):
    monkeypatch.setattr(measure, "ROUNDS", 2)
    monkeypatch.setattr(measure, "SECONDS_PER_TURN", 0.02)
    workload = replace(WORKLOADS["W6-h2o"], peers=("pennylane-torch",))
    ours, theirs = measure.compare(workload)
    assert (ours["engine"], theirs["engine"]) == ("ours", "pennylane-torch")
    assert ours["ratio_to_ours"] == 1.0
    assert theirs["ratio_to_ours"] == pytest.approx(theirs["median_ms"] / ours["median_ms"])
    assert theirs["check"] == pytest.approx(ours["check"], rel=1e-9)
    for row in (ours, theirs):
        assert 0 < row["min_ms"] <= row["median_ms"] <= row["max_ms"]
        assert row["first_call_ms"] > 0
        assert row["calls"] >= 2


def test_a_missing_peer_is_left_out(monkeypatch, caplog):
    monkeypatch.setattr(measure, "ROUNDS", 1)
    monkeypatch.setattr(measure, "SECONDS_PER_TURN", 0.01)
    rows = measure.compare(replace(WORKLOADS["W6-h2o"], peers=("no-such-engine",)))
    assert [row["engine"] for row in rows] == ["ours"]
    assert "no-such-engine" in caplog.text


def test_linear_fit_finds_the_line_and_the_deviation():
    n = np.array([1.0, 2, 5, 10])
    slope, offset, deviation = linear_fit(n, 3 + 0.5 * n)
    assert (slope, offset) == (pytest.approx(0.5), pytest.approx(3))
    assert deviation < 1e-12
    assert linear_fit(n, n**2)[2] > 0.1


def test_work_counts_a_circuit_by_hand():
    """RX, RX on |00⟩, then RY, RY, ZZ, RX, RX, readout: phases in the bases X, Y, Z, X with two gates between."""
    from qff.circuits import build_circuit

    layout = CompiledProgram(capture(build_circuit(**SMALL))).layout
    d, gates = 4, 2
    phases = [1, 1, 1, 1]  # tables of each phase
    apply = sum(6 * d * k for k in phases) + 3 * gates * 2 * d
    overlap = 3 * d + d * np.log2(d)
    assert work(layout)["evaluate"][0] == 2 * apply + 0.5 * 4 * overlap
    assert work(layout)["gradient"][0] == 4 * apply + 2 * 2 * 4 * d + 2 * 4 * overlap


def test_the_document_shows_the_published_measurements():
    assert document.document() == document.DOCUMENT.read_text(encoding="utf-8")


def test_labels_by_one_process_and_by_two(small_system):
    """A turn labels the same frames either way; what comes out is a share of a linear gain."""
    positions = np.array([[[0.0, 0, 0], [0, 0, r]] for r in (1.4, 1.6, 1.8)])
    found = labels.compare(small_system, positions, 2)
    assert (found["frames"], found["processes"]) == (3, 2)
    assert found["seconds_per_frame_several"] > 0
    assert found["efficiency"] > 0


def test_labels_of_an_unknown_system_are_refused(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["labels", "nonsense"])
    with pytest.raises(SystemExit):
        labels.main()
    assert "unknown system nonsense; with frozen labels: lih, h2o" in capsys.readouterr().err

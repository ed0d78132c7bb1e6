"""Whatever comes in: our own error or a checked value, never a crash and never a wrong verdict (make fuzz: more of it)."""

import json
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qff.claims import Estimate, Measure, combine, estimate, expand, verdict_of
from qff.config import Config, read_yaml, validate, with_types
from qff.data import LabelledFrames, read_frames, write_frames
from qff.errors import ConfigError, DataError, QffError
from qff.records import Record, read_record

EXAMPLES = int(os.environ.get("QFF_FUZZ_EXAMPLES", "20"))
many = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), derandomize=EXAMPLES <= 20)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from([*Config.model_fields, *Config.model_fields["training"].annotation.model_fields])
FRAMES = LabelledFrames(
    ["Li", "H"],
    np.arange(12.0).reshape(2, 2, 3),
    np.array([-1.0, -2.0]),
    np.ones((2, 2, 3)),
    [{"frame": 0}, {"frame": 1}],
)


@many
@given(st.dictionaries(keys, trees | st.dictionaries(keys, trees, max_size=3), max_size=6))
def test_any_configuration_is_valid_or_refused_by_name(content):
    whole = {"profile": "p", "seed": 1, "seeds": 2, "systems": ["lih"], "models": ["qnn"]} | content
    try:
        assert isinstance(validate(Config, with_types(whole), "config"), Config)
    except ConfigError as error:
        assert str(error).startswith("config: ")


@many
@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_file_is_yaml_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("yaml") / "config.yaml"
    path.write_bytes(data)
    try:
        read_yaml(path)
    except ConfigError as error:
        assert str(path) in str(error)


@many
@given(cut=st.integers(0, 10_000), place=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_any_damage_to_labels_is_noticed_or_leaves_whole_frames(tmp_path_factory, cut, place, byte):
    path = tmp_path_factory.mktemp("labels") / "labels.extxyz"
    write_frames(path, FRAMES)
    content = bytearray(path.read_bytes())
    content[place % len(content)] = byte
    path.write_bytes(content[: max(1, cut % (2 * len(content)))])
    try:
        frames = read_frames(path, FRAMES.symbols)
    except DataError as error:
        assert str(path) in str(error)
    else:
        assert frames.positions.shape == frames.forces.shape == (len(frames), 2, 3)
        assert np.isfinite(frames.forces).all()


@many
@given(content=st.dictionaries(st.sampled_from(["schema", "stage", "profile", "started", "inputs", "runs"]), trees))
def test_any_record_is_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("record") / "run.json"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError):
        read_record(path)
    path.write_text(
        json.dumps({"schema": "qff.run/1", "stage": "s", "profile": "p", "started": "", "inputs": {}, "runs": []})
    )
    assert read_record(path).content["runs"] == []


@many
@given(name=st.text(alphabet="./\\ab\x00", max_size=12) | st.just("../../etc/passwd"))
def test_no_name_of_an_artifact_leaves_its_folder(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("run") / "a"
    folder.mkdir()
    (folder / "b").write_text("inside")
    (folder.parent / "b").write_text("outside")
    try:
        found = Record(folder / "run.json", {}).file(name)
    except (QffError, ValueError):  # ValueError: a zero byte is no name
        return
    assert found.read_text() == "inside"


@many
@given(st.tuples(numbers, numbers, numbers).map(sorted), st.none() | numbers, st.none() | numbers, st.integers(2, 20))
def test_a_verdict_says_where_the_interval_lies(ends, low, high, n_seeds):
    if low is None and high is None:
        return
    if low is not None and high is not None and low > high:
        low, high = high, low
    measure = Measure(label="x", quantity="q", model="qnn", at_least=low, at_most=high)
    found = Estimate(ends[1], ends[0], ends[2], n_seeds)
    inside = [measure.contains(x) for x in ends]
    verdict = verdict_of(measure, found)
    assert (verdict == "reproduced") == all(inside)
    assert (verdict == "reproduced_with_deviation") == (inside[1] and not all(inside))
    wholly_outside = (high is not None and ends[0] > high) or (low is not None and ends[2] < low)
    assert (verdict == "not_reproduced") == wholly_outside
    assert verdict_of(measure, None) == "not_tested"


@many
@given(
    st.lists(
        st.sampled_from(["reproduced", "reproduced_with_deviation", "not_reproduced", "inconclusive", "not_tested"]),
        min_size=1,
    )
)
def test_a_claim_is_never_better_than_its_measures(verdicts):
    found = combine(verdicts)
    assert found in verdicts
    assert (found == "reproduced") == (set(verdicts) == {"reproduced"})
    assert combine(verdicts[::-1]) == found


@many
@given(st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=20), st.floats(0.01, 100))
def test_an_interval_holds_its_estimate_and_follows_the_unit(values, factor):
    for logarithmic in (False, True):
        found = estimate(np.array(values), logarithmic)
        slack = 1e-9 * max(values)
        assert found.low - slack <= found.value <= found.high + slack
        assert estimate(factor * np.array(values), logarithmic).value == pytest.approx(factor * found.value)


@many
@given(
    st.dictionaries(
        st.sampled_from(["model", "split"]),
        st.dictionaries(st.text("ab", min_size=1), st.text("xy"), min_size=1),
        min_size=1,
    )
)
def test_each_stands_for_every_combination(each):
    label = " ".join(f"{{{key}}}" for key in each)
    found = expand([{"label": label, "each": each, "quantity": "q"}])
    assert len(found) == np.prod([len(words) for words in each.values()])
    assert len({tuple(m[key] for key in each) for m in found}) == len(found)
    assert all("each" not in m and m["quantity"] == "q" for m in found)

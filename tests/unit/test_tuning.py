"""Validation errors of models over one of their settings."""

import numpy as np
import pandas as pd
import pytest
from qff import tuning
from qff.config import TrainingConfig
from qff.errors import ConfigError


@pytest.fixture
def short(study, monkeypatch):
    """The study, with ten steps of training."""
    options = TrainingConfig(optimiser="levenberg_marquardt", steps=10)
    monkeypatch.setattr(type(study), "training_of", lambda self, model, **changes: options)
    return study


def test_every_model_has_the_same_trials(short):
    found = tuning.trials(short, "lih", ["qnn", "nn_biased"], "output_range", [0.2, 0.9], seeds=2, stream=1)
    assert list(found.columns) == tuning.COLUMNS
    assert len(found) == 2 * 2 * 2
    assert found.groupby(["model", "value"]).size().eq(2).all()
    assert np.isfinite(found.validation_mev).all()
    by = found[found.model == "qnn"].groupby("value").validation_mev.median()
    assert by[0.2] < by[0.9]  # a bounded output needs headroom (docs/choices.md)
    again = tuning.trials(short, "lih", ["qnn"], "output_range", [0.2], seeds=2, stream=1)
    expected = found[(found.model == "qnn") & (found.value == 0.2)].validation_mev
    np.testing.assert_allclose(again.validation_mev, expected, rtol=1e-6)


def test_the_table_marks_the_smallest():
    rows = pd.DataFrame(
        [["h2o", m, "x", v, s, e + s] for (m, v, e) in (("b", 1, 5.0), ("b", 2, 3.0), ("a", 1, 1.0), ("a", 2, 2.0)) for s in range(3)],
        columns=tuning.COLUMNS,
    )  # fmt: skip
    assert tuning.table(rows).splitlines() == [
        "| x | 1 | 2 |",
        "|---|---|---|",
        "| b | 6 | **4** |",
        "| a | **2** | 3 |",
    ]


@pytest.mark.parametrize(
    ("system", "model", "setting", "message"),
    [
        ("gold", "qnn", "output_range", "'gold': no system of config/systems.yaml with frozen labels"),
        (
            "lih",
            "qn",
            "output_range",
            "'qn': no model of config/models.yaml with settings for lih: did you mean 'qnn'?",
        ),
        ("lih", "nn", "output_rang", "output_rang"),
    ],
)
def test_mistakes_are_named(short, system, model, setting, message):
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        tuning.trials(short, system, [model], setting, [0.2], seeds=1, stream=1)

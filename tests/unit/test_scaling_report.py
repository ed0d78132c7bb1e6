"""What the report and the figure say about learning curves."""

import numpy as np
import pandas as pd
import pytest
from qff.anchors import anchor_rows
from qff.figures import style
from qff.figures.scaling import exponent_words, learning_curves_figure
from qff.metrics import METRIC_COLUMNS
from qff.report.scaling import reading, scaling_tables
from qff.stages.fits import EXPONENTS, laws

LABELS = {"qnn": "QNN", "nn": "NN", "mean_predictor": "mean"}
ANCHOR = [
    {"model": "mace", "label": "MACE", "n_train": n, "energy_mae": e, "force_mae": f}
    for n, e, f in ((50, 6.7, 0.0326), (1000, 0.4, 0.0021))
]


@pytest.fixture(scope="module")
def numbers():
    """A QNN that falls, a network that does not, and doing nothing; as the report reads the table."""
    rows = []
    for model, exponent, part in (("qnn", 0.5, 0.1), ("nn", 0.0, 0.9), ("mean_predictor", 0.0, 1.0)):
        for n in (10, 40, 160, 640):
            for seed in range(2):
                for quantity in EXPONENTS:
                    value = (1 + 0.01 * seed) * n**-exponent
                    rows.append(("ethanol", model, "learning_curve", n, seed, "test", quantity, "u", value))
                    rows.append(("ethanol", model, "learning_curve", n, seed, "train", quantity, "u", part * value))
    rows += [
        ("ethanol", "nn", "permuted_labels", 640, s, "test", q, "u", 1.02 * (1 + 0.01 * s))
        for s in range(2)
        for q in EXPONENTS
    ]
    rows += [("ethanol", "qnn", "tenfold_steps", 640, s, "test", "force_mae", "u", 0.5 + 0.1 * s) for s in range(2)]
    rows += [("ethanol", "qnn", "transfer_unseen", 40, s, "test", "force_skill", "1", 0.7) for s in range(2)]
    own = pd.DataFrame(rows, columns=METRIC_COLUMNS)
    fits = pd.DataFrame(
        [
            {"system": "ethanol", "model": model, "quantity": q, **law}
            for model in ("qnn", "nn")
            for q in EXPONENTS
            for law in laws(own[own.model == model].assign(fold=0), q, np.random.default_rng(0))
        ]
    )
    published = pd.DataFrame(anchor_rows(ANCHOR, "ethanol"), columns=METRIC_COLUMNS)
    return pd.concat([own.astype(object), published.astype(object)], ignore_index=True), fits


@pytest.mark.parametrize(
    ("low", "high", "shift", "words"),
    [
        (-0.1, 0.09, 0.0, "none"), (0.21, 0.5, 0.0, "scaling"), (0.05, 0.15, 0.0, "open"), (0.12, 0.5, 0.0, "open"),
        (0.05, 0.12, 0.05, "none"), (0.16, 0.5, -0.05, "scaling"), (-np.inf, np.inf, 0.0, "open"),
    ],
)  # fmt: skip
def test_readings_of_an_interval(low, high, shift, words):
    assert reading(low, high, shift) == words


def test_tables_of_the_report(numbers):
    exponents, ends, longer, published, control, transfer = scaling_tables(*numbers, LABELS, "here")
    by_model = {(row[0], row[1]): row for row in exponents.rows}
    assert len(by_model) == 2 * len(EXPONENTS)
    assert by_model["QNN", "force MAE (eV/Å)"][2].startswith("0.500")
    assert by_model["QNN", "force MAE (eV/Å)"][-2:] == ["scaling", "data"]
    assert by_model["NN", "force MAE (eV/Å)"][-2:] == ["none", "capacity or optimiser"]
    assert by_model["NN", "force MAE (eV/Å)"][3] == "–"  # no size at which data limit it
    assert [row[:2] for row in ends.rows] == [[m, n] for m in ("QNN", "NN", "mean") for n in ("10", "640")]
    ((*_, steps, _, _, error, _),) = longer.rows
    assert (steps, error.split()[0]) == ("10", "0.550")
    assert [row[:2] for row in published.rows] == [["mace", "50"], ["mace", "1000"]]
    assert published.rows[0][-1] == "0.915"
    assert "not computed here" in published.note
    assert [row[:2] for row in control.rows] == [["NN", "640"]]
    assert control.rows[0][2].startswith("1.02")
    assert [row[:3] for row in transfer.rows] == [["QNN", "never seen", "40"]]
    assert transfer.rows[0][4].startswith("0.7")


def test_without_numbers_there_are_no_tables():
    nothing = pd.DataFrame(columns=METRIC_COLUMNS)
    assert not any(t.rows for t in scaling_tables(nothing, pd.DataFrame(), LABELS, "here"))


def test_the_figure_shows_models_doing_nothing_and_published_points(numbers):
    metrics, fits = numbers
    metrics = metrics.assign(
        n_train=pd.to_numeric(metrics.n_train), value=metrics.value.astype(float), seed=pd.to_numeric(metrics.seed)
    )
    figure = learning_curves_figure(metrics, fits, style.looks(LABELS), {"mace": "MACE", "gap": "GAP"})
    words = [t.get_text() for a in figure.axes if a.get_legend() for t in a.get_legend().get_texts()]
    assert words[0].startswith("QNN:   E 0.50 [0.50, 0.50]")
    assert not any(w.startswith("mean:") for w in words)
    assert "mean energy, no force" in words
    assert "MACE" in words
    assert "GAP" not in words  # not known for this system
    energy = figure.axes[0]
    heights = [line.get_ydata() for line in energy.lines]
    assert any(len(y) == 2 and y[0] == 6.7 and y[1] == 0.4 for y in heights)
    without = learning_curves_figure(
        metrics[metrics.variant != "published"], fits, style.looks(LABELS), {"mace": "MACE"}
    )
    assert len(without.axes) == len(figure.axes) - 1


def test_a_floor_is_named_where_it_is_preferred():
    row = {
        "model": "qnn",
        "quantity": "force_mae",
        "range": "all",
        "exponent": 0.3,
        "exponent_low": -0.01,
        "exponent_high": np.inf,
    }
    fits = pd.DataFrame([{**row, "law": "floor", "floor": 0.0123}])
    assert exponent_words(fits, "qnn", "force_mae") == "0.30 [−0.01, ∞], floor 0.0123"
    assert exponent_words(fits.assign(law="power"), "qnn", "force_mae") == "0.30 [−0.01, ∞]"
    assert exponent_words(fits, "nn", "force_mae") == "–"


def test_no_colour_is_used_twice_among_24_models():
    found = style.looks({f"m{k}": "m" for k in range(72)})
    looks = list(found.values())
    assert len({x.colour for x in looks[:24]}) == 24
    assert len({(x.colour, x.marker) for x in looks}) == 72
    assert [x.colour for x in looks[: len(style.PALETTE)]] == list(style.PALETTE)

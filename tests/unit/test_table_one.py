"""What the study says of the architecture draft: claims, records, the section of the report."""

import pandas as pd
import pytest
from qff.claims import judge, load_claims
from qff.config import load_study, read_yaml, validate
from qff.figures import style
from qff.figures.hybrid import table_one_figure, vqe_figure
from qff.hybrid.table_one import COLUMNS, Cells, of_records
from qff.hybrid.timing import advantage
from qff.metrics import METRIC_COLUMNS, metric_rows, metric_table
from qff.report.hybrid import hybrid_words_and_tables

STUDY = load_study(read_yaml("config/config.yaml"))
CLAIMS = {k: c for k, c in load_claims("config/claims.yaml").items() if k.startswith("draft.")}


def test_claims_on_the_draft_refer_to_what_is_measured():
    methods = {"amber", "b3lyp", "behler_parrinello"}
    models = {*STUDY.config.hybrid.models, *methods, "vqe"}
    quantities = {
        "energy_rmse", "force_rmse", "casci_error_max", "correlation_energy_max", "time_exponent_below_ccsd_t",
        "binding_energy_error",
        "interaction_deviation",
    }  # fmt: skip
    assert len(CLAIMS) == 10
    for name, claim in CLAIMS.items():
        assert claim.system in {*STUDY.systems, "dyad"}, name
        for m in claim.measures:
            assert {m.model, m.against} <= {None, *models}, name
            assert m.quantity in quantities, name
            assert m.variant in {"", "table_one", "wall_time"}, name


def numbers(rows) -> pd.DataFrame:
    """(system, model, quantity, variant, seed, value) as the table that claims read."""
    found = []
    for system, model, quantity, variant, seed, value in rows:
        split = "test" if quantity.endswith("rmse") else ""
        labels = {"system": system, "model": model, "variant": variant, "seed": seed, "split": split}
        found += metric_rows({quantity: ("1", value)}, **labels)
    return metric_table(found)


def verdict(claim: str, rows) -> str:
    return judge(CLAIMS, numbers(rows), "test").groupby("claim_id").verdict.first()[claim]


def ablations(factor: float):
    noise = (0.99, 1.0, 1.01)
    models = {"hybrid": 1.0, "hybrid_no_circuit": factor, "hybrid_classical": factor, "hybrid_random": factor}
    return [
        ("h2o", m, q, "", k, v * noise[(k + len(m)) % 3])
        for m, v in models.items() for q in ("energy_rmse", "force_rmse") for k in range(3)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("factor", "expected"), [(2.0, "reproduced"), (0.8, "not_reproduced"), (1.0, "not_reproduced")]
)
def test_a_circuit_that_changes_nothing_does_not_help(factor, expected):
    assert verdict("draft.circuit_helps", ablations(factor)) == expected


def test_vqe_must_find_correlation_and_all_of_it():
    def rows(error, correlation):
        found = {"casci_error_max": error, "correlation_energy_max": correlation}
        return [("lih", "vqe", q, f"{end}", "", v) for q, v in found.items() for end in ("", "_low", "_high")]

    assert verdict("draft.vqe", rows(1e-8, 0.02)) == "reproduced"
    assert verdict("draft.vqe", rows(1e-4, 0.02)) == "not_reproduced"
    assert verdict("draft.vqe", rows(1e-8, 0.0)) == "not_reproduced"


def test_scaling_is_judged_by_the_interval_of_the_difference():
    assert advantage((2.0, 1.8, 2.2), (5.0, 4.0, 6.0)) == pytest.approx((3.0, 1.8, 4.2))

    def rows(*ends):
        variants = ("wall_time", "wall_time_low", "wall_time_high")
        return [
            ("h2o", "hybrid", "time_exponent_below_ccsd_t", v, "", e) for v, e in zip(variants, ends, strict=True)
        ]

    assert verdict("draft.scaling", rows(3.0, 1.8, 4.2)) == "reproduced"
    assert verdict("draft.scaling", rows(1.0, -0.5, 2.5)) == "inconclusive"
    assert verdict("draft.scaling", rows(-2.0, -3.0, -1.0)) == "not_reproduced"


def test_frozen_records_are_numbers_with_intervals():
    record = {"energy_rmse": [1.2, 1.1, 1.4], "force_rmse": [1.5, 1.4, 1.6], "n_frames": 20, "note": "B3LYP/cc-pVTZ"}
    cells = validate(
        Cells,
        {
            "methods": {"b3lyp": "B3LYP"},
            "printed": {},
            "rows": {"e": {"label": "e", "system": "ethanol_ccsdt", "records": {"b3lyp": record}}},
        },
        "cells",
    )
    rows = of_records(cells, metric_table([]))
    assert list(rows.columns) == METRIC_COLUMNS
    table = judge(CLAIMS, rows, "test").set_index("claim_id").loc["draft.table_one.b3lyp"]
    assert table.ours.tolist() == [1.2, 1.5]
    assert table.ci_low.tolist() == [1.1, 1.4]
    assert set(table.verdict) == {"reproduced"}


def test_numbers_of_the_study_replace_the_record(tmp_path):
    """Of the network, which is trained; the record of B3LYP stays."""
    record = {"energy_rmse": [1.2, 1.1, 1.4], "force_rmse": [1.5, 1.4, 1.6], "n_frames": 20, "note": "n"}
    row = {"label": "e", "system": "ethane", "records": dict.fromkeys(("b3lyp", "behler_parrinello"), record)}
    cells = validate(Cells, {"methods": {}, "printed": {}, "rows": {"e": row}}, "cells")
    trained = numbers([("ethane", "behler_parrinello", "energy_rmse", "", k, 1.0) for k in range(3)])
    assert set(of_records(cells, metric_table([])).model) == {"b3lyp", "behler_parrinello"}
    assert set(of_records(cells, trained).model) == {"b3lyp"}


def test_the_order_is_judged_from_records_alone():
    """Ends farthest apart: the hybrid overlaps the network, the network does not overlap B3LYP."""
    ends = {
        "amber": (3, 2, 4),
        "b3lyp": (1.2, 1.1, 1.4),
        "behler_parrinello": (0.5, 0.4, 0.6),
        "hybrid": (0.3, 0.2, 0.45),
    }
    rows = [
        ("ethane", m, q, f"table_one{end}", "", v)
        for m, values in ends.items() for q in ("energy_rmse", "force_rmse")
        for end, v in zip(("", "_low", "_high"), values, strict=True)
    ]  # fmt: skip
    table = judge(CLAIMS, numbers(rows), "test").set_index("claim_id").loc["draft.order"]
    assert table.measure_verdict.tolist() == ["inconclusive", "inconclusive", "reproduced", "reproduced"]


def test_the_printed_numbers_are_those_of_the_claims():
    printed = validate(Cells, read_yaml("config/table_one.yaml"), "cells").printed
    names = {"amber": "amber", "b3lyp": "b3lyp", "behler_parrinello": "network", "hybrid": "hybrid"}
    for method, found in printed.items():
        energy, force = found.values()
        assert CLAIMS[f"draft.table_one.{names[method]}"].published.startswith(
            f"{energy} kcal/mol, {force} kcal/mol/Å"
        )
        first, second = CLAIMS[f"draft.table_one.{names[method]}"].measures
        assert (first.at_least, first.at_most) == pytest.approx((energy / 2, 2 * energy))
        assert (second.at_least, second.at_most) == pytest.approx((force / 2, 2 * force))


def test_figures(tmp_path):
    """A row with a number, one without, and what the draft prints; VQE that is below CASCI by rounding."""
    cells = pd.DataFrame(
        [
            ["e", m, q, "u", v, v, v, 3, None]
            for m, v in (("amber", None), ("b3lyp", 1.0))
            for q in ("energy_rmse", "force_rmse")
        ],
        columns=COLUMNS,
    )
    printed = {m: {"energy_rmse": 2.0, "force_rmse": 3.0} for m in ("amber", "b3lyp")}
    figure = table_one_figure(cells, {"amber": "AMBER", "b3lyp": "B3LYP"}, printed, "ethane")
    axis = figure.axes[0]
    drawn = sorted(float(x) for line in axis.lines for x in line.get_xdata() if line.get_marker() in ("o", "D"))
    assert drawn == [1.0, 2.0, 2.0]
    style.save(figure, str(tmp_path / "a.svg"), str(tmp_path / "a.png"))
    scan = pd.DataFrame(
        {"distance_ang": [1.0, 2.0], "casci_hartree": [-8.0, -7.9], "casci_error_hartree": [-1e-16, 1e-9]}
    )
    scan = scan.assign(hartree_fock_hartree=scan.casci_hartree + 0.02, vqe_hartree=scan.casci_hartree)
    style.save(vqe_figure(scan), str(tmp_path / "b.svg"), str(tmp_path / "b.png"))
    assert (tmp_path / "b.svg").stat().st_size > 5000


def test_the_section_of_the_report(tmp_path):
    assert hybrid_words_and_tables(pd.DataFrame(), tmp_path, {}) == ([], [])
    pd.DataFrame(
        [
            ["ethane", "hybrid", "energy_rmse", "kcal/mol", 0.3, 0.2, 0.4, 5, None],
            ["ethane", "hybrid", "force_rmse", "kcal/mol/Ang", 0.5, 0.4, 0.6, 5, None],
            ["ethane", "amber", "energy_rmse", "kcal/mol", None, None, None, None, "no parameters"],
            ["ethane", "amber", "force_rmse", "kcal/mol/Ang", None, None, None, None, "no parameters"],
        ],
        columns=COLUMNS,
    ).to_csv(tmp_path / "table_one.csv", index=False)
    (tmp_path / "timing").mkdir()
    times = pd.DataFrame({"method": "hybrid", "atoms": [3, 6], "seconds": [0.01, 0.04]})
    times.to_csv(tmp_path / "timing/timing.csv", index=False)
    metrics = numbers(
        [
            ("h2o", "hybrid", "time_exponent", f"wall_time{e}", "", v)
            for e, v in (("", 2.0), ("_low", 1.5), ("_high", 2.5))
        ]
    )
    words, tables = hybrid_words_and_tables(metrics, tmp_path, {"hybrid": "hybrid"})
    assert words
    cells = tables[0].rows
    assert cells[0][2] == "0.300\n[0.200, 0.400]"
    assert cells[1][2:] == ["–", "–", "no parameters"]
    assert tables[-1].rows[0][1:] == ["3: 0.0100, 6: 0.0400", "2\n[1.50, 2.50]"]

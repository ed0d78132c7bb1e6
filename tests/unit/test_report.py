"""The report, from small real tables."""

import base64
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import qff.report
import yaml
from finished_study import (
    CLAIMS,
    LABELS,
    SHOWN,
    VERDICT_OF,
    config,
    report_of,
    study_folder,
    table_of_numbers,
)
from qff.claims import VERDICTS
from qff.errors import DataError
from qff.figures import dynamics, style
from qff.figures.training import optimisers_figure
from qff.metrics import metric_rows, metric_table
from qff.report.build import Study, build, cite
from qff.report.errors import errors_table, how_trained, other_sets_table
from qff.report.numbers import interval, median_range, number
from qff.report.published import config_changes, differences, labels_of_materials, number_changes, read_numbers
from qff.report.reference import reference_tables
from qff.report.tables import capacity_table
from qff.report.words import answer, decisive, paper


def test_every_claim_is_there_with_its_verdict(results, tmp_path):
    html = report_of(results, tmp_path / "none")
    blocks = {m[1]: m[2] for m in re.finditer(r'<tbody id="claim-([\w.]+)">(.*?)</tbody>', html, re.DOTALL)}
    assert blocks.keys() == CLAIMS.keys()
    for claim, verdict in VERDICT_OF.items():
        badge = re.search(r'<span class="badge (\w+)">(.*?)</span>', blocks[claim])
        assert badge[1] == verdict
        assert verdict.replace("_", " ") in badge[2]
    assert 'href="#fig-errors_lih"' in blocks["kiss.lih.energy"]
    assert "#fig-" not in blocks["kiss.lih.better"]  # its figure does not exist
    assert 'id="fig-errors_lih"' in html
    assert html.index('id="claims"') < html.index('id="training"') < html.index('id="provenance"')


def test_text_is_escaped(results, tmp_path):
    (results / "choices.md").write_text(
        "# Title\n\n## Why\n\n<script>x</script> and ![p](http://a.b/c.png)\n", encoding="utf-8"
    )
    html = report_of(results, tmp_path / "none")
    assert not re.findall(r"<script[^>]*>(?:x|alert)", html)
    assert "<b>bold" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "E(r) &amp; F &lt; 0" in html
    assert "&lt;angle brackets&gt;" in html
    assert "<h3>Why</h3>" in html


def test_nothing_is_loaded_from_a_network(results, tmp_path):
    (results / "choices.md").write_text("![p](http://a.b/c.png) [text](https://a.b)\n", encoding="utf-8")
    html = report_of(results, tmp_path / "none")
    assert not re.findall(r'(?:src|poster|data|srcset)\s*=\s*"(?!data:)', html)
    assert not re.findall(r"<(?:link|iframe|object|embed)\b|@import|url\(", html)
    assert re.findall(r"<script[^>]*>", html) == ['<script type="application/json" id="data">', "<script>"]
    hrefs = re.findall(r'<(\w+)[^>]*\shref="([^"#][^"]*)"', html)
    assert {tag for tag, _ in hrefs} == {"a"}  # plain links a reader may follow
    assert ("a", "https://doi.org/10.1088/2632-2153/ac7d3c") in hrefs


def test_the_page_may_run_its_own_script_and_load_nothing(results, tmp_path):
    html = report_of(results, tmp_path / "none")
    allowed = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1].replace("&#39;", "'")
    assert allowed.startswith("default-src 'none'; img-src data:;")
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert allowed.endswith(f"script-src 'sha256-{digest}'")


def test_claims_are_listed_and_grouped_by_paper(results, tmp_path):
    html = report_of(results, tmp_path / "none")
    overview = re.search(r'<table id="overview".*?</table>', html, re.DOTALL)[0]
    listed = re.findall(r'<tr data-verdict="(\w+)">.*?href="#claim-([\w.]+)"', overview)
    assert {claim: verdict for verdict, claim in listed} == VERDICT_OF
    assert "Claims that hold, with or without deviation: LiH 1 of 2." in html
    section = re.search(r'<section id="paper-kiss-et-al-2022".*?</section>', html, re.DOTALL)[0]
    assert set(re.findall(r'<tbody id="claim-([\w.]+)">', section)) == set(CLAIMS)
    assert "3 claims: 1 reproduced, 1 not reproduced, 1 not tested." in section
    assert paper("question of this study: is there one?") == paper("controls of this study") == "This study"


def test_scripts_get_every_seed_and_every_geometry(results, tmp_path):
    labels = results / "reference/lih/labels.extxyz"
    frames = [
        f"2\nProperties=species:S:1:pos:R:3 REF_energy={e}\nLi 0.0 0.0 0.0\nH 0.0 0.0 {r}"
        for e, r in ((-1.0, 1.6), (-3.0, 1.5))
    ]
    labels.write_text("\n".join([*frames, ""]), encoding="utf-8")
    path = results / "dynamics/lih/qnn/trajectory.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "time_fs,distance_ang,total_energy_ev,seed\n0,1.5,0,0\n0.25,1.625,0,0\n0,1.7,0,1\n", encoding="utf-8"
    )
    html = report_of(results, tmp_path / "none")
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1]
    assert "<" not in text
    data = json.loads(text)
    energies = next(d for d in data["numbers"] if "energy RMSE" in d["quantity"])
    assert energies["models"][0] == {"label": "QNN", "values": [0.9, 1.0, 1.1]}
    assert energies["models"][1]["label"] == "NN <b>bold</b>"
    still, moving = data["movies"]
    assert still["symbols"] == moving["symbols"] == ["Li", "H"]
    assert still["frames"] == [[0, 0, 0, 0, 0, 1500], [0, 0, 0, 0, 0, 1600]]  # lowest first
    assert still["labels"][1] == "2.000 eV above the lowest frame"
    assert moving["frames"] == [[0, 0, 0, 1500, 0, 0], [0, 0, 0, 1625, 0, 0]]
    assert moving["labels"] == ["0 fs", "0.25 fs"]


def test_text_has_contrast():
    """WCAG 2 AA: 4.5 to 1 for every colour of text on its background."""
    css = (Path(qff.report.__file__).parent / "style.css").read_text(encoding="utf-8")
    names = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", css))

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    pairs = [(names[n], b) for n in ("ink", "soft", "link") for b in ("#ffffff", names["pale"])]
    pairs += re.findall(r"\.badge\.\w+ { color: (#\w+); background: (#\w+); }", css)
    assert len(pairs) == 6 + len(VERDICTS)
    for text, ground in pairs:
        light, dark = sorted((luminance(text), luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


def test_cost_and_provenance(results, tmp_path):
    html = report_of(results, tmp_path / "none")
    assert re.search(r"train_model</th>\s*<td[^>]*>1</td>\s*<td[^>]*>12.5</td>", html)
    assert "0123456789abcdef" in html
    assert "/home/someone" not in html
    assert yaml.safe_load((results / "config.yaml").read_text(encoding="utf-8")) == config()


def test_an_incomplete_study_is_refused(results, tmp_path):
    (results / "metrics.csv").unlink()
    with pytest.raises(DataError, match="no complete study"):
        build(Study(config(), {"lih": "LiH"}, LABELS, SHOWN), results, tmp_path / "none")


def test_no_record_and_identical_record_are_said(results, published, tmp_path):
    assert "There is no published record" in report_of(results, tmp_path / "none")
    html = report_of(results, published)
    assert "No verdict changed." in html
    assert "medians are identical to the published ones." in html


def test_changed_verdicts_and_outlying_numbers_are_flagged(published, tmp_path):
    results = study_folder(tmp_path / "again/study", scale=100.0)
    html = report_of(results, published, seeds=4)
    assert "seeds: 3 → 4" in html
    assert "1 of 3 verdicts changed." in html  # kiss.lih.energy; the others stay as they were
    changed = re.findall(r'<tr class="marked">(.*?)</tr>', html, re.DOTALL)
    assert len(changed) == 1
    assert "kiss.lih.energy" in changed[0]
    claims, metrics = pd.read_csv(results / "claims.csv"), read_numbers(results / "metrics.csv")
    found = differences(published, claims, metrics, config())
    assert found.changed_verdicts == 1
    assert found.outside == 8  # four errors of the QNN, two splits
    rows = found.folded[0].rows
    assert all(row[1] == "qnn" and row[-1] == "no: outside" and row[-2] == "100" for row in rows)


def overlay_of(published: Path, claims: pd.DataFrame) -> Path:
    """Record of an overlay that tests what the study leaves untested: its one claim on H2O."""
    claims = claims[claims.verdict == "not_tested"].assign(measure_verdict="inconclusive", verdict="inconclusive")
    claims = claims.assign(ours=7.5, ci_low=6.0, ci_high=9.0, n_seeds=2)
    assert claims.claim_id.nunique() == 1
    overlay = published / "ablations"
    (overlay / "figures").mkdir(parents=True)
    (overlay / "figures/errors_h2o.svg").write_text("<svg/>", encoding="utf-8")
    claims.to_csv(overlay / "claims.csv", index=False)
    return overlay


def check_claim_of_overlay(html: str):
    """The claim on H2O with the verdict of the overlay, its name, figure and command, wherever it is shown."""
    row = re.search(r'<tr data-verdict="(\w+)"><th scope="row"><a href="#claim-kiss.h2o.energy">.*?</tr>', html)
    assert row[1] == "inconclusive"
    assert "7.50 [6, 9]" in row[0]
    assert "published run of config/ablations.yaml" in row[0]
    block = re.search(r'<tbody id="claim-kiss.h2o.energy">.*?</tbody>', html, re.DOTALL)[0]
    assert "published run of config/ablations.yaml" in block
    assert 'href="#fig-ablations-errors_h2o"' in block
    assert html.count('id="fig-ablations-errors_h2o"') == 1
    assert "snakemake --cores all --configfile config/ablations.yaml results/ablations/claims.csv" in block
    assert "3 claims judged, with 2–3 independent repetitions" in html
    assert "1 of them is judged by the published run of config/ablations.yaml" in html
    assert "1 reproduced, 1 not reproduced, 1 inconclusive" in html


def test_a_claim_that_the_run_leaves_untested_has_the_verdict_of_an_overlay(results, published, tmp_path):
    overlay_of(published, pd.read_csv(results / "claims.csv"))
    check_claim_of_overlay(report_of(results, published))
    assert "published run of" not in report_of(results, tmp_path / "none")


def test_a_claim_that_only_an_overlay_has_is_listed(results, published):
    """A run with fewer claims than the study keeps to its own."""
    claims = pd.read_csv(results / "claims.csv")
    overlay_of(published, claims)
    for folder in (results, published):
        claims[claims.system == "lih"].to_csv(folder / "claims.csv", index=False)
    check_claim_of_overlay(report_of(results, published))
    claims[claims.claim_id == "kiss.lih.energy"].to_csv(results / "claims.csv", index=False)
    html = report_of(results, published)
    assert "1 claim judged" in html
    assert "ablations" not in html


def test_materials_of_overlays_have_their_labels(tmp_path):
    (tmp_path / "config.yaml").write_text("materials: {sets: {lgps: {label: Li₁₀GeP₂S₁₂}}}", encoding="utf-8")
    assert labels_of_materials([tmp_path, tmp_path / "none"]) == {"lgps": "Li₁₀GeP₂S₁₂"}


def test_a_number_within_the_published_seeds_is_not_flagged(published, tmp_path):
    then = read_numbers(published / "metrics.csv")
    now = then.assign(value=then.value.where(then.quantity == "n_parameters", then.value * 1.05))
    changes = number_changes(then, now)
    assert changes.changed.sum() == 16
    assert not changes.outside.any()
    assert changes[changes.changed].ratio.to_numpy() == pytest.approx(1.05)


def test_an_interval_stands_in_for_missing_seeds():
    rows = [
        {"system": "lih", "model": "qnn", "variant": v, "quantity": "scaling_exponent_force", "unit": "1", "value": x}
        for v, x in (("curve", 2.0), ("curve_low", 1.0), ("curve_high", 3.0))
    ]
    then = metric_table(rows).fillna(dict.fromkeys(("n_train", "seed", "split"), ""))
    now = then.assign(value=[2.5, 1.0, 3.0])
    row = number_changes(then, now).iloc[0]
    assert (row.low, row.high, row.outside, row.changed) == (1.0, 3.0, False, True)


def test_config_changes_name_the_key():
    assert config_changes({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}, "d": 4}) == [("a.c", 2, 3), ("d", None, 4)]


def test_the_capacity_table_is_at_the_number_of_training_frames():
    rows = []
    for n, value in ((80, 0.5), (300, 0.9)):
        found = {"normalised_effective_dimension": ("1", value), "effective_dimension": ("1", 50 * value)}
        rows += metric_rows(found, system="lih", model="qnn", variant="gaussian_unit", n_train=n, seed=0)
    rows += metric_rows({"fisher_rank": ("1", 48)}, system="lih", model="qnn", n_train=80, seed=0)
    rows += metric_rows({"dead_parameters": ("1", 2)}, system="lih", model="qnn", n_train=80, seed=0)
    rows += metric_rows({"n_parameters": ("1", 50)}, system="lih", model="qnn")
    found = capacity_table(metric_table(rows), LABELS, {"unit": "unit box"}, ["gaussian"], "here")
    assert found.rows == [["QNN", "gaussian", "50", "0.500", "25", "48", "2"]]


def test_the_answer_counts_and_gives_reasons(results):
    claims = pd.read_csv(results / "claims.csv")
    sentences = answer(claims)
    assert sentences[0].startswith("3 claims judged, with 3 independent repetitions")
    assert "1 reproduced, 1 not reproduced, 1 not tested" in sentences[0]
    assert any(s.startswith("Not reproduced:") and "ratio is 1 [1, 1], the rule asks ≤ 0.5" in s for s in sentences)
    assert decisive(claims[claims.claim_id == "kiss.lih.better"]).measure == "ratio"
    assert set(VERDICT_OF.values()) <= set(VERDICTS)


def test_a_claim_whose_controls_fail_says_so(results):
    """No measure has the claim's verdict then."""
    claims = pd.read_csv(results / "claims.csv")
    held = claims.claim_id == "kiss.lih.energy"
    claims.loc[held, "verdict"] = "inconclusive"
    assert decisive(claims[held]).measure == claims[held].measure.iloc[0]
    assert any("the controls that it rests on do not hold" in s for s in answer(claims))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0123456, "0.0123"), (-4.5, "−4.50"), (2.3e-5, "2.30·10⁻⁵"), (160.0, "160"), (float("nan"), "–"), (np.inf, "∞"),
        (0, "0"), (1349.11, "1349"), (None, "–"), (1.5e7, "1.50·10⁷"),
    ],
)  # fmt: skip
def test_numbers_as_text(value, text):
    assert number(value) == text


def test_ranges_as_text():
    assert interval(0.5, np.inf) == "[0.500, ∞]"
    assert median_range(pd.Series([1.0, 2.0, 4.5])) == "2\n1 to 4.50"
    assert median_range(pd.Series([1.0, np.nan])) == "1\n1 of 2 seeds"
    assert median_range(pd.Series([], dtype=float)) == "–"


def test_dois_become_links():
    assert (
        cite("a < b; doi 10.1000/x.y, p. 1")
        == 'a &lt; b; doi <a href="https://doi.org/10.1000/x.y">10.1000/x.y</a>, p. 1'
    )


def test_equal_figures_are_equal_files(results, tmp_path):
    again = study_folder(tmp_path / "again/study")
    for name in ("errors_lih.svg", "errors_lih.png"):
        assert (results / "figures" / name).read_bytes() == (again / "figures" / name).read_bytes()


def test_looks_stay_with_the_model():
    assert len({(x.colour, x.marker) for x in style.looks({str(k): str(k) for k in range(72)}).values()}) == 72
    assert style.looks(LABELS)["qnn"] == style.looks({"qnn": "QNN"})["qnn"]


def test_windows_average_over_exact_periods():
    time = np.arange(0, 100.01, 0.25)
    centres, means = dynamics.windows(time, 3 + np.sin(2 * np.pi * time / 24.7), 24.7)
    assert centres == pytest.approx([12.35, 37.05, 61.75, 86.45])
    assert means == pytest.approx(3, abs=1e-4)


def test_the_median_seed_counts_a_stopped_trajectory_as_worst():
    reference = pd.DataFrame({"time_fs": range(10), "distance_ang": 1.0})
    paths = [reference.assign(seed=s, distance_ang=1.0 + d) for s, d in enumerate((0.3, 0.1, 0.2))]
    assert dynamics.median_seed(pd.concat(paths), reference) == 2
    paths[1] = paths[1].iloc[:5]
    assert dynamics.median_seed(pd.concat(paths), reference) == 0


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({"optimiser": "adam", "steps": 9, "force_weight": 0.0, "training_seconds": 2.0}, "Adam\n9 steps, energies only\n2 s"),
        ({"optimiser": "kalman", "steps": 9, "starts": 3, "force_weight": 1.0}, "extended Kalman filter\n9 epochs, best of 3 starts"),
        ({"optimiser": "least squares", "force_weight": 1.0, "training_seconds": 0.5}, "least squares\n0.500 s"),
        (None, "–"),
    ],
)  # fmt: skip
def test_how_a_model_was_trained(found, text):
    assert how_trained(found) == text


def test_sections_hold_the_models_of_their_role(results, tmp_path):
    """A study of the optimiser that is not there is not mentioned; one that is there has its table and words."""
    html = report_of(results, tmp_path / "none")
    assert "Errors on the test set" in html
    assert "Levenberg–Marquardt<small>3000 steps</small><small>120 s" in html
    assert "Optimiser study" not in html
    assert "Sensitivity to our choices" not in html
    shown = {"lih": {"comparison": ["nn"], "optimiser": ["qnn"], "choice": []}}
    (results / "figures/errors_lih.svg").rename(results / "figures/optimisers_lih.svg")
    html = report_of(results, tmp_path / "none", shown)
    main, study = (
        html.split(f'<section id="{name}">')[1].split("</section>")[0] for name in ("training", "optimisers")
    )
    assert re.findall(r'<th scope="row">(.*?)</th>', main) == ["NN &lt;b&gt;bold&lt;/b&gt;"]
    assert re.findall(r'<th scope="row">(.*?)</th>', study) == ["QNN"]
    assert "A step costs different time" in study
    assert 'id="fig-optimisers_lih"' in study


def errors_of(hydrogen: float) -> pd.DataFrame:
    rows = metric_rows({"n_parameters": ("1", 50)}, system="h2o", model="qnn")
    for seed, split in ((0, "train"), (0, "test"), (0, "grid"), (1, "train"), (1, "test"), (1, "grid")):
        found = {
            "energy_rmse": ("meV", {"train": 1.0, "test": 2.0, "grid": 30.0}[split] + seed),
            "force_rmse": ("eV/Ang", 0.2),
            "force_rmse_h": ("eV/Ang", hydrogen),
        }
        rows += metric_rows(found, system="h2o", model="qnn", n_train=80, seed=seed, split=split)
    return metric_table(rows)


def test_hydrogen_has_a_column_where_it_differs():
    found = errors_table(errors_of(0.1), {"qnn": "QNN"}, {}, "choice", "here")
    row = dict(zip(found.header, found.rows[0], strict=True))
    assert found.title == "Sensitivity to our choices"
    assert (row["parameters"], row["force RMSE (eV/Å)"], row["force RMSE on H (eV/Å)"]) == ("50", "0.200", "0.100")
    assert row["energy RMSE in training (meV)"] == "1.50\n1 to 2"
    assert not any("on H" in h for h in errors_table(errors_of(0.2), {"qnn": "QNN"}, {}, "choice", "here").header)


def test_other_test_sets_have_a_table():
    found = other_sets_table(errors_of(0.1), {"qnn": "QNN", "nn": "NN"}, "here")
    assert (found.header, found.rows) == (["model", "grid"], [["QNN", "30.5\n30 to 31"]])
    assert other_sets_table(table_of_numbers(), LABELS, "here").rows == []


def test_comparisons_of_the_labels_have_tables():
    rows = []
    agreement = {"qm22_energy_rmse": 5.0, "qm22_energy_mae": 4.0, "qm22_correlation": 0.9, "qm22_slope": 1.1}
    for variant, frames in (("", 90), ("below_0_5_ev", 30)):
        found = {q: ("1", v) for q, v in {**agreement, "qm22_frames": frames}.items()}
        rows += metric_rows(found, system="h3o", model="reference", variant=variant)
    for variant, barrier in (("cc-pvdz", 150.0), ("aug-cc-pvtz", 80.5), ("ccsd_t", 149.0), ("", 148.0)):
        rows += metric_rows({"inversion_barrier": ("meV", barrier)}, system="h3o", model="reference", variant=variant)
    labels = {"params": {"mode": "frozen", "basis": "cc-pvdz"}, "metrics": {"force_consistency_ev_per_ang": 1e-5}}
    checks = {"params": {"basis": "cc-pvdz", "check_basis": "aug-cc-pvtz"}, "metrics": {}}
    recorded, barriers, qm22 = reference_tables([labels, checks], metric_table(rows), "here", "there")
    assert ["largest net force (eV/Å) or torque (eV) of a frame", "1.00·10⁻⁵"] in recorded.rows
    assert barriers.rows == [["cc-pvdz", "150"], ["aug-cc-pvtz", "80.500"]]
    assert [row[:3] for row in qm22.rows] == [["up to 0.5 eV", "30", "5"], ["all", "90", "5"]]
    fci = {"params": {"basis": "cc-pvdz"}, "metrics": {"fci_error_max_mev": 0.3}}
    recorded, *others = reference_tables([labels, fci], metric_table([]), "here", "there")
    assert ["largest difference of forces and slope of the energies (eV/Å)", "1.00·10⁻⁵"] in recorded.rows
    assert not any(table.rows for table in others)


def test_curves_of_optimisers_are_drawn_over_steps_and_time():
    step = np.tile([1, 10, 100], 2)
    names = [f"{part}_{q}" for part in ("train", "validation") for q in ("energy_rmse_mev", "force_rmse_ev_per_ang")]
    table = pd.DataFrame({"step": step, "seed": np.repeat([0, 1], 3), **dict.fromkeys(names, 1.0 / step)})
    figure = optimisers_figure({"qnn": table, "nn": table}, {"qnn": 50.0, "nn": 200.0}, style.looks(LABELS))
    steps, time = ([line.get_xdata()[-1] for line in axis.lines] for axis in figure.axes[:2])
    assert steps == [100, 100, 100, 100]
    assert time == [50, 50, 200, 200]

"""The workflow without running it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dry_runs import ROOT, edited, fresh, inherited, place, rules, snakemake
from qff.config import load_study, read_yaml
from qff.config.points import read_sweep

# Dumps the parameters of every rule while the workflow is parsed; evaluates those that depend on wildcards.
RECORDER = """
import json
from types import SimpleNamespace


include: "Snakefile"


recorded = {
    r.name: {
        k: v(SimpleNamespace(system="lih", model="qnn", variant="learning_curve", n="5", n_train="5", stage="train", name="li2s")) if callable(v) else v
        for k, v in r.params.items()
    }
    for r in workflow.rules
}
with open("params.json", "w") as handle:
    json.dump(recorded, handle, indent=1, sort_keys=True)
"""


def parameters(folder, **environment):
    """Parameters of all rules, and the names of all jobs, as one process sees them."""
    (folder / "Recorder").write_text(RECORDER)
    arguments = ("-n", "-s", "Recorder", "--cores", "1", "--quiet", "host", "--", "all")
    done = snakemake(*arguments, cwd=folder, **environment)
    assert done.returncode == 0, done.stderr
    jobs = re.findall(r"^(?:local)?rule (\w+):$", done.stdout, re.MULTILINE)
    outputs = re.findall(r"^    output: (.*)$", done.stdout, re.MULTILINE)
    return json.loads((folder / "params.json").read_text()), sorted(jobs), sorted(outputs)


@pytest.mark.parametrize("overlay", [None, "smoke", "full", "freeze"])
def test_dry_run(tmp_path, overlay):
    arguments = ["--configfile", f"config/{overlay}.yaml"] if overlay else []
    done = fresh(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    total = int(re.search(r"^total\s+(\d+)", done.stdout, re.MULTILINE).group(1))
    assert 40 < total < 2000
    assert ("label_chunk" in done.stdout) == (overlay in ("full", "freeze"))
    assert not list((tmp_path / "results").glob("[!p]*")), "a dry run writes nothing"


def test_recalculation_can_be_asked_for_on_the_command_line(tmp_path):
    done = fresh(tmp_path, "--config", "reference={mode: recompute, chunks: 3}")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^label_chunk\s+12$", done.stdout, re.MULTILINE)  # of each of four sets
    assert "import_reference" not in done.stdout


def test_a_published_set_is_taken_from_where_the_user_keeps_it(tmp_path):
    """Without it the study stops before its first job, and says what to do."""
    overlay = ["--configfile", "config/imported.yaml"]
    done = fresh(tmp_path, *overlay)
    assert done.returncode != 0
    assert re.search("QFF_DATA is not set.*PennyLaneAI/qml.*set QFF_DATA=<folder>", done.stdout + done.stderr)
    folder = tmp_path / "data"
    (folder / "kiss_h2o").mkdir(parents=True)
    (folder / "kiss_h2o/h2o_450.npz").touch()  # its sha256 is checked by the job
    done = snakemake("-n", "--cores", "1", *overlay, cwd=tmp_path, QFF_DATA=str(folder))
    assert done.returncode == 0, done.stderr
    assert re.search(r"^import_set\s+1$", done.stdout, re.MULTILINE)
    assert not re.search("import_reference|/lih/", done.stdout)


def with_a_model_of_distances(folder, systems):
    """A copy of the configuration in which one model is made for systems without coordinates."""
    place(folder)
    (folder / "config").unlink()
    shutil.copytree(ROOT / "config", folder / "config")
    path = folder / "config/models.yaml"
    settings = "{cutoff_ang: 5.0, radial: [[1.0, 1.0]], hidden: [5]}"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}distances:\n  label: d\n  kind: behler_parrinello\n  systems: {{ethanol: {settings}}}\n")
    overlay = {
        "profile": "distances", "systems": systems, "models": ["distances"], "capacity": {"models": []},
        "scaling": {"sizes": dict.fromkeys(("lih", "h2o", "h3o")), "models": [], "sweeps": []}, "dynamics": {"models": []}, "quantum": {"models": []},
    }  # fmt: skip
    (folder / "overlay.json").write_text(json.dumps(overlay))
    return folder


def test_sampled_geometries_are_labelled(tmp_path):
    """Trajectories come first; the chunks of labels are as many as of any other system."""
    folder = with_a_model_of_distances(tmp_path, ["ethanol"])
    arguments = ["--configfile", "overlay.json", "--config", "reference={mode: recompute, chunks: 3}"]
    done = snakemake("-n", "--cores", "1", *arguments, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^sample_geometries\s+8$", done.stdout, re.MULTILINE)
    assert re.search(r"^label_chunk\s+3$", done.stdout, re.MULTILINE)
    assert re.search(r"input: .*trajectory_0\.extxyz.*trajectory_7\.extxyz", done.stdout)


def test_rmd17_is_taken_from_where_the_user_keeps_it(tmp_path):
    """Models made for ethanol serve the other molecules; a missing file stops the study before its first job."""
    folder = with_a_model_of_distances(tmp_path, ["benzene_rmd17", "aspirin_rmd17"])
    data = tmp_path / "data/rmd17"
    data.mkdir(parents=True)
    files = [data / f"rmd17_{m}_{s}_01.npz" for m in ("benzene", "aspirin") for s in ("train", "test")]
    for path in files[:-1]:
        path.touch()
    arguments = ["-n", "--cores", "1", "--configfile", "overlay.json"]
    done = snakemake(*arguments, cwd=folder, QFF_DATA=str(data.parent))
    assert done.returncode != 0
    assert re.search(r"rmd17_aspirin_test_01\.npz: no such file.*figshare", done.stdout + done.stderr)
    files[-1].touch()  # its sha256 is checked by the job
    done = snakemake(*arguments, cwd=folder, QFF_DATA=str(data.parent))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^import_set\s+2$", done.stdout, re.MULTILINE)


def test_another_molecule_of_rmd17_is_a_study_as_the_documentation_says(tmp_path):
    """The commands of docs/rmd17.md as they stand there, without running a job."""
    place(tmp_path)
    (tmp_path / "config").unlink()
    shutil.copytree(ROOT / "config", tmp_path / "config")
    data = tmp_path / "data/rmd17"
    data.mkdir(parents=True)
    for share in ("train", "test"):
        (data / f"rmd17_uracil_{share}_01.npz").touch()
    section = (ROOT / "docs/rmd17.md").read_text(encoding="utf-8").partition("## Another molecule")[2]
    commands = section.split("```")[1].replace("~/data", str(data.parent)).replace("--cores all", "-n --cores 1")
    assert "uracil" in commands
    environment = inherited()
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    done = subprocess.run(
        ["bash", "-euc", commands], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sweeps = (ROOT / "config/sweeps").glob("rmd17_ethanol*.tsv")
    points = sum(len(read_sweep(path)) for path in sweeps)
    assert re.search(rf"^train_size\s+{points}$", done.stdout, re.MULTILINE)
    assert "results/rmd17_uracil/figures/learning_curves_uracil_rmd17.svg" in done.stdout


def test_points_of_a_sweep_are_jobs(tmp_path):
    """Also of a system that has nothing but learning curves, and of a model that nothing else trains."""
    place(tmp_path)
    (tmp_path / "config").unlink()
    shutil.copytree(ROOT / "config", tmp_path / "config")
    rows = [
        "h2o\tkernel\tlearning_curve\t20\t2",
        "h2o\tkernel\tlearning_curve\t80\t1",
        "h2o\tnn\tpermuted_labels\t80\t2",
    ]
    (tmp_path / "config/sweeps/trial.tsv").write_text(
        "\n".join(["system\tmodel\tvariant\tn_train\tn_seeds", *rows, ""])
    )
    overlay = {
        "profile": "trial", "seeds": 2, "systems": ["lih"], "models": ["qnn"], "capacity": {"models": []},
        "scaling": {"sizes": dict.fromkeys(("lih", "h2o", "h3o")), "models": [], "sweeps": ["trial"]},
        "dynamics": {"models": []}, "quantum": {"models": []},
    }  # fmt: skip
    (tmp_path / "overlay.json").write_text(json.dumps(overlay))
    done = snakemake("-n", "--cores", "1", "--configfile", "overlay.json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^train_size\s+3$", done.stdout, re.MULTILINE)
    assert re.search(r"^train_model\s+1$", done.stdout, re.MULTILINE)
    (inputs,) = (
        line for line in done.stdout.splitlines() if re.search(r"input: .*points/.*n_train~20/metrics.csv", line)
    )
    assert "points/system~h2o/model~nn/variant~permuted_labels/n_train~80/metrics.csv" in inputs
    assert "figures/learning_curves_h2o.svg" in done.stdout
    assert "figures/learning_curves_lih.svg" not in done.stdout


def test_the_sweeps_of_rmd17_are_a_study(tmp_path):
    """The whole of it in less than 2,000 jobs."""
    study = load_study(read_yaml(ROOT / "config/config.yaml"), ROOT / "config")
    names = read_yaml(ROOT / "config/rmd17.yaml")["scaling"]["sweeps"]
    points = [p for name in names for p in read_sweep(ROOT / f"config/sweeps/{name}.tsv")]
    assert {p.model for p in points} <= set(study.models)
    data = tmp_path / "data/rmd17"
    data.mkdir(parents=True)
    for system in {p.system for p in points}:
        for name in study.systems[system].reference.rmd17.sha256:
            (data / name).touch()  # checked by the job
    done = fresh(tmp_path, "--configfile", "config/rmd17.yaml", QFF_DATA=str(data.parent))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"^train_size\s+{len(points)}$", done.stdout, re.MULTILINE)
    assert int(re.search(r"^total\s+(\d+)", done.stdout, re.MULTILINE).group(1)) < 2000


@pytest.mark.parametrize(
    ("overlay", "files"),
    [
        ("full", []),
        ("freeze", []),
        ("demonstration", []),
        ("rmd17_ethanol", [f"rmd17/rmd17_ethanol_{s}_0{k}.npz" for s in ("train", "test") for k in range(1, 6)]),
        ("electrolytes", ["electrolytes/lgps_565.extxyz", "electrolytes/ligeps_aimd_1200K.extxyz"]),
        ("hybrid_ethanol", ["ccsd_t/ethanol_600.extxyz"]),
        ("hybrid_ethane", []),
        ("hybrid_benzene", []),
        (
            "rmd17_molecules",
            [
                *(f"rmd17/rmd17_ethanol_{s}_0{k}.npz" for s in ("train", "test") for k in range(1, 6)),
                *(
                    f"rmd17/rmd17_{m}_{s}_01.npz"
                    for m in ("malonaldehyde", "benzene", "aspirin")
                    for s in ("train", "test")
                ),
            ],
        ),
        ("ablations", []),
        ("h3o_optimisers", []),
    ],
)
def test_every_overlay_is_a_study(tmp_path, overlay, files):
    """Beside those that other tests plan."""
    for name in files:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()  # checked by the job
    done = fresh(tmp_path, "--configfile", f"config/{overlay}.yaml", QFF_DATA=str(tmp_path / "data"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"results/{overlay}/report.html" in done.stdout


def test_frozen_comparisons_belong_to_the_study(tmp_path):
    arguments = [
        "systems=[lih,h2o,h3o]",
        "models=[qnn,nn]",
        "capacity={models: []}",
        "scaling={models: [], sweeps: []}",
        "dynamics={models: []}",
        "quantum={models: []}",
    ]
    done = fresh(tmp_path, "--config", *arguments, "--until", "check_labels")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^check_labels\s+2$", done.stdout, re.MULTILINE)


def test_every_role_has_its_figures(tmp_path):
    """LiH has no optimiser study; a model that is solved has no loss curves."""
    overlay = {
        "profile": "roles", "systems": ["lih", "h2o"], "models": ["qnn", "nn", "nn_biased", "kernel", "qnn_bfgs", "qnn_full_range"],
        "capacity": {"models": []}, "scaling": {"sizes": dict.fromkeys(("lih", "h2o", "h3o")), "models": [], "sweeps": []},
        "dynamics": {"models": []},
    }  # fmt: skip
    (tmp_path / "overlay.json").write_text(json.dumps(overlay))
    done = fresh(tmp_path, "--configfile", "overlay.json")
    assert done.returncode == 0, done.stdout + done.stderr
    figures = re.findall(r"results/roles/figures/(\w+)\.svg", done.stdout)
    found = {name for name in figures if name.startswith(("errors", "optimiser", "choices", "training"))}
    assert found == {
        "errors_lih", "choices_lih", "training_lih", "errors_h2o", "optimisers_h2o", "optimiser_curves_h2o", "choices_h2o",
        "training_h2o",
    }  # fmt: skip
    (inputs,) = (x for x in done.stdout.splitlines() if re.search(r"input: .*train/h2o/qnn_bfgs/curves.csv", x))
    assert "train/h2o/nn_biased/run.json" in inputs
    assert not re.search(r"input: .*kernel/curves.csv", done.stdout)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What one process sees, in one folder."""
    return parameters(place(tmp_path_factory.mktemp("a")), PYTHONHASHSEED="1")


def test_every_process_sees_the_same_jobs_and_parameters(seen, tmp_path):
    """No time, random number, memory address or order of a set: a second run has nothing to do."""
    second = parameters(place(tmp_path / "elsewhere"), PYTHONHASHSEED="2")
    assert seen == second
    recorded, jobs, outputs = seen
    assert len(jobs) == len(outputs) + 1  # `all` has no output
    assert {name for _, name, _ in rules()} - {"sample_geometries", "label_chunk", "collect_reference"} == set(
        recorded
    ) - {"all"}
    for name in set(recorded) - {"all", "track_stage"}:  # tracking is a sink: its code changes no result
        assert re.fullmatch("[0-9a-f]{16}", recorded[name]["context"]["code_digest"]), name
    text = json.dumps(recorded)
    assert str(tmp_path) not in text
    assert "0x" not in text


@pytest.mark.parametrize(
    ("edit", "rerun"),
    [
        ("qff/models/nn.py", {"train_model", "evaluate_model", "estimate_capacity", "train_size", "train_jointly", "run_dynamics", "run_reference_dynamics", "run_on_the_fly", "compute_harmonic", "simulate_reference", "simulate_on_the_fly", "simulate_model", "measure_hardware", "simulate_measured", "measure_composed", "simulate_composed", "measure_material", "pretrain_network", "initialise_circuit", "train_hybrid", "evaluate_hybrid", "time_methods"}),
        ("qff/claims.py", {"collect_metrics", "collect_timings", "judge_claims", "build_report"}),
        ("qff/tracking.py", set()),
    ],
    ids=["a_model", "judging", "tracking"],
)  # fmt: skip
def test_an_edit_changes_the_parameters_of_its_users_only(seen, tmp_path, edit, rerun):
    folder = edited(tmp_path)
    before, *_ = seen
    with open(folder / "workflow" / edit, "a", encoding="utf-8") as handle:
        handle.write("\n# edited\n")
    after, *_ = parameters(folder)
    assert {name for name in before if before[name] != after[name]} == rerun


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "sedes=3"], "unknown key 'sedes': did you mean 'seeds'?"),
        (["--config", "seeds=none"], "seeds: Input should be a valid integer (got 'none')"),
        (["--config", "seeds=0"], "seeds: Input should be greater than or equal to 1"),
        (["--config", "training={optimizer: adam}"], "unknown key 'training.optimizer': did you mean 'optimiser'?"),
        (["--config", "dynamics={time_step_fs: -0.25}"], "dynamics.time_step_fs: Input should be greater than 0"),
        (["--config", "quantum={noise: {readout: [1.5]}}"], "quantum.noise.readout"),
        (["--config", "profile=published"], "results/published/ is not a run's"),
        (["--config", "systems=[lhi]"], "did you mean 'lih'?"),
        (["--config", "models=[qnn,amber]"], "unknown 'amber'"),
    ],
)
def test_bad_configuration_stops_the_dry_run(tmp_path, arguments, message):
    done = fresh(tmp_path, *arguments)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("systems.yaml", "- lih\n", "expected a mapping from names to entries, got list"),
        ("models.yaml", "qnn: text\n", "models.yaml, qnn: expected a mapping of settings, got 'text'"),
        ("models.yaml", None, "models.yaml: no such file"),
        ("systems.yaml", "lih: {\n", "systems.yaml: not valid YAML"),
    ],
)
def test_broken_files_stop_the_dry_run(tmp_path, file, content, message):
    place(tmp_path)
    (tmp_path / "config").unlink()
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "config" / file).unlink()
    if content is not None:
        (tmp_path / "config" / file).write_text(content)
    done = snakemake("-n", "--cores", "1", cwd=tmp_path)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr

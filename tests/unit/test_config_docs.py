"""Documentation and schemas of the configuration: generated, complete, and true of the files in use."""

import inspect
import json
import os
import re
import subprocess
import sys

import jsonschema
import pytest
from pydantic import BaseModel
from qff import config_docs
from qff.circuits import BUILDERS
from qff.config import read_yaml
from qff.models.atomic_circuit import AtomicCircuits
from qff.models.behler_parrinello import BehlerParrinello
from qff.models.kernel import Kernel
from qff.models.neighbour_pairs import NeighbourPairs
from qff.models.nn import NeuralNetwork
from qff.models.polynomial import Polynomial

NAMES = ("config", "systems", "models")
FILES = {"README.md", *(f"schema/{name}.schema.json" for name in NAMES)}
DIMENSIONLESS = {
    "training.learning_rate", "training.kalman_force_fraction", "training.kalman_eta_max", "capacity.boxes",
    "quantum.noise.two_qubit", "quantum.noise.one_qubit_fraction", "quantum.noise.readout",
    "quantum.noise.device.one_qubit", "quantum.noise.device.two_qubit", "quantum.noise.device.readout",
    "reference.scan.focus_density", "stretch", "relative_steps", "materials.compression.ridge",
    "materials.behler_parrinello.learning_rate",
    "materials.dynamics.closest_factor", "materials.dynamics.temperature_factor",
}  # fmt: skip


def schema(name: str) -> jsonschema.Draft202012Validator:
    with open(f"config/schema/{name}.schema.json", encoding="utf-8") as handle:
        return jsonschema.Draft202012Validator(json.load(handle))


def table_rows(text: str) -> dict[str, list[str]]:
    """Key → cells of its row, over all tables of the README."""
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \|$", text, re.MULTILINE)
    return {key: rest.split(" | ") for key, rest in rows}


def test_the_files_have_not_drifted():
    assert config_docs.main(["--check"]) == 0


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("damage", ["edited", "missing"])
def test_the_file_that_drifted_is_named(tmp_path, capsys, name, damage):
    assert config_docs.main(["--folder", str(tmp_path)]) == 0
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.*")} == FILES
    assert config_docs.main(["--check", "--folder", str(tmp_path)]) == 0
    if damage == "edited":
        (tmp_path / name).write_text((tmp_path / name).read_text() + " ")
    else:
        (tmp_path / name).unlink()
    capsys.readouterr()
    assert config_docs.main(["--check", "--folder", str(tmp_path)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert f"{tmp_path / name} does not match" in said[0]


def test_every_process_writes_the_same(tmp_path):
    for seed in ("0", "1"):
        subprocess.run(
            [sys.executable, "-m", "qff.config_docs", "--folder", str(tmp_path / seed)],
            env={**os.environ, "PYTHONPATH": "workflow", "PYTHONHASHSEED": seed},
            check=True,
        )
    for name in FILES:
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "1" / name).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_schemas_accept_the_files_in_use_and_nothing_misspelt(name):
    content = read_yaml(f"config/{name}.yaml")
    assert [e.message for e in schema(name).iter_errors(content)] == []
    place = content if name == "config" else next(iter(content.values()))
    place["misspelt"] = 1
    assert [e.message for e in schema(name).iter_errors(content)]


@pytest.mark.parametrize("name", NAMES)
def test_every_key_is_documented(name):
    with open("config/README.md", encoding="utf-8") as handle:
        section = handle.read().split(f"## `{name}.yaml`")[1].split("\n## ")[0]
    rows = table_rows(section)

    def leaves(model: type[BaseModel], prefix: str = ""):
        for key, field in model.model_fields.items():
            nested = config_docs._nested(field.annotation)
            if nested:
                yield from leaves(nested, f"{prefix}{key}{'[]' if 'list' in str(field.annotation) else ''}.")
            elif (model, key) not in config_docs.GIVEN_BY_KEY:
                yield f"{prefix}{key}", field

    expected = dict(leaves(config_docs.FILES[name]))
    assert list(rows) == list(expected)
    for key, field in expected.items():
        kind, default, meaning = rows[key]
        assert kind, key
        assert meaning == field.description, key
        assert bool(default.strip()) == (not field.is_required()), key
        if "float" in kind and key not in DIMENSIONLESS:
            assert re.search(
                r"\((Å|Å²|eV|µs|ns|1/s|Å, degrees|degrees|eV/Å², eV/rad²|Å⁻²|eV/Å³|eV/atom|K|fs|1/fs|amu|meV|eV/Å)\)",
                meaning,
            ), f"{key} states no unit"


def documented_settings() -> dict[str, dict[str, str]]:
    """Kind of model → setting → default, from the last table of the README."""
    with open("config/README.md", encoding="utf-8") as handle:
        table = handle.read().split("## Settings of the kinds of model")[1]
    found, kind = {}, ""
    for line in re.findall(r"^\| (.*) \|$", table, re.MULTILINE)[1:]:
        first, key, default, _ = (cell.strip(" `") for cell in line.split("|", 3))
        kind = first or kind
        found.setdefault(kind, {})[key] = default
    return found


@pytest.mark.parametrize(
    ("kind", "architecture"),
    [
        ("nn", NeuralNetwork),
        ("behler_parrinello", BehlerParrinello),
        ("polynomial", Polynomial),
        ("kernel", Kernel),
        ("neighbour_pairs", NeighbourPairs),
        ("atomic_circuits", AtomicCircuits),
    ],
)
def test_settings_of_networks_are_those_of_their_docstrings(kind, architecture):
    settings = inspect.getdoc(architecture).split("Settings:")[1]
    assert set(documented_settings()[kind]) == set(re.findall(r"^    (\w+): ", settings, re.MULTILINE))


def test_settings_of_circuits_are_those_of_their_builders(study):
    with open("config/README.md", encoding="utf-8") as handle:
        others = next(line for line in handle if line.startswith("| | others |"))
    assert set(re.findall(r"`(\w+)`", re.sub(r" \([^)]*\)", "", others.split("`kiss`:")[1]))) == set(
        inspect.signature(BUILDERS["kiss"]).parameters
    )


def test_all_settings_in_use_are_documented():
    documented = documented_settings()
    circuits = {"qnn": BUILDERS["kiss"], "central_atom": BUILDERS["equivariant"]}
    circuits = {kind: set(inspect.signature(builder).parameters) for kind, builder in circuits.items()}
    for kind in ("fourier", "random_circuit"):  # in place of the circuit that they describe
        documented[kind] = documented[kind] | documented["qnn"]
        circuits[kind] = circuits["qnn"]
    for name, model in read_yaml("config/models.yaml").items():
        known = {"output_range", *documented.get(model["kind"], ()), *circuits.get(model["kind"], ())}
        if model["kind"] in ("atomic_circuits", "hybrid"):
            known |= set(documented["behler_parrinello"])
        for settings in model["systems"].values():
            of = documented.get(settings.get("of"), ())  # in place of the model whose readout is trained
            described = documented["behler_parrinello"] if settings.get("of") == "atomic_circuits" else ()
            assert set(settings) <= {*known, *of, *described}, name

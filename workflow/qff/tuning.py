"""Validation errors of models over one of their settings, the same trials for each: what a choice rests on.

``python -m qff.tuning h2o qnn nn nn_biased --setting output_range --values 0.05 0.1 0.2 0.4 0.9``

Splits are not those of the study, and test frames are not looked at.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from qff.command import reported
from qff.config import Study, load_study, read_yaml
from qff.config.reading import suggest
from qff.data import split_frames
from qff.errors import ConfigError
from qff.jobs import progress
from qff.models import build_architecture
from qff.provenance import write_csv
from qff.reference.frozen import read_frozen
from qff.systems import System
from qff.training.ensemble import build_ensemble, initial_ensemble
from qff.units import EV_IN_MEV

RESULTS = Path("results/tuning")
COLUMNS = ["system", "model", "setting", "value", "seed", "validation_mev"]


def trials(
    study: Study, system: str, models: list[str], setting: str, values: list[float], seeds: int, stream: int
) -> pd.DataFrame:
    """Rows of :data:`COLUMNS`: √(smallest validation loss) of every seed, in meV, for every model and value.

    Args:
        stream: seed of splits and starts, in place of the study's.

    Raises:
        ConfigError: unknown system or model, or a setting that the model does not have.
    """
    if system not in study.systems or not study.systems[system].reference.frozen:
        raise ConfigError(f"'{system}': no system of config/systems.yaml with frozen labels")
    molecule = System(system, study.systems[system])
    frames = read_frozen(Path(molecule.config.reference.frozen), molecule.config)
    splits = [split_frames(frames, molecule.config.split, stream, system, k) for k in range(seeds)]
    rows = []
    for name, value in progress([(m, v) for m in models for v in values], "trials"):
        if name not in study.models or molecule.settings_name not in study.models[name].systems:
            raise ConfigError(
                f"'{name}': no model of config/models.yaml with settings for {system}{suggest(name, study.models)}"
            )
        entry = study.models[name]
        own = {**entry.systems[molecule.settings_name], setting: value}
        entry = entry.model_copy(update={"systems": {**entry.systems, molecule.settings_name: own}})
        ensemble = build_ensemble(build_architecture(molecule, entry), frames, splits)
        settings = study.training_of(name)
        starts = initial_ensemble(ensemble.architecture, stream, name, seeds, settings.starts)
        curves = ensemble.train(starts, settings).curves
        lowest = EV_IN_MEV * np.sqrt(curves.groupby("seed").validation_loss_ev2.min())
        rows += [[system, name, setting, value, seed, error] for seed, error in lowest.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


def table(rows: pd.DataFrame) -> str:
    """Medians over seeds as a Markdown table, models against values, the smallest of each model bold."""
    medians = rows.pivot_table("validation_mev", "model", "value", "median", sort=False)
    lines = [
        f"| {rows.setting.iloc[0]} | " + " | ".join(f"{v:g}" for v in medians) + " |",
        "|---" * (1 + len(medians.columns)) + "|",
    ]
    for model, found in medians.iterrows():
        cells = [f"**{x:.3g}**" if x == found.min() else f"{x:.3g}" for x in found]
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


@reported
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m qff.tuning", description=__doc__.splitlines()[0])
    parser.add_argument("system")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--setting", required=True, help="of the models in config/models.yaml, such as output_range")
    parser.add_argument("--values", nargs="+", type=float, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--stream", type=int, default=1, help="seed of splits and starts; not the study's")
    options = parser.parse_args(arguments)
    study = load_study(read_yaml("config/config.yaml"))
    found = trials(
        study, options.system, options.models, options.setting, options.values, options.seeds, options.stream
    )
    path = RESULTS / f"{options.system}_{options.setting}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_csv(path, found)
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Stage 3: training all seeds of a model."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from qff.config import ModelConfig, TrainingConfig, validate
from qff.data import read_frames
from qff.models import build_architecture
from qff.provenance import write_csv, write_json
from qff.stages.common import Context, read_splits, system_from
from qff.training.ensemble import build_ensemble, initial_ensemble
from qff.training.loop import finish


def train_model(
    *, context: dict, system: str, config: dict, model: dict, training: dict, labels_path: str, splits_path: str,
    model_paths: list[str], curves_path: str, run_path: str,
) -> None:  # fmt: skip
    """Train one seed per model path, as one ensemble; a killed job resumes from its checkpoint."""
    place, molecule = Context(**context), system_from(system, config)
    entry = validate(ModelConfig, model, "model")
    architecture = build_architecture(molecule, entry)
    settings = validate(TrainingConfig, training, "training")
    frames = read_frames(labels_path, molecule.symbols)
    splits = read_splits(splits_path, len(frames))[: len(model_paths)]
    ensemble = build_ensemble(architecture, frames, splits)
    folder = Path(run_path).parent
    record = place.record("train", [labels_path, splits_path], system=system, model=entry.name, role=entry.role)
    for seed, path in enumerate(model_paths):
        record.add(
            f"{entry.name}-{system}-s{seed}",
            params={
                **ensemble.describe(settings),
                **architecture.describe(),
                "seed": seed,
                "n_train": len(splits[seed]["train"]),
            },
            metrics={},
            series=f"curves_s{seed}.csv",
            artifacts=[Path(path).name],
            seed=str(seed),
        )
    live = folder / "live.json"

    def show(curves: pd.DataFrame) -> None:
        """Curves so far, for whoever follows the run."""
        for seed, part in curves.groupby("seed"):
            write_csv(folder / f"curves_s{seed}.csv", part.drop(columns="seed"))
        write_json(live, record.live())

    checkpoint = folder / "checkpoint.safetensors"
    initial = initial_ensemble(architecture, place.seed, entry.name, len(splits), settings.starts)
    result = ensemble.train(initial, settings, checkpoint=checkpoint, on_curve=show)
    show(result.curves)
    for potential, path in zip(ensemble.potentials(entry, result.parameters), model_paths, strict=True):
        potential.save(path)
    write_csv(curves_path, result.curves)
    last = result.curves[result.curves.step == result.curves.step.max()].set_index("seed")
    best = result.curves.set_index(["seed", "step"])
    for seed, run in enumerate(record.runs):
        run["metrics"] = {
            "best_step": int(result.best_step[seed]),
            "n_parameters": architecture.n_parameters,
            "training_seconds": result.seconds,  # of all seeds: they train together
            **{f"final_{k}": v for k, v in last.loc[seed].items() if k.startswith("train_")},
            **{
                f"best_{k}": v
                for k, v in best.loc[(seed, result.best_step[seed])].items()
                if k.startswith("validation_")
            },
        }
    record.write(run_path, [*model_paths, curves_path])
    live.unlink(missing_ok=True)
    finish(checkpoint)

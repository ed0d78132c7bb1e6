"""Sections of the report: their figures, tables and introductory words."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from qff.claims import command
from qff.figures.capacity import box_label, panels_of
from qff.report import errors, hardware, materials, molecules, tables
from qff.report.cost import cost_table, read_benchmarks
from qff.report.hybrid import hybrid_words_and_tables
from qff.report.numbers import Table, number
from qff.report.reference import reference_tables
from qff.report.scaling import scaling_tables, scaling_words

if TYPE_CHECKING:
    from qff.report.build import Study

# kind of figure: title, alternative text, file that holds its numbers (below the results folder)
KINDS = {
    "reference": (
        "Reference curve",
        "Energy, force and error against FCI along the bond of {label}.",
        "reference/{system}/labels.extxyz, reference/{system}/fci/fci.csv",
    ),
    "training": (
        "Loss curves",
        "Training and validation loss against the optimiser's step, one panel per model of {label}.",
        "train/{system}/<model>/curves.csv",
    ),
    "optimiser_curves": (
        "Errors during training",
        "Energy and force RMSE in training and validation against steps and against time, by optimiser, for {label}.",
        "train/{system}/<model>/curves.csv and run.json",
    ),
    "optimisers": (
        "Test errors by optimiser",
        "Energy and force RMSE on the test set of {label}, for every optimiser and seed, on logarithmic axes.",
        "evaluate/{system}/<model>/metrics.csv and intervals.csv",
    ),
    "choices": (
        "Test errors by choice",
        "Energy and force RMSE on the test set of {label}, for every variant of the QNN and seed, on logarithmic axes.",
        "evaluate/{system}/<model>/metrics.csv and intervals.csv",
    ),
    "ablations": (
        "Test errors without the quantum part",
        "Energy and force RMSE on the test set of {label}, for the QNN, its ablations and networks, on logarithmic axes.",
        "evaluate/{system}/<model>/metrics.csv and intervals.csv",
    ),
    "hardware": (
        "Shots and noise",
        "Standard errors of {label} against shots, errors against noise, temperature of measured dynamics, gradients.",
        "quantum/{system}/<model>/shots.csv, noise.csv, measured/temperature.csv and measured/gradients.csv",
    ),
    "errors": (
        "Test errors",
        "Energy and force RMSE on the test set of {label}, for every model and seed, on logarithmic axes.",
        "evaluate/{system}/<model>/metrics.csv and intervals.csv",
    ),
    "parity": (
        "Residuals",
        "Predicted minus reference energy and force on the test frames of {label}, one row of panels per model.",
        "evaluate/{system}/<model>/predictions.csv",
    ),
    "effective_dimension": (
        "Effective dimension",
        "Normalised and absolute effective dimension of the models of {label} by parameter box and likelihood.",
        "capacity/{system}/<model>/metrics.csv",
    ),
    "fisher_spectrum": (
        "Fisher spectra",
        "Eigenvalues of the normalised Fisher matrix of the models of {label}, one panel per parameter box.",
        "capacity/{system}/<model>/spectrum.csv",
    ),
    "capacity_and_error": (
        "Test error against effective dimension",
        "Energy and force RMSE of the models of {label} over their normalised effective dimension, by parameter box.",
        "evaluate and capacity/{system}/<model>/metrics.csv, capacity/{system}/correlations.csv",
    ),
    "learning_curves": (
        "Learning curves",
        "Test and training error of the models of {label} against the number of training frames, doubly logarithmic.",
        "scaling/{system}/metrics.csv and fits.csv",
    ),
    "dynamics": (
        "Dynamics",
        "Bond length of {label} over time for reference and models, their difference, and the total energy.",
        "dynamics/{system}/<model>/trajectory.csv",
    ),
    "vibrations": (
        "Vibrations",
        "Vibrational density of states of {label} for reference and models, change of the total energy, trajectories left.",
        "dynamics/{system}/<model>/spectrum.csv and energy.csv",
    ),
    "materials": (
        "Periodic dynamics",
        "Radial distribution functions of {label} at every temperature beside those of the labelled frames, displacements.",
        "materials/{system}/dynamics/rdf.csv and msd.csv",
    ),
    "inversion": (
        "Inversion",
        "Potential of {label} along its inversion, its error, the height of the pyramid over time, and inversion rates.",
        "dynamics/{system}/<model>/inversion.csv, trajectory.csv and metrics.csv",
    ),
    "vqe": (
        "VQE along a bond",
        "Energies of {label} by Hartree–Fock, CASCI and VQE along a bond, and the difference of the last two.",
        "hybrid/vqe/{system}/scan.csv",
    ),
    "table_one": (
        "Table 1 of the draft",
        "Energy and force RMSE of AMBER, B3LYP, the neural network potential and the hybrid on {label}.",
        "hybrid/table_one.csv",
    ),
    "binding": (
        "Interaction energies",
        "Interaction energy of {label} over their distance by MP2, B3LYP, GFN2-xTB and AMBER.",
        "hybrid/binding/binding.csv",
    ),
}


@dataclass(frozen=True)
class Figure:
    """A picture of the report; ``kind`` tells its section, ``path`` is its SVG."""

    name: str
    kind: str
    system: str
    title: str
    alt: str
    caption: str
    source: str
    path: Path

    @property
    def uri(self) -> str:
        """The picture itself, for an image that no network has to deliver."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.path.read_bytes()).decode()}"


@dataclass(frozen=True)
class Part:
    """One system's share of a section."""

    title: str
    words: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    id: str
    title: str
    parts: list[Part]


def figures(study: Study, folder: Path) -> list[Figure]:
    """Figures that exist, by kind and system."""
    found = []
    for kind, (*_, source) in KINDS.items():
        for system, label in study.systems.items():
            path = folder / f"{kind}_{system}.svg"
            if path.is_file():
                numbers = f"{folder.parent.as_posix()}/{source.format(system=system)}"
                found.append(_picture(study, kind, system, label, path, numbers))
    return found


def _picture(
    study: Study, kind: str, system: str, label: str, path: Path, source: str, record: Path | None = None
) -> Figure:
    title, alt, _ = KINDS[kind]
    return Figure(
        picture_name(path.stem, record), kind, system, f"{title}, {label}", alt.format(label=label),
        study.captions.get(kind, ""), source, path,
    )  # fmt: skip


def picture_name(stem: str, record: Path | None = None) -> str:
    """Name of a picture in the page: two records may have pictures of the same name."""
    return f"{record.name}-{stem}" if record else stem


def section_of_records(study: Study, claims: list[tuple[Path, pd.DataFrame]]) -> Section:
    """Figures that claims rest on which other published runs judge: pairs of a record and the measures of a claim."""
    parts = []
    for record in dict.fromkeys(record for record, _ in claims):
        first = [rows.iloc[0] for folder, rows in claims if folder == record]
        wanted = {row.evidence: (row.evidence.removesuffix(f"_{row.system}"), row.system) for row in first}
        pictures = [
            _picture(
                study,
                kind,
                system,
                study.judged.get(system, system),
                path,
                f"{record.as_posix()}/metrics.csv",
                record,
            )
            for path, (kind, system) in ((record / f"figures/{stem}.svg", w) for stem, w in wanted.items())
            if kind in KINDS and path.is_file()
        ]
        said = [
            f"Judges {len(first)} of the claims above. Its record is {record.as_posix()}/; {command(record.name)} runs it again."
        ]
        parts.append(Part(f"config/{record.name}.yaml", said, pictures))
    return Section("records", "Other published runs", parts)


def sections(
    study: Study, results: Path, metrics: pd.DataFrame, records: list[dict], pictures: list[Figure]
) -> list[Section]:
    """All sections between the claims and the differences, in order; systems without content are left out."""
    where = results.as_posix()

    def section(name: str, title: str, kinds: tuple[str, ...], content) -> Section:
        parts = []
        for system, label in study.systems.items():
            words, found = content(system, metrics[metrics.system == system])
            shown = [f for f in pictures if f.system == system and f.kind in kinds]
            found = [t for t in found if t.rows]
            if shown or found:
                parts.append(Part(label, words, shown, found))
        return Section(name, title, parts)

    def reference(system, numbers):
        runs = [r for record in records if record["stage"] == "reference" for r in record["runs"]]
        runs = [r for r in runs if r["tags"].get("system") == system]
        return [], reference_tables(runs, numbers, f"{where}/reference/{system}/run.json", f"{where}/metrics.csv")

    def of_role(role: str, words):
        """Content of a section on the errors of the models of a role."""

        def content(system, numbers):
            labels, source = {m: study.models[m] for m in study.shown[system].get(role, [])}, f"{where}/metrics.csv"
            main = errors.errors_table(numbers, labels, errors.trained(records, system), role, source)
            return words(numbers), [main, errors.other_sets_table(numbers, labels, source)]

        return content

    def capacity(system, numbers):
        settings = study.config["capacity"]
        names = panels_of(numbers, settings["boxes"], settings["likelihoods"][0])
        boxes = {b: box_label(b, settings["boxes"]).replace("\n", " ") for b in names}
        table = tables.capacity_table(numbers, study.models, boxes, settings["likelihoods"], f"{where}/metrics.csv")
        return _capacity_words(settings, numbers), [table]

    def scaling(system, numbers):
        path = results / "scaling" / system / "fits.csv"
        fits = pd.read_csv(path) if path.is_file() else pd.DataFrame()
        found = scaling_tables(numbers, fits, study.models, f"{where}/metrics.csv and {path.as_posix()}")
        return scaling_words(study.config), found

    def dynamics(system, numbers):
        if len(tables.pick(numbers, quantity="harmonic_frequency_1")):
            found = molecules.molecule_tables(numbers, study.models, f"{where}/metrics.csv")
            return molecules.molecule_words(study.config["dynamics"], numbers), found
        found = tables.dynamics_tables(numbers, study.models, f"{where}/metrics.csv")
        return _dynamics_words(study.config["dynamics"], numbers), found

    def quantum(system, numbers):
        settings = study.config.get("quantum", {"models": []})  # settings of before it had none
        folders = {m: results / "quantum" / system / m for m in settings["models"]}
        composed = settings.get("composed", {"models": {}})["models"]
        folders |= {m: results / "quantum" / system / m / "composed" for m in composed}
        times = [pd.read_csv(f / "timing.csv") for f in folders.values() if (f / "timing.csv").is_file()]
        if not times:
            return [], []
        found = pd.concat(times, ignore_index=True).drop_duplicates("model")
        done = [m for m, folder in folders.items() if (folder / "timing.csv").is_file()]
        return hardware.hardware_words(settings), hardware.hardware_tables(
            numbers, done, study.models, found, f"{where}/metrics.csv and {where}/quantum/{system}/"
        )

    draft_words, draft_tables = hybrid_words_and_tables(metrics, results / "hybrid", study.models)
    draft = Part("", draft_words, [f for f in pictures if f.kind in ("vqe", "table_one", "binding")], draft_tables)

    def periodic(system, numbers):
        words = materials.material_words(study.config["materials"], system) if "materials" in study.config else []
        if not words:
            return [], []
        fates = results / "materials" / system / "dynamics" / "runs.csv"
        runs = [materials.runs_table(pd.read_csv(fates), fates.as_posix())] if fates.is_file() else []
        found = [*materials.material_tables(numbers, f"{where}/metrics.csv"), *runs]
        return words, [*found, *materials.quantum_tables(numbers, f"{where}/metrics.csv")]

    cost = cost_table(read_benchmarks(results / "benchmarks"), f"{where}/benchmarks/")
    return [
        section("reference", "Reference", ("reference",), reference),
        section(
            "training", "Training and errors", ("training", "errors", "parity"),
            of_role("comparison", lambda numbers: errors.training_words(study.config, numbers)),
        ),
        section(
            "optimisers", "Optimiser study", ("optimiser_curves", "optimisers"),
            of_role("optimiser", lambda _: errors.optimiser_words()),
        ),
        section("sensitivity", "Sensitivity to our choices", ("choices",), of_role("choice", lambda _: [])),
        section("ablation", "Is it quantum?", ("ablations",), of_role("ablation", lambda _: [])),
        section("quantum", "On a quantum computer", ("hardware",), quantum),
        section("capacity", "Capacity", ("effective_dimension", "fisher_spectrum", "capacity_and_error"), capacity),
        section("scaling", "Scaling with data", ("learning_curves",), scaling),
        section("dynamics", "Dynamics", ("dynamics", "vibrations", "inversion"), dynamics),
        section("materials", "Periodic materials", ("materials",), periodic),
        Section("draft", "The architecture draft", [draft] if draft_tables else []),
        Section("cost", "Cost", [Part("", tables=[cost])] if cost.rows else []),
    ]  # fmt: skip


def _capacity_words(settings: dict, numbers: pd.DataFrame) -> list[str]:
    """Where the effective dimension is evaluated, and from what."""
    n = numbers[numbers.quantity == "fisher_rank"].n_train
    frames = f" ({int(n.max())})" if len(n) else ""
    others = [str(k) for k in settings["n_data"] if not len(n) or k != int(n.max())]
    also = f"; the figure also shows n = {', '.join(others)}" if others else ""
    return [
        f"Effective dimension after Abbas et al. (Nat. Comput. Sci. 1, 403, 2021; doi 10.1038/s43588-021-00084-1), "
        f"n = number of training frames{frames}{also}; {settings['samples']} parameter vectors per seed and box. The "
        "Gaussian likelihood is the one of the regression that is done; Bernoulli shows how much hangs on that choice."
    ]


def _dynamics_words(settings: dict, numbers: pd.DataFrame) -> list[str]:
    words = [
        f"Constant-energy dynamics (velocity Verlet, {settings['time_step_fs']:g} fs, "
        f"{settings['length_fs']:g} fs) from rest at a stretched bond; the reference is a spline through the labels."
    ]
    check = numbers[numbers.variant == "on_the_fly"].set_index("quantity").value
    if "distance_difference_max" in check:
        words.append(
            f"With the reference method itself at every step, r(t) differs from that of the spline by at most "
            f"{number(check['distance_difference_max'])} Å over {number(check['simulated_time'])} fs."
        )
    return words

"""Jobs in the environments that their rules declare: without this process's path, and still with the package qff."""

import subprocess

from test_study import TINY, command, copy_repository, environment


def test_a_job_runs_in_the_environment_of_its_rule(tmp_path, stand_in_conda):
    folder = copy_repository(tmp_path / "study")
    target = "results/tiny/data/lih/splits.json"
    done = subprocess.run(
        command(target, *TINY, "--sdm", "conda", cores=1),
        cwd=folder,
        env=environment() | {"PATH": stand_in_conda, "PYTHONPATH": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert (folder / target).is_file()
    made = sorted(p.name for p in (folder / ".snakemake/conda").glob("*.yaml"))
    assert len(made) == 1  # of labels and splits
    prefixes = [folder / ".snakemake/conda" / name.removesuffix(".yaml") for name in made]
    assert all(any((prefix / "lib").rglob("packages.pth")) for prefix in prefixes)
    assert done.stderr.count("Activating conda environment") >= 2

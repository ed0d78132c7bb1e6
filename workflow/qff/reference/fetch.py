"""Fetches the rMD17 files of a system: ``QFF_DATA=~/data python -m qff.reference.fetch ethanol_rmd17``.

Nothing else in this package downloads anything. Files come from the address in ``config/systems.yaml`` and are kept only
if their sha256 is the one given there; ``--archive rmd17.tar.bz2`` takes them from the published archive instead.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tarfile
import urllib.request
from pathlib import Path

from qff.command import reported
from qff.config import Rmd17Config, SystemConfig, read_yaml, validate
from qff.errors import DataError
from qff.provenance import atomic_path, file_digest
from qff.reference.location import SHARES, VARIABLE, index_name, split_name, whole_name
from qff.reference.rmd17 import check_digests

TIMEOUT = 60  # seconds without an answer


def fetch_rmd17(config: Rmd17Config, folder: Path) -> list[Path]:
    """Download the files of the splits that are not there yet.

    Returns:
        files that were downloaded.

    Raises:
        DataError: a file has no sha256 in the configuration, cannot be downloaded, or is another one.
    """
    fetched = []
    for name in [split_name(config.molecule, share, k) for k in config.splits for share in SHARES]:
        path, expected = folder / name, config.sha256.get(name)
        if path.is_file() and expected in (None, file_digest(path)):
            continue
        if expected is None:
            raise DataError(
                f"{name}: config/systems.yaml gives no sha256 (rmd17.sha256), so that a download could not be checked; "
                f"add it, store the file yourself in {folder}, or take it from the published archive (--archive)"
            )
        _download(f"{config.url}/{name}", path, expected)
        fetched.append(path)
    return fetched


def _download(url: str, path: Path, sha256: str) -> None:
    try:
        with atomic_path(path) as temporary:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, temporary.open("wb") as file:
                shutil.copyfileobj(answer, file)
            if (found := file_digest(temporary)) != sha256:
                raise DataError(f"{url}: sha256 is {found}, config/systems.yaml expects {sha256}; nothing was stored")
    except (OSError, ValueError) as error:  # no network, no such page, no such address
        raise DataError(
            f"{url}: cannot be downloaded ({error}); fetch it on another machine and store it as {path}"
        ) from error


def unpack_rmd17(archive: Path, config: Rmd17Config, folder: Path) -> list[Path]:
    """Take the frames and splits of a molecule out of the published archive (``rmd17.tar.bz2``).

    Returns:
        files that were written.

    Raises:
        DataError: unreadable, a member is missing, or another sha256.
    """
    indices = [f"splits/{index_name(share, k)}" for k in config.splits for share in SHARES]
    wanted = {f"rmd17/{name}": folder / name for name in [f"npz_data/{whole_name(config.molecule)}", *indices]}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:  # in the order of the archive: it is large and compressed
                if (path := wanted.get(member.name.removeprefix("./"))) is not None:
                    with atomic_path(path) as temporary, temporary.open("wb") as file:
                        shutil.copyfileobj(tar.extractfile(member), file)
    except (OSError, EOFError, tarfile.TarError) as error:
        raise DataError(f"{archive}: not a readable archive ({error}); fetch it again ({config.source})") from error
    if missing := [name for name, path in wanted.items() if not path.is_file()]:
        raise DataError(f"{archive}: holds no {missing[0]}; is it the published rmd17.tar.bz2? ({config.source})")
    check_digests(list(wanted.values()), config)
    return list(wanted.values())


@reported
def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", help="a system of config/systems.yaml with reference.rmd17")
    parser.add_argument("--archive", type=Path, help="the published rmd17.tar.bz2; nothing is downloaded")
    arguments = parser.parse_args(words)
    folder, config = _place(arguments.system)
    files = unpack_rmd17(arguments.archive, config, folder) if arguments.archive else fetch_rmd17(config, folder)
    print("\n".join(map(str, files)) or f"all files are in {folder}")
    return 0


def _place(name: str) -> tuple[Path, Rmd17Config]:
    entries = read_yaml("config/systems.yaml")
    if name not in entries:
        raise DataError(f"unknown system '{name}'; known: {', '.join(entries)}")
    config = validate(SystemConfig, entries[name], f"config/systems.yaml, {name}").reference.rmd17
    if config is None:
        raise DataError(f"system '{name}' is not of rMD17 (no reference.rmd17): nothing to fetch")
    if not (root := os.environ.get(VARIABLE)):
        raise DataError(f"{VARIABLE} is not set: it names the folder that files are stored in")
    return Path(root) / config.folder, config


if __name__ == "__main__":
    sys.exit(main())

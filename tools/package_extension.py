"""Lays the module out as an installed Slicer extension, and packs it: ``make package``.

    python -m tools.package_extension [--out build/extension] [--slicer 5.10]

It takes the files from the lists of BrainstemALS/CMakeLists.txt, as Slicer's build does, so what is
not listed there is missing here too. The same files give the same archive, byte by byte.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .list_files import ASSETS, MODULE, RESOURCES, ROOT, SCRIPTS, listed

NAME = "BrainstemALS"
_MOMENT = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
_READABLE = 0o100644 << 16  # a plain file that its owner writes and everybody reads


@dataclass(frozen=True)
class Package:
    """A packed extension.

    Attributes
    ----------
    folder : Path
        As unpacked: what Slicer keeps below its folder of extensions.
    module : Path
        Folder of the module in it, which Slicer puts on its module path.
    archive : Path
        Zip of ``folder``; its checksum lies beside it, as ``.sha256``.
    sha256 : str
    """

    folder: Path
    module: Path
    archive: Path
    sha256: str


def package(out: Path, slicer: str = "5.10") -> Package:
    """Lay out and pack.

    Parameters
    ----------
    out : Path
        Gets the folder, the archive and the checksum; those of before are replaced.
    slicer : str
        Version of Slicer whose folder names are used.

    Raises
    ------
    FileNotFoundError
        A file that is listed does not exist.
    """
    lists = listed()
    folder = out / NAME
    module = folder / "lib" / f"Slicer-{slicer}" / "qt-scripted-modules"
    if folder.exists():
        shutil.rmtree(folder)
    for base, name in ((MODULE, SCRIPTS), (MODULE, RESOURCES), (ROOT, ASSETS)):
        for entry in lists[name]:
            target = module / entry
            if target.exists():
                raise FileExistsError(f"{entry} is listed twice, once for the module and once here")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(base / entry, target)
    archive = out / f"{NAME}-{_version()}-Slicer-{slicer}.zip"
    _pack(folder, archive)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    checksum = archive.with_name(archive.name + ".sha256")
    checksum.write_text(f"{digest}  {archive.name}\n", encoding="ascii", newline="\n")
    return Package(folder, module, archive, digest)


def _version() -> str:
    text = (MODULE / "BrainstemALSLib" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE).group(1)


def _pack(folder: Path, archive: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(folder.parent).as_posix(), _MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # also on Windows, where the permissions would be dropped
            entry.external_attr = _READABLE
            packed.writestr(entry, path.read_bytes())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "extension")
    parser.add_argument("--slicer", default="5.10")
    options = parser.parse_args()
    made = package(options.out, options.slicer)
    print(f"{made.archive} ({made.archive.stat().st_size / 1e6:.1f} MB), sha256 {made.sha256}")


if __name__ == "__main__":
    main()

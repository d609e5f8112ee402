"""Compares the lists of files in BrainstemALS/CMakeLists.txt with the tree, or rewrites them.

    python -m tools.list_files            # says what differs
    python -m tools.list_files --write    # puts it right

Slicer packages what is listed there and nothing else.
"""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULE = ROOT / "BrainstemALS"
LISTS = MODULE / "CMakeLists.txt"
SCRIPTS, RESOURCES, ASSETS = "MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES", "SHARED_ASSETS"
SKIPPED = {".git", ".venv", "venv", "data", "runs", "build", "dist", "demo-output"}


def repository_files() -> list[Path]:
    """The repository's own files: what git knows, or, outside git, what lies in the folders."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            check=True,
        ).stdout.split("\0")
        paths = [ROOT / name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [
            path for path in ROOT.rglob("*") if not SKIPPED & set(path.relative_to(ROOT).parts)
        ]
    return [path for path in paths if path.is_file() and "__pycache__" not in path.parts]


def wanted() -> dict[str, list[str]]:
    """What the lists should be: paths relative to the module, of shared assets to the top."""
    files = repository_files()
    library, resources = MODULE / "BrainstemALSLib", MODULE / "Resources"
    shared = ROOT / "Resources"
    scripts = [path for path in files if library in path.parents and path.suffix == ".py"]
    scripts += [path for path in files if path == MODULE / "BrainstemALS.py"]
    return {
        SCRIPTS: _names(scripts, MODULE),
        RESOURCES: _names([path for path in files if resources in path.parents], MODULE),
        ASSETS: _names([path for path in files if shared in path.parents], ROOT),
    }


def listed(text: str | None = None) -> dict[str, list[str]]:
    """What the lists are, without their comments; those of the tree where no text is given."""
    text = LISTS.read_text(encoding="utf-8") if text is None else text
    entries = {}
    for name in (SCRIPTS, RESOURCES, ASSETS):
        body = _pattern(name).search(text).group(2)
        lines = (line.split("#")[0].strip() for line in body.splitlines())
        entries[name] = [line for line in lines if line]
    return entries


def rewritten(text: str, lists: dict[str, list[str]]) -> str:
    """Return the CMake text with other lists."""
    for name, entries in lists.items():
        body = "".join(f"  {entry}\n" for entry in entries)
        text = _pattern(name).sub(lambda found, body=body: f"{found[1]}{body}{found[3]}", text)
    return text


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"^(set\({name}\n)(.*?)(  \)$)", re.DOTALL | re.MULTILINE)


def _names(paths: list[Path], base: Path) -> list[str]:
    return sorted(path.relative_to(base).as_posix() for path in paths)


def main() -> int:
    """Command line; 1 where the lists differ and were not put right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="rewrite the lists")
    write = parser.parse_args().write
    now, then = listed(), wanted()
    for name in now:
        for entry in sorted(set(then[name]) - set(now[name])):
            print(f"{name}: + {entry}")
        for entry in sorted(set(now[name]) - set(then[name])):
            print(f"{name}: - {entry}")
    if write:
        text = rewritten(LISTS.read_text(encoding="utf-8"), then)
        LISTS.write_text(text, encoding="utf-8", newline="\n")
        return 0
    return int(now != then)


if __name__ == "__main__":
    raise SystemExit(main())

"""Rules that the repository keeps about itself."""

import json
import os
import re
import struct
import subprocess
import sys
import tomllib
import zipfile
from itertools import chain

import pytest

from BrainstemALSLib import __version__
from tools import list_files

ROOT, MODULE = list_files.ROOT, list_files.MODULE
MAX_LINES = 400
MAX_BYTES = 31 * 2**20  # the largest model may take 30 MiB
INDEX_FIELDS = {  # of the schema 1.0.2 of Slicer's extension catalog: type, and values if few
    "$schema": str,
    "build_dependencies": list,
    "build_subdirectory": str,
    "category": str,
    "dicom_support_rule": str,
    "enabled": bool,
    "scm_revision": str,
    "scm_type": str,
    "scm_url": str,
    "tier": int,
}


def files(*suffixes):
    """The repository's own files, of these suffixes or all."""
    paths = list_files.repository_files()
    return [path for path in paths if not suffixes or path.suffix in suffixes]


def in_tree(folder, base, *suffixes):
    inside = [path for path in files(*suffixes) if folder in path.parents]
    return sorted(path.relative_to(base).as_posix() for path in inside)


@pytest.mark.parametrize("name", [list_files.SCRIPTS, list_files.RESOURCES, list_files.ASSETS])
def test_the_extension_lists_every_file(name):
    # Slicer packages what the lists name, and nothing else.
    listed, wanted = list_files.listed()[name], list_files.wanted()[name]
    assert listed == wanted, f"{name} differs: run `python -m tools.list_files --write`"


def test_the_extension_lists_every_test_that_runs_in_slicer():
    folder = ROOT / "Testing" / "slicer"
    text = (folder / "CMakeLists.txt").read_text(encoding="utf-8")
    listed = re.search(r"set\(SLICER_TEST_SCRIPTS\n(.*?)\)", text, re.DOTALL).group(1).split()
    assert sorted(listed) == in_tree(folder, folder, ".py")


def test_the_catalog_entry_follows_its_schema():
    entry = json.loads((ROOT / "BrainstemALS.json").read_text(encoding="utf-8"))
    assert {"$schema", "category", "scm_url"} <= entry.keys() <= INDEX_FIELDS.keys()
    for name, value in entry.items():
        assert type(value) is INDEX_FIELDS[name], name
    assert entry["$schema"].endswith("/slicer-extension-catalog-entry-schema-v1.0.2.json#")
    assert all(isinstance(name, str) for name in entry["build_dependencies"])
    assert entry["scm_type"] in ("git", "local")
    assert 1 <= entry["tier"] <= 5
    assert entry["scm_url"].startswith("https://")


def test_cmake_and_the_catalog_entry_say_the_same():
    entry = json.loads((ROOT / "BrainstemALS.json").read_text(encoding="utf-8"))
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    stated = dict(re.findall(r'^set\(EXTENSION_(\w+) "(.*)"\)', text, re.MULTILINE))
    assert re.search(r"^project\((\w+)\)", text, re.MULTILINE).group(1) == "BrainstemALS"
    assert stated["HOMEPAGE"] == entry["scm_url"]
    assert stated["CATEGORY"] == entry["category"]
    assert stated["DEPENDS"].split() == entry["build_dependencies"]


def test_pictures_of_the_catalog_are_in_the_repository():
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    urls = re.findall(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/main/([^\s\"]+)", text)
    assert len(urls) == 3
    assert [path for path in urls if not (ROOT / path).is_file()] == []


def test_the_icon_has_the_size_that_slicer_asks_for():
    content = (MODULE / "Resources" / "Icons" / "BrainstemALS.png").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == (128, 128)


def test_the_version_is_the_same_everywhere():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.+)$", citation, re.MULTILINE).group(1) == __version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d[^\]]*)\] - (\S+)$", changelog, re.MULTILINE)
    assert newest.group(1) == __version__
    released = re.search(r'^date-released: "(.+)"$', citation, re.MULTILINE).group(1)
    assert newest.group(2) == released
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]


def test_no_code_file_is_too_long():
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in files(".py")
    }
    assert {name: n for name, n in lengths.items() if n > MAX_LINES} == {}


def test_no_pickle_no_large_file_and_no_dicom_is_tracked():
    # .ts is TorchScript, whose archive holds its own pickle-like code; it loads only when its
    # checksum matches (segmentation/models.py).
    pickles = {".pkl", ".pickle", ".joblib", ".npy", ".pt", ".pth", ".ckpt", ".dill"}
    for path in files():
        assert path.suffix.lower() not in pickles, path.name
        assert path.suffix.lower() not in {".dcm", ".ima"}, path.name
        assert path.stat().st_size <= MAX_BYTES, path.name


def test_nothing_names_a_folder_of_a_machine():
    # Written in two parts, so that this file does not name one either.
    folders = re.compile("(?<![a-z.~])/(" + "work|home|Users" + ")/[a-z]")
    allowed = {"test_cli.py"}  # plants such a folder to see that no message shows it
    for path in files(".py", ".md", ".toml", ".txt", ".tsv", ".json", ".cff", ".cmake", ".yaml"):
        if path.name not in allowed:
            found = folders.search(path.read_text(encoding="utf-8"))
            assert found is None, f"{path.name}: {found.group(0)}"


def test_every_decision_is_numbered_in_a_row():
    numbers = [int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("*.md")]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_links_in_the_documents_lead_somewhere():
    for document in files(".md"):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text("utf-8")):
            if "://" in target or target.startswith("mailto:"):
                continue
            path = (document.parent / target).resolve()
            assert path.exists(), f"{document.name} links to {target}"


def test_the_constraints_name_public_versions_only():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", pin) for pin in pins)
    names = {re.sub(r"[-_.]+", "-", pin.split("==")[0]).lower() for pin in pins}
    assert len(names) == len(pins)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in chain(project["dependencies"], *project["optional-dependencies"].values()):
        name = re.match(r"[A-Za-z0-9._-]+", requirement).group(0)
        assert re.sub(r"[-_.]+", "-", name).lower() in names, f"{requirement} has no pin"


def test_the_layers_hold():
    code = "from importlinter.cli import lint_imports_command as run; run()"
    outcome = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(MODULE), str(ROOT)])},
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "0 broken" in outcome.stdout


def test_the_wheel_carries_the_library_and_its_assets(tmp_path):
    code = f"import hatchling.build as b; print(b.build_wheel({str(tmp_path)!r}))"
    outcome = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert outcome.returncode == 0, outcome.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert __version__ in wheel.name
    names = set(zipfile.ZipFile(wheel).namelist())
    library = set(in_tree(MODULE / "BrainstemALSLib", MODULE, ".py"))
    assets = {f"BrainstemALSLib/{name}" for name in in_tree(ROOT / "Resources", ROOT)}
    assert library <= names
    assert assets <= names
    assert not any(name.startswith(("Testing", "training")) for name in names)

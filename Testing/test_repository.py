"""Rules that the repository keeps about itself."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from itertools import chain
from pathlib import Path

from BrainstemALSLib import __version__

ROOT = Path(__file__).resolve().parents[1]
MODULE = ROOT / "BrainstemALS"
MAX_LINES = 400
MAX_BYTES = 31 * 2**20  # the largest model may take 30 MiB
SKIPPED = {".git", ".venv", "venv", "data", "runs", "build", "dist", "demo-output"}


def files(*suffixes):
    """The repository's own files: what git knows, or, outside git, what lies in the folders."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\0")
        paths = [ROOT / name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [
            path for path in ROOT.rglob("*") if not SKIPPED & set(path.relative_to(ROOT).parts)
        ]
    return [
        path
        for path in paths
        if path.is_file()
        and (not suffixes or path.suffix in suffixes)
        and "__pycache__" not in path.parts
    ]


def cmake_list(name):
    """Entries of a CMake list, without its comments."""
    text = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8")
    body = re.search(rf"set\({name}\b(.*?)\)", text, re.DOTALL).group(1)
    lines = (line.split("#")[0].strip() for line in body.splitlines())
    return [line for line in lines if line]


def in_tree(folder, base, *suffixes):
    inside = [path for path in files(*suffixes) if folder in path.parents]
    return sorted(path.relative_to(base).as_posix() for path in inside)


def same(listed, tree, name):
    wanted = "\n".join(f"  {entry}" for entry in tree)
    assert sorted(listed) == tree, f"{name} in BrainstemALS/CMakeLists.txt should be:\n{wanted}"


def test_the_extension_lists_every_script():
    listed = cmake_list("MODULE_PYTHON_SCRIPTS")
    same(listed, in_tree(MODULE / "BrainstemALSLib", MODULE, ".py"), "MODULE_PYTHON_SCRIPTS")


def test_the_extension_lists_every_asset():
    listed = cmake_list("SHARED_ASSETS")
    same(listed, in_tree(ROOT / "Resources", ROOT), "SHARED_ASSETS")


def test_the_extension_lists_every_resource_of_the_module():
    listed = cmake_list("MODULE_PYTHON_RESOURCES")
    same(listed, in_tree(MODULE / "Resources", MODULE), "MODULE_PYTHON_RESOURCES")


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

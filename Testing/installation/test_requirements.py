import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import BrainstemALSLib
from BrainstemALSLib.installation.requirements import (
    FOR_A_FIT,
    NOT_IN_SLICER,
    missing,
    panel_requirements,
    read_requirements,
)

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = Path(BrainstemALSLib.__file__).parents[1]


def test_they_are_the_dependencies_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert list(read_requirements()) == project["dependencies"]


def test_nothing_is_missing_where_the_tests_run():
    assert missing() == ()


def test_slicer_gets_nothing_that_only_the_command_line_needs():
    names = {text.split(">")[0] for text in read_requirements()}
    assert set(NOT_IN_SLICER) < names
    assert {text.split(">")[0] for text in panel_requirements()} == names - set(NOT_IN_SLICER)


def test_missing_too_old_and_cut_off_are_told(dist_info):
    dist_info("numpy", "1.20.0")
    dist_info("scipy", "1.11.0")
    dist_info("torch", "2.13.0+cpu", record=False)
    site = dist_info("SimpleITK", "2.5.0rc2.dev369", record=False, wheel=False)  # Slicer builds it
    found = {item.name: item for item in missing(search_path=[str(site)])}
    assert set(found) == {"numpy", "torch", "dipy"}
    assert [name for name, item in found.items() if item.only_for_a_fit] == list(FOR_A_FIT)
    assert found["numpy"].found == "1.20.0"
    assert str(found["numpy"]) == "numpy>=1.26 (1.20.0 is installed)"
    assert found["torch"].found is None, "half of a package counts as none"


@pytest.mark.parametrize(
    ("version", "fits"),
    [("2.4.0", True), ("2.13.0+cu126", True), ("3.0.0", False), ("2.3.1+cpu", False)],
)
def test_a_version_fits_or_not_whatever_its_build(dist_info, version, fits):
    site = dist_info("torch", version)
    assert (missing(["torch>=2.4,<3"], [str(site)]) == ()) is fits


@pytest.mark.parametrize("absent", [(), ("packaging",)])
def test_it_needs_neither_torch_nor_the_package_packaging(absent):
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent!r}));"
        "sys.path.insert(0, sys.argv[1]);"
        "from BrainstemALSLib.installation.requirements import missing;"
        "print(missing(['torch>=99'])[0].wanted, 'torch' in sys.modules, 'numpy' in sys.modules)"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", code, str(LIBRARY)], capture_output=True, text=True, timeout=60
    )
    assert outcome.stdout.split() == ["torch>=99", "False", "False"], outcome.stderr

"""The extension as it is installed: laid out from the lists of CMake alone, and run there."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from tools.list_files import ASSETS, RESOURCES, ROOT, SCRIPTS, listed, rewritten, wanted
from tools.package_extension import package

LARGEST_PACKAGE = 31 * 2**20
LARGEST_CLONE = 100 * 10**6
# The rest of the library is imported in Slicer's own process too, and must leave torch alone.
COMPUTES_WITH_TORCH = {"inference", "locate", "preprocess", "segmenter"}
FOLDER = "lib/Slicer-5.10/qt-scripted-modules"
# A Slicer that only notes what the extension's CMake files ask of it.
SLICER_CONFIG = """
set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/empty.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/empty.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/empty.cmake)
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR lib/Slicer-5.10/qt-scripted-modules)
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR lib/Slicer-5.10/qt-scripted-modules)
macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(NOT MY_NAME OR MY_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "slicerMacroBuildScriptedModule: ${MY_NAME} ${MY_UNPARSED_ARGUMENTS}")
  endif()
  foreach(file ${MY_SCRIPTS} ${MY_RESOURCES})
    get_filename_component(folder ${file} DIRECTORY)
    install(FILES ${file} DESTINATION ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}/${folder})
  endforeach()
endmacro()
macro(slicer_add_python_unittest)
  cmake_parse_arguments(MY "" "TESTNAME_PREFIX;SCRIPT" "SLICER_ARGS" ${ARGN})
  if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${MY_SCRIPT})
    message(FATAL_ERROR "no test ${MY_SCRIPT}")
  endif()
  file(APPEND ${CMAKE_BINARY_DIR}/tests.txt "${MY_SCRIPT}\\n")
endmacro()
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return package(tmp_path_factory.mktemp("installed ä"))


def files_in(folder):
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix() for path in paths if path.suffix != ".pyc"}


def in_package(made, code, cwd):
    """Run code in a Python that knows nothing but the package's folder."""
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    lines = f"import sys; sys.path.insert(0, {str(made.module)!r})\n{code}"
    # -I leaves out PYTHONPATH and the current folder. The editable install of this checkout would
    # still be found behind the package, so what is imported is checked to lie in the package.
    outcome = subprocess.run(
        [sys.executable, "-I", "-c", lines],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout.strip().splitlines()


def test_it_holds_what_the_lists_name_and_nothing_else(made):
    lists = listed()
    laid = files_in(made.module)
    assert laid == {*lists[SCRIPTS], *lists[RESOURCES], *lists[ASSETS]}
    assert "BrainstemALS.py" in laid
    assert not any(name.startswith(("Testing", "training", "tools")) for name in laid)


def test_the_same_files_give_the_same_archive(made, tmp_path):
    again = package(tmp_path)
    assert again.sha256 == made.sha256
    checksum = made.archive.with_name(f"{made.archive.name}.sha256").read_text().split()
    assert checksum == [hashlib.sha256(made.archive.read_bytes()).hexdigest(), made.archive.name]
    with zipfile.ZipFile(made.archive) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert all(name.startswith(f"BrainstemALS/{FOLDER}/") for name in names)
    assert len(names) == len(set(names)) == sum(map(len, listed().values()))
    assert made.archive.stat().st_size < LARGEST_PACKAGE


def test_every_pure_part_is_imported_from_the_package(made, tmp_path):
    modules = sorted(
        path.relative_to(made.module).with_suffix("").as_posix().replace("/", ".")
        for path in (made.module / "BrainstemALSLib").rglob("*.py")
        # What needs Slicer or Qt is opened on the host of Testing/host; the command line needs
        # typer, which Slicer has not; __main__ is run below; describe is a script.
        if not {"gui", "scene", "cli"} & set(path.parts)
        and path.stem not in COMPUTES_WITH_TORCH
        and path.name not in ("__main__.py", "__init__.py", "module_logic.py", "describe.py")
    )
    assert len(modules) > 60
    code = (
        "import importlib\n"
        f"for name in {modules!r}:\n"
        "    print(importlib.import_module(name).__file__)\n"
        "print('torch' in sys.modules)"
    )
    *places, torch = in_package(made, code, tmp_path)
    assert all(place.startswith(str(made.module)) for place in places)
    assert torch == "False", "nothing imports torch before it is needed"


def test_assets_and_resources_are_found_in_it(made, tmp_path):
    code = (
        "from BrainstemALSLib.assets import asset_path\n"
        "from BrainstemALSLib.installation.requirements import read_requirements\n"
        "from BrainstemALSLib.segmentation.models import find_model\n"
        "from BrainstemALSLib.anatomy import load_structures\n"
        "print(asset_path('Anatomy/structures.tsv'))\n"
        "print(find_model('structures').path)\n"
        "print(len(load_structures()), *read_requirements())"
    )
    table, model, rest = in_package(made, code, tmp_path)
    assert table.startswith(str(made.module))
    assert model.startswith(str(made.module))
    assert "torch>=2.4,<3" in rest


def test_the_worker_starts_from_it_and_answers(made, tmp_path):
    code = (
        "from BrainstemALSLib.worker import client, launch\n"
        "print(launch.worker_command()[1][0])\n"
        "worker = client.WorkerClient()\n"
        "try:\n"
        "    print(worker.ping() is not False)\n"
        "finally:\n"
        "    worker.close()"
    )
    script, answered = in_package(made, code, tmp_path)
    assert script.startswith(str(made.module))
    assert answered == "True"


def test_what_is_missing_is_told_from_it(made, tmp_path):
    script = made.module / "BrainstemALSLib" / "installation" / "__main__.py"
    arguments = [str(script), "check", "--route", "online", "--folder", str(tmp_path / "plan")]
    outcome = subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    first = json.loads(outcome.stdout.splitlines()[0])
    assert "Everything that is needed is installed" in first["text"]


@pytest.mark.skipif(shutil.which("cmake") is None, reason="CMake is not installed")
def test_cmake_installs_the_same_files(made, tmp_path):
    slicer = tmp_path / "slicer"
    slicer.mkdir()
    (slicer / "SlicerConfig.cmake").write_text(SLICER_CONFIG)
    (slicer / "empty.cmake").write_text("")
    build, prefix = tmp_path / "build", tmp_path / "installed"
    configure = ["cmake", "-S", str(ROOT), "-B", str(build), f"-DSlicer_DIR={slicer}"]
    # Nothing is compiled, so no compiler is looked for.
    configure += ["-DBUILD_TESTING=ON", f"-DCMAKE_INSTALL_PREFIX={prefix}"]
    configure += ["-DCMAKE_C_COMPILER_WORKS=1", "-DCMAKE_CXX_COMPILER_WORKS=1"]
    for command in (configure, ["cmake", "--install", str(build)]):
        outcome = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert outcome.returncode == 0, outcome.stderr
    assert files_in(prefix / FOLDER) == files_in(made.module)
    assert (build / FOLDER / "Resources/Models/structures.ts").is_file(), "for a build tree"
    tests = (build / "tests.txt").read_text().split()
    in_slicer = sorted(path.name for path in (ROOT / "Testing" / "slicer").glob("*.py"))
    assert sorted(tests) == sorted(["BrainstemALS.py", *in_slicer])


def test_the_lists_can_be_rewritten():
    text = (ROOT / "BrainstemALS" / "CMakeLists.txt").read_text(encoding="utf-8")
    assert rewritten(text, listed(text)) == text
    emptied = rewritten(text, {name: [] for name in listed(text)})
    assert listed(emptied) == {SCRIPTS: [], RESOURCES: [], ASSETS: []}
    assert listed(rewritten(emptied, wanted())) == wanted()
    assert "WITH_GENERIC_TESTS" in emptied


def test_a_clone_stays_small():
    # What a clone brings. What lies in .git besides (objects nobody refers to any more, packs that
    # hold the same twice) stays where it is.
    counted = subprocess.run(
        ["git", "rev-list", "--objects", "--disk-usage", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if counted.returncode:
        pytest.skip("not a clone")
    history = int(counted.stdout)
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    there = [ROOT / name for name in tracked if name and (ROOT / name).is_file()]
    assert history + sum(path.stat().st_size for path in there) < LARGEST_CLONE


def test_the_panel_opens_from_it(made, tmp_path):
    code = f"""
sys.path.append({str(ROOT)!r})  # for the host alone: the library does not lie there
from Testing.host import install
host = install()
host.new_scene()
module, widget = host.load_module({str(made.module / "BrainstemALS.py")!r})
host.enter(widget)
import BrainstemALSLib
print(BrainstemALSLib.__file__)
print(widget.panel.ui.researchLabel.text)
print(widget.panel.ui.environmentLabel.text)
host.close()
"""
    library, line, problem = [*in_package(made, code, tmp_path), ""][:3]
    assert library.startswith(str(made.module))
    assert line.startswith("Research use only")
    assert "model" not in problem

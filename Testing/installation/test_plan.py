from dataclasses import replace

import pytest

from BrainstemALSLib.installation.failures import InstallError
from BrainstemALSLib.installation.gpu import Gpu
from BrainstemALSLib.installation.plan import CPU_MB, CUDA_MB, INDEX, Route, plan

TORCH = ["numpy>=1.26", "torch>=2.4,<3"]


def test_what_is_missing_and_what_must_stay(interpreter, folder):
    made = plan(Route.ONLINE, folder, interpreter=interpreter, wanted=TORCH)
    assert [item.name for item in made.missing] == ["torch"]
    assert "numpy==1.26.4" in made.constraints
    assert any(line.startswith("pip==") for line in made.constraints)
    assert made.constraints_file.read_text().splitlines() == list(made.constraints)
    program, arguments = made.command()
    assert program == interpreter.program
    assert arguments[:3] == ["-m", "pip", "install"]
    assert arguments[-1] == "torch<3,>=2.4"
    assert arguments[arguments.index("-c") + 1] == str(made.constraints_file)
    assert "--only-binary=:all:" in arguments
    assert made.command_text.endswith("'torch<3,>=2.4'")
    assert "about 200 MB (measured" in made.text


@pytest.mark.parametrize(
    ("gpu", "build", "size"),
    [
        (None, "cpu", CPU_MB),
        (Gpu("A100", "580.65", 80000, 8.0), "cu130", CUDA_MB),
        (Gpu("A100", "535.183", 80000, 8.0), "cu126", CUDA_MB),
        (Gpu("P100", "580.65", 16000, 6.0), "cu126", CUDA_MB),
        (Gpu("K80", "440.33", 12000), "cpu", CPU_MB),
    ],
)
def test_the_build_fits_the_gpu(interpreter, folder, gpu, build, size):
    elsewhere = {**interpreter.markers, "sys_platform": "linux"}
    made = plan(
        Route.ONLINE,
        folder,
        interpreter=replace(interpreter, markers=elsewhere),
        wanted=TORCH,
        gpu=gpu,
    )
    assert f"{INDEX}/{build}" in made.options
    assert made.download_mb == size
    assert f"{INDEX}/{build}" in made.source


def test_on_macos_there_is_one_build(interpreter, folder):
    mac = replace(interpreter, markers={**interpreter.markers, "sys_platform": "darwin"})
    made = plan(Route.ONLINE, folder, interpreter=mac, wanted=TORCH)
    assert not any(INDEX in option for option in made.options)
    assert made.download_mb == CPU_MB


def test_offline_takes_the_folder_alone(interpreter, folder, tmp_path, make_wheel):
    wheel = make_wheel(tmp_path / "wheels", "torch", "2.5.0", code="#" * 2_000_000)
    wheels = wheel.parent
    made = plan(Route.OFFLINE, folder, wheels=wheels, interpreter=interpreter, wanted=TORCH)
    assert "--no-index" in made.options
    assert made.options[made.options.index("--find-links") + 1] == str(wheels)
    assert not any("://" in option for option in made.options)
    assert made.download_mb == 2
    with pytest.raises(InstallError, match="no folder of packages"):
        plan(Route.OFFLINE, folder, interpreter=interpreter, wanted=TORCH)


def test_nothing_to_do_is_said(interpreter, folder):
    made = plan(Route.ONLINE, folder, interpreter=interpreter, wanted=["numpy"])
    assert made.missing == ()
    assert "Everything" in made.text
    assert made.download_mb == 0


def test_a_pip_that_can_is_asked_for_progress(interpreter, folder):
    for pip, bar in (("23.2.1", "off"), ("24.1", "raw"), ("25.3", "raw")):
        made = plan(
            Route.ONLINE, folder, interpreter=replace(interpreter, pip=pip), wanted=["alpha"]
        )
        assert f"--progress-bar={bar}" in made.options


def test_without_pip_or_without_a_temporary_folder_nothing_starts(interpreter, folder):
    with pytest.raises(InstallError, match="no pip"):
        plan(Route.ONLINE, folder, interpreter=replace(interpreter, pip=""), wanted=TORCH)
    folder.write_text("in the way")
    with pytest.raises(InstallError, match="temporary folder"):
        plan(Route.ONLINE, folder, interpreter=interpreter, wanted=TORCH)


def test_a_version_that_pip_cannot_read_constrains_nothing(interpreter, folder, tmp_path):
    info = tmp_path / "site" / "vtk-9.5.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vtk\nVersion: built-by-slicer\n")
    odd = replace(interpreter, search_path=(*interpreter.search_path, str(info.parent)))
    made = plan(Route.ONLINE, folder, interpreter=odd, wanted=TORCH)
    assert not any(line.startswith("vtk") for line in made.constraints)
    assert any(line.startswith("numpy") for line in made.constraints)

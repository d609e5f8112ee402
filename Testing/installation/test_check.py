"""A real pip answers; the index is a folder on this computer."""

import threading
from dataclasses import replace

import pytest

from BrainstemALSLib.errors import ExitCode
from BrainstemALSLib.installation.check import check
from BrainstemALSLib.installation.failures import InstallCancelled, InstallError
from BrainstemALSLib.installation.plan import Route, plan


@pytest.fixture
def online(interpreter, folder, index, monkeypatch):
    """Plan for packages of the index; publishes what it is given."""
    publish, address = index
    monkeypatch.setenv("PIP_INDEX_URL", address)

    def make(wanted, *packages):
        for package in packages:
            publish(*package)
        return plan(Route.ONLINE, folder, interpreter=interpreter, wanted=wanted)

    return make


def test_what_would_change_is_told_and_nothing_is(online, interpreter):
    made = online(["alpha>=1"], ("alpha", "1.5", ["beta"]), ("beta", "0.3"))
    lines = []
    changes = check(made, lines.append)
    assert {str(change) for change in changes} == {"alpha 1.5", "beta 0.3"}
    assert any("alpha" in line for line in lines), "a dialog has something to show"
    assert "alpha" not in interpreter.installed()


def test_a_package_of_slicer_that_would_change_is_named_with_both_versions(online):
    made = online(["alpha>=1"], ("alpha", "1.5", ["numpy>=2"]), ("numpy", "2.3.5"))
    with pytest.raises(InstallError) as refusal:
        check(made)
    text = str(refusal.value)
    assert "numpy 1.26.4 would become 2.3.5" in text
    assert "Nothing was installed" in text
    assert refusal.value.code == ExitCode.MISSING_PACKAGE
    assert "ResolutionImpossible" not in text


def test_an_older_package_that_leaves_slicer_alone_is_preferred(online):
    made = online(
        ["alpha>=1"],
        ("alpha", "1.4", ["numpy>=1.20"]),
        ("alpha", "1.5", ["numpy>=2"]),
        ("numpy", "2.3.5"),
    )
    assert [str(change) for change in check(made)] == ["alpha 1.4"]


def test_a_second_vtk_is_a_clash_though_slicers_own_has_no_metadata(online):
    made = online(["alpha>=1"], ("alpha", "1.5", ["vtk"]), ("vtk", "9.4.0"))
    with pytest.raises(InstallError, match=r"vtk \(as built in\) would become 9\.4\.0"):
        check(made)


def test_a_package_that_nobody_offers_is_named(online):
    made = online(["gamma>=7"], ("gamma", "1.0"))
    with pytest.raises(InstallError, match="gamma>=7") as refusal:
        check(made)
    assert "ERROR" in refusal.value.details
    assert "ERROR" not in str(refusal.value)


def test_without_a_network_the_sentence_says_so(interpreter, folder, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    made = plan(Route.ONLINE, folder, interpreter=interpreter, wanted=["alpha"])
    with pytest.raises(InstallError, match="index cannot be reached") as refusal:
        check(made)
    assert "folder of packages" in refusal.value.remedy


def test_a_proxy_that_refuses_is_told_from_no_network(interpreter, folder, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://pypi.invalid/simple/")
    monkeypatch.setenv("PIP_PROXY", "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = plan(Route.ONLINE, folder, interpreter=interpreter, wanted=["alpha"])
    with pytest.raises(InstallError, match="proxy"):
        check(made)


def test_a_network_without_pytorchs_index_is_told_before_gigabytes_come(online, monkeypatch):
    unreachable = "http://127.0.0.1:9/whl/cpu"
    monkeypatch.setattr("BrainstemALSLib.installation.plan.CPU_INDEX", unreachable)
    monkeypatch.setattr("BrainstemALSLib.installation.check.CPU_INDEX", unreachable)
    made = online(
        ["torch>=2.4,<3"], ("torch", "2.5.0", ["nvidia-cublas"]), ("nvidia-cublas", "13.0")
    )
    if "--extra-index-url" not in made.options:
        pytest.skip("on macOS there is one build")
    with pytest.raises(InstallError, match=r"2\.9 GB instead of 200 MB"):
        check(made)


def test_too_little_space_is_told_before_the_download(interpreter, folder):
    made = plan(Route.ONLINE, folder, interpreter=interpreter, wanted=["alpha"])
    with pytest.raises(InstallError, match=r"the disk has \d+ MB free"):
        check(replace(made, download_mb=10**9))


def test_offline_the_folder_is_looked_through_first(interpreter, folder, tmp_path, make_wheel):
    wheels = make_wheel(tmp_path / "wheels", "alpha", "1.0", ["beta"]).parent
    made = plan(Route.OFFLINE, folder, wheels=wheels, interpreter=interpreter, wanted=["alpha"])
    with pytest.raises(InstallError, match="there is no beta"):
        check(made)
    make_wheel(wheels, "beta", "2.0")
    assert {str(change) for change in check(made)} == {"alpha 1.0", "beta 2.0"}


def test_offline_a_clash_is_told_too(interpreter, folder, tmp_path, make_wheel):
    wheels = make_wheel(tmp_path / "wheels", "alpha", "1.0", ["numpy>=2"]).parent
    make_wheel(wheels, "numpy", "2.1.0")
    made = plan(Route.OFFLINE, folder, wheels=wheels, interpreter=interpreter, wanted=["alpha"])
    with pytest.raises(InstallError, match=r"numpy 1\.26\.4 would become 2\.1\.0"):
        check(made)


def test_a_check_can_be_cancelled(online):
    made = online(["alpha"], ("alpha", "1.5"))
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(InstallCancelled) as refusal:
        check(made, cancel=cancel)
    assert refusal.value.code == ExitCode.INTERRUPTED

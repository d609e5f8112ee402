import pytest

from BrainstemALSLib.errors import ExitCode
from BrainstemALSLib.installation.failures import InstallError
from BrainstemALSLib.installation.wheels import survey


def names(wheels):
    return {wheel.name: wheel.version for wheel in wheels}


def test_everything_that_is_needed_in_turn_is_found(tmp_path, make_wheel, interpreter):
    make_wheel(tmp_path, "torch", "2.5.0", ["sympy>=1.13", "numpy>=1.20", 'x; extra == "gpu"'])
    make_wheel(tmp_path, "torch", "2.4.0")
    make_wheel(tmp_path, "torch", "3.1.0")
    make_wheel(tmp_path, "sympy", "1.13.3", ["mpmath<1.4", 'y; python_version < "3"'])
    make_wheel(tmp_path, "mpmath", "1.3.0")
    found = survey(tmp_path, ["torch<3,>=2.4"], interpreter)
    assert names(found) == {"torch": "2.5.0", "sympy": "1.13.3", "mpmath": "1.3.0"}


def test_of_the_wheels_of_one_version_the_one_made_for_this_python_is_taken(
    tmp_path, make_wheel, interpreter
):
    make_wheel(tmp_path, "torch", "2.5.0")
    special = make_wheel(tmp_path, "torch", "2.5.0", tag=interpreter.tags[0])
    (wheel,) = survey(tmp_path, ["torch"], interpreter)
    assert wheel.path == special


def test_all_that_is_missing_is_named_at_once(tmp_path, make_wheel, interpreter):
    make_wheel(tmp_path, "torch", "2.5.0", ["sympy>=1.13", "mpmath", "filelock"])
    make_wheel(tmp_path, "sympy", "1.12")
    make_wheel(tmp_path, "mpmath", "1.3", tag="cp27-cp27m-win32")
    with pytest.raises(InstallError) as refusal:
        survey(tmp_path, ["torch"], interpreter)
    text = str(refusal.value)
    assert "sympy 1.12 is there, but sympy>=1.13 is needed" in text
    assert "mpmath-1.3-cp27-cp27m-win32.whl is made for another system" in text
    assert interpreter.tags[0] in text
    assert "there is no filelock" in text
    assert refusal.value.code == ExitCode.MISSING_PACKAGE


def test_a_package_that_is_installed_and_fits_is_not_asked_for(tmp_path, make_wheel, interpreter):
    make_wheel(tmp_path, "torch", "2.5.0", ["numpy>=1.20"])
    assert names(survey(tmp_path, ["torch"], interpreter)) == {"torch": "2.5.0"}
    make_wheel(tmp_path, "torch", "2.6.0", ["numpy>=2"])
    with pytest.raises(InstallError, match="there is no numpy>=2"):
        survey(tmp_path, ["torch"], interpreter)


def test_a_damaged_wheel_is_named(tmp_path, make_wheel, interpreter):
    wheel = make_wheel(tmp_path, "torch", "2.5.0")
    wheel.write_bytes(wheel.read_bytes()[:-40])
    with pytest.raises(InstallError, match=r"torch-2\.5\.0-py3-none-any\.whl is damaged"):
        survey(tmp_path, ["torch"], interpreter)


def test_a_folder_without_wheels_is_refused(tmp_path, interpreter):
    (tmp_path / "torch.whl").write_bytes(b"not named as a wheel")
    for folder in (tmp_path, tmp_path / "not there"):
        with pytest.raises(InstallError, match="no wheel"):
            survey(folder, ["torch"], interpreter)

"""Real installations into a real Python, by each route, and how they end."""

import os
import socket
import threading
import time
from types import SimpleNamespace

import pytest

from BrainstemALSLib.installation.failures import InstallCancelled, InstallError
from BrainstemALSLib.installation.install import (
    install,
    install_with_extension,
    install_with_slicer,
    progress,
)
from BrainstemALSLib.installation.interpreter import Interpreter
from BrainstemALSLib.installation.plan import Route, plan
from BrainstemALSLib.installation.process import run


def version(interpreter, name):
    return interpreter.installed().get(name)


@pytest.fixture
def offline(interpreter, folder, tmp_path, make_wheel):
    """Plan for wheels of a folder: (name, version, requires), the first is wanted."""

    def make(*packages):
        for package in packages:
            make_wheel(tmp_path / "wheels ä", *package)
        return plan(
            Route.OFFLINE,
            folder,
            wheels=tmp_path / "wheels ä",
            interpreter=interpreter,
            wanted=[packages[0][0]],
        )

    return make


def test_offline_all_that_is_needed_comes(offline, interpreter):
    made = offline(("offline-a", "1.0", ["offline-b>=2"]), ("offline-b", "2.1"))
    lines = []
    install(made, lines.append)
    assert version(interpreter, "offline-a") == "1.0"
    assert version(interpreter, "offline-b") == "2.1"
    assert any("Successfully installed" in line for line in lines)
    assert list((made.folder / "temporary").iterdir()) == []


def test_a_constraint_holds_even_unchecked(offline, interpreter):
    made = offline(("clash-a", "1.0", ["numpy>=2"]), ("numpy", "2.1.0"))
    with pytest.raises(InstallError, match="does not fit"):
        install(made)
    assert version(interpreter, "numpy") == "1.26.4"
    assert version(interpreter, "clash-a") is None


def test_a_damaged_wheel_is_one_sentence_and_leaves_nothing(offline, interpreter, tmp_path):
    made = offline(("broken-a", "1.0"))
    (wheel,) = (tmp_path / "wheels ä").glob("broken*")
    wheel.write_bytes(wheel.read_bytes()[:120])
    with pytest.raises(InstallError, match="arrived damaged") as refusal:
        install(made)
    assert "Traceback" not in str(refusal.value)
    assert version(interpreter, "broken-a") is None


def test_a_wheel_for_another_system_is_not_taken(interpreter, folder, tmp_path, make_wheel):
    wheels = make_wheel(tmp_path / "wheels", "foreign", "1.0", tag="cp27-cp27m-win32").parent
    made = plan(Route.OFFLINE, folder, wheels=wheels, interpreter=interpreter, wanted=["foreign"])
    with pytest.raises(InstallError, match="no package foreign"):
        install(made)


def test_a_cancelled_download_ends_within_three_seconds(interpreter, folder, monkeypatch):
    # An index that takes the call and never answers.
    silent = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/simple/")
    made = plan(Route.ONLINE, folder, interpreter=interpreter, wanted=["stalled"])
    cancel, seen, ended = threading.Event(), [], []

    def work():
        try:
            install(made, seen.append, cancel)
        except InstallCancelled as refusal:
            ended.append(refusal)

    worker = threading.Thread(target=work)
    worker.start()
    caller, _ = silent.accept()
    started = time.monotonic()
    cancel.set()
    worker.join(timeout=10)
    assert time.monotonic() - started < 3
    assert len(ended) == 1
    assert "Start it again" in ended[0].remedy
    assert caller.recv(65536)
    assert caller.recv(65536) == b"", "pip holds its end no longer: it is gone"
    caller.close()
    silent.close()
    assert version(interpreter, "stalled") is None


class PyTorchExtension:
    """Does what the documented ``PyTorchUtilsLogic.installTorch`` does: starts an installer."""

    def __init__(self, program, wheels, agrees=True):
        self.program, self.wheels, self.agrees = program, wheels, agrees

    def installTorch(  # noqa: N802 - the name in the extension
        self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None
    ):
        if not self.agrees:
            return None
        arguments = ["--no-index", "--find-links", str(self.wheels)]
        asked = f"torch{torchVersionRequirement}"
        outcome = run(self.program, ["-m", "pip", "install", *arguments, asked])
        if outcome.code:
            raise RuntimeError(outcome.output + outcome.messages)
        return object()


def test_the_pytorch_extension_installs_within_the_constraints(
    interpreter, folder, tmp_path, make_wheel
):
    wheels = make_wheel(tmp_path / "wheels", "torch", "2.5.0", ["numpy>=1.20"]).parent
    make_wheel(wheels, "torch", "2.6.0", ["numpy>=2"])
    make_wheel(wheels, "numpy", "2.1.0")
    made = plan(Route.PYTORCH_EXTENSION, folder, interpreter=interpreter, wanted=["torch>=2.4,<3"])
    assert "PyTorch extension" in made.source
    with pytest.raises(InstallCancelled):
        install_with_extension(made, PyTorchExtension(interpreter.program, wheels, agrees=False))
    try:
        install_with_extension(made, PyTorchExtension(interpreter.program, wheels))
        assert version(interpreter, "torch") == "2.5.0"
        assert version(interpreter, "numpy") == "1.26.4"
        assert "PIP_CONSTRAINT" not in os.environ
    finally:
        run(interpreter.program, ["-m", "pip", "uninstall", "--yes", "torch"])


def test_what_the_extension_does_not_bring_comes_by_pip(
    interpreter, folder, tmp_path, make_wheel, monkeypatch
):
    """Also where PyTorch is there already, and only a package that came with an update is not."""
    wheels = make_wheel(tmp_path / "wheels", "torch", "2.5.0").parent
    make_wheel(wheels, "beside-torch", "1.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", wheels.as_uri())
    wanted = ["torch>=2.4,<3", "beside-torch"]
    made = plan(Route.PYTORCH_EXTENSION, folder, interpreter=interpreter, wanted=wanted)
    try:
        install_with_extension(made, PyTorchExtension(interpreter.program, wheels))
        assert version(interpreter, "torch") == "2.5.0"
        assert version(interpreter, "beside-torch") == "1.0"
        run(interpreter.program, ["-m", "pip", "uninstall", "--yes", "beside-torch"])
        made = plan(Route.PYTORCH_EXTENSION, folder, interpreter=interpreter, wanted=wanted)
        assert "PyTorch" not in made.source
        install_with_extension(made, None)  # it is not asked
        assert version(interpreter, "beside-torch") == "1.0"
    finally:
        names = ["torch", "beside-torch"]
        run(interpreter.program, ["-m", "pip", "uninstall", "--yes", *names])


def test_what_the_extension_fails_with_becomes_a_sentence(interpreter, folder, tmp_path):
    made = plan(Route.PYTORCH_EXTENSION, folder, interpreter=interpreter, wanted=["torch>=2.4"])
    with pytest.raises(InstallError, match=r"no package torch>=2\.4"):
        install_with_extension(made, PyTorchExtension(interpreter.program, tmp_path))


def slicer_with(program, generation):
    """What each generation of Slicer declares as ``pip_install``, on a Python of our own."""

    def pip(arguments):
        outcome = run(program, ["-m", "pip", "install", *arguments])
        if outcome.code:
            raise RuntimeError(outcome.messages)

    def with_constraints(requirements, constraints=None, requester=None):
        assert requester == "BrainstemALS"
        pip([*requirements, "-c", str(constraints)])

    def with_uv(args=None, *, requirements=None, interactive=True):
        assert interactive is False
        assert not any(item.startswith("--progress-bar") for item in args)
        pip(args)

    util = SimpleNamespace(pip_install=lambda requirements: pip(requirements))
    if generation == "util":
        return SimpleNamespace(util=util)
    newer = {"packaging": with_constraints, "uv": with_uv}[generation]
    return SimpleNamespace(util=util, packaging=SimpleNamespace(pip_install=newer))


@pytest.mark.parametrize("generation", ["packaging", "uv", "util"])
def test_slicer_installs_whichever_it_is(offline, interpreter, generation):
    name = f"by-{generation}"
    made = offline((name, "1.0"))
    install_with_slicer(made, slicer_with(interpreter.program, generation))
    assert version(interpreter, name) == "1.0"


def test_slicer_that_fails_is_a_sentence(offline, interpreter):
    made = offline(("never", "1.0", ["numpy>=2"]))
    with pytest.raises(InstallError):
        install_with_slicer(made, slicer_with(interpreter.program, "util"))


def test_what_is_still_missing_afterwards_is_said(offline):
    made = offline(("forgotten", "1.0"))
    silent = SimpleNamespace(util=SimpleNamespace(pip_install=lambda requirements: None))
    with pytest.raises(InstallError, match=r"still missing afterwards: forgotten"):
        install_with_slicer(made, silent)


@pytest.mark.parametrize(
    ("line", "fraction"),
    [
        ("Progress 50 of 200", 0.25),
        ("Progress 200 of 200\n", 1.0),
        ("Progress 7 of 0", None),
        ("Collecting torch", None),
    ],
)
def test_progress_is_read_from_pips_lines(line, fraction):
    assert progress(line) == fraction


def test_a_python_that_is_none_is_a_sentence(tmp_path):
    with pytest.raises(InstallError, match="does not start"):
        Interpreter.ask(str(tmp_path / "no python"))

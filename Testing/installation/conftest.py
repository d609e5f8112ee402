"""Tiny wheels made by hand, and a real Python to install them into, without a network."""

import base64
import hashlib
import os
import venv
import zipfile
from pathlib import Path

import pytest

from BrainstemALSLib.installation.interpreter import Interpreter
from BrainstemALSLib.installation.process import run


def build_wheel(folder, name, version, requires=(), tag="py3-none-any", code=""):
    """Write a wheel of one module; return its path."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {item}\n" for item in requires)
    contents = {
        f"{name.replace('-', '_').lower()}_made_up.py": code,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = ""
    for path, text in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        record += f"{path},sha256={digest.decode()},{len(text.encode())}\n"
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in contents.items():
            archive.writestr(inner, text)
    return path


@pytest.fixture(scope="session")
def make_wheel():
    return build_wheel


@pytest.fixture(autouse=True)
def _only_what_the_test_says(monkeypatch):
    """pip's settings of this computer would bring packages from elsewhere."""
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")


@pytest.fixture(scope="session")
def slicer_python(tmp_path_factory):
    """A Python of its own, with a numpy that Slicer has brought."""
    home = tmp_path_factory.mktemp("Slicer ü")
    venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(home / "python")
    program = home / "python" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wheels = home / "shipped"
    build_wheel(wheels, "numpy", "1.26.4")
    arguments = ["-m", "pip", "install", "--no-index", "--find-links", str(wheels), "numpy"]
    outcome = run(str(program), arguments, {"PIP_CONFIG_FILE": os.devnull})
    assert outcome.code == 0, outcome.messages
    return str(program)


@pytest.fixture
def interpreter(slicer_python):
    """What that Python says of itself now."""
    return Interpreter.ask(slicer_python)


@pytest.fixture
def dist_info(tmp_path):
    """Write the metadata of an installed package, as pip leaves it; return the folder."""

    def write(name, version, record=True, wheel=True):
        folder = tmp_path / "site" / f"{name}-{version}.dist-info"
        folder.mkdir(parents=True)
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (folder / "METADATA").write_text(text)
        if wheel:
            (folder / "WHEEL").write_text("Wheel-Version: 1.0\n")
        if record:
            (folder / "RECORD").write_text(f"{name}/__init__.py,,\n")
        return folder.parent

    return write


@pytest.fixture
def index(tmp_path):
    """A package index on this computer: (folder for wheels, its address)."""
    import functools
    import http.server
    import threading

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    root = tmp_path / "index"
    (root / "simple").mkdir(parents=True)
    handler = functools.partial(Quiet, directory=str(root))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def publish(name, version, requires=()):
        folder = root / "simple" / name
        wheel = build_wheel(folder, name, version, requires)
        links = "".join(f'<a href="{path.name}">{path.name}</a>' for path in folder.glob("*.whl"))
        (folder / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")
        return wheel

    yield publish, f"http://127.0.0.1:{server.server_port}/simple/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def folder(tmp_path) -> Path:
    """For the plan's temporary files."""
    return tmp_path / "plan"

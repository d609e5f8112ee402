"""The process itself, spoken to by hand: nothing breaks the line, and nothing keeps it alive."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from BrainstemALSLib import __version__
from BrainstemALSLib.errors import ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.worker.exchange import save_array
from BrainstemALSLib.worker.protocol import PROTOCOL, Request
from BrainstemALSLib.worker.requests import segment_params, write_exam


def stub_package(folder: Path, name: str, code: str) -> dict[str, str]:
    """Environment in which a package is another one."""
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(code)
    return {**os.environ, "PYTHONPATH": str(folder)}


def written(folder: Path, t1: Volume) -> dict:
    folder.mkdir(exist_ok=True)
    for _ in write_exam(folder, t1):
        pass
    return segment_params(folder, t1, device="cpu")


def answer(worker) -> dict:
    """The next event that is no progress."""
    while (event := worker.read())["event"] == "progress":
        pass
    return event


@pytest.mark.alone
def test_it_starts_quickly_without_pythonpath_and_says_who_it_is(raw_worker, tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    started = time.perf_counter()
    worker = raw_worker(environment=environment)
    ready = worker.read()
    assert time.perf_counter() - started < 2.0
    assert ready["protocol"] == PROTOCOL
    assert ready["event"] == "ready"
    assert ready["data"] == {"version": __version__, "pid": worker.process.pid}


def test_what_it_cannot_understand_is_answered_and_it_goes_on(raw_worker):
    worker = raw_worker()
    worker.read()
    worker.write(b"garbage\n\xff\x00\xfe\n")
    other = Request("8", "ping").encode().replace(b'"protocol": 1', b'"protocol": 99')
    worker.write(other + Request("9", "dance").encode() + Request("10", "ping").encode())
    events = [worker.read() for _ in range(5)]
    assert [event["event"] for event in events] == ["error"] * 4 + ["result"]
    assert [event["id"] for event in events] == [None, None, "8", "9", "10"]
    assert all(event["data"]["code"] == ExitCode.USAGE for event in events[:4])
    assert f"protocol {PROTOCOL}" in events[2]["data"]["problem"]


def test_nothing_that_a_library_prints_breaks_a_line(raw_worker, tmp_path, t1):
    noisy = (
        "import os, sys\nprint('printed')\nos.write(1, b'written')\n"
        "os.system('echo from a child')\nassert sys.stdin.read() == ''\n"
        "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n"
    )
    worker = raw_worker(environment=stub_package(tmp_path / "stubs", "torch", noisy))
    worker.write(Request("1", "segment", written(tmp_path / "job", t1)).encode())
    assert worker.read()["event"] == "ready"
    assert answer(worker)["event"] == "error"
    worker.process.stdin.close()
    assert worker.process.stdout.read() == b""
    told = worker.process.stderr.read()
    for words in (b"printed", b"written", b"from a child"):
        assert words in told


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')", "missing"),
        ("raise OSError('[WinError 126] The specified module could not be found')", "not load"),
    ],
)
def test_torch_missing_or_broken_is_a_sentence_and_no_crash(raw_worker, tmp_path, t1, code, words):
    worker = raw_worker(environment=stub_package(tmp_path / "stubs", "torch", code))
    worker.read()
    params = written(tmp_path / "job", t1)
    for number in ("1", "2"):  # it stays alive
        worker.write(Request(number, "segment", params).encode())
        event = answer(worker)
        assert (event["event"], event["id"]) == ("error", number)
        assert event["data"]["code"] == ExitCode.MISSING_PACKAGE
        assert event["data"]["subject"] == "torch"
        assert words in event["data"]["problem"]


def test_our_file_names_hide_no_package_from_libraries(raw_worker, tmp_path, t1):
    """``worker/requests.py`` must never be found as the package requests."""
    code = (
        "import importlib.util\n"
        "found = [n for n in ('client', 'protocol', 'session') if importlib.util.find_spec(n)]\n"
        "raise ModuleNotFoundError('', name='hidden' if not found else found[0])\n"
    )
    worker = raw_worker(environment=stub_package(tmp_path / "stubs", "torch", code))
    worker.read()
    worker.write(Request("1", "segment", written(tmp_path / "job", t1)).encode())
    assert answer(worker)["data"]["subject"] == "hidden"


def test_it_starts_without_numpy_and_says_so(raw_worker, tmp_path):
    code = "raise ModuleNotFoundError(\"No module named 'numpy'\", name='numpy')"
    worker = raw_worker(environment=stub_package(tmp_path / "stubs", "numpy", code))
    worker.write(Request("1", "segment", {}).encode())
    assert worker.read()["event"] == "ready"
    event = answer(worker)
    assert (event["data"]["code"], event["data"]["subject"]) == (ExitCode.MISSING_PACKAGE, "numpy")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a sparse file of 64 GB")
def test_too_little_memory_is_a_sentence_and_it_goes_on(raw_worker, tmp_path, t1):
    tiny = np.zeros((2, 2, 2), np.uint8)
    save_array(tiny, tmp_path / "t1.npy")
    header = bytearray((tmp_path / "t1.npy").read_bytes()[: -tiny.size])
    side = 4096
    text = header.replace(b"(2, 2, 2)", f"({side}, {side}, {side})".encode())
    with (tmp_path / "t1.npy").open("wb") as file:
        # The header is padded to 128 bytes with spaces, of which the longer shape takes some.
        file.write(text.replace(b" " * (len(text) - len(header)) + b"\n", b"\n"))
        file.truncate(len(header) + side**3)
    worker = raw_worker()
    worker.read()
    params = segment_params(tmp_path, Volume(tiny, np.eye(4)))
    worker.write(Request("1", "segment", params).encode())
    event = answer(worker)
    assert event["event"] == "error"
    assert event["data"]["subject"] == "memory", event
    worker.write(Request("2", "ping").encode())
    assert worker.read()["id"] == "2"


def test_an_idle_worker_says_goodbye(raw_worker):
    worker = raw_worker(idle_seconds=0.5)
    worker.read()
    for number in ("1", "2"):  # somebody who pings is there
        time.sleep(0.3)
        worker.write(Request(number, "ping").encode())
        assert worker.read()["id"] == number
    event = worker.read()
    assert (event["event"], event["data"]) == ("bye", {"reason": "idle"})
    assert worker.process.wait(5) == 0


@pytest.mark.alone
def test_it_answers_while_it_computes_and_shuts_down_at_once(raw_worker, tmp_path, t1):
    worker = raw_worker()
    worker.read()
    worker.write(Request("1", "segment", written(tmp_path / "job", t1)).encode())
    while worker.read()["data"]["stage"] != "load":
        pass
    worker.write(Request("2", "ping").encode())
    started = time.perf_counter()
    while worker.read()["id"] != "2":
        pass
    assert time.perf_counter() - started < 3.0
    worker.write(Request("3", "shutdown").encode())
    assert answer(worker)["data"] == {"reason": "shutdown"}
    assert worker.process.wait(3) == 0


@pytest.mark.alone
def test_it_ends_with_its_stdin_in_the_middle_of_a_computation(raw_worker, tmp_path, t1):
    worker = raw_worker()
    worker.read()
    worker.write(Request("1", "segment", written(tmp_path / "job", t1)).encode())
    while worker.read()["data"]["stage"] != "infer":
        pass
    worker.process.stdin.close()
    started = time.perf_counter()
    assert worker.process.wait(5) == 0
    assert time.perf_counter() - started < 3.0


PARENT = """
import sys
from BrainstemALSLib.worker.client import WorkerClient
client = WorkerClient(log_dir=sys.argv[1], temporary=sys.argv[1])
client.ping()
print(client.session.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.alone
@pytest.mark.skipif(os.name == "nt", reason="looks for the process as POSIX does")
def test_a_worker_does_not_outlive_a_parent_that_was_killed(tmp_path, lives):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        worker = int(parent.stdout.readline())
        os.kill(worker, 0)  # it lives
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.communicate()
    until = time.monotonic() + 3
    while lives(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not lives(worker)


@pytest.mark.skipif(os.name == "nt", reason="the limit is POSIX's")
def test_no_room_for_the_results_is_a_sentence_and_it_goes_on(raw_worker, tmp_path, t1):
    limit = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))\n"
    )
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(limit)
    worker = raw_worker(environment={**os.environ, "PYTHONPATH": str(tmp_path / "site")})
    assert worker.read()["event"] == "ready"
    worker.write(Request("1", "segment", written(tmp_path / "job", t1)).encode())
    event = answer(worker)
    assert event["event"] == "error", event
    assert event["data"]["code"] == ExitCode.OUTPUT_REFUSED
    assert "temporary" in event["data"]["subject"]
    worker.write(Request("2", "ping").encode())
    assert worker.read()["id"] == "2"


def test_the_log_holds_nothing_of_a_patient(raw_worker, tmp_path, t1):
    """A name planted in everything that enters is found in no log."""
    name = "MusterfrauErika"
    worker = raw_worker()
    worker.read()
    array = t1.array.copy()
    array.flat[: len(name)] = np.frombuffer(name.encode(), np.uint8)
    params = written(tmp_path / name, Volume(array, t1.affine))
    fine = {**params, "model_dir": None}
    lines = [
        name.encode() + b"\n",
        Request(name, name).encode(),
        Request(name, "ping", {name: name}).encode(),
        Request(name + "1", "segment", {**fine, "folder": f"/gone/{name}"}).encode(),
        Request(name + "2", "segment", {**fine, "device": name}).encode(),
        Request(name + "3", "segment", {**fine, "model_dir": str(tmp_path / name)}).encode(),
        Request(name + "4", "segment", {"folder": {name: name}}).encode(),
        Request(name + "5", "measure", {"folder": str(tmp_path / name)}).encode(),
        Request(name + "6", "segment", fine).encode(),
    ]
    worker.write(b"".join(lines))
    events = []
    while not events or events[-1]["id"] != name + "6" or events[-1]["event"] == "progress":
        events.append(worker.read())
    assert events[-1]["event"] == "result", events[-1]
    assert sum(event["event"] == "error" for event in events) == 7
    logs = list((tmp_path / "log").iterdir())
    text = "".join(path.read_text() for path in logs)
    assert "segment: started" in text
    assert "exit code 30" in text, "the missing model is told"
    assert "TypeError at" in text, "and where the unexpected happened"
    for secret in (name, str(tmp_path), "/gone", json.dumps(float(t1.array.max()))[:6]):
        assert secret not in text

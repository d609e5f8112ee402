"""The command line as a user meets it: real processes, exit codes, one sentence, nothing left."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from BrainstemALSLib import __version__
from BrainstemALSLib.errors import ExitCode
from BrainstemALSLib.segmentation.models import CONTRACT, OUTPUTS

LIBRARY = Path(__file__).resolve().parents[1] / "BrainstemALS"


def command(*arguments):
    return [sys.executable, "-m", "BrainstemALSLib.cli", *map(str, arguments)]


def environment(**more):
    return {
        **os.environ,
        "PYTHONPATH": str(LIBRARY),
        "COLUMNS": "200",
        "OMP_NUM_THREADS": "1",
        **more,
    }


def run(*arguments, **more):
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=120, env=environment(**more)
    )


def write_image(path, array, spacing=(2.0, 2.0, 2.0)):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    sitk.WriteImage(image, str(path))
    return path


def head(size=80, seed=0):
    """A bright ball with a darker core in noise: shaped like a head, and no brain."""
    z, y, x = np.indices((size,) * 3) - size / 2
    radius = np.sqrt(x**2 + y**2 + z**2)
    noise = np.random.default_rng(seed).normal(0, 5, (size,) * 3)
    return (100.0 * (radius < size * 0.4) - 30.0 * (radius < size * 0.2) + noise + 20).astype("f4")


def one_sentence(outcome):
    """The refusal: one line, no traceback, no folder."""
    lines = outcome.stderr.strip().splitlines()
    assert len(lines) == 1, outcome.stderr
    assert lines[0].startswith("brainstem-als: ")
    assert "Traceback" not in outcome.stderr
    return lines[0]


@pytest.mark.alone
def test_help_answers_at_once():
    started = time.perf_counter()
    outcome = run("--help")
    elapsed = time.perf_counter() - started
    assert outcome.returncode == 0
    for name in ("segment", "demo", "doctor"):
        assert name in outcome.stdout
    assert elapsed < 3.0, "a heavy library is imported before it is needed"


def test_help_loads_nothing_heavy():
    heavy = ["torch", "SimpleITK", "scipy", "numpy", "matplotlib", "nilearn", "monai"]
    code = (
        "import sys\nfrom BrainstemALSLib.cli.app import app\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment()
    )
    assert outcome.stdout.strip() == "[]", outcome.stderr


@pytest.mark.parametrize("name", ["segment", "demo", "doctor"])
def test_every_command_explains_itself(name):
    assert run(name, "--help").returncode == 0


def test_version():
    assert run("--version").stdout.strip() == f"brainstem-als {__version__}"


@pytest.mark.parametrize(
    "arguments",
    [
        ("segment",),
        ("segment", "t1.nii.gz"),
        ("segment", "t1.nii.gz", "--out", "o", "--device", "abacus"),
        ("segment", "t1.nii.gz", "--out", "o", "--threads", "0"),
        ("frobnicate",),
    ],
)
def test_wrong_usage_is_told_from_a_failure(arguments):
    outcome = run(*arguments)
    assert outcome.returncode == ExitCode.USAGE
    assert "Traceback" not in outcome.stderr


def make_missing(folder):
    return folder / "nobody.nii.gz"


def make_text(folder):
    (folder / "notes.nii.gz").write_text("this is no image")
    return folder / "notes.nii.gz"


def make_truncated(folder):
    whole = write_image(folder / "whole.nii.gz", head()).read_bytes()
    (folder / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    return folder / "cut.nii.gz"


def make_garbage_gzip(folder):
    with gzip.open(folder / "garbage.nii.gz", "wb") as handle:
        handle.write(b"\0" * 5000)
    return folder / "garbage.nii.gz"


def make_2d(folder):
    return write_image(folder / "slice.nii.gz", head()[40], (2.0, 2.0))


def make_constant(folder):
    return write_image(folder / "flat.nii.gz", np.full((80,) * 3, 7, "f4"))


def make_nan(folder):
    array = head()
    array[40, 40, 40] = np.nan
    return write_image(folder / "nan.nii.gz", array)


BAD = {
    make_missing: ExitCode.UNREADABLE_IMAGE,
    make_text: ExitCode.UNREADABLE_IMAGE,
    make_truncated: ExitCode.UNREADABLE_IMAGE,
    make_garbage_gzip: ExitCode.UNREADABLE_IMAGE,
    make_2d: ExitCode.UNSUITABLE_IMAGE,
    make_constant: ExitCode.UNSUITABLE_IMAGE,
    make_nan: ExitCode.UNSUITABLE_IMAGE,
}


@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_a_bad_image_gets_one_sentence_and_its_code_and_leaves_nothing(make, tmp_path):
    private = tmp_path / "Surname_Forename_1950"
    private.mkdir()
    image, out = make(private), tmp_path / "deep" / "out"
    outcome = run("segment", image, "--out", out)
    assert outcome.returncode == BAD[make], outcome.stderr
    sentence = one_sentence(outcome)
    assert image.name in sentence
    assert private.name not in outcome.stderr + outcome.stdout
    assert not (tmp_path / "deep").exists()


def test_a_folder_without_images_is_refused_without_its_name(tmp_path):
    """A folder may be named after a patient."""
    private = tmp_path / "Surname_Forename_1950"
    private.mkdir()
    outcome = run("segment", private, "--out", tmp_path / "deep" / "out")
    assert outcome.returncode == ExitCode.UNREADABLE_IMAGE
    assert "no DICOM files" in one_sentence(outcome)
    assert private.name not in outcome.stderr + outcome.stdout
    assert not (tmp_path / "deep").exists()


def test_results_are_not_replaced_without_being_asked(tmp_path):
    t1 = write_image(tmp_path / "sub-01_T1w.nii.gz", head())
    out = tmp_path / "out"
    out.mkdir()
    kept = out / "sub-01_desc-brainstem_volumes.tsv"
    kept.write_text("of an earlier run")
    outcome = run("segment", t1, "--out", out)
    assert outcome.returncode == ExitCode.OUTPUT_REFUSED
    assert "--overwrite" in one_sentence(outcome)
    assert kept.read_text() == "of an earlier run"
    assert list(out.iterdir()) == [kept]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    t1 = write_image(tmp_path / "t1.nii.gz", head())
    (tmp_path / "out").write_text("a file")
    outcome = run("segment", t1, "--out", tmp_path / "out")
    assert outcome.returncode == ExitCode.OUTPUT_REFUSED
    one_sentence(outcome)


def test_a_folder_without_models_is_refused_and_earlier_results_stay(tmp_path):
    t1 = write_image(tmp_path / "sub-01_T1w.nii.gz", head())
    (tmp_path / "models").mkdir()
    out = tmp_path / "out"
    out.mkdir()
    kept = out / "sub-01_desc-brainstem_volumes.tsv"
    kept.write_text("of an earlier run")
    arguments = ("segment", t1, "--out", out, "--model", tmp_path / "models", "--overwrite")
    outcome = run(*arguments)
    assert outcome.returncode == ExitCode.MODEL_UNAVAILABLE, outcome.stderr
    one_sentence(outcome)
    assert list(out.iterdir()) == [kept]
    assert kept.read_text() == "of an earlier run"


def test_debug_shows_where_and_still_says_the_sentence(tmp_path):
    outcome = run("segment", tmp_path / "no.nii", "--out", tmp_path / "o", "--debug")
    assert outcome.returncode == ExitCode.UNREADABLE_IMAGE
    assert "Traceback" in outcome.stderr
    assert outcome.stderr.strip().splitlines()[-1].startswith("brainstem-als: no.nii")


def wait_for(process, condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, "it ended before"
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def wrote(pipe, content):
    """Write to a pipe if somebody waits at its other end."""
    try:
        end = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False
    os.write(end, content)
    os.close(end)
    return True


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, 143)]
)
def test_interrupting_leaves_nothing(tmp_path, number, code):
    # The image is a pipe. Who looks at what it holds is told that it is no DICOM; nobody writes to
    # it afterwards, so that reading, for which the folder has been made, waits for the signal.
    pipe, out = tmp_path / "t1.nii", tmp_path / "out"
    os.mkfifo(pipe)
    with subprocess.Popen(
        command("segment", pipe, "--out", out),
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        # A shell that runs the tests in the background has them, and what they start, ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            wait_for(process, lambda: wrote(pipe, bytes(4096)))
            wait_for(process, out.exists)
            time.sleep(0.3)
            process.send_signal(number)
            _, stderr = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == code, stderr
    assert "Traceback" not in stderr
    assert "nothing was written" not in stderr  # the first half of the demo may have been
    assert not out.exists()


def test_doctor_says_in_json_what_it_says_in_words():
    outcome = run("doctor", "--json")
    record = json.loads(outcome.stdout)
    assert outcome.returncode == (0 if record["ready"] else 1)
    checks = {check["name"]: check for check in record["checks"]}
    assert checks["BrainstemALS"]["found"] == __version__
    assert checks["Device"]["found"].startswith(("cpu: ", "cuda: "))
    assert record["ready"] == all(c["ok"] for c in record["checks"] if c["required"])
    for check in record["checks"]:
        assert check["ok"] or check["remedy"], check["name"]
    words = run("doctor")
    assert words.returncode == outcome.returncode
    assert "Traceback" not in words.stderr


def test_doctor_names_missing_models_and_ends_with_1(tmp_path):
    outcome = run("doctor", "--json", "--model", tmp_path)
    assert outcome.returncode == 1
    checks = {check["name"]: check for check in json.loads(outcome.stdout)["checks"]}
    assert not checks["Model structures"]["ok"]
    assert checks["Model structures"]["remedy"]


def test_doctor_knows_an_altered_model(tmp_path):
    for name in ("locator", "structures"):
        (tmp_path / f"{name}.ts").write_bytes(b"altered")
        card = {"format": 1, "name": name, "version": "9", "sha256": "0" * 64, **CONTRACT[name]}
        card |= {"channels": [{"name": "t1"}], OUTPUTS[name]: ["background"]}
        (tmp_path / f"{name}.json").write_text(json.dumps(card))
    outcome = run("doctor", "--json", "--model", tmp_path)
    assert outcome.returncode == 1
    checks = {check["name"]: check for check in json.loads(outcome.stdout)["checks"]}
    assert "checksum" in checks["Model structures"]["found"]


def test_an_unexpected_failure_is_one_sentence_without_its_text(tmp_path):
    # A library that breaks at import, as broken installations do.
    (tmp_path / "SimpleITK.py").write_text("raise RuntimeError('secret of /home/surname')")
    path = os.pathsep.join([str(tmp_path), str(LIBRARY)])
    outcome = run("segment", "t1.nii", "--out", tmp_path / "o", PYTHONPATH=path)
    assert outcome.returncode == ExitCode.UNEXPECTED
    sentence = one_sentence(outcome)
    assert "RuntimeError" in sentence
    assert "--debug" in sentence
    assert "surname" not in outcome.stderr


def test_a_missing_terminal_package_is_named_with_the_command_to_get_it(tmp_path):
    (tmp_path / "typer.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'typer'\", name='typer')"
    )
    outcome = run("--help", PYTHONPATH=os.pathsep.join([str(tmp_path), str(LIBRARY)]))
    assert outcome.returncode == ExitCode.MISSING_PACKAGE
    assert "pip install 'brainstem-als[cli]'" in one_sentence(outcome)


@pytest.mark.parametrize("package", ["SimpleITK", "scipy", "torch"])
def test_a_missing_package_is_named_with_the_command_to_get_it(tmp_path, package):
    (tmp_path / f"{package}.py").write_text(
        f"raise ModuleNotFoundError(\"No module named '{package}'\", name='{package}')"
    )
    t1 = write_image(tmp_path / "t1.nii.gz", head())
    path = os.pathsep.join([str(tmp_path), str(LIBRARY)])
    outcome = run("segment", t1, "--out", tmp_path / "o", PYTHONPATH=path)
    assert outcome.returncode == ExitCode.MISSING_PACKAGE, outcome.stderr
    sentence = one_sentence(outcome)
    assert f"the package {package} is missing" in sentence
    assert f"pip install '{package}>=" in sentence
    assert "brainstem-als doctor" in sentence
    assert not (tmp_path / "o").exists()

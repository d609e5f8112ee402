"""The client with a real worker and the real model."""

from __future__ import annotations

import json
import os
import sys
import threading
import time

import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key, load_structures
from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.measurement.records import measures_record
from BrainstemALSLib.measurement.volumes import volume_by_key
from BrainstemALSLib.worker.client import WorkerCancelled, WorkerClient
from BrainstemALSLib.worker.outcome import Outcome
from BrainstemALSLib.worker.process_tree import kill_tree
from BrainstemALSLib.worker.session import GRACE_SECONDS, State


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A worker that stays warm, in folders with long names beyond ASCII."""
    folder = tmp_path_factory.mktemp("Ärzte und Zähler 脳幹")
    for _ in range(3):
        folder = folder / ("sehr langer Name " * 12)
    folder.mkdir(parents=True)
    with WorkerClient(temporary=folder, log_dir=folder / "log") as client:
        yield client


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, float, str]]:
    return []


@pytest.fixture(scope="module")
def outcome(client, t1, tensors, steps) -> Outcome:
    return client.segment(
        t1, tensors=tensors, device="cpu", progress=lambda *told: steps.append(told)
    )


@pytest.fixture
def own_client(tmp_path):
    with WorkerClient(temporary=tmp_path, log_dir=tmp_path / "log") as client:
        yield client


def on_grid(outcome, array) -> np.ndarray:
    whole = np.zeros(outcome.shape, array.dtype)
    start, size = outcome.offset, array.shape
    whole[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))] = array
    return whole


def test_an_exam_with_tensors_comes_back_measured(outcome, t1):
    assert outcome.modalities == ("t1", "fa", "md", "v1")
    assert set(outcome.resampled) == {"fa", "md", "v1"}
    assert outcome.device == "cpu"
    assert outcome.device_reason
    assert outcome.model["structures"]["mirrored"] == "averaged"
    assert outcome.shape == t1.shape
    np.testing.assert_array_equal(outcome.affine, t1.affine)
    labelled = volume_by_key(outcome.measures.volumes)["brainstem"].volume_label_mm3
    stem = [s.index for s in load_structures() if s.parent != "context"]
    assert labelled == pytest.approx(np.isin(outcome.labels.array, stem).sum() * 8.0)
    assert 25_000 < labelled < 50_000
    codes = {finding.code: finding for finding in outcome.measures.findings}
    assert codes["fa_resampled"].severity == codes["md_resampled"].severity == "info"
    assert "(3 x 3 x 3 mm)" in codes["fa_resampled"].message


def test_the_maps_of_the_tensors_come_back_where_they_were_used(outcome, tensors):
    assert set(outcome.maps) == {"fa", "md", "ad", "rd", "v1"}
    assert outcome.maps["v1"].array.shape == (*tensors.array.shape[:3], 3)
    for role in ("fa", "md", "ad", "rd"):
        assert outcome.maps[role].array.shape == tensors.array.shape[:3]
    tissue = outcome.maps["md"].array > 0
    assert np.median(outcome.maps["md"].array[tissue]) == pytest.approx(0.8, abs=0.02)
    lengths = np.linalg.norm(outcome.maps["v1"].array[tissue], axis=-1)
    np.testing.assert_allclose(lengths, 1.0, atol=1e-3)


def test_its_box_lies_where_the_t1_shows_the_brainstem(outcome, t1):
    assert outcome.labels.array.dtype == np.uint8
    assert outcome.entropy.array.dtype == np.float32
    assert outcome.entropy.array.shape == outcome.labels.array.shape
    corner = outcome.affine @ [*outcome.offset, 1]
    np.testing.assert_allclose(outcome.labels.affine[:3, 3], corner[:3], atol=1e-9)
    pons = by_key()["basis_pontis_left"].index
    voxels = np.argwhere(on_grid(outcome, outcome.labels.array) == pons)
    centre = t1.affine[:3, :3] @ voxels.mean(0) + t1.affine[:3, 3]
    assert centre == pytest.approx([-8, -25, -34], abs=6)


def test_probabilities_are_in_a_file_of_the_session(outcome, client):
    assert outcome.probabilities.is_relative_to(client.folder.path)
    probabilities = np.load(outcome.probabilities, mmap_mode="r", allow_pickle=False)
    assert probabilities.dtype == np.float16
    assert probabilities.shape == (*outcome.labels.shape, len(outcome.keys))
    assert outcome.probabilities_offset == outcome.offset
    names = {path.name for path in outcome.probabilities.parent.iterdir()}
    assert not names & {"t1.npy", "tensors.npy"}, "what went in is deleted"


def test_progress_never_moves_back_and_ends_at_one(outcome, steps):
    fractions = [fraction for _, fraction, _ in steps]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert {"read", "load", "locate", "infer", "measure", "write"} <= {step[0] for step in steps}
    assert all(text for _, _, text in steps)


def test_an_outcome_survives_being_saved(outcome):
    record = json.loads(json.dumps(outcome.record(), allow_nan=False))
    back = Outcome.from_record(record, outcome.labels.array, outcome.entropy.array)
    assert back.record() == outcome.record()
    assert back.probabilities is None
    np.testing.assert_array_equal(back.labels.affine, outcome.labels.affine)
    del record["exam_findings"]  # as in the scenes of earlier versions
    assert Outcome.from_record(record, outcome.labels.array, outcome.entropy.array).measures
    with pytest.raises(BrainstemALSError, match="another version"):
        Outcome.from_record({**record, "keys": None}, outcome.labels.array, outcome.entropy.array)
    with pytest.raises(BrainstemALSError):
        Outcome.from_record(record, outcome.labels.array, outcome.entropy.array[1:])


def test_measuring_what_nobody_corrected_changes_nothing(client, outcome):
    again = client.measure(outcome, outcome.labels.array)
    before, after = (measures_record(m) for m in (outcome.measures, again))
    for old, new in zip(before["volumes"], after["volumes"], strict=True):
        assert new["confidence"] == pytest.approx(old["confidence"], abs=1e-3)
        old["confidence"] = new["confidence"] = None
    assert after == before


def test_a_correction_in_a_smaller_and_a_larger_box(client, outcome):
    pons = by_key()["basis_pontis_left"]
    whole = on_grid(outcome, outcome.labels.array)
    whole[0, 0, 0] = pons.index  # a stray voxel far outside the box
    large = client.measure(outcome, whole, (0, 0, 0))
    before = volume_by_key(outcome.measures.volumes)[pons.key]
    after = volume_by_key(large.volumes)[pons.key]
    assert after.volume_label_mm3 == pytest.approx(before.volume_label_mm3 + 8.0)
    assert after.volume_soft_mm3 == pytest.approx(before.volume_soft_mm3 + 8.0, abs=0.1)
    small = client.measure(
        outcome, outcome.labels.array[2:, 2:, 2:], tuple(n + 2 for n in outcome.offset)
    )
    assert volume_by_key(small.volumes)[pons.key].volume_label_mm3 == before.volume_label_mm3
    with pytest.raises(BrainstemALSError) as caught:
        client.measure(outcome, whole, (1, 0, 0))
    assert caught.value.code is ExitCode.MISMATCHED_IMAGES


def test_a_result_of_yesterday_is_measured_on_its_labels(client, outcome):
    yesterday = Outcome.from_record(
        outcome.record(), outcome.labels.array, np.zeros_like(outcome.entropy.array)
    )
    measures = client.measure(yesterday, outcome.labels.array)
    row = volume_by_key(measures.volumes)["pons"]
    assert row.volume_soft_mm3 == row.volume_label_mm3 > 0
    assert row.half_range_mm3 is None
    assert np.isnan(row.confidence)
    assert "volumes_from_labels" in {finding.code for finding in measures.findings}


@pytest.mark.parametrize(
    ("change", "subject", "code"),
    [
        (lambda t1, _: {"t1": Volume(t1.array[..., :10], t1.affine)}, "T1", 11),
        (lambda t1, _: {"t1": Volume(t1.array * np.nan, t1.affine)}, "T1", 11),
        (lambda t1, _: {"t1": t1, "fa": Volume(t1.array * 100, t1.affine)}, "FA", 14),
        (lambda t1, _: {"t1": t1, "md": Volume(t1.array * 0 + 1, t1.affine)}, "MD", 11),
        (lambda t1, d: {"t1": t1, "tensors": Volume(0 * d.array, d.affine)}, "DTI", 14),
        (lambda t1, d: {"t1": t1, "tensors": Volume(d.array[..., 0], d.affine)}, "DTI", 14),
    ],
)
def test_images_that_will_not_do_are_named(client, t1, tensors, change, subject, code):
    with pytest.raises(BrainstemALSError) as caught:
        client.segment(**change(t1, tensors), device="cpu")
    assert (caught.value.subject, caught.value.code) == (subject, code)
    assert client.session.state is State.IDLE


def test_models_that_are_missing_or_altered(client, t1, tmp_path):
    with pytest.raises(BrainstemALSError) as caught:
        client.segment(t1, device="cpu", model_dir=tmp_path)
    assert caught.value.code is ExitCode.MODEL_UNAVAILABLE
    assert "missing" in caught.value.problem
    for name in ("locator.ts", "locator.json", "structures.ts", "structures.json"):
        content = asset_path(f"Models/{name}").read_bytes()
        (tmp_path / name).write_bytes(content + b"x" if name == "structures.ts" else content)
    with pytest.raises(BrainstemALSError) as caught:
        client.segment(t1, device="cpu", model_dir=tmp_path)
    assert caught.value.code is ExitCode.MODEL_UNAVAILABLE
    assert "checksum" in caught.value.problem


def cancel_at(client, t1, stage: str) -> float:
    """Cancel a segmentation when it reaches a stage; return the seconds until it has stopped."""
    cancel, asked = threading.Event(), []

    def progress(reached, _fraction, _text):
        if reached == stage:
            asked.append(time.perf_counter())
            cancel.set()

    with pytest.raises(WorkerCancelled):
        client.segment(t1, device="cpu", progress=progress, cancel=cancel)
    return time.perf_counter() - asked[0]


@pytest.mark.alone
@pytest.mark.parametrize("stage", ["read", "infer", "resample"])
def test_cancelling_midway_takes_under_three_seconds(client, t1, outcome, stage):
    assert cancel_at(client, t1, stage) < 3.0
    assert client.session.state in (State.IDLE, State.DEAD)
    client.ping()  # the next request works


def test_cancelling_before_anything_was_sent(client, t1):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(WorkerCancelled):
        client.segment(t1, cancel=cancel)
    client.ping()


SLOW = "import time\ntime.sleep(60)\n"


@pytest.mark.alone
def test_a_worker_that_does_not_listen_is_killed(tmp_path, t1, monkeypatch):
    """Loading torch never ends here, and nothing looks for a cancellation meanwhile."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(SLOW)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with WorkerClient(temporary=tmp_path, log_dir=tmp_path / "log") as client:
        seconds = cancel_at(client, t1, "load")
        assert GRACE_SECONDS < seconds < 3.0
        assert client.session.state is State.DEAD
        monkeypatch.delenv("PYTHONPATH")
        client.ping()


@pytest.mark.skipif(os.name == "nt", reason="process groups are POSIX's")
def test_killing_takes_what_the_worker_had_started(tmp_path, t1, monkeypatch, lives):
    (tmp_path / "torch").mkdir()
    code = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {SLOW!r}])\n"
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(child.pid))\n" + SLOW
    )
    (tmp_path / "torch" / "__init__.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    cancel = threading.Event()

    def wait_for_child():
        while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
            time.sleep(0.02)
        cancel.set()

    threading.Thread(target=wait_for_child).start()
    with WorkerClient(temporary=tmp_path, log_dir=tmp_path / "log") as client:
        with pytest.raises(WorkerCancelled):
            client.segment(t1, cancel=cancel)
        assert not lives(int((tmp_path / "child").read_text()))


def test_a_killed_worker_is_a_sentence_and_the_next_request_starts_another(own_client, t1):
    def progress(stage, _fraction, _text):
        if stage == "infer":
            kill_tree(own_client.session.pid)

    with pytest.raises(BrainstemALSError) as caught:
        own_client.segment(t1, device="cpu", progress=progress)
    assert "stopped unexpectedly" in caught.value.problem
    assert own_client.session.state is State.DEAD
    own_client.ping()
    assert own_client.session.state is State.IDLE


def test_an_idle_worker_goes_and_comes_back(tmp_path):
    with WorkerClient(idle_seconds=0.3, temporary=tmp_path, log_dir=tmp_path / "log") as client:
        client.ping()
        first = client.session.pid
        time.sleep(1.0)  # nobody looks meanwhile: the request meets a process that has gone
        client.ping()
        assert client.session.pid != first


@pytest.mark.parametrize("kind", ["no such program", "ends at once"])
def test_a_worker_that_cannot_be_started_is_a_sentence(tmp_path, kind):
    python = tmp_path / "python"
    if kind == "ends at once":
        python.write_text(f"#!{sys.executable}\nraise SystemExit(3)\n")
        python.chmod(0o755)
    with WorkerClient(python=str(python), temporary=tmp_path, log_dir=tmp_path) as client:
        for _ in range(2):
            with pytest.raises(BrainstemALSError) as caught:
                client.ping()
            assert "could not be started" in caught.value.problem
            assert client.session.state is State.DEAD


def test_a_progress_that_fails_stops_the_worker(own_client, t1):
    def progress(stage, _fraction, _text):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        own_client.segment(t1, device="cpu", progress=progress)
    assert own_client.session.state is State.DEAD
    own_client.ping()


def test_closing_leaves_no_process_and_no_file(tmp_path, lives):
    with WorkerClient(temporary=tmp_path / ".", log_dir=tmp_path / "log") as client:
        client.ping()
        pid = client.session.pid
    assert {path.name for path in tmp_path.iterdir()} == {"log"}
    assert os.name == "nt" or not lives(pid)

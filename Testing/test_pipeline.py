import csv
import json
import shutil

import nibabel
import numpy as np
import pytest

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.exam import read_exam
from BrainstemALSLib.imaging.prepare import PreparationOptions
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.imaging.writing import write_volume
from BrainstemALSLib.pipeline import run_exam, segment_to_folder
from BrainstemALSLib.segmentation.locate import Location
from BrainstemALSLib.segmentation.result import Segmentation

SHAPE = (72, 72, 72)
AFFINE = np.array([[1.5, 0, 0, -54], [0, 1.5, 0, -54], [0, 0, 1.5, -54], [0, 0, 0, 1]])
KEYS = tuple(structure.key for structure in load_structures())


class BallSegmenter:
    """Finds one ball, whatever the image: the contract of a segmenter without a network."""

    findings = ()

    def locate(self, exam):
        return Location(AFFINE[:3, :3] @ [36, 36, 36] + AFFINE[:3, 3], 3e4, None)

    def segment(self, exam, progress=None, place=None):
        for step in (0.0, 0.5, 1.0):
            if progress:
                progress("infer", step, "Looking at windows")
        labels = np.zeros(exam.t1.shape, np.uint8)
        i, j, k = np.indices(exam.t1.shape)
        ball = (i - 36) ** 2 + (j - 36) ** 2 + (k - 36) ** 2 < 8**2
        labels[ball] = load_structures()[0].index
        probabilities = np.zeros((*exam.t1.shape, len(KEYS)), np.float16)
        probabilities[..., 0] = 0.98 * ball
        return Segmentation(
            labels=Volume(labels, exam.t1.affine),
            entropy=Volume(np.zeros(exam.t1.shape, np.float32), exam.t1.affine),
            probabilities=Volume(probabilities, exam.t1.affine),
            keys=KEYS,
            confidence={key: 0.9 if key == KEYS[0] else float("nan") for key in KEYS},
            intracranial_mm3=1.4e6,
            modalities=("t1",) if exam.fa is None else ("t1", "fa"),
            device="cpu",
            device_reason="the CPU was asked for",
            model={"structures": {"name": "ball", "version": "1", "sha256": "0" * 64}},
        )


class FailingSegmenter:
    def segment(self, exam, progress=None, place=None):
        raise BrainstemALSError("t1", "no brainstem", "Look again.", ExitCode.NO_BRAINSTEM)


class InterruptedSegmenter:
    def segment(self, exam, progress=None, place=None):
        raise KeyboardInterrupt


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    i, j, k = np.indices(SHAPE) - 36.0
    head = np.sqrt(i**2 + j**2 + k**2) < 30
    t1 = (100 * head + rng.normal(20, 3, SHAPE)).astype(np.float32)
    fa = np.where(head, rng.uniform(0.1, 0.7, SHAPE), 0).astype(np.float32)
    write_volume(Volume(t1, AFFINE), tmp_path / "sub-07_T1w.nii.gz")
    write_volume(Volume(fa, AFFINE), tmp_path / "sub-07_FA.nii.gz")
    return tmp_path / "sub-07_T1w.nii.gz", tmp_path / "sub-07_FA.nii.gz"


def test_an_exam_is_segmented_measured_and_timed(images):
    result = run_exam(read_exam(images[0]), BallSegmenter())
    found = {row.key: row.volume_label_mm3 for row in result.measures.volumes}
    expected = 4 / 3 * np.pi * (8 * 1.5) ** 3
    assert found[KEYS[0]] == pytest.approx(expected, rel=0.05)
    assert found["midbrain"] == found[KEYS[0]]
    assert set(result.timings) == {"prepare", "segment", "measure"}


def test_everything_is_written_and_says_where_it_comes_from(images, tmp_path):
    out = tmp_path / "out"
    options = {"device": "cpu", "model": tmp_path / "private" / "models"}
    saved = segment_to_folder(
        out,
        images[0],
        BallSegmenter(),
        choices={"fa": images[1]},
        preparation=PreparationOptions(register=False),  # noise has no place where it fits
        options=options,
    )
    assert sorted(saved.files) == sorted(out.iterdir())
    names = {path.name for path in saved.files}
    assert "sub-07_desc-brainstem_dseg.nii.gz" in names
    assert "dataset_description.json" in names
    record = json.loads((out / "sub-07_desc-brainstem_provenance.json").read_text())
    assert [item["role"] for item in record["inputs"]] == ["t1", "fa"]
    assert record["inputs"][0]["sha256"] == saved.result.exam.checksums["t1"]
    assert "private" not in json.dumps(record)
    assert record["person"] == dict.fromkeys(("age_years", "sex", "days_since_first_visit"))
    # FA is uniform between 0.1 and 0.7, so that its mean anywhere is known.
    with (out / "sub-07_desc-brainstem_diffusion.tsv").open(newline="") as handle:
        rows = {row["key"]: row for row in csv.DictReader(handle, delimiter="\t")}
    assert float(rows[KEYS[0]]["value"]) == pytest.approx(0.4, abs=0.02)
    assert rows[KEYS[5]]["value"] == "n/a"
    assert {"read", "segment", "measure"} <= set(record["timings_s"])
    labels = nibabel.load(out / "sub-07_desc-brainstem_dseg.nii.gz")
    np.testing.assert_allclose(labels.affine, AFFINE, atol=1e-4)
    np.testing.assert_array_equal(
        np.asarray(labels.dataobj), saved.result.segmentation.labels.array
    )


def test_probabilities_can_be_left_out_and_a_name_chosen(images, tmp_path):
    out = tmp_path / "out"
    saved = segment_to_folder(out, images[0], BallSegmenter(), stem="sub-x", probabilities=False)
    assert sorted(saved.files) == sorted(out.iterdir())
    assert not any("probseg" in path.name for path in saved.files)
    assert any(path.name.startswith("sub-x_") for path in saved.files)


def test_progress_never_goes_back_and_ends_at_one(images, tmp_path):
    seen = []
    segment_to_folder(
        tmp_path / "out",
        images[0],
        BallSegmenter(),
        progress=lambda stage, fraction, text: seen.append((stage, fraction, text)),
    )
    fractions = [fraction for _, fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0.0
    assert fractions[-1] == 1.0
    assert all(stage and text for stage, _, text in seen)


@pytest.mark.parametrize(
    ("segmenter", "error"),
    [(FailingSegmenter(), BrainstemALSError), (InterruptedSegmenter(), KeyboardInterrupt)],
)
def test_a_failure_leaves_nothing(images, tmp_path, segmenter, error):
    with pytest.raises(error):
        segment_to_folder(tmp_path / "a" / "out", images[0], segmenter)
    assert not (tmp_path / "a").exists()


def test_results_are_refused_before_anything_is_computed(images, tmp_path):
    segment_to_folder(tmp_path / "out", images[0], BallSegmenter())
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(BrainstemALSError) as refusal:
        segment_to_folder(tmp_path / "out", images[0], InterruptedSegmenter())
    assert refusal.value.code == ExitCode.OUTPUT_REFUSED
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_earlier_results_stay_whole_when_overwriting_fails(images, tmp_path):
    segment_to_folder(tmp_path / "out", images[0], BallSegmenter())
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(BrainstemALSError):
        segment_to_folder(tmp_path / "out", images[0], FailingSegmenter(), overwrite=True)
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_overwriting_without_probabilities_removes_the_old_ones(images, tmp_path):
    segment_to_folder(tmp_path / "out", images[0], BallSegmenter())
    saved = segment_to_folder(
        tmp_path / "out", images[0], BallSegmenter(), overwrite=True, probabilities=False
    )
    assert sorted(saved.files) == sorted((tmp_path / "out").iterdir())


def snapshot(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def another_image(folder, name):
    noise = np.random.default_rng(9).normal(50, 9, SHAPE).astype(np.float32)
    write_volume(Volume(noise, AFFINE), folder / name)
    return folder / name


def test_overwriting_never_replaces_the_results_of_another_image(images, tmp_path):
    first, second = images[0].with_name("a_b.nii.gz"), another_image(tmp_path, "ab.nii.gz")
    images[0].rename(first)
    out = tmp_path / "out"
    segment_to_folder(out, first, BallSegmenter())
    before = snapshot(out)
    with pytest.raises(BrainstemALSError) as refusal:
        segment_to_folder(out, second, InterruptedSegmenter(), overwrite=True)
    assert refusal.value.code == ExitCode.OUTPUT_REFUSED
    assert "ab.nii.gz" in str(refusal.value)
    assert "--out" in refusal.value.remedy
    assert "--stem" in refusal.value.remedy
    assert snapshot(out) == before
    segment_to_folder(out, second, BallSegmenter(), overwrite=True, stem="sub-other")
    assert before.items() <= snapshot(out).items()
    segment_to_folder(out, second, BallSegmenter(), overwrite=True, replace_other=True)


def test_the_dataset_description_of_the_folder_is_kept(images, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "dataset_description.json").write_text('{"Name": "mine"}')
    saved = segment_to_folder(out, images[0], BallSegmenter())
    assert (out / "dataset_description.json") in saved.files
    assert (out / "dataset_description.json").read_text() == '{"Name": "mine"}'


def test_a_description_written_meanwhile_does_not_fail_a_finished_run(images, tmp_path):
    """As when the exams of a folder run side by side."""
    out = tmp_path / "out"

    class Beside(BallSegmenter):
        def segment(self, exam, progress=None, place=None):
            (out / "dataset_description.json").write_text('{"Name": "of the other run"}')
            return super().segment(exam, progress)

    saved = segment_to_folder(out, images[0], Beside())
    assert sorted(saved.files) == sorted(out.iterdir())
    assert "other run" in (out / "dataset_description.json").read_text()


def test_a_description_that_cannot_be_written_leaves_nothing(images, tmp_path, monkeypatch):
    from BrainstemALSLib.report import derivatives

    write = derivatives.write_json

    def full_disk(path, content):
        if path.name == "dataset_description.json":
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(derivatives, "write_json", full_disk)
    with pytest.raises(BrainstemALSError) as refusal:
        segment_to_folder(tmp_path / "out", images[0], BallSegmenter())
    assert refusal.value.code == ExitCode.OUTPUT_REFUSED
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("stem", ["", "../sub-01", "sub-01/x", "a b", "sub-01_", "é"])
def test_a_stem_that_is_no_name_is_refused(images, tmp_path, stem):
    with pytest.raises(BrainstemALSError) as refusal:
        segment_to_folder(tmp_path / "out", images[0], InterruptedSegmenter(), stem=stem)
    assert refusal.value.code == ExitCode.USAGE
    assert not (tmp_path / "out").exists()


def test_a_name_for_the_results_keeps_the_names_of_the_inputs_out(images, tmp_path):
    """A file named after a patient can be segmented without its name in any result."""
    t1 = tmp_path / "Mueller_Hans.nii.gz"
    shutil.copy(images[0], t1)
    saved = segment_to_folder(tmp_path / "out", t1, BallSegmenter(), stem="sub-x")
    for path in saved.files:
        assert "ueller" not in path.name
        assert b"ueller" not in path.read_bytes()
    record = json.loads((tmp_path / "out" / "sub-x_desc-brainstem_provenance.json").read_text())
    assert record["inputs"][0]["name"] is None
    assert len(record["inputs"][0]["sha256"]) == 64

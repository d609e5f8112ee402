"""What an exam is compared by, on a made-up brainstem whose every intensity is known."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation import familiarity as F
from BrainstemALSLib.segmentation.familiarity_properties import PARTS, describe
from BrainstemALSLib.segmentation.familiarity_spots import spots
from BrainstemALSLib.segmentation.familiarity_window import window_of
from BrainstemALSLib.segmentation.segmenter import Segmenter
from Testing.conftest import SPHERES, segment_spheres

VENTRICLE = {"fourth_ventricle": ((0.0, -12.0, -4.0), 5.0)}
SHAPE = (64, 64, 96)
STEM, FLUID, SURROUNDINGS = 900.0, 250.0, 800.0
LESION_MM = 6.0


@pytest.fixture(scope="module")
def box() -> Volume:
    """Probabilities on a window, background first."""
    affine = np.eye(4)
    affine[:3, 3] = -(np.array(SHAPE) - 1) / 2
    found = segment_spheres(SPHERES | VENTRICLE, SHAPE, affine)
    inside = np.zeros((*SHAPE, len(found.keys)), np.float32)
    part = tuple(
        slice(a, a + n)
        for a, n in zip(found.offset, found.probabilities.array.shape[:3], strict=True)
    )
    inside[part] = found.probabilities.array
    return Volume(np.concatenate([1 - inside.sum(-1, keepdims=True), inside], -1), affine)


KEYS = tuple(SPHERES | VENTRICLE)


@pytest.fixture(scope="module")
def image(box) -> np.ndarray:
    """A T1: brainstem, fluid in the ventricle and 4 mm around the brainstem, then tissue."""
    from scipy import ndimage

    background = box.array[..., 0]
    ventricle = box.array[..., 1 + KEYS.index("fourth_ventricle")]
    stem = 1 - background - ventricle
    near = ndimage.distance_transform_edt(stem < 0.5) <= 4
    around = np.where(near, FLUID, SURROUNDINGS)
    clean = STEM * stem + FLUID * ventricle + around * background
    noise = np.random.default_rng(0).normal(0, 10, SHAPE)
    return (clean + noise).astype(np.float32)


@pytest.fixture
def window(box):
    """Lay an image out in the window."""

    def lay(array, probabilities=box):
        return window_of(Exam(Volume(array, box.affine)), probabilities, KEYS, ("t1",))

    return lay


def ball(box, centre, diameter):
    index = np.moveaxis(np.indices(SHAPE), 0, -1) + box.affine[:3, 3]
    return np.linalg.norm(index - centre, axis=-1) <= diameter / 2


def test_nothing_depends_on_the_scanner_s_scale(window, image):
    before, after = describe(window(image)), describe(window(3.5 * image + 4000))

    for part, values in before.items():
        np.testing.assert_allclose(after[part], values, atol=1e-3, err_msg=part)


def test_a_negative_turns_the_contrast_round(window, image):
    names = list(PARTS["contrast"])
    good, bad = describe(window(image))["contrast"], describe(window(2000 - image))["contrast"]

    fluid = names.index("fluid_contrast")
    assert good[fluid] > 0.5
    assert bad[fluid] < -0.5


def test_noise_and_blur_are_told_apart(window, image):
    from scipy import ndimage

    names = list(PARTS["texture"])
    noisy = image + np.random.default_rng(1).normal(0, 150, SHAPE).astype(np.float32)
    blurred = ndimage.gaussian_filter(image, 2.5)
    good, rough, soft = (describe(window(i))["texture"] for i in (image, noisy, blurred))

    noise, blur = names.index("noise"), names.index("blur")
    assert rough[noise] > good[noise] + 1
    assert soft[noise] < good[noise]
    assert soft[blur] > good[blur] + 0.3 > rough[blur]


def test_a_brainstem_on_its_head_has_another_pose(window, image, box):
    turned = Volume(box.array[:, :, ::-1], box.affine)
    nodding = list(PARTS["pose"]).index("nodding")

    assert abs(describe(window(image))["pose"][nodding]) < 20
    assert abs(describe(window(image[:, :, ::-1], turned))["pose"][nodding]) > 150


@pytest.mark.parametrize(("kind", "sign"), [("dark", -1), ("bright", 1)])
def test_a_spot_is_found_in_its_structure(window, image, box, kind, sign):
    quiet = spots(window(image))
    centre = np.array(SPHERES["basis_pontis_left"][0])
    changed = image + sign * 300 * ball(box, centre, LESION_MM)

    seen = spots(window(changed.astype(np.float32)))

    assert max(spot.size for spot in quiet.values()) < 0.1
    assert seen[kind].size > 0.3
    assert seen[kind].structure in ("basis_pontis_left", "cst_pons_left")


def test_a_lesion_labelled_as_nothing_is_still_found(window, image, box):
    centre = np.array(SPHERES["basis_pontis_left"][0])
    hole = ball(box, centre, LESION_MM + 2)
    emptied = box.array.copy()
    emptied[hole] = 0
    emptied[hole, 0] = 1
    dark = np.where(hole, FLUID, image).astype(np.float32)

    seen = spots(window(dark, Volume(emptied, box.affine)))

    assert seen["dark"].size > 0.5


def test_fluid_between_the_peduncles_is_no_spot(window, image, box):
    # A cleft of fluid from the front, as between the peduncles, not labelled as brainstem.
    cleft = np.zeros(SHAPE, bool)
    cleft[29:35, 32:, 60:] = True
    emptied = box.array.copy()
    emptied[cleft] = 0
    emptied[cleft, 0] = 1
    dark = np.where(cleft, FLUID, image).astype(np.float32)

    assert spots(window(dark, Volume(emptied, box.affine)))["dark"].size < 0.1


def test_without_a_region_there_is_nothing_to_describe(window, image, box):
    gone = box.array.copy()
    gone[:, :, :40] = 0
    gone[:, :, :40, 0] = 1

    assert window(image, Volume(gone, box.affine)) is None


def known(description, limit=1.0, **changes):
    """A sidecar whose familiar exam is this one."""
    parts = {
        name: {
            "properties": list(PARTS[name]),
            "mean": np.nan_to_num(values).tolist(),
            "precision": np.eye(len(values)).tolist(),
            "limit": limit,
        }
        for name, values in description.parts.items()
    }
    entry = {
        "format": F.FORMAT,
        "weights": "abc",
        "temperature": 1.0,
        "sets": {F.T1: {"parts": parts, "spots": {"dark": 0.2, "bright": 0.2}}},
    }
    return {"sha256": "abc", F.KEY: entry | changes}


@pytest.fixture
def description(box, image):
    return F.describe(Exam(Volume(image, box.affine)), box, KEYS, ("t1",))


def test_an_exam_is_familiar_with_itself_and_not_with_its_negative(box, image, description):
    card = known(description)

    same = F.familiarity(Exam(Volume(image, box.affine)), box, KEYS, ("t1",), F.references(card))
    other = F.familiarity(
        Exam(Volume(2000 - image, box.affine)), box, KEYS, ("t1",), F.references(card)
    )

    assert same.ratio < 1
    assert same.properties == {}
    assert other.ratio == max(other.parts.values()) > 1
    assert next(iter(other.properties)) == "contrast"


def test_better_than_usual_is_not_unfamiliar(description):
    reference = F.reference(known(description), F.T1)
    values = description.parts["texture"].copy()

    assert reference.parts["texture"].distance("texture", values - 3) == 0
    assert reference.parts["texture"].distance("texture", values + 3) > 3


@pytest.mark.parametrize(
    "changes", [{"weights": "other"}, {"temperature": 1.4}, {"format": 0}, {"sets": {}}]
)
def test_what_does_not_belong_to_the_model_is_not_trusted(description, changes):
    assert F.reference(known(description, **changes), F.T1) is None


def test_a_model_without_the_entry_compares_nothing(box, image):
    exam = Exam(Volume(image, box.affine))

    assert F.familiarity(exam, box, KEYS, ("t1",), F.references({"sha256": "abc"})) is None


def test_properties_of_another_version_are_not_trusted(description):
    card = known(description)
    card[F.KEY]["sets"][F.T1]["parts"]["shape"]["properties"].reverse()

    assert F.reference(card, F.T1) is None


@pytest.mark.parametrize("part", ["mean", "precision", "limit"])
def test_a_damaged_entry_is_refused(description, part):
    card = known(description)
    card[F.KEY]["sets"][F.T1]["parts"]["shape"][part] = [1.0]

    with pytest.raises(BrainstemALSError) as refusal:
        F.reference(card, F.T1, "structures.json")

    assert refusal.value.code == ExitCode.MODEL_UNAVAILABLE


def test_the_segmenter_says_how_familiar_an_exam_is(tmp_path, icbm):
    models = tmp_path / "models"
    shutil.copytree(asset_path("Models"), models)
    sidecar = models / "structures.json"
    card = json.loads(sidecar.read_text(encoding="utf-8"))
    names = ("contrast", "texture", "shape", "pose", "certainty")
    wide = F.Description({name: np.zeros(len(PARTS[name])) for name in names}, {})
    entry = known(wide, limit=1000.0)[F.KEY]
    entry |= {"weights": card["sha256"], "temperature": card.get("temperature", 1.0)}
    sidecar.write_text(json.dumps(card | {F.KEY: entry}), encoding="utf-8")

    found = Segmenter("cpu", models, flip=False).segment(icbm)

    assert 0 < found.familiarity.ratio < 1
    assert set(found.familiarity.parts) == {*names, "dark", "bright"}
    assert "familiarity" in found.timings


# Tuned models.


def parent_card(description):
    return known(description) | {"temperature": 1.0}


def test_a_tuned_model_inherits_and_says_from_whom(description):
    parent = parent_card(description)
    child = {"sha256": "child"} | F.inheritance(parent, "child")

    assert child["temperature"] == 1.0
    assert child["calibration"] == {"temperature": 1.0, F.INHERITED: "abc"}
    assert child[F.KEY] == parent[F.KEY] | {"weights": "child", F.INHERITED: "abc"}
    assert F.reference(child, F.T1).spots == F.reference(parent, F.T1).spots
    assert F.INHERITED not in parent[F.KEY]


def test_in_a_line_each_names_the_model_that_was_measured(description):
    child = {"sha256": "child"} | F.inheritance(parent_card(description), "child")
    grandchild = F.inheritance(child, "grandchild")

    assert grandchild[F.KEY]["weights"] == "grandchild"
    assert grandchild[F.KEY][F.INHERITED] == grandchild["calibration"][F.INHERITED] == "abc"


def test_what_does_not_belong_to_the_parent_is_not_inherited(description):
    assert F.inheritance(known(description, weights="other"), "child") == {}
    assert F.inheritance({"sha256": "abc"}, "child") == {}


def test_what_is_measured_on_the_model_itself_replaces_what_it_inherited(description):
    child = {"sha256": "child"} | F.inheritance(parent_card(description), "child")
    calibrated = child | {"temperature": 1.4, "calibration": {"temperature": 1.4}}
    own = known(description)[F.KEY] | {"weights": "child", "temperature": 1.4}

    assert F.reference(calibrated, F.T1) is None  # certainty depends on the temperature
    both = calibrated | {F.KEY: own}
    assert F.about_model(both, {F.T1: F.reference(both, F.T1)}) == ()


@pytest.fixture(scope="module")
def described_models(tmp_path_factory):
    """A copy of the bundled models whose sidecar can be changed."""

    def change(edit):
        models = tmp_path_factory.mktemp("models")
        shutil.copytree(asset_path("Models"), models, dirs_exist_ok=True)
        sidecar = models / "structures.json"
        card = json.loads(sidecar.read_text(encoding="utf-8"))
        edit(card)
        sidecar.write_text(json.dumps(card), encoding="utf-8")
        return models

    return change


def test_the_segmenter_says_what_the_model_cannot_tell(described_models):
    def inherited(card):
        card.update(F.inheritance(card, card["sha256"]))

    def none(card):
        card.pop(F.KEY)

    assert Segmenter("cpu", described_models(lambda card: None)).findings == ()
    (told,) = Segmenter("cpu", described_models(inherited)).findings
    assert (told.code, told.severity) == (F.NOT_FITTED, "info")
    assert "not fitted again" in told.message
    (told,) = Segmenter("cpu", described_models(none)).findings
    assert (told.code, told.severity) == (F.NOT_KNOWN, "warning")
    assert "cannot tell" in told.message

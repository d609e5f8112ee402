"""What labels of other programs mean, and where they lie."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk

from BrainstemALSLib.anatomy import by_key, load_structures
from BrainstemALSLib.annotation.exchange import (
    Choices,
    import_corrections,
    read_mapping,
)
from BrainstemALSLib.annotation.exchange.lookup import (
    LabelImage,
    Mapping,
    Term,
    structures_of,
)
from BrainstemALSLib.annotation.exchange.placing import place
from BrainstemALSLib.annotation.exchange.seg_nrrd import read_segmentation, write_segmentation
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.imaging.writing import write_volume
from Testing.annotation.exchange.files import (
    AFFINE,
    LEFT,
    RED,
    RIGHT,
    SHAPE,
    only,
    ours,
    refused,
    table,
    whole_labels,
)


@pytest.mark.parametrize(
    ("axes", "flips"), [((0, 1, 2), ()), ((2, 0, 1), (0,)), ((1, 0, 2), (0, 1, 2))]
)
def test_turned_axes_are_the_same_voxels(axes, flips):
    labels = whole_labels()
    turned = labels.transpose(axes)
    affine = AFFINE @ np.eye(4)[:, [*axes, 3]]
    for axis in flips:
        flip = np.eye(4)
        flip[axis, axis], flip[axis, 3] = -1, turned.shape[axis] - 1
        affine, turned = affine @ flip, np.flip(turned, axis)
    np.testing.assert_array_equal(place(Volume(turned, affine), SHAPE, AFFINE, "x"), labels)


def test_unknown_labels_are_named(store, t1, tmp_path):
    path = tmp_path / "sub-07_dseg.nii.gz"
    write_volume(Volume(whole_labels((1, 2, 77)), AFFINE), path)
    rows = [
        ("index", "name"),
        (1, "Basis pontis: transverse pontine fibres and pontine nuclei, left"),
        (2, "Thalamus"),
        (5, "not drawn"),
    ]
    table(tmp_path / "sub-07_dseg.tsv", rows)
    message = refused(
        ExitCode.UNSUITABLE_IMAGE, "none of our structures", path, store, annotator="a", t1=t1
    )
    assert "2 (Thalamus), 77." in message
    assert "not drawn" not in message
    mapping = table(
        tmp_path / "map.tsv",
        [("index", "name", "key"), ("", "thalamus", "background"), (77, "", "red_nucleus_left")],
    )
    import_corrections(path, store, Choices(annotator="a", t1=t1, mapping=read_mapping(mapping)))
    assert set(np.unique(only(store).correction.array)) == {0, LEFT, RED}


def test_values_without_a_table_are_refused(store, t1, tmp_path):
    path = tmp_path / "sub-07_dseg.nii.gz"
    write_volume(Volume(whole_labels(), AFFINE), path)
    refused(ExitCode.UNSUITABLE_IMAGE, "nothing says", path, store, annotator="a", t1=t1)
    mapping = tmp_path / "map.json"
    mapping.write_text(json.dumps({str(s.index): s.key for s in load_structures()}))
    import_corrections(path, store, Choices(annotator="a", t1=t1, mapping=read_mapping(mapping)))
    assert set(np.unique(only(store).correction.array)) == {0, LEFT, RIGHT, RED}


def test_the_users_table_is_not_for_our_own_prediction(store, t1, tmp_path):
    path = tmp_path / "sub-07_dseg.nii.gz"
    write_volume(Volume(whole_labels((1, 2, 3)), AFFINE), path)
    mapping = Mapping(by_value={1: LEFT, 2: RIGHT, 3: RED})
    before = tmp_path / "before_dseg.nii.gz"
    write_volume(Volume(whole_labels((1, 2, LEFT)), AFFINE), before)
    rows = [(s.index, s.name, s.key) for s in load_structures()]
    table(tmp_path / "before_dseg.tsv", [("index", "name", "key"), *rows])
    import_corrections(
        path, store, Choices(annotator="a", t1=t1, prediction=before, mapping=mapping)
    )
    case = only(store)
    assert set(np.unique(case.prediction.array)) == {0, 1, 2, LEFT}
    assert set(np.unique(case.correction.array)) == {0, LEFT, RIGHT, RED}


def test_a_table_is_inherited_within_a_dataset_only(store, t1, tmp_path):
    anat = tmp_path / "dataset" / "sub-07" / "anat"
    anat.mkdir(parents=True)
    path = anat / "sub-07_dseg.nii.gz"
    write_volume(Volume(whole_labels(), AFFINE), path)
    ours(tmp_path / "dataset" / "dseg.tsv")
    refused(ExitCode.UNSUITABLE_IMAGE, "nothing says", path, store, annotator="a", t1=t1)
    (tmp_path / "dataset" / "dataset_description.json").write_text("{}")
    import_corrections(path, store, Choices(annotator="a", t1=t1))
    assert len(store.ids()) == 1


def test_many_unknown_labels_are_counted(store, t1, tmp_path):
    labels = whole_labels()
    labels[0, 0, :20] = np.arange(100, 120)
    path = tmp_path / "sub-07_dseg.nii.gz"
    write_volume(Volume(labels, AFFINE), path)
    ours(tmp_path / "sub-07_dseg.tsv")
    refused(ExitCode.UNSUITABLE_IMAGE, "and 8 more", path, store, annotator="a", t1=t1)


def test_a_mapping_to_what_we_do_not_have_is_refused(tmp_path):
    wrong = table(tmp_path / "map.tsv", [("index", "key"), (1, "thalamus")])
    with pytest.raises(BrainstemALSError, match="'thalamus' is no key"):
        read_mapping(wrong)
    for name, text in (("a.json", "[1]"), ("b.json", "{"), ("c.tsv", "index\n1\n"), ("d.tsv", "")):
        (tmp_path / name).write_text(text)
        with pytest.raises(BrainstemALSError) as refusal:
            read_mapping(tmp_path / name)
        assert refusal.value.code == ExitCode.UNREADABLE_IMAGE


def test_every_structure_is_known_by_key_name_abbreviation_and_turned_words():
    array = np.zeros((70, 1, 1), np.uint8)
    structures = load_structures()
    array[: len(structures), 0, 0] = np.arange(1, len(structures) + 1)
    wanted = [s.index for s in structures]
    for describe in (
        lambda n, s: Term(n, key=s.key),
        lambda n, s: Term(n, name=s.name.upper()),
        lambda n, s: Term(n, name=" ".join(reversed(s.key.split("_")))),
        lambda n, s: Term(n, name=s.abbreviation),
    ):
        terms = tuple(describe(n, s) for n, s in enumerate(structures, start=1))
        labels, keys = structures_of(LabelImage("x", (Volume(array, np.eye(4)),), terms))
        np.testing.assert_array_equal(labels.array[: len(structures), 0, 0], wanted)
        assert keys == set(by_key())


def test_a_code_counts_only_where_it_says_which_structure():
    array = np.ones((1, 1, 1), np.uint8)

    def found(code, side):
        image = LabelImage("x", (Volume(array, np.eye(4)),), (Term(1, snomed=code, side=side),))
        return int(structures_of(image)[0].array.item())

    assert found("70007007", "right") == by_key()["substantia_nigra_right"].index
    assert found("35918002", "") == by_key()["fourth_ventricle"].index
    for code, side in (("70007007", ""), ("30114003", "left")):  # no side; midbrain or pons
        with pytest.raises(BrainstemALSError, match="none of our structures"):
            found(code, side)


def test_overlapping_segments_are_refused():
    one = np.zeros((4, 4, 4), np.uint8)
    one[1:3] = 1
    layers = (Volume(one, np.eye(4)), Volume(np.roll(one, 1, axis=0), np.eye(4)))
    terms = (Term(1, key="pyramid_left"), Term(1, key="pyramid_right", layer=1))
    with pytest.raises(BrainstemALSError, match="16 voxels are both pyramid_left and pyr"):
        structures_of(LabelImage("x", layers, terms))
    drop = Mapping(by_name={("right",): 0})
    terms = (Term(1, key="pyramid_left"), Term(1, name="right", layer=1))
    labels, _keys = structures_of(LabelImage("x", layers, terms), drop)
    assert (labels.array > 0).sum() == 32


def test_seg_nrrd_keeps_labels_and_place(tmp_path):
    labels = Volume(whole_labels(), AFFINE)
    path = tmp_path / "x.seg.nrrd"
    write_segmentation(labels, path, ("pyramid_left",))
    image = sitk.ReadImage(str(path))
    assert image.GetMetaData("Segment0_ID") == "red_nucleus_left"
    assert image.GetMetaData("Segment0_LabelValue") == str(RED)
    # First and last index, both included.
    assert image.GetMetaData("Segment0_Extent") == "11 11 13 14 11 12"
    found = read_segmentation(path)
    np.testing.assert_array_equal(found.layers[0].array, labels.array)
    np.testing.assert_allclose(found.layers[0].affine, AFFINE, atol=1e-12)
    back, keys = structures_of(found)
    np.testing.assert_array_equal(back.array, labels.array)
    assert "pyramid_left" in keys


def test_seg_nrrd_that_cannot_be_trusted_is_refused(tmp_path):
    path = tmp_path / "x.seg.nrrd"
    write_segmentation(Volume(whole_labels(), AFFINE), path, ())
    content = path.read_bytes()
    head, voxels = content.split(b"\n\n", 1)
    for name, changed, words in (
        ("cut", content[: len(head) + 60], "damaged"),
        ("detached", head + b"\ndata file: other.raw\n\n" + voxels, "another file"),
        ("lost", head.replace(b"space: ", b"# space: "), "left and right"),
        ("value", head.replace(b"LabelValue:=9", b"LabelValue:=-9") + b"\n\n" + voxels, "damaged"),
        ("layer", head.replace(b"Layer:=0", b"Layer:=3") + b"\n\n" + voxels, "damaged"),
        ("other", b"not an image", "not an image"),
    ):
        bad = tmp_path / f"{name}.seg.nrrd"
        bad.write_bytes(changed)
        with pytest.raises(BrainstemALSError, match=words):
            read_segmentation(bad)

"""No planted identity comes out of a DICOM folder, in whatever way it is read or refused."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import traceback
from dataclasses import asdict, fields, is_dataclass

import numpy as np
import pydicom
import pytest

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging.intake import open_source
from BrainstemALSLib.imaging.intake.dicom_scan import scan

from . import dicom_files as files

SECRETS = ["lanted", "LANTED", "19510203", "Quirin", "20210504", "20230607"]


def plain(value: object) -> object:
    """Everything that a result holds, as text can show it."""
    if is_dataclass(value):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, np.ndarray):
        return [str(value.dtype), value.shape]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list, set, frozenset)):
        return [plain(item) for item in value]
    return repr(value)


def two_patients(folder, visit, t1_plane):
    other = files.Visit()
    other.identity["PatientID"] = "PLANTEDID88"
    files.t1_series(folder / "other", t1_plane, other, 8)


def two_visits(folder, visit, t1_plane):
    files.t1_series(folder / "later", t1_plane, files.Visit(date="20230607"), 8)


def gaps(folder, visit, t1_plane):
    for path in sorted((folder / "Plantedname").glob("*_002_*"))[10:13]:
        path.unlink()


def broken(folder, visit, t1_plane):
    for path in sorted((folder / "Plantedname").glob("*_005_*"))[10:30]:
        path.write_bytes(path.read_bytes()[:900])


def only_broken(folder, visit, t1_plane):
    for path in (folder / "Plantedname").iterdir():
        path.write_bytes(path.read_bytes()[:900])


def odd_values(folder, visit, t1_plane):
    """Values that no VR allows, which pydicom warns of by repeating them."""
    for path in (folder / "Plantedname").iterdir():
        content = path.read_bytes().replace(b"19510203", b"Planted!").replace(b"070Y", b"7lan")
        path.write_bytes(content.replace(b"PLANTEDID77123", b"PLANTEDID\x1b\x07\xff\x80\x99"))


def unknown_compression(folder, visit, t1_plane):
    for path in (folder / "Plantedname").glob("*_002_*"):
        ds = pydicom.dcmread(path)
        ds.PixelData = pydicom.encaps.encapsulate([b"\x01" * 500])
        ds["PixelData"].is_undefined_length = True
        ds.file_meta.TransferSyntaxUID = pydicom.uid.HTJ2K
        ds.save_as(path)


def no_t1(folder, visit, t1_plane):
    for path in (folder / "Plantedname").glob("*_002_*"):
        path.unlink()


def nothing(folder, visit, t1_plane):
    pass


@pytest.mark.parametrize(
    "change",
    [
        nothing,
        two_patients,
        two_visits,
        gaps,
        broken,
        only_broken,
        odd_values,
        unknown_compression,
        no_t1,
    ],
)
def test_nothing_planted_comes_out(
    change, tmp_path, visit, t1_plane, dwi_plane, gradients, monkeypatch, capfd, caplog
):
    caplog.set_level(logging.DEBUG)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    folder = tmp_path / "Plantedname_PLANTEDID77123"
    files.t1_series(folder / "Plantedname", t1_plane, visit)
    files.dwi_series(folder / "Plantedname", dwi_plane, visit, gradients.bvals, gradients.bvecs)
    change(folder, visit, t1_plane)
    try:
        found = open_source(folder)
    except BrainstemALSError as refusal:
        text = repr(refusal) + str(refusal) + repr(refusal.args) + refusal.subject
        text += "".join(traceback.format_exception_only(refusal))
        text += repr(refusal.__cause__)
    else:
        text = json.dumps(plain(found)) + repr(found) + repr(asdict(found.person))
    streams = capfd.readouterr()
    text += streams.out + streams.err + caplog.text
    assert [secret for secret in SECRETS if secret in text] == []
    assert os.listdir(temporary) == []


def test_what_pydicom_would_warn_of_is_read_in_silence(tmp_path, visit, t1_plane, caplog):
    def write_character_set(ds, k):
        ds.SpecificCharacterSet = "ISO_IR 100"

    for path in files.t1_series(tmp_path, t1_plane, visit, edit=write_character_set):
        path.write_bytes(path.read_bytes().replace(b"ISO_IR 100", b"Plantedset"))
    assert open_source(tmp_path).findings == ()
    assert caplog.text == ""


def test_what_is_kept_while_sorting_shows_nothing(exam_folder):
    found = scan(exam_folder)
    shown = repr(found) + repr(found.visits) + repr(found.visits[0][0].headers)
    assert [secret for secret in SECRETS if secret in shown] == []


def test_the_planted_words_are_in_the_files(exam_folder):
    content = next((exam_folder / "a").iterdir()).read_bytes()
    for word in (b"Plantedname", b"PLANTEDID77123", b"19510203", b"Plantedsecret", b"20210504"):
        assert word in content


def test_folder_is_empty_after_a_converter_that_failed(exam_folder, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setitem(__import__("sys").modules, "dcm2niix", None)
    open_source(exam_folder)
    assert os.listdir(temporary) == []

"""A DICOM exam full of identities: none is in any file, in the streams or in a stored case."""

from __future__ import annotations

import gzip
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from BrainstemALSLib.annotation import Approval, BoxGrid, CaseStore
from BrainstemALSLib.annotation.approval import IMAGES
from BrainstemALSLib.annotation.box import cut_images
from BrainstemALSLib.annotation.codes import exam_key
from BrainstemALSLib.annotation.image_files import read_image
from BrainstemALSLib.errors import ExitCode
from BrainstemALSLib.imaging.intake import open_source
from BrainstemALSLib.imaging.reading import read_label_map
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.imaging.writing import write_volume
from Testing.imaging.intake.made_up_head import DATE, IDENTITY, Visit

from .scanned_head import scanned_head, segment, write_dicom

IDENTITIES = {**IDENTITY, "PatientName": "Plantedmüller^Quirin"}
BIRTH = IDENTITIES["PatientBirthDate"]


def dated(day: str) -> list[str]:
    """The ways to write a day."""
    year, month, date = day[:4], day[4:6], day[6:]
    return [day, f"{year}-{month}-{date}", f"{date}.{month}.{year}", f"{month}/{date}/{year}"]


def secrets_of(visit: Visit) -> list[str]:
    """All that was planted, whole and in its parts."""
    parts = [part for value in IDENTITIES.values() for part in (value, *value.split("^"))]
    words = [part for part in parts if len(part) > 5]  # shorter ones lie in packed images by chance
    # What all of them have in common, the file names and descriptions of the series too.
    words += ["planted", visit.study, visit.frame, *dated(DATE), *dated(BIRTH)]
    return words


def inside(path: Path) -> bytes:
    """Everything in a file and its name, unpacked."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content += gzip.decompress(content)
    if path.suffix == ".png":  # texts may be packed
        with Image.open(path) as image:
            content += repr(image.info).encode()
    return content + path.name.encode()


def found_in(content: bytes, secrets: list[str]) -> list[str]:
    """Those that are there, in upper or lower case and whatever the encoding."""
    content = content.lower()
    encodings = ("utf-8", "latin-1", "utf-16-le")
    return [s for s in secrets if any(s.lower().encode(e) in content for e in encodings)]


def leaks(folder: Path, secrets: list[str]) -> dict[str, list[str]]:
    """Files of a folder that hold any, and which."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    assert files
    shown = {str(path.relative_to(folder)): found_in(inside(path), secrets) for path in files}
    return {name: words for name, words in shown.items() if words}


@dataclass(frozen=True)
class Ran:
    """One run of the command on a DICOM folder."""

    folder: Path
    out: Path
    temporary: Path
    outcome: subprocess.CompletedProcess[str]
    secrets: list[str]

    def record(self, name: str) -> dict:
        (path,) = self.out.glob(f"*_{name}.json")
        return json.loads(path.read_text(encoding="utf-8"))

    def file(self, name: str) -> Path:
        (path,) = self.out.glob(f"*_{name}")
        return path


@pytest.fixture(scope="module")
def ran(once, tmp_path_factory) -> Ran:
    root = tmp_path_factory.mktemp("visit")
    visit = Visit(identity=dict(IDENTITIES))
    head = once("scanned-head", scanned_head)
    folder = write_dicom(head, root / "Plantedmüller_PLANTEDID77123", visit)
    temporary = root / "temporary"
    temporary.mkdir()
    outcome = segment(folder, root / "out", TMPDIR=str(temporary))
    return Ran(folder, root / "out", temporary, outcome, secrets_of(visit))


def test_every_identity_is_in_the_exam(ran):
    """Or nothing below would say anything."""
    for number in ("002", "005"):
        content = next(ran.folder.glob(f"*_{number}_*")).read_bytes()
        missing = set(ran.secrets) - set(found_in(content, ran.secrets))
        assert missing == {*dated(DATE)[1:], *dated(BIRTH)[1:]}  # other ways to write them


def test_the_search_sees_what_is_packed(tmp_path):
    write_volume(Volume(np.zeros((4, 4, 4), np.uint8), np.eye(4)), tmp_path / "a.nii.gz")
    content = bytearray(gzip.decompress((tmp_path / "a.nii.gz").read_bytes()))
    content[148:155] = b"Planted"  # where NIfTI has its description
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(bytes(content)))
    about = PngInfo()
    about.add_text("Title", "of Plantedmüller", zip=True)
    Image.new("L", (9, 9)).save(tmp_path / "b.png", pnginfo=about)
    (tmp_path / "c.json").write_text('{"date": "1951-02-03"}', encoding="utf-8")
    (tmp_path / "d.tsv").write_bytes("x\tPlantedmüller".encode("latin-1"))
    (tmp_path / "Quirin.tsv").write_text("nothing", encoding="utf-8")
    (tmp_path / "e.tsv").write_text("nothing", encoding="utf-8")
    found = leaks(tmp_path, secrets_of(Visit(identity=dict(IDENTITIES))))
    assert set(found) == {"a.nii.gz", "b.png", "c.json", "d.tsv", "Quirin.tsv"}


def test_the_exam_is_segmented_with_its_diffusion(ran):
    assert ran.outcome.returncode == ExitCode.OK, ran.outcome.stderr
    assert "Traceback" not in ran.outcome.stderr
    origin = ran.record("provenance")
    assert origin["person"]["age_years"] == 70
    assert origin["person"]["sex"] == "female"
    assert {"t1", "fa", "md"} <= set(origin["modalities_used"])
    assert {"t1", "dwi"} == {one["role"] for one in origin["inputs"]}
    assert "diffusion_not_used" not in {one["code"] for one in ran.record("qc")["findings"]}
    kinds = {path.suffix for path in ran.out.iterdir()}
    assert kinds == {".gz", ".png", ".json", ".tsv"}


def test_no_result_holds_an_identity(ran):
    assert leaks(ran.out, ran.secrets) == {}


def test_no_stream_holds_an_identity(ran):
    assert ran.outcome.stdout
    streams = ran.outcome.stdout + ran.outcome.stderr
    assert found_in(streams.encode(), ran.secrets) == []


def test_no_image_is_left_in_the_folder_for_temporary_files(ran):
    left = [path for path in ran.temporary.rglob("*") if path.is_file()]
    assert left == []


def test_no_stored_case_holds_an_identity(ran, tmp_path):
    """Made of the same parts as the panel's: T1 as read, maps, labels, and the run's record."""
    t1 = open_source(ran.folder).t1
    whole = read_label_map(ran.file("dseg.nii.gz"))
    maps = {
        role: read_image(ran.file(f"param-{role}_dwimap.nii.gz"), role)
        for role in IMAGES
        if role != "t1" and list(ran.out.glob(f"*_param-{role}_dwimap.nii.gz"))
    }
    assert {"fa", "md"} <= set(maps)
    origin = ran.record("provenance")
    grid = BoxGrid(t1.shape, t1.affine, (0, 0, 0))
    prediction = Volume(whole.array.astype(np.uint8), grid.box_affine)
    correction = prediction.array.copy()
    labelled = np.argwhere(correction)
    correction[tuple(labelled[0])] = 0
    root = tmp_path / "store"
    case = CaseStore(root).approve(
        Approval(
            images=cut_images(grid, prediction.array.shape, t1, **maps),
            prediction=prediction,
            correction=Volume(correction, grid.box_affine),
            grid=grid,
            exam_key=exam_key(t1),
            subject="ALS-017",
            annotator="R-01",
            model=origin["model"],
            modalities=tuple(name for name in origin["modalities_used"] if name in IMAGES),
            seconds_spent=12.0,
        )
    )
    assert {"t1", "fa", "md"} <= set(case.images)
    assert CaseStore(root).verify(case.case_id) == ()
    assert leaks(root, ran.secrets) == {}

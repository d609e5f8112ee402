"""Promoting, going back and removing; the bundled models are never touched."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.file_lock import FileLock
from BrainstemALSLib.segmentation.models import LOCATOR, STRUCTURES, find_model
from BrainstemALSLib.segmentation.registry import (
    BUNDLED,
    Lineage,
    ModelRegistry,
    models_folder,
    models_in_use,
    read_lineage,
    user_folder,
)
from BrainstemALSLib.segmentation.registry import (
    registry as module,
)
from Testing.segmentation.registry.conftest import CASE, lineage_of, small_candidate

SCRIPT = Path(__file__).with_name("doomed.py")


def test_nothing_promoted_means_the_bundled_models(root):
    used = models_in_use(root)
    assert (used.version, used.folder, used.findings) == (BUNDLED, asset_path("Models"), ())
    assert not root.exists()  # a reader makes nothing


def test_a_promoted_version_is_whole_and_in_use(registry, root, candidate):
    gate = {"outcome": "promote", "reasons": ["better"]}
    extras = {"report.html": b"<html></html>"}
    version = registry.promote(candidate, lineage_of(), gate, extras, judged_against=BUNDLED)
    assert models_folder(root) == version.folder
    assert find_model(STRUCTURES, version.folder).path.read_bytes().startswith(b"first")
    assert find_model(LOCATOR, version.folder).identity == find_model(LOCATOR).identity
    assert version.gate == gate
    assert (version.folder / "report.html").read_bytes() == b"<html></html>"
    lineage = read_lineage(version.folder)
    assert (lineage.parent, lineage.corrections) == (BUNDLED, (CASE,))
    assert lineage.training == {"seconds": 12.5}
    assert lineage.made_utc.endswith("Z")
    (entry,) = registry.history()
    assert (entry.action, entry.version, entry.previous) == ("promote", version.id, BUNDLED)


def test_the_checksums_are_such_as_sha256sum_reads(promoted):
    for line in (promoted[0].folder / "version.sha256").read_text().splitlines():
        assert len(line.split("  ")[0]) == 64
    assert promoted[2].lineage.ancestors == (promoted[1].id, promoted[0].id)


def test_a_candidate_keeps_its_own_locator(registry, candidate):
    for suffix in (".ts", ".json"):
        content = asset_path(f"Models/locator{suffix}").read_bytes()
        (candidate / f"locator{suffix}").write_bytes(content)
    path = candidate / "locator.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": "own"}))
    version = registry.promote(candidate, lineage_of())
    assert find_model(LOCATOR, version.folder).identity["version"] == "own"


def test_rollback_goes_back_one_step_each_time(registry, promoted):
    first, second, _ = promoted
    assert registry.rollback().version == second.id
    assert registry.rollback().version == first.id
    assert registry.rollback().version == BUNDLED
    with pytest.raises(BrainstemALSError, match="nothing to go back to") as caught:
        registry.rollback()
    assert caught.value.code is ExitCode.USAGE
    assert [entry.action for entry in registry.history()] == ["promote"] * 3 + ["rollback"] * 3


def test_rollback_after_a_choice_by_hand(registry, promoted):
    first, _, third = promoted
    registry.use(first.id)
    assert registry.rollback().version == third.id
    registry.use(BUNDLED)
    assert registry.in_use().version == BUNDLED
    assert registry.rollback().version == third.id


def test_rollback_passes_over_what_does_not_work(registry, promoted):
    first, second, _ = promoted
    (second.folder / "structures.ts").write_bytes(b"gone")
    assert registry.rollback().version == first.id


def test_a_damaged_version_falls_back_to_its_parents_and_at_last_to_the_bundled(root, promoted):
    first, second, third = promoted
    for version, expected in ((third, second.id), (second, first.id), (first, BUNDLED)):
        (version.folder / "structures.ts").write_bytes(b"damaged")
        used = models_in_use(root)
        assert used.version == expected
        (finding,) = used.findings
        assert third.id in finding.message
        assert "structures.ts is damaged" in finding.message
        find_model(STRUCTURES, used.folder)


@pytest.mark.parametrize(
    "name", ["lineage.json", "version.sha256", "structures.json", "locator.ts"]
)
def test_every_file_of_a_version_counts(root, promoted, name):
    (promoted[2].folder / name).unlink()
    used = models_in_use(root)
    assert used.version == promoted[1].id
    assert name in used.findings[0].message or "checksums" in used.findings[0].message


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 1, "current": "../../x"}']
)
def test_a_damaged_pointer_means_the_bundled_models_and_can_be_mended(
    registry, root, promoted, content
):
    (root / "current.json").write_bytes(content)
    used = models_in_use(root)
    assert used.version == BUNDLED
    assert "damaged" in used.findings[0].message
    assert registry.history() == ()
    assert registry.use(promoted[1].id).version == promoted[1].id
    assert registry.in_use().findings == ()


def test_a_pointer_of_a_newer_version_is_read_past_and_never_overwritten(registry, root, promoted):
    path = root / "current.json"
    newer = json.dumps({**json.loads(path.read_text()), "format": 99})
    path.write_text(newer)
    assert models_in_use(root).version == BUNDLED
    assert models_in_use(root).findings
    with pytest.raises(BrainstemALSError, match="newer version"):
        registry.use(promoted[0].id)
    assert path.read_text() == newer


def test_what_cannot_be_put_into_use(registry, promoted):
    (promoted[0].folder / "structures.ts").write_bytes(b"damaged")
    for name, code in (
        (promoted[0].id, ExitCode.MODEL_UNAVAILABLE),
        ("20200101T000000Z-000000000000", ExitCode.USAGE),
        ("../../etc", ExitCode.USAGE),
    ):
        with pytest.raises(BrainstemALSError) as caught:
            registry.use(name)
        assert caught.value.code is code
    assert registry.in_use().version == promoted[2].id


def test_removing(registry, root, promoted):
    first, second, third = promoted
    for name in (third.id, BUNDLED, "20200101T000000Z-000000000000"):
        with pytest.raises(BrainstemALSError):
            registry.remove(name)
    registry.remove(second.id)
    assert {version.id for version in registry.versions()} == {first.id, third.id}
    assert registry.rollback().version == first.id
    registry.use(third.id)
    (third.folder / "structures.ts").write_bytes(b"damaged")
    assert models_in_use(root).version == first.id  # the removed parent's own parent


def test_a_damaged_candidate_is_refused_and_leaves_nothing(registry, root, candidate):
    (candidate / "structures.ts").write_bytes(b"other")
    with pytest.raises(BrainstemALSError, match="checksum"):
        registry.promote(candidate, lineage_of())
    assert list((root / "versions").iterdir()) == []
    assert models_in_use(root).version == BUNDLED


def test_a_candidate_judged_against_another_model_is_refused(registry, candidate, promoted):
    with pytest.raises(BrainstemALSError, match="another model was put into use"):
        registry.promote(candidate, lineage_of(), judged_against=BUNDLED)
    assert len(registry.versions()) == 3


def test_the_folder_of_the_bundled_models_is_refused(candidate):
    folder = asset_path("Models")
    before = sorted(folder.iterdir())
    for root in (folder, folder / "mine"):
        with pytest.raises(BrainstemALSError, match="come with BrainstemALS"):
            ModelRegistry(root).promote(candidate, lineage_of())
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("corrections", [("ALS-017",), (CASE, "Musterfrau")])
def test_lineage_names_cases_and_no_subjects(corrections):
    with pytest.raises(ValueError, match="case id"):
        Lineage(BUNDLED, "0" * 64, corrections)


def test_a_reader_needs_no_lock_and_a_writer_waits_for_it(
    registry, root, candidate, promoted, monkeypatch
):
    monkeypatch.setattr(module, "_LOCK_WAIT_S", 0.1)
    with FileLock(root / "registry.lock"):
        assert models_in_use(root).version == promoted[2].id
        assert len(registry.versions()) == 3
        with pytest.raises(BrainstemALSError, match="another program"):
            registry.use(promoted[0].id)


def test_a_full_disk_or_a_file_in_the_way_is_told(tmp_path, candidate):
    (tmp_path / "file").write_text("x")
    with pytest.raises(BrainstemALSError) as caught:
        ModelRegistry(tmp_path / "file").promote(candidate, lineage_of())
    assert caught.value.code is ExitCode.OUTPUT_REFUSED
    assert str(tmp_path) not in str(caught.value)


def test_two_processes_promote_at_the_same_time(registry, root, tmp_path):
    command = [sys.executable, str(SCRIPT), "promote", str(root), "6"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    made = {line for text in outputs for line in text.split()}
    assert len(made) == 12
    assert {version.id for version in registry.versions() if not version.problem} == made
    history = registry.history()
    assert {entry.version for entry in history} == made
    # Each saw what the one before had done.
    befores = [BUNDLED, *(entry.version for entry in history[:-1])]
    assert [entry.previous for entry in history] == befores
    assert registry.in_use().version == history[-1].version


def test_where_the_users_models_lie(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINSTEM_ALS_MODELS", str(tmp_path / "mine"))
    assert user_folder() == tmp_path / "mine"
    assert ModelRegistry().root == tmp_path / "mine"
    monkeypatch.delenv("BRAINSTEM_ALS_MODELS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    if sys.platform.startswith("linux"):
        assert user_folder() == tmp_path / "data" / "BrainstemALS" / "models"
    assert user_folder().name == "models"


def test_importing_it_loads_no_torch():
    code = (
        "import sys\nfrom BrainstemALSLib.segmentation.registry import models_folder\n"
        "models_folder()\nprint('torch' in sys.modules)"
    )
    library = Path(__file__).resolve().parents[3] / "BrainstemALS"
    outcome = subprocess.run(
        [sys.executable, "-c", code], cwd=library, capture_output=True, text=True, timeout=60
    )
    assert outcome.stdout.strip() == "False", outcome.stderr


def test_the_small_candidate_is_one_that_the_library_takes(tmp_path):
    find_model(STRUCTURES, small_candidate(tmp_path / "other"))

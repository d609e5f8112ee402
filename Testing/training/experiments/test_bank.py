"""Banked images: the same seed is the same image, and nothing is drawn twice."""

import pytest
import torch

from training.experiments.bank import Bank, draw_exam, exams, fingerprint, packed, unpacked
from training.smoke import phantom_anatomy

from .conftest import tiny_settings

IMAGES = tiny_settings().images


@pytest.fixture
def count():
    """What makes a case, and counts how often."""

    def make():
        make.times += 1
        return {"images": torch.full((1, 6, 2, 2, 2), make.times, dtype=torch.uint8)}

    make.times = 0
    return make


def test_a_seed_is_an_image_and_another_is_another():
    anatomy = phantom_anatomy("1")
    first, labels = draw_exam(anatomy, 5, IMAGES, deformed=True)
    again, _ = draw_exam(anatomy, 5, IMAGES, deformed=True)
    other, _ = draw_exam(anatomy, 6, IMAGES, deformed=True)
    assert first.shape == (6, 18, 22, 26)
    assert labels.shape == first.shape[1:]
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_held_out_images_show_the_anatomy_as_it_is():
    anatomy = phantom_anatomy("1")
    first, second = (draw_exam(anatomy, seed, IMAGES, deformed=False) for seed in (1, 2))
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], second[0])


def test_packing_keeps_every_modality_to_half_a_step():
    exam = {
        "t1": torch.rand(3, 3, 3),
        "fa": torch.rand(3, 3, 3),
        "md": 3 * torch.rand(3, 3, 3),
        "v1": torch.rand(3, 3, 3, 3),
    }
    back = unpacked(packed(exam))
    for name, image in exam.items():
        assert torch.allclose(back[name], image, atol=3.5 / 255 / 2 + 1e-6)


def test_a_missing_modality_is_empty():
    back = unpacked(packed({"t1": torch.ones(2, 2, 2)}))
    assert not back["fa"].any()
    assert not back["v1"].any()


def test_a_case_is_drawn_again_only_when_its_source_or_the_settings_change(tmp_path, count):
    Bank(tmp_path, [1]).add("a", "x", count)
    again = Bank(tmp_path, [1])
    again.add("a", "x", count)
    assert count.times == 1
    assert int(again["a"]["images"].max()) == 1
    again.add("a", "y", count)
    assert int(again["a"]["images"].max()) == 2
    Bank(tmp_path, [2]).add("a", "y", count)
    assert count.times == 3


def test_a_damaged_file_is_drawn_again(tmp_path, count):
    bank = Bank(tmp_path, [1])
    bank.add("a", "x", count)
    next(tmp_path.glob("*.safetensors")).write_bytes(b"cut short")
    bank.add("a", "x", count)
    assert count.times == 2


def test_images_of_a_case_do_not_depend_on_other_cases():
    anatomy = phantom_anatomy("2")
    first, second = (exams(anatomy, "a", IMAGES, 1, held_out=False) for _ in range(2))
    other = exams(anatomy, "b", IMAGES, 1, held_out=False)
    assert torch.equal(first["images"], second["images"])
    assert not torch.equal(first["images"], other["images"])


def test_a_fingerprint_is_of_the_content():
    assert fingerprint({"a": 1, "b": (2, 3)}) == fingerprint({"b": [2, 3], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})

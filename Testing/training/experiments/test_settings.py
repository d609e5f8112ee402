"""A configuration is read whole or refused with its mistake."""

import pytest

from BrainstemALSLib.errors import BrainstemALSError
from training.experiments.settings import DEFAULT, read_settings


def changed(tmp_path, old, new):
    text = DEFAULT.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "changed.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_the_study_of_the_repository_is_valid():
    settings = read_settings()
    assert settings.budgets == (1, 3, 5, 10, 20, "all")
    assert settings.images.window == (32, 40, 48)


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("renders = 8 ", "copies = 8 ", "renders"),
        ('name = "few_labels"', "name = 7", "name"),
        ("window = [32, 40, 48]", "window = [32, 40, 44]", "halved"),
        ('20, "all"]', '20, "some"]', "some"),
        ("[transfer]", "[transport]", "transfer"),
        ("seed = 1", "seed = ", "TOML"),
    ],
)
def test_a_mistake_is_named(tmp_path, old, new, word):
    with pytest.raises(BrainstemALSError, match=word):
        read_settings(changed(tmp_path, old, new))


def test_a_whole_number_is_a_number(tmp_path):
    path = changed(tmp_path, "weight = 10.0", "weight = 10")
    assert read_settings(path).mean_teacher.weight == 10.0

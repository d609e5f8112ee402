"""The whole analysis: files, the page, pictures, the map in atlas space."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import nibabel
import numpy as np
import pandas as pd
import pytest

from BrainstemALSLib.anatomy import by_key, load_structures
from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.cohort_analysis.effect_map import atlas, draw_effect_map, effect_volume
from BrainstemALSLib.cohort_analysis.figure_style import short_name, structure_name
from BrainstemALSLib.cohort_analysis.group import analyse_group, run_group
from BrainstemALSLib.cohort_analysis.options import GroupOptions
from BrainstemALSLib.cohort_analysis.results import p_text

from .conftest import QUICK
from .small_cohort import small_cohort

WHOLE = GroupOptions(permutations=50, bootstraps=3)


class Page(HTMLParser):
    """What a page refers to, its text, and whether its tags close."""

    def __init__(self, html):
        super().__init__()
        self.links, self.words, self.open, self.scripts = [], [], [], 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.scripts += tag in ("script", "iframe", "link", "object")
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("group")
    cohort = small_cohort(
        1, {"HC": 30, "ALS": 50, "MIMIC": 8}, {"ALS": -0.9}, visits=3, slopes={"ALS": -0.5},
        structures=("medulla", "pyramid_left", "pyramid_right"), measures=("volume", "fa", "md"),
    )  # fmt: skip
    cohort.participants.loc[0, "site"] = "LONELY"
    paths = run_group(cohort, out, replace(WHOLE, command="brainstem-als cohort IN OUT group"))
    return out, paths


def test_everything_named_is_there(written):
    out, paths = written
    assert paths[0] == out / "group.html"
    assert all(path.stat().st_size > 0 for path in paths)
    assert {path.name for path in paths} == {path.name for path in out.iterdir()}
    names = {path.name for path in paths}
    for name in ("forest", "levels", "violins", "trajectories", "map_volume", "map_fa", "map_md"):
        assert f"group_{name}.png" in names


def test_the_page_is_one_file_and_says_that_it_is_simulated(written):
    out, _ = written
    html = (out / "group.html").read_text(encoding="utf-8")
    page = Page(html)
    assert page.open == []
    assert page.scripts == 0
    assert page.links
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    without_pictures = re.sub(r'data:image[^"]+', "", html)
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", without_pictures)
    assert "SIMULATED DATA" in page.text
    assert "Research use only" in page.text
    assert "@media print" in html


def test_the_methods_say_what_ran(written):
    text = Page((written[0] / "group.html").read_text(encoding="utf-8")).text
    assert "88 participants took part: 30 HC (90 visits), 8 MIMIC (24 visits), 50 ALS" in text
    assert "50 Freedman-Lane permutations" in text
    assert "seed 0" in text
    assert "pandas" in text
    assert "site LONELY" in text
    assert "brainstem-als cohort IN OUT group" in text


def test_methods_do_not_claim_what_did_not_run(tmp_path):
    run_group(small_cohort(2), tmp_path, QUICK)
    text = Page((tmp_path / "group.html").read_text(encoding="utf-8")).text
    for absent in ("Freedman-Lane", "mixed models", "event-based"):
        assert absent not in text


def test_every_table_says_where_it_comes_from(written):
    for path in written[0].glob("*.tsv"):
        table = pd.read_csv(path, sep="\t", keep_default_na=False)
        assert set(table.source) <= {"simulated"}
        assert len(table) or path.name == "group_notes.tsv"
        assert "nan" not in table.astype(str).to_numpy().ravel().tolist()
    record = json.loads((written[0] / "group.json").read_text(encoding="utf-8"))
    assert record["source"] == "simulated"
    assert record["participants"] == {"HC": 30, "MIMIC": 8, "ALS": 50}


def test_no_participant_is_named_in_page_or_record(written):
    for name in ("group.html", "group.json"):
        text = re.sub(r'data:image[^"]+', "", (written[0] / name).read_text(encoding="utf-8"))
        assert "sub-" not in text


def test_real_and_unstated_sources_never_call_themselves_simulated(tmp_path):
    cohort = small_cohort(3, simulated=False)
    assert analyse_group(cohort, replace(QUICK, source="real")).source == "real"
    assert analyse_group(small_cohort(3), replace(QUICK, source="real")).source == "simulated"
    run_group(cohort, tmp_path, QUICK)
    text = Page((tmp_path / "group.html").read_text(encoding="utf-8")).text
    assert "The source of these tables is not stated" in text
    assert "SIMULATED" not in text


def test_the_same_seed_gives_the_same_tables(tmp_path):
    options = replace(QUICK, permutations=50)
    for name in ("a", "b"):
        run_group(small_cohort(4), tmp_path / name, options)
    for path in (tmp_path / "a").glob("*.tsv"):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_cohort_without_controls_still_gives_a_report(tmp_path):
    paths = run_group(small_cohort(5, {"ALS": 40}), tmp_path, replace(WHOLE, mixed=False))
    text = Page(paths[0].read_text(encoding="utf-8")).text
    assert "HC no participant of this group" in text
    assert "ALS and controls could not be compared" in text
    assert "spread order" in text
    assert not list(tmp_path.glob("effect_*.nii.gz"))


def test_results_of_an_earlier_run_do_not_stay(tmp_path):
    for name in ("group_old.tsv", "group_old.png", "effect_md.nii.gz"):
        (tmp_path / name).write_bytes(b"old")
    (tmp_path / "participants.tsv").write_bytes(b"mine")
    run_group(small_cohort(6), tmp_path, replace(QUICK, figures=True))
    assert not (tmp_path / "group_old.tsv").exists()
    assert not (tmp_path / "group_old.png").exists()
    assert not (tmp_path / "effect_md.nii.gz").exists()
    assert (tmp_path / "participants.tsv").read_bytes() == b"mine"


def test_the_map_has_each_effect_in_its_structure(written):
    table = pd.read_csv(written[0] / "group_comparisons.tsv", sep="\t")
    table = table[(table.contrast == "ALS - HC") & (table.measure == "fa")].set_index("structure")
    image = nibabel.load(written[0] / "effect_fa.nii.gz")
    labels, _ = atlas()
    values = np.asarray(image.dataobj)
    np.testing.assert_allclose(image.affine, labels.affine)
    for key in ("pyramid_left", "pyramid_right"):
        inside = labels.array == by_key()[key].index
        assert inside.sum() > 50
        np.testing.assert_allclose(values[inside], table.loc[key, "adjusted_d"], rtol=1e-4)
    assert not values[labels.array == by_key()["red_nucleus_left"].index].any()
    # The patient's left has the smaller x in no radiological flip: RAS x grows to the right.
    left = np.argwhere(labels.array == by_key()["pyramid_left"].index).mean(0)
    assert (image.affine @ [*left, 1])[0] < 0


def test_a_table_of_regions_alone_paints_nothing(written):
    table = pd.read_csv(written[0] / "group_comparisons.tsv", sep="\t")
    regions = table[(table.contrast == "ALS - HC") & (table.structure == "medulla")]
    assert effect_volume(regions, "fa") is None
    assert draw_effect_map(regions, "fa", 1.0, 0.05, "real") is None


def test_names_of_structures_are_readable_and_their_sides_survive():
    assert structure_name("corticospinal_tract_left") == "Corticospinal tract, left"
    assert structure_name("pyramid") == "Corticospinal tract in the medullary pyramid"
    short = {short_name(structure.key) for structure in load_structures()}
    assert len(short) == len(load_structures())
    for structure in load_structures():
        name = short_name(structure.key)
        assert len(name) <= 44
        assert structure.side == "midline" or name.endswith(structure.side)


def test_p_values_are_never_written_as_nought():
    assert p_text(1e-9) == "<0.001"
    assert p_text(0.0412) == "0.041"
    assert p_text(float("nan")) == "n/a"


def test_an_unknown_structure_is_analysed_and_not_painted(tmp_path):
    cohort = small_cohort(7, structures=("medulla", "invented_nucleus"))
    results = analyse_group(Cohort(cohort.participants, cohort.visits, cohort.measures), QUICK)
    assert "invented_nucleus" in set(results.main().structure)
    assert structure_name("invented_nucleus") == "Invented nucleus"

"""The model card: figures come from pages that are there and of the bundled model, or from none."""

import hashlib
import json
import re

import pytest

from BrainstemALSLib.errors import BrainstemALSError
from training.evaluation import card
from training.evaluation.card_figures import SOURCES, Figures
from training.evaluation.tables import Page, Table, results_dir, write_page
from training.evaluation.written_pages import read_page, read_rows

TRAINING = {
    "anatomies": 46,
    "command": "python -m training.train --warm-start",
    "steps": 300,
    "seconds": 600,
    "seed": 3,
    "priors": ["hierarchy"],
    "history": [
        {"sha256": "a" * 64, "steps": 100, "seconds": 90, "anatomies": 40, "seed": None},
    ],
}
SIDECARS = {
    "locator": {"spacing_mm": 4.0, "classes": ["background", "brainstem"]},
    "structures": {"spacing_mm": 1.0, "window": [64, 80, 96], "keys": ["red_nucleus_left"]},
}


@pytest.fixture
def models(tmp_path):
    """A folder of models: bytes that no one loads, and sidecars that fit them."""
    folder = tmp_path / "models"
    folder.mkdir()
    for name, own in SIDECARS.items():
        weights = name.encode() * 1000
        (folder / f"{name}.ts").write_bytes(weights)
        sidecar = own | {
            "format": 1,
            "name": name,
            "version": "0.2.0+20261129",
            "sha256": hashlib.sha256(weights).hexdigest(),
            "channels": [{"name": "t1"}],
            "licence": "CC BY-SA 4.0",
            "training_data": ["Atlas X (CC BY 4.0)"],
            "learned_from": "simulation",
            "training": TRAINING,
        }
        (folder / f"{name}.json").write_text(json.dumps(sidecar))
    return folder


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


def page(models, results, stem="icbm", sha256=None, named=True, **other):
    """Write a page, of the model in the folder unless told otherwise."""
    identity = json.loads((models / "structures.json").read_text())
    model = {"structures": identity | ({"sha256": sha256} if sha256 else {})}
    rows = [("tier_A", "T1", 18, 0.826198, "0.80 to 0.84"), ("tier_B", "T1", 18, 0.7, "n/a")]
    rows += [("tier_A", "T1 + FA, MD | V1", 18, float("nan"), "n/a")]
    columns = ("group", "exams", "cases", "Dice", "Dice, 95 % interval")
    what = {
        "title": "Made up",
        "kind": "simulated",
        "data": "none",
        "seed": 7,
        "model": model if named else {},
        "command": f"python -m training.evaluation.{stem} --cases 18",
        "marks": [
            ("Dice at least 0.9: 0.853", False),
            ("change at most 0.45 %: 0.5 %, missed by 0.05", False),
            ("a | b at most 3: 2", True),
            ("on patients", None),
        ],
        "tables": [Table("scores", "Scores", columns, rows)],
    }
    return write_page(Page(stem, **(what | other)), results)


def rendered(models, results, template):
    return card.render(Figures(results, models), template)


def test_a_page_is_read_back_as_it_was_written(models, results):
    page(models, results)
    found = read_page(results, "icbm", "a command")
    assert (found.title, found.kind) == ("Made up", "simulated")
    assert found.facts["Command"] == "python -m training.evaluation.icbm --cases 18"
    assert found.marks == (
        ("Dice at least 0.9: 0.853", False),
        ("change at most 0.45 %: 0.5 %, missed by 0.05", False),
        ("a | b at most 3: 2", True),
        ("on patients", None),
    )
    rows = read_rows(results, "icbm_scores", "a command")
    assert rows[0]["Dice"] == "0.826198"
    assert rows[2]["exams"] == "T1 + FA, MD | V1"


def test_a_heading_that_comes_again_is_numbered(models, results):
    page(models, results, tables=[Table("scores", "Scores", ("A", "low", "low"), [("x", 1, 2)])])
    assert read_rows(results, "icbm_scores", "a command") == [
        {"A": "x", "low": "1", "low (2)": "2"}
    ]


def test_a_figure_is_the_cell_of_the_page(models, results):
    page(models, results)
    where = '{"group": "tier_A", "exams": "T1"}'
    assert rendered(models, results, f'{{{{ figure("icbm_scores", "Dice", {where}) }}}}') == "0.826"
    text = f'{{{{ figure("icbm_scores", "Dice", {where}, digits=2) }}}}'
    assert rendered(models, results, text) == "0.83"
    assert rendered(models, results, f'{{{{ figure("icbm_scores", "cases", {where}) }}}}') == "18"


def test_a_table_shows_the_rows_and_columns_that_were_asked_for(models, results):
    page(models, results)
    columns = '{"group": "what", "exams": "exams", "Dice": "mean Dice"}'
    text = f'{{{{ table("icbm_scores", {columns}, {{"group": ["tier_A"]}}) }}}}'
    assert rendered(models, results, text).splitlines() == [
        "| what | exams | mean Dice |",
        "|---|---|---:|",
        "| tier_A | T1 | 0.826 |",
        "| tier_A | T1 + FA, MD \\| V1 | n/a |",
    ]


def test_marks_say_how_far_they_were_missed(models, results):
    page(models, results)
    lines = rendered(models, results, '{{ marks("icbm") }}').splitlines()
    assert lines[2] == "| simulated | Dice at least 0.9: 0.853, missed by 0.047 | **not reached** |"
    assert (
        lines[3] == "| simulated | change at most 0.45 %: 0.5 %, missed by 0.05 | **not reached** |"
    )
    assert lines[4] == "| simulated | a \\| b at most 3: 2 | reached |"
    assert lines[5] == "| simulated | on patients | not measured |"
    missed = rendered(models, results, '{% for t in missed("icbm") %}* {{ t }}\n{% endfor %}')
    assert missed.splitlines() == [
        "* Dice at least 0.9: 0.853, missed by 0.047",
        "* change at most 0.45 %: 0.5 %, missed by 0.05",
        "* on patients: not measured",
    ]


@pytest.mark.parametrize("stem", list(SOURCES))
def test_a_missing_page_is_refused_with_the_command_that_writes_it(stem, models, results):
    with pytest.raises(BrainstemALSError, match=re.escape(f"Run `{SOURCES[stem].command}`")) as why:
        rendered(models, results, f'{{{{ marks("{stem}") }}}}')
    assert f"{stem}.md" in str(why.value)


def test_a_missing_table_of_a_page_is_refused_too(models, results):
    page(models, results)
    (results / "icbm_scores.tsv").unlink()
    with pytest.raises(BrainstemALSError, match=r"icbm_scores\.tsv.*Run `python -m"):
        rendered(models, results, '{{ table("icbm_scores", ["Dice"]) }}')


def test_figures_of_another_model_are_refused(models, results):
    page(models, results, sha256="b" * 64)
    with pytest.raises(BrainstemALSError, match=r"icbm\.md: .*not of the bundled model") as why:
        rendered(models, results, '{{ figure("icbm_scores", "Dice", {"group": "tier_B"}) }}')
    assert SOURCES["icbm"].command in str(why.value)


def test_a_page_that_names_no_model_is_refused_unless_its_networks_are_its_own(models, results):
    page(models, results, named=False)
    with pytest.raises(BrainstemALSError, match="not said to be of the bundled model"):
        rendered(models, results, '{{ marks("icbm") }}')
    page(models, results, stem="few_labels", named=False)
    assert "0.853" in rendered(models, results, '{{ marks("few_labels") }}')


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ('{{ figure("icbm_scores", "Dice", {"group": "tier_A"}) }}', "2 rows, not one"),
        ('{{ figure("icbm_scores", "Dyce", {"group": "tier_B"}) }}', "no column 'Dyce'"),
        ('{{ table("icbm_scores", ["Dice"], {"group": "tier_Z"}) }}', "no row has"),
        ('{{ table("other_scores", ["Dice"]) }}', "none of the pages"),
        ('{{ model("structures", "colour") }}', "has no colour"),
        ("{{ invented() }}", "'invented' is undefined"),
        ("{% if %}", "Expected an expression"),
    ],
)
def test_a_template_that_asks_for_what_is_not_there_is_refused(template, told, models, results):
    page(models, results)
    with pytest.raises(BrainstemALSError, match=re.escape(told)):
        rendered(models, results, template)


def test_a_share_that_was_not_reached_says_by_how_much(models, results):
    marks = [
        ("5 labels reach 95 % of the Dice: 88.2 % (0.5 of 0.6)", False),
        ("no bound: 3", False),
    ]
    page(models, results, marks=marks)
    lines = rendered(models, results, '{% for t in missed("icbm") %}{{ t }}\n{% endfor %}').split(
        "\n"
    )
    assert lines[:2] == [f"{marks[0][0]}, missed by 6.8", "no bound: 3"]


def test_the_sidecar_says_what_the_model_is_and_how_it_learned(models, results):
    assert rendered(models, results, '{{ model("structures", "window") }}') == "64 x 80 x 96"
    assert rendered(models, results, '{{ model("structures", "training.anatomies") }}') == "46"
    assert rendered(models, results, '{{ has("structures", "temperature") }}') == "False"
    asked = '{{ trained_with("hierarchy") }} {{ trained_with("adjacency") }}'
    assert rendered(models, results, asked) == "True False"
    lines = rendered(models, results, '{{ runs("structures") }}').splitlines()
    assert lines[2].startswith("| 1 | 40 | 100 | 2 | n/a | `aaaaaaaa`")
    assert lines[3].startswith("| 2 | 46 | 300 | 10 | 3 |")


def test_the_command_writes_checks_and_refuses(models, results, tmp_path, monkeypatch, capsys):
    page(models, results)
    template = tmp_path / "template.md"
    template.write_text('{{ figure("icbm_scores", "Dice", {"group": "tier_B"}) }}\n')
    monkeypatch.setattr(card, "template_path", lambda: template)
    arguments = ["--results", str(results), "--model-dir", str(models)]
    arguments += ["--out", str(tmp_path / "card.md")]
    assert card.main([*arguments, "--check"]) == 1
    assert card.COMMAND in capsys.readouterr().out
    assert card.main(arguments) == 0
    assert (tmp_path / "card.md").read_text() == "0.700\n"
    assert card.main([*arguments, "--check"]) == 0

    rows = [("tier_B", 0.8)]
    page(models, results, tables=[Table("scores", "Scores", ("group", "Dice"), rows)])
    assert card.main([*arguments, "--check"]) == 1
    assert (tmp_path / "card.md").read_text() == "0.700\n"
    page(models, results, sha256="b" * 64)
    assert card.main(arguments) == 2
    assert "Run `python -m training.evaluation.icbm`" in capsys.readouterr().err
    assert (tmp_path / "card.md").read_text() == "0.700\n"


class Unmeasured(Figures):
    """Says of every figure that it is none, so that only the prose is left."""

    def page(self, stem):
        return read_page(self.results, "icbm", "") if stem in SOURCES else super().page(stem)

    def table(self, table, columns, where=None, digits=3):
        assert any(table.startswith(f"{stem}_") for stem in SOURCES)
        return "A TABLE"

    def figure(self, table, column, where=None, digits=3):
        return "A FIGURE"


def test_the_template_is_whole_and_its_prose_holds_no_figures(models, results):
    page(models, results, marks=[("a mark", False)], title="a page")
    text = card.render(Unmeasured(results, models), card.template_path().read_text())
    for heading in ("Intended use", "Training data", "Results", "Known failures", "Not a medical"):
        assert heading in text
    for said in ("LEARNED FROM SIMULATION ONLY", "No public expert label", "No image of a patient"):
        assert said in text
    assert "Atlas X (CC BY 4.0)" in text
    # Links, code, licences and what the sidecars say are no figures of the prose.
    prose = re.sub(r"\]\([^)]*\)|`[^`]*`|CC BY(-SA)? [\d.]+", "", text)
    prose = re.sub(r"\d\.\d\.\d\S*|\b[14]\.0\b|0\.0 MB", "", prose)
    assert re.findall(r"\d+[.,]\d+|\d+ ?%", prose) == []


def test_the_card_is_up_to_date(capsys):
    missing = [stem for stem in SOURCES if not (results_dir() / f"{stem}.md").exists()]
    if missing:
        pytest.skip(f"pages of results are missing: {', '.join(missing)}")
    assert card.main(["--check"]) == 0, capsys.readouterr()

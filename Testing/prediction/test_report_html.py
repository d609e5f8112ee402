"""The report and the JSON: whole, self-contained, sure of nothing that is not."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from BrainstemALSLib.imaging.finding import Finding
from BrainstemALSLib.prediction.models import Models
from BrainstemALSLib.prediction.predict import predict
from BrainstemALSLib.prediction.prediction_json import prediction_record, prediction_text
from BrainstemALSLib.prediction.report_html import report_html
from BrainstemALSLib.prediction.report_html_svg import Row, interval_chart, spaced
from BrainstemALSLib.prediction.report_html_words import (
    between,
    findings_once,
    headline,
    headlines,
    months_between,
    months_of,
    percent,
    share_between,
    text,
)

from .person_files import patient, people

DAY = "2026-11-29"
BLOCKS = ("classification", "stage", "disease_stage", "progression", "survival")
VOID = {"meta", "br"}


@pytest.fixture(scope="module")
def whole(norms, models):
    return predict(patient(), norms, models, strict=True)


class Balanced(HTMLParser):
    """Every element that is opened is closed in its turn."""

    def __init__(self):
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def checked(page: str) -> str:
    """The page, after what holds of every page."""
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert "Research use only" in page
    assert "Not for diagnosis" in page
    # Self-contained: nothing is fetched, nothing runs.
    assert not re.search(r"(src|href)=|@import|url\(|<script|<link|<iframe", page)
    assert not re.search(r"\b(nan|None|inf)\b", re.sub(r"<style>.*?</style>", "", page))
    for drawing in re.findall(r"<svg.*?</svg>", page, re.S):
        ElementTree.fromstring(drawing)
    return page


def test_the_page_of_a_whole_person(whole):
    page = checked(report_html(whole, DAY))
    assert "No number is given" not in page
    assert page.count("<svg") == 8
    for statement in {getattr(whole, part).statement for part in BLOCKS}:
        assert text(statement[1:]) in page
    assert page.count('class="sim"') >= 9
    assert "This person is simulated" in page
    assert len(page) < 100_000


def test_the_banner_names_what_was_learned_from_simulated_people(whole):
    def banner(**real):
        page = report_html(replace(whole, simulated={**whole.simulated, **real}), DAY)
        return re.search(r'<div class="banner">.*?</div>', page, re.S).group()

    every = dict.fromkeys((*BLOCKS, "reference"), False)
    assert "These models were trained on simulated patients" in banner()
    assert "simulated norms" in banner()
    assert "simulated norms" not in banner(norms=False)
    some = banner(**every | {"survival": True})
    assert "simulated patients, not on real ones: Survival and respiratory failure." in some
    assert "trained on simulated patients" not in banner(**every)
    assert "simulated norms" in banner(**every)
    assert "--norms" in banner(**every)


def test_every_number_comes_with_its_interval_first(whole):
    for name, said, whom in headlines(whole)[:-1]:
        number = r"Stages? \d to \d, most likely \d" if "stage sug" in name else (
            r"[Bb]etween .+ and .+ best estimate|^\d"
        )  # fmt: skip
        assert re.search(number, said), said
        # The level of the interval and, of ALS, what was taken for the share beforehand.
        assert re.search(r"\((80|95) % interval(, if 50 % had ALS beforehand)?", said), said
        assert ("had ALS beforehand" in said) is (name == "Consistency with ALS")
        assert "simulated" in whom


def blocks_of(page):
    """The sections of a page by their titles."""
    found = re.findall(r"<section[^>]*><h2>(.*?)</h2>(.*?)</section>", page, re.S)
    return {title: inner.replace("\u00a0", " ") for title, inner in found}


TITLES = {
    "classification": "How consistent with ALS?",
    "stage": "King&#x27;s stage that the images suggest",
    "disease_stage": "Data-driven stage (no clinical stage)",
    "progression": "Visits, and how the ALSFRS-R may go on",
    "survival": "Survival and respiratory failure",
}


def test_warnings_and_errors_of_a_part_stand_in_its_block(norms, models):
    warned = set()
    for person in people()[:16]:
        if not person.visits:
            continue
        found = predict(person, norms, models, strict=True)
        blocks = blocks_of(report_html(found, DAY))
        for part, finding in found.findings:
            if part in TITLES and finding.severity != "info":
                assert text(finding.message[1:]).replace("\u00a0", " ") in blocks[TITLES[part]]
                warned.add((part, finding.severity))
    assert {("survival", "warning"), ("stage", "error")} <= warned


def sheets(page):
    """The two sheets of a page: what is printed on the first, and on the second."""
    first, second = page.split('<p class="second">')
    return first, second


def test_the_first_sheet_is_complete_by_itself(whole):
    first, second = sheets(report_html(whole, DAY))
    blocks = blocks_of(first)
    assert {*TITLES.values(), "Compared with healthy people", "What the numbers rest on"} <= set(
        blocks
    )
    for part, title in TITLES.items():
        assert text(headline(whole, part)).replace("\u00a0", " ") in blocks[title]
        assert "Trained on simulated cohort" in blocks[title]
        assert '<b class="sim">simulated</b>' in blocks[title]
    for title in (TITLES["progression"], TITLES["survival"], TITLES["stage"]):
        assert "<svg" in blocks[title]
    assert DAY in first
    # Either sheet may lie on a desk alone.
    for sheet in (first, second):
        assert "Not for diagnosis" in sheet
        assert whole.person.participant in sheet
    assert "All findings" in second


def test_many_words_are_set_smaller_so_that_the_first_sheet_stays_one(whole):
    long = Finding("x", "warning", "It is " + "very " * 300 + "odd", "Look.")
    usual, much = (
        sheets(report_html(replace(whole, findings=(*whole.findings, *more)), DAY))[0]
        for more in ((), (("survival", long),))
    )
    assert 'class="sheet first"' in usual
    assert 'class="sheet first dense"' in much


def test_what_is_not_known_is_marked_in_the_contributions(norms, models):
    person = replace(patient(), diagnostic_delay=None, definite_ee=None, onset=None)
    found = predict(person, norms, models, strict=True)
    unknown = {c.name for c in found.explanation.of("survival") if c.value is None}
    assert {"diagnostic_delay", "definite_ee", "bulbar_onset"} <= unknown
    record = prediction_record(found, DAY)
    kept = [c for c in record["explanation"]["contributions"] if c["part"] == "survival"]
    assert {c["name"] for c in kept if c["value"] is None} == unknown
    # As if they were among the largest, which the chart shows.
    rows = sorted(found.explanation.of("survival"), key=lambda c: c.name not in unknown)
    shown = replace(found, explanation=replace(found.explanation, contributions=tuple(rows)))
    block = blocks_of(report_html(shown, DAY))["What the numbers rest on"]
    assert block.count("(?)") == min(len(unknown), 5) + 1
    assert "Delay to diagnosis (?)" in block
    assert "not known, expected from the rest" in block


def test_the_cause_that_comes_first_is_said_to_be_the_average(whole):
    block = blocks_of(report_html(whole, DAY))["Survival and respiratory failure"]
    assert re.search(r"NIV or tracheostomy first, in 12 months: .*average of simulated", block)


def test_months_are_words():
    assert [months_of(m) for m in (0.3, 1.1, 12.4)] == ["less than 1 month", "1 month", "12 months"]


def test_a_page_without_any_model(norms):
    nothing = Models(absent=dict.fromkeys((*BLOCKS, "reference"), "it is missing"))
    found = predict(patient(), norms, nothing, strict=True)
    page = checked(report_html(found, DAY))
    assert page.count("No number is given") >= 4
    assert "its model cannot be used" in page


@pytest.mark.parametrize("norms_there", [True, False])
def test_pages_of_all_kinds_of_people(norms, models, norms_there):
    for person in people()[::4]:
        if person.visits:
            found = predict(person, norms if norms_there else None, models, strict=True)
            checked(report_html(found, DAY))
            json.loads(prediction_text(found, DAY))


def test_names_cannot_write_html(norms, models):
    odd = replace(patient(), participant='<script>alert("x")</script>&')
    page = report_html(predict(odd, norms, models), DAY)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_json_says_of_every_block_whom_it_comes_from_and_what_limits_it(whole):
    record = json.loads(prediction_text(whole, DAY))
    assert (record["format"], record["version"]) == ("BrainstemALS prediction", 1)
    for part in (*BLOCKS, "norms", "explanation"):
        assert record[part]["simulated"] is True
        assert "simulated" in record[part]["statement"]
        assert isinstance(record[part]["findings"], list)
    for part in BLOCKS:
        assert record[part]["answers"] is True
    found = record["classification"]
    assert found["low"] <= found["probability"] <= found["high"]
    for low, value, high in (
        (one["low80"], one["value"], one["high80"])
        for horizon in record["progression"]["horizons"]
        for one in (horizon["alsfrs"], horizon["fvc"])
    ):
        assert low <= value <= high
    assert {"structure", "log_odds", "low", "high", "members"} <= set(
        record["explanation"]["evidence"][0]
    )
    assert [visit["alsfrs_total"] for visit in record["visits"]] == [
        visit.total for visit in whole.person.visits
    ]


def test_all_findings_are_in_the_json(norms, models):
    bare = replace(patient(), visits=tuple(replace(v, measures={}) for v in patient().visits))
    found = predict(bare, norms, models)
    record = prediction_record(found, DAY)
    blocks = [record[name]["findings"] for name in (*BLOCKS, "person", "norms", "explanation")]
    assert sum(map(len, blocks)) == len(found.findings)
    assert record["stage"]["answers"] is False


def test_a_finding_of_several_parts_is_told_once(norms, models):
    bare = replace(patient(), visits=tuple(replace(v, measures={}) for v in patient().visits))
    told = [said for _, _, said in findings_once(predict(bare, norms, models))]
    assert len(told) == len(set(told))
    (no_images,) = [said for said in told if said.startswith("No visit has images")]
    assert no_images


def test_words():
    assert share_between(0.31, 0.2, 0.45) == "between 20 and 45 %, best estimate 31 %"
    assert share_between(0.9999, 0.999, 1.0) == "over 99 %"
    assert percent(0.0) == "under 1"
    assert between(0.61, 0.3, 0.95, "points", 1) == "between 0.3 and 0.9 points, best estimate 0.6"
    assert months_between(29, 24, None) == "24 months or more, best estimate 29"
    assert months_between(None, None, None) == "beyond the follow-up of the training"


def test_what_lies_beyond_an_axis_ends_in_an_arrow():
    drawing = interval_chart([Row("x", 2.0, 1.0, 99.0)], (-4, 4), [(0, "0")], "t", ("l", "r"))
    assert "polyline" in drawing
    inside = interval_chart([Row("x", 2.0, 1.0, 3.0)], (-4, 4), [(0, "0")], "t", ("l", "r"))
    assert "polyline" not in inside


@pytest.mark.parametrize("ends", [(0, 0), (-1, 5), (0, 30), (3, 200), (0, 600)])
def test_ticks_are_round_and_few(ends):
    ticks = spaced(*map(float, ends))
    assert len(ticks) <= 9
    assert all(ends[0] <= tick <= max(ends) for tick in ticks)

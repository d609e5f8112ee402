"""Lines: whole, in pieces, broken, of another version."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.worker.protocol import (
    MAX_LINE_BYTES,
    PROTOCOL,
    Event,
    LineDecoder,
    Request,
    RequestError,
    decode_request,
    error_data,
    error_from_data,
)

texts = st.text(max_size=20)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
plain = plain.filter(lambda value: "inf" not in str(value).lower())


@settings(deadline=None)
@given(texts, st.sampled_from(["segment", "measure"]), st.dictionaries(texts, plain, max_size=3))
def test_a_request_survives_its_line(request_id, command, params):
    request = Request(request_id, command, params)
    line = request.encode()
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert decode_request(line) == request


@settings(deadline=None)
@given(st.lists(st.dictionaries(texts, plain, max_size=3), max_size=4), st.integers(1, 7))
def test_events_come_out_of_any_pieces(datas, size):
    events = [Event(str(n), "progress", data) for n, data in enumerate(datas)]
    stream = b"".join(event.encode() for event in events)
    decoder, found = LineDecoder(), []
    for first in range(0, len(stream), size):
        found += decoder.feed(stream[first : first + size])
    assert found == events


def test_what_is_no_event_is_passed_over():
    good = Event("1", "result", {})
    noise = b"Welcome\n\n\xff\xfe\n[1]\n{}\n" + b"[" * 100_000 + b"\n"
    unknown = good.encode().replace(b"result", b"hooray")
    assert LineDecoder().feed(noise + unknown + good.encode()) == [good]


def test_a_line_without_end_is_not_kept():
    decoder = LineDecoder()
    decoder.feed(b"x" * (MAX_LINE_BYTES + 1))
    good = Event("1", "result", {})
    assert decoder.feed(b"\n" + good.encode()) == [good]


def test_numbers_that_json_lacks_are_never_sent():
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            Request("1", "segment", {"value": value}).encode()


def message(**changes) -> bytes:
    whole = {"protocol": PROTOCOL, "id": "4", "command": "ping", "params": {}, **changes}
    return json.dumps({key: value for key, value in whole.items() if value is not None}).encode()


@pytest.mark.parametrize(
    ("line", "words", "request_id"),
    [
        (b"hello", "JSON", None),
        (b"[1, 2]", "JSON", None),
        (b"\xff\xff", "JSON", None),
        (message(id=None), "no id", None),
        (message(id=4), "no id", None),
        (message(protocol=PROTOCOL + 1), f"protocol {PROTOCOL}", "4"),
        (message(protocol=None), f"protocol {PROTOCOL}", "4"),
        (message(command="dance"), "unknown", "4"),
        (message(command=["ping"]), "unknown", "4"),
        (message(params=[1]), "params", "4"),
    ],
)
def test_a_request_that_is_none(line, words, request_id):
    with pytest.raises(RequestError) as caught:
        decode_request(line)
    assert words in caught.value.problem
    assert caught.value.id == request_id
    assert caught.value.code is ExitCode.USAGE


def test_a_worker_of_another_version_is_an_error():
    line = Event("4", "result", {}).encode().replace(b'"protocol": 1', b'"protocol": 2')
    (event,) = LineDecoder().feed(line)
    assert event.kind == "error"
    assert f"protocol {PROTOCOL}" in str(error_from_data(event.data))


def test_a_refusal_survives_its_event():
    refusal = BrainstemALSError("T1", "it is odd", "Give another.", ExitCode.UNSUITABLE_IMAGE)
    back = error_from_data(json.loads(json.dumps(error_data(refusal))))
    assert (str(back), back.code) == (str(refusal), refusal.code)

"""The conversation without any process: every order in which things can happen."""

from __future__ import annotations

import json

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.worker.protocol import Event, decode_request, error_data
from BrainstemALSLib.worker.session import State, WorkerSession

READY = Event(None, "ready", {"version": "0", "pid": 42}).encode()
HALF_WAY = {"stage": "a", "fraction": 0.5, "text": "b"}
REFUSAL = BrainstemALSError("T1", "it is odd", "Give another.", ExitCode.UNSUITABLE_IMAGE)


class Told:
    """A session, and what its owner was told."""

    def __init__(self):
        self.calls: list[tuple] = []
        self.session = WorkerSession(
            on_progress=lambda *told: self.calls.append(("progress", *told)),
            on_result=lambda answer: self.calls.append(("result", answer)),
            on_error=lambda refusal: self.calls.append(("error", refusal)),
            on_cancelled=lambda: self.calls.append(("cancelled",)),
            on_state=lambda state: self.calls.append(("state", state)),
        )

    def endings(self) -> list[str]:
        return [call[0] for call in self.calls if call[0] in ("result", "error", "cancelled")]


@pytest.fixture
def told() -> Told:
    return Told()


def busy(told) -> str:
    """Start, get ready, ask; return the id of the request."""
    told.session.process_started()
    told.session.feed(READY)
    return decode_request(told.session.request("ping")).id


def test_a_request_from_start_to_result(told):
    session = told.session
    assert session.state is State.DEAD
    session.process_started()
    line = session.request("ping")  # before the worker is ready
    assert session.state is State.STARTING
    assert not session.is_free
    session.feed(READY)
    number = decode_request(line).id
    session.feed(Event(number, "progress", HALF_WAY).encode())
    session.feed(Event(number, "result", {"x": 1}).encode())
    assert told.calls == [
        ("state", State.STARTING),
        ("state", State.BUSY),
        ("progress", "a", 0.5, "b"),
        ("state", State.IDLE),
        ("result", {"x": 1}),
    ]
    assert session.is_free
    assert set(session.pids(7)) == {7, 42}
    assert session.pids(42) == (42,)


def test_a_refusal_reaches_the_user_whole(told):
    number = busy(told)
    told.session.feed(Event(number, "error", error_data(REFUSAL)).encode())
    kind, refusal = told.calls[-1]
    assert kind == "error"
    assert (str(refusal), refusal.code) == (str(REFUSAL), REFUSAL.code)
    assert told.session.state is State.IDLE


def test_a_request_that_the_worker_could_not_read_is_answered_too(told):
    busy(told)
    told.session.feed(Event(None, "error", error_data(REFUSAL)).encode())
    assert told.endings() == ["error"]
    assert told.session.is_free


@pytest.mark.parametrize(
    "answer", [("cancelled", {}), ("result", {"x": 1}), ("error", error_data(REFUSAL))]
)
def test_whatever_answers_a_cancellation_it_is_one(told, answer):
    number = busy(told)
    line = told.session.cancel()
    assert json.loads(line)["command"] == "cancel"
    assert decode_request(line).id == number
    assert told.session.state is State.CANCELLING
    assert told.session.cancel() == b""  # once is enough
    told.session.feed(Event(number, "progress", HALF_WAY).encode())
    told.session.feed(Event(number, *answer).encode())
    assert [call[0] for call in told.calls if call[0] != "state"] == ["cancelled"]
    assert told.session.state is State.IDLE


def test_a_killed_worker_was_cancelled_if_that_was_asked_for(told):
    busy(told)
    told.session.cancel()
    assert told.session.process_ended(-9) == b""
    assert told.endings() == ["cancelled"]
    assert told.session.state is State.DEAD
    assert told.session.pid is None


def test_a_crash_is_told_in_a_sentence(told):
    busy(told)
    assert told.session.process_ended(-11) == b""
    ((_, refusal),) = [call for call in told.calls if call[0] == "error"]
    assert "stopped unexpectedly" in refusal.problem
    assert "-11" in refusal.problem
    assert refusal.code is ExitCode.UNEXPECTED


def test_a_worker_that_never_gets_ready(told):
    told.session.process_started()
    told.session.request("ping")
    told.session.process_ended(None)
    ((_, refusal),) = [call for call in told.calls if call[0] == "error"]
    assert "could not be started" in refusal.problem
    assert refusal.code is ExitCode.MISSING_PACKAGE


def test_a_worker_that_fell_asleep_over_a_request_is_asked_again(told):
    told.session.process_started()
    told.session.feed(READY)
    told.session.feed(Event(None, "bye", {"reason": "idle"}).encode())
    line = told.session.request("ping")
    assert told.session.process_ended(0) == line
    assert told.endings() == []
    assert not told.session.is_free
    told.session.process_started()
    told.session.feed(READY + Event(decode_request(line).id, "result").encode())
    assert told.endings() == ["result"]


def test_a_worker_that_ends_with_nothing_to_do_is_no_news(told):
    told.session.process_started()
    told.session.feed(READY)
    assert told.session.process_ended(0) == b""
    assert [call for call in told.calls if call[0] != "state"] == []


def test_shutdown_in_the_middle_of_a_request(told):
    busy(told)
    assert decode_request(told.session.shutdown()).command == "shutdown"
    told.session.feed(Event(None, "bye", {"reason": "shutdown"}).encode())
    told.session.process_ended(0)
    assert told.endings() == ["cancelled"]
    assert told.session.shutdown() == b""


def test_answers_to_earlier_requests_are_passed_over(told):
    number = busy(told)
    told.session.feed(Event("another", "result").encode())
    assert told.endings() == []
    told.session.feed(Event(number, "result").encode() * 2)
    assert told.endings() == ["result"]


def test_the_next_request_may_be_made_in_the_answer_to_the_last(told):
    lines = []
    told.session = WorkerSession(
        on_progress=lambda *_: None,
        on_result=lambda _: lines.append(told.session.request("ping")),
        on_error=lambda _: None,
        on_cancelled=lambda: None,
    )
    number = busy(told)
    told.session.feed(Event(number, "result").encode())
    assert decode_request(lines[0]).id != number
    assert told.session.state is State.BUSY


def test_two_requests_at_a_time_are_a_mistake(told):
    with pytest.raises(RuntimeError):
        told.session.request("ping")
    busy(told)
    with pytest.raises(RuntimeError):
        told.session.request("ping")
    with pytest.raises(RuntimeError):
        told.session.process_started()


def test_a_result_whose_files_are_gone_is_an_error(told, tmp_path):
    told.session.process_started()
    line = told.session.request("segment", {"folder": str(tmp_path)})
    told.session.feed(READY + Event(decode_request(line).id, "result", {}).encode())
    assert told.endings() == ["error"]


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order: each request has exactly one ending."""

    def __init__(self):
        super().__init__()
        self.told, self.asked, self.last = Told(), 0, "0"

    @precondition(lambda self: self.told.session.state is State.DEAD)
    @rule()
    def start(self):
        self.told.session.process_started()

    @precondition(lambda self: self.told.session.is_free)
    @precondition(lambda self: self.told.session.state is not State.DEAD)
    @rule()
    def ask(self):
        self.last = decode_request(self.told.session.request("ping")).id
        self.asked += 1

    @rule()
    def cancel(self):
        self.told.session.cancel()

    @rule(
        kind=st.sampled_from(["result", "cancelled", "error", "ready", "idle"]), old=st.booleans()
    )
    def hear(self, kind, old):
        number = "0" if old else self.last
        if kind == "ready":
            event = Event(None, "ready", {"pid": 3})
        elif kind == "idle":
            event = Event(None, "bye", {"reason": "idle"})
        else:
            event = Event(number, kind, error_data(REFUSAL) if kind == "error" else {})
        if self.told.session.state is not State.DEAD:
            self.told.session.feed(event.encode())

    @rule(code=st.sampled_from([None, 0, 1, -9]))
    def end(self, code):
        again = self.told.session.process_ended(code)
        if again:
            self.told.session.process_started()

    @invariant()
    def one_ending_each(self):
        pending = 0 if self.told.session.is_free else 1
        assert len(self.told.endings()) + pending == self.asked
        if self.told.session.state in (State.BUSY, State.CANCELLING):
            assert pending == 1
        if self.told.session.state in (State.IDLE, State.DEAD):
            assert pending == 0


AnyOrder.TestCase.settings = settings(deadline=None, max_examples=60)
TestAnyOrder = AnyOrder.TestCase

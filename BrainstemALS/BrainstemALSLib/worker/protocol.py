"""What the worker and its clients say to each other: one JSON object a line, in ASCII.

A client writes requests to the worker's stdin and reads events from its stdout::

    {"protocol": 1, "id": "7", "command": "segment", "params": {...}}
    {"protocol": 1, "id": "7", "event": "progress",
     "data": {"stage": "infer", "fraction": 0.4, "text": "Segmenting"}}

The worker says ``ready`` once, unasked; then each request is answered by any number of
``progress`` and by exactly one of ``result``, ``error`` and ``cancelled``, with the id of the
request. ``cancel`` and ``shutdown`` have no answer of their own: the first ends the request whose
id it carries, the second brings ``bye``. Arrays never travel in a line, see ``exchange``.

========= ==================================================================================
event     data
========= ==================================================================================
ready     ``version`` of BrainstemALS, ``pid`` of the process that computes
progress  ``stage`` (a name), ``fraction`` (0-1 of the whole request, never moving back), ``text``
result    by command, see ``commands``
error     ``code`` (an ``ExitCode``), ``subject``, ``problem``, ``remedy``
cancelled nothing
bye       ``reason``: ``idle`` or ``shutdown``
========= ==================================================================================
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ..errors import BrainstemALSError, ExitCode

PROTOCOL = 1
COMMANDS = ("segment", "measure", "predict", "improve", "ping", "cancel", "shutdown")
EVENTS = ("ready", "progress", "result", "error", "cancelled", "bye")
MAX_LINE_BYTES = 1 << 22
"""A result takes about 40 kB; what is longer is no line of ours, and not kept."""


@dataclass(frozen=True)
class Request:
    """What a client wants.

    Attributes
    ----------
    id : str
        Chosen by the client. Of ``cancel``: the id of the request to cancel.
    command : str
        One of ``COMMANDS``.
    params : dict
        JSON; see ``requests``.
    """

    id: str
    command: str
    params: dict[str, Any] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the request as a line; ValueError for NaN and infinity, which JSON lacks."""
        return _line({"id": self.id, "command": self.command, "params": self.params})


@dataclass(frozen=True)
class Event:
    """What the worker has to say.

    Attributes
    ----------
    id : str or None
        Of the request; None where it belongs to none, or to one that could not be read.
    kind : str
        One of ``EVENTS``.
    data : dict
        JSON, see the table above.
    """

    id: str | None
    kind: str
    data: dict[str, Any] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the event as a line; ValueError for NaN and infinity, which JSON lacks."""
        return _line({"id": self.id, "event": self.kind, "data": self.data})


class RequestError(BrainstemALSError):
    """A request that could not be understood (USAGE).

    Attributes
    ----------
    id : str or None
        Of the request, where at least that could be read.
    """

    def __init__(self, problem: str, remedy: str, request_id: str | None = None):
        super().__init__("request", problem, remedy, ExitCode.USAGE)
        self.id = request_id


class LineSplitter:
    """Gives whole lines of bytes that come in pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the lines that are complete now, without their ends and without empty ones."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            self._rest = b""
        return [line for line in lines if line.strip()]


class LineDecoder:
    """Gives the events in what a worker writes, in whatever pieces it comes.

    What is no event is passed over: a launcher may greet on stdout before the worker runs.
    """

    def __init__(self) -> None:
        self._lines = LineSplitter()

    def feed(self, piece: bytes) -> list[Event]:
        """Return the events that are complete now."""
        events = (_decode_event(line) for line in self._lines.feed(piece))
        return [event for event in events if event is not None]


def decode_request(line: bytes) -> Request:
    """Return the request in a line.

    Raises
    ------
    RequestError
        Not JSON, of another protocol, without what a request has, or an unknown command.
    """
    message = _object(line)
    if message is None:
        raise RequestError("it is not a line of JSON", "Send one JSON object a line.")
    request_id = message.get("id")
    if not isinstance(request_id, str):
        raise RequestError("it has no id", "Give every request an id, a string of your own.")
    if message.get("protocol") != PROTOCOL:
        raise RequestError(
            f"it is not of protocol {PROTOCOL}, the one that this worker speaks",
            "Use a client and a worker of the same version of BrainstemALS; restart Slicer after "
            "an update.",
            request_id,
        )
    command, params = message.get("command"), message.get("params", {})
    if command not in COMMANDS:
        known = ", ".join(COMMANDS)
        raise RequestError("the command is unknown", f"Use one of: {known}.", request_id)
    if not isinstance(params, dict):
        raise RequestError("its params are no object", "Send params as {}.", request_id)
    return Request(request_id, command, params)


def error_data(error: BrainstemALSError) -> dict[str, Any]:
    """Return the data of an ``error`` event."""
    return {
        "code": int(error.code),
        "subject": error.subject,
        "problem": error.problem,
        "remedy": error.remedy,
    }


def error_from_data(data: dict[str, Any]) -> BrainstemALSError:
    """Return the refusal in the data of an ``error`` event."""
    return BrainstemALSError(data["subject"], data["problem"], data["remedy"], data["code"])


def _decode_event(line: bytes) -> Event | None:
    message = _object(line)
    if message is None or "event" not in message:
        return None
    if message.get("protocol") != PROTOCOL:
        refusal = BrainstemALSError(
            "worker",
            f"the process that computes does not speak protocol {PROTOCOL}",
            "Install BrainstemALS again, and restart Slicer after an update.",
            ExitCode.USAGE,
        )
        return Event(None, "error", error_data(refusal))
    if message["event"] not in EVENTS:
        return None
    return Event(message.get("id"), message["event"], message.get("data", {}))


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _line(message: dict[str, Any]) -> bytes:
    text = json.dumps({"protocol": PROTOCOL, **message}, ensure_ascii=True, allow_nan=False)
    return text.encode("ascii") + b"\n"

"""Observations of VTK objects that are given up together."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import shiboken6
from PySide6 import QtCore


def _alive(owner: object) -> bool:
    """Say whether a Qt object, if it is one, still exists."""
    return not isinstance(owner, QtCore.QObject) or shiboken6.isValid(owner)


class Observers:
    """Keeps the tags of observations; observing the same again changes nothing."""

    def __init__(self):
        self._tags: dict[tuple[int, object], tuple[weakref.ref, int]] = {}

    def add(self, subject: object, event: object, callback: Callable) -> None:
        """Call a bound method as ``callback(subject, event_name)``; doesn't keep its object."""
        key = (id(subject), event)
        known = self._tags.get(key)
        if known is not None and known[0]() is subject:
            return
        method = weakref.WeakMethod(callback)

        def call(caller: object, name: str) -> None:
            function = method()
            if function is not None and _alive(function.__self__):
                function(caller, name)

        self._tags[key] = (weakref.ref(subject), subject.AddObserver(event, call))

    def clear(self) -> None:
        """Observe nothing any more."""
        for reference, tag in self._tags.values():
            subject = reference()
            if subject is not None:
                subject.RemoveObserver(tag)
        self._tags = {}
